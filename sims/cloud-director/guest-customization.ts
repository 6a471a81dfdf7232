import type { GuestCustomization } from './entities.ts';
import { badRequest } from './refusal.ts';
import { booleanOf, textOf, type XmlElement } from './xml/tree.ts';

/** A name that DNS (and, for Windows, NetBIOS: 15 characters) accepts, made from a VM's name. */
export function computerNameOf(name: string, osType: string): string {
  const safe = name
    .normalize('NFKD')
    .replace(/[^A-Za-z0-9-]+/g, '-')
    .replace(/^-+|-+$/g, '');
  const limit = osType.startsWith('win') ? 15 : 63;
  return safe.slice(0, limit).replace(/-+$/, '') || 'vm';
}

/** Merges a GuestCustomizationSection into what is there: omitted elements keep their value. */
export function readCustomization(section: XmlElement | undefined, before: GuestCustomization): GuestCustomization {
  if (section === undefined) return before;
  const rest = { ...before.rest };
  for (const inner of section.children) {
    if (['Info', 'Link', 'Enabled', 'ComputerName', 'VirtualMachineId'].includes(inner.local)) continue;
    rest[inner.local] = inner.text;
  }
  const computerName = textOf(section, 'ComputerName') || before.computerName;
  if (!/^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$/.test(computerName)) {
    throw badRequest(`The computer name "${computerName}" may hold letters, digits and hyphens only (63 at most).`);
  }
  return { enabled: booleanOf(textOf(section, 'Enabled')) ?? before.enabled, computerName, rest };
}
