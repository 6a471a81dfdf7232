import { expect, test } from 'vitest';
import { contentChecks } from './content-checks.ts';
import type { MachineDescription, PackageDescription } from './machine.ts';

const GIB = 1024 ** 3;
const machine = (id: string, more: Partial<MachineDescription> = {}): MachineDescription => ({
  id,
  name: id,
  notes: '',
  guestId: 'otherGuest',
  cpus: 1,
  coresPerSocket: 1,
  memoryMib: 512,
  firmware: 'bios',
  controllers: [{ id: 'pvscsi-0', kind: 'pvscsi', bus: 0 }],
  disks: [
    { id: `${id}/0`, label: 'Hard disk 1', capacityBytes: 3 * GIB, controller: 'pvscsi-0', unit: 0, format: 'thin' },
  ],
  nics: [{ label: 'Network adapter 1', kind: 'vmxnet3', network: null, connected: true }],
  bootOrder: [],
  properties: [],
  eulas: [],
  extras: {},
  ...more,
});

const packageOf = (machines: MachineDescription[], more: Partial<PackageDescription> = {}): PackageDescription => {
  const rest = { networks: [], startOrder: [], properties: [], eulas: [] };
  return { kind: 'vapp', name: 'p', notes: '', machines, ...rest, ...more };
};

const wishes = (description: PackageDescription, more = {}) => ({
  description,
  keepMac: false,
  keepUuid: false,
  properties: {},
  ...more,
});

const named = (checks: ReturnType<typeof contentChecks>, name: string) => checks.find((check) => check.name === name);

test('kept addresses are a warning only where there is an adapter', () => {
  const one = packageOf([machine('a')]);
  expect(named(contentChecks(wishes(one)), 'identity')?.outcome).toBe('pass');
  expect(named(contentChecks(wishes(one, { keepMac: true })), 'identity')?.outcome).toBe('warn');
  const without = packageOf([machine('a', { nics: [] })]);
  expect(named(contentChecks(wishes(without, { keepMac: true })), 'identity')?.outcome).toBe('pass');
});

test('OVF properties without a value are named, those that the request gives are not', () => {
  const property = { key: 'hostname', type: 'string', userConfigurable: true };
  const one = packageOf([machine('a', { properties: [property] })]);
  expect(named(contentChecks(wishes(one)), 'ovf-properties')?.found).toContain('hostname');
  const given = contentChecks(wishes(one, { properties: { hostname: 'x' } }));
  expect(named(given, 'ovf-properties')?.outcome).toBe('pass');
});

test('a thin disk that becomes thick is said with its full size', () => {
  const one = packageOf([machine('a')]);
  expect(named(contentChecks(wishes(one), { format: 'thin' }), 'thin-to-thick')).toBeUndefined();
  expect(named(contentChecks(wishes(one), { format: 'thick' }), 'thin-to-thick')?.found).toContain('3.0 GiB');
});

test('a start order that the destination does not keep is a warning', () => {
  const entry = { startAction: 'powerOn', startDelaySeconds: 0, stopAction: 'none', stopDelaySeconds: 0 } as const;
  const startOrder = [{ machine: 'a', order: 1, ...entry }];
  const two = packageOf([machine('a'), machine('b')], { startOrder });
  expect(named(contentChecks(wishes(two)), 'start-order')?.outcome).toBe('pass');
  expect(named(contentChecks(wishes(two), { ordersStarts: false }), 'start-order')?.outcome).toBe('warn');
});
