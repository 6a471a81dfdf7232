/** Checks of a copy that depend on the package and on what is asked for, not on the kind of cloud. */

import type { Check } from './check.ts';
import { type DiskFormat, disksOf, type OvfProperty, type PackageDescription } from './machine.ts';

export interface ContentWishes {
  description: PackageDescription;
  keepMac: boolean;
  keepUuid: boolean;
  /** Values that the request gives to OVF properties. */
  properties: Record<string, string>;
}

export interface ContentTarget {
  /** How the disks will take their space; undefined where the storage decides. */
  format?: DiskFormat;
  /** Whether a machine's start order is kept. Default true. */
  ordersStarts?: boolean;
}

export function contentChecks(wishes: ContentWishes, target: ContentTarget = {}): Check[] {
  return [
    identityCheck(wishes),
    ...propertyChecks(wishes),
    ...startOrderChecks(wishes.description, target.ordersStarts ?? true),
    ...thickChecks(wishes.description, target.format),
  ];
}

function identityCheck({ description, keepMac, keepUuid }: ContentWishes): Check {
  const name = 'identity';
  const nics = description.machines.flatMap((machine) => machine.nics).length;
  const text = (kept: boolean) => (kept ? 'kept' : 'new');
  const found = `MAC addresses are ${text(keepMac)}, BIOS UUIDs are ${text(keepUuid)}.`;
  if (!keepMac || nics === 0) return { name, outcome: 'pass', found };
  return {
    name,
    outcome: 'warn',
    found: `${found} Source and copy must not be on one network at the same time.`,
    remedy: 'Leave the source off or disconnected while the copy runs, or do not keep the addresses.',
  };
}

/** OVF properties that have neither a value of their own nor one in the request. */
function propertyChecks({ description, properties }: ContentWishes): Check[] {
  const all: OvfProperty[] = [...description.properties, ...description.machines.flatMap((one) => one.properties)];
  if (all.length === 0) return [];
  const name = 'ovf-properties';
  const isGiven = ({ key, value }: OvfProperty) =>
    properties[key] !== undefined || (value !== undefined && value !== '');
  const open = all.filter((one) => one.userConfigurable && !isGiven(one)).map(({ key }) => key);
  if (open.length === 0) return [{ name, outcome: 'pass', found: `${all.length} OVF properties are carried.` }];
  return [
    {
      name,
      outcome: 'warn',
      found: `OVF properties without a value: ${open.join(', ')}.`,
      remedy: 'Give them with --property KEY=VALUE, or set them before the first start.',
    },
  ];
}

function startOrderChecks({ startOrder, machines }: PackageDescription, kept: boolean): Check[] {
  if (startOrder.length === 0 || machines.length < 2) return [];
  const name = 'start-order';
  if (kept) return [{ name, outcome: 'pass', found: `The start order of ${startOrder.length} machines is carried.` }];
  const remedy = 'Start them by hand in their order.';
  return [{ name, outcome: 'warn', found: 'The start order of the machines is not kept here.', remedy }];
}

function thickChecks(description: PackageDescription, format: DiskFormat | undefined): Check[] {
  if (format === undefined || format === 'thin') return [];
  const thin = disksOf(description).filter((disk) => disk.format === 'thin');
  if (thin.length === 0) return [];
  const full = thin.reduce((sum, { capacityBytes }) => sum + capacityBytes, 0);
  const names = thin.map(({ label }) => label).join(', ');
  return [
    {
      name: 'thin-to-thick',
      outcome: 'warn',
      found: `Thin disks become thick and take their full size, ${(full / 1024 ** 3).toFixed(1)} GiB: ${names}.`,
      remedy: 'Choose the disk format "thin" if that is not wanted.',
    },
  ];
}
