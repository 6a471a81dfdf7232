import { Fault } from '../../model/fault.ts';
import type { OptionDescription, OptionValues } from '../../model/option.ts';

export const options: readonly OptionDescription[] = [
  {
    name: 'url',
    label: 'Address',
    help: 'Where Cloud Director answers, for example https://vcd.example.net (a path such as /tenant/org1 is ignored).',
    type: 'url',
    required: true,
  },
  {
    name: 'organization',
    label: 'Organization',
    help: 'Short name of the organization, as in the address of its portal; System for a system administrator.',
    type: 'text',
    required: true,
  },
  {
    name: 'username',
    label: 'User',
    help: 'Name of a local account of the organization. Not needed with an API token.',
    type: 'text',
    required: false,
  },
  { name: 'password', label: 'Password', help: 'Password of that account.', type: 'secret', required: false },
  {
    name: 'api-token',
    label: 'API token',
    help: 'A token made under User preferences (release 10.3.1 and later); takes the place of user and password.',
    type: 'secret',
    required: false,
  },
];

type Credentials = { kind: 'password'; username: string; password: string } | { kind: 'token'; token: string };

export interface Account {
  /** `https://host[:port]`, nothing behind it. */
  origin: string;
  organization: string;
  credentials: Credentials;
}

/** The organization of system administrators. */
export function isProvider(organization: string): boolean {
  return organization.toLowerCase() === 'system';
}

export function originOf(values: OptionValues): URL {
  const text = (values.url ?? '').trim();
  const url = URL.canParse(text) ? new URL(text) : URL.canParse(`https://${text}`) ? new URL(`https://${text}`) : null;
  if (text === '' || url === null || url.hostname === '') {
    throw new Fault('input.invalid', 'cloud-director: "url" is no address', {
      remedy: 'Write the address of Cloud Director, for example https://vcd.example.net.',
    });
  }
  if (url.protocol !== 'https:') {
    throw new Fault('input.invalid', `cloud-director: "url" has to begin with https://, not ${url.protocol}//`, {
      remedy: 'Cloud Director is spoken to over TLS only.',
    });
  }
  return url;
}

/** The values of `options` as a trusted type. Fault `input.invalid` names the option that is wrong. */
export function readAccount(values: OptionValues): Account {
  const origin = originOf(values).origin;
  const organization = (values.organization ?? '').trim();
  if (organization === '') throw missing('organization');
  const token = (values['api-token'] ?? '').trim();
  if (token !== '') return { origin, organization, credentials: { kind: 'token', token } };
  const username = (values.username ?? '').trim();
  if (username === '') throw missing('username');
  if (!values.password) throw missing('password');
  return { origin, organization, credentials: { kind: 'password', username, password: values.password } };
}

function missing(name: string): Fault {
  return new Fault('input.invalid', `cloud-director: "${name}" is missing`, {
    remedy: 'Give user and password, or an API token, and the organization.',
  });
}
