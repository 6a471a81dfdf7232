import { Fault } from '../../model/fault.ts';
import type { OptionDescription, OptionValues } from '../../model/option.ts';

export const options: readonly OptionDescription[] = [
  {
    name: 'url',
    label: 'Address',
    help: 'Host name or URL of the vCenter Server or ESXi host, for example vc.example.com or https://vc.example.com:8443.',
    type: 'url',
    required: true,
  },
  {
    name: 'username',
    label: 'User name',
    help: 'For example connector@vsphere.local.',
    type: 'text',
    required: true,
  },
  { name: 'password', label: 'Password', help: 'Kept encrypted at the server.', type: 'secret', required: true },
];

/** The URL of the SOAP endpoint: `https://host[:port]/sdk` unless a path is given. Fault: `input.invalid`. */
export function endpointOf(values: OptionValues): URL {
  const text = (values.url ?? values.host ?? '').trim();
  if (text === '') throw new Fault('input.invalid', 'vsphere: the address is missing');
  let url: URL;
  try {
    url = new URL(text.includes('://') ? text : `https://${text}`);
  } catch (cause) {
    throw new Fault('input.invalid', `vsphere: "${text}" is not an address`, { cause });
  }
  if (url.protocol !== 'https:') throw new Fault('input.invalid', 'vsphere: the address must begin with https://');
  if (url.username !== '' || url.password !== '') {
    throw new Fault('input.invalid', 'vsphere: the address must not hold a user name or password');
  }
  if (url.pathname === '/' || url.pathname === '') url.pathname = '/sdk';
  url.search = '';
  url.hash = '';
  return url;
}

export function requiredValue(values: OptionValues, name: string): string {
  const value = values[name] ?? '';
  if (value === '') throw new Fault('input.invalid', `vsphere: ${name} is missing`);
  return value;
}
