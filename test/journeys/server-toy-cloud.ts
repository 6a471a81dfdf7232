import type { InventoryObject } from '../../src/model/inventory.ts';
import type { PackageDescription } from '../../src/model/machine.ts';

export const MIB = 1024 * 1024;

const object = (id: string, kind: InventoryObject['kind'], name: string, parent: string | null, more = {}) =>
  ({ id, kind, name, parent, abilities: [], ...more }) as InventoryObject;

export const machine = (id: string, name: string, power: 'on' | 'off' = 'off') =>
  object(id, 'vm', name, 'folder-vm', {
    abilities: ['power', 'export'],
    machine: { power, cpus: 1, memoryMib: 512, guest: '', notes: '', diskBytes: MIB, disks: 1, nics: [], ips: [] },
  });

/** A small cloud: one datacenter, odd names, twins, two networks of one name. */
export const inventory = (): InventoryObject[] => [
  object('dc-1', 'datacenter', 'DC 1', null),
  object('dc-2', 'datacenter', 'DC 2', null),
  object('folder-vm', 'folder', 'vm', 'dc-1', { abilities: ['hold-machines'] }),
  object('net-1', 'network', 'VM Network', 'dc-1'),
  object('net-2', 'network', 'VM Network', 'dc-2'),
  machine('vm-1', 'web/01 100%'),
  machine('vm-2', 'twin'),
  machine('vm-3', 'twin'),
  machine('vm-4', 'running', 'on'),
];

/** What a machine of it looks like. */
export const description = (name: string): PackageDescription => ({
  kind: 'vm',
  name,
  notes: '',
  machines: [
    {
      id: 'm1',
      name,
      notes: '',
      guestId: 'otherGuest',
      cpus: 1,
      coresPerSocket: 1,
      memoryMib: 512,
      firmware: 'bios',
      controllers: [{ id: 'c0', kind: 'pvscsi', bus: 0 }],
      disks: [{ id: 'd0', label: 'Hard disk 1', capacityBytes: MIB, controller: 'c0', unit: 0 }],
      nics: [],
      bootOrder: [],
      properties: [],
      eulas: [],
      extras: {},
    },
  ],
  networks: [{ name: 'blue' }],
  startOrder: [],
  properties: [],
  eulas: [],
});
