import { describe, expect, it } from 'vitest';
import { compareDescriptions, type Expectations } from './comparison.ts';
import type { MachineDescription, PackageDescription } from './machine.ts';

const machine: MachineDescription = {
  id: 'web',
  name: 'web',
  notes: 'front end',
  guestId: 'debian12_64Guest',
  hardwareVersion: 'vmx-19',
  cpus: 4,
  coresPerSocket: 2,
  memoryMib: 1024,
  firmware: 'efi',
  controllers: [
    { id: 'pvscsi-0', kind: 'pvscsi', bus: 0 },
    { id: 'ide-0', kind: 'ide', bus: 0 },
  ],
  disks: [{ id: 'web/disk-0', label: 'Hard disk 1', capacityBytes: 512 * 3, controller: 'pvscsi-0', unit: 0 }],
  nics: [{ label: 'NIC 1', kind: 'vmxnet3', mac: '00:50:56:00:00:01', network: 'VM Network', connected: true }],
  bootOrder: ['disk'],
  uuid: 'a',
  properties: [{ key: 'password', type: 'string', value: 'secret', userConfigurable: true, password: true }],
  eulas: [],
  extras: { cpuHotAddEnabled: 'true' },
};
const vm: PackageDescription = {
  kind: 'vm',
  name: 'web',
  notes: '',
  machines: [machine],
  networks: [{ name: 'VM Network' }],
  startOrder: [],
  properties: [],
  eulas: [],
};
const expected: Expectations = {
  name: 'web',
  keepMac: false,
  keepUuid: false,
  networks: { 'VM Network': 'net1' },
  properties: {},
};

function arrived(change: Partial<MachineDescription>): PackageDescription {
  const nics = machine.nics.map((nic) => ({ ...nic, network: 'net1', mac: '00:50:56:00:00:02' }));
  return { ...vm, machines: [{ ...machine, nics, uuid: 'b', ...change }] };
}

const lost = (change: Partial<MachineDescription>, expectations = expected) =>
  compareDescriptions(vm, arrived(change), expectations)
    .filter((difference) => difference.nature === 'lost')
    .map((difference) => difference.field);

describe('a comparison', () => {
  it('finds nothing lost when only identity and mapped networks differ', () => {
    expect(lost({})).toEqual([]);
  });

  it('names every field that was not carried', () => {
    expect(
      lost({ cpus: 2, coresPerSocket: 1, firmware: 'bios', guestId: 'other', notes: '', bootOrder: [], extras: {} }),
    ).toEqual([
      'web: notes',
      'web: guest id',
      'web: CPUs',
      'web: cores per socket',
      'web: firmware',
      'web: boot order',
      'web: cpuHotAddEnabled',
    ]);
  });

  it('takes a capacity rounded up to a MiB as expected, another one as lost', () => {
    const disk = machine.disks[0]!;
    expect(lost({ disks: [{ ...disk, capacityBytes: 1048576 }] })).toEqual([]);
    expect(lost({ disks: [{ ...disk, capacityBytes: 512 }] })).toEqual(['web: disk 0 capacity']);
  });

  it('sees a disk on another controller, bus or unit', () => {
    const disk = machine.disks[0]!;
    expect(lost({ disks: [{ ...disk, unit: 1 }] })).toEqual(['web: disk 0 controller, bus and unit']);
  });

  it('does not miss a controller that holds no disk', () => {
    expect(lost({ controllers: machine.controllers.slice(0, 1) })).toEqual([]);
  });

  it('asks for the MAC and the UUID only when they were to be kept', () => {
    expect(lost({}, { ...expected, keepMac: true, keepUuid: true })).toEqual(['web: UUID', 'web: NIC 0 MAC']);
  });

  it('never shows the value of a secret property', () => {
    const changed = arrived({ properties: [{ ...machine.properties[0]!, value: 'other' }] });
    const differences = compareDescriptions(vm, changed, expected);
    expect(JSON.stringify(differences)).not.toMatch(/"(secret|other)"/);
    expect(differences.some((difference) => difference.field.includes('OVF property password'))).toBe(true);
  });

  it('names a machine that is missing', () => {
    const two = { ...vm, kind: 'vapp' as const, machines: [machine, { ...machine, name: 'db' }] };
    const fields = compareDescriptions(two, { ...arrived({}), kind: 'vapp' }, expected).map(
      (difference) => difference.field,
    );
    expect(fields).toContain('number of machines');
    expect(fields).toContain('db');
  });
});
