/** What a cloud holds, as one flat list of objects that know their parent. */

export type ObjectKind =
  | 'datacenter'
  | 'folder'
  | 'cluster'
  | 'host'
  | 'pool'
  | 'datastore'
  | 'storage-policy'
  | 'network'
  | 'vdc'
  | 'catalog'
  | 'vapp'
  | 'vm'
  | 'template'
  | 'media';

export type PowerState = 'on' | 'off' | 'suspended' | 'mixed' | 'unknown';

/** What may be done with an object; a capability that is not listed does not exist. */
export type ObjectAbility = 'power' | 'export' | 'hold-machines' | 'hold-templates' | 'hold-media';

export interface MachineFacts {
  power: PowerState;
  cpus: number;
  memoryMib: number;
  guest: string;
  /** Host name that the guest reports, where it does. */
  hostName?: string;
  /** Name of the host that it runs on or is registered with, where the account may know it. */
  host?: string;
  notes: string;
  diskBytes: number;
  disks: number;
  nics: { mac?: string; network?: string; connected: boolean }[];
  ips: string[];
  /** Machines inside, of a vApp or a template. */
  machines?: number;
}

export interface InventoryObject {
  /** The cloud's own id, unique in that cloud for all kinds: `vm-42`, `urn:vcloud:vapp:…`. */
  id: string;
  kind: ObjectKind;
  /** As people see it: never in an escaped form. */
  name: string;
  /** Id of the object that holds it, or null at the top. */
  parent: string | null;
  abilities: ObjectAbility[];
  /** Whose it is, in the cloud's own words. */
  owner?: string;
  /** What people have put on it there: `production`, or `department=sales`. */
  tags?: string[];
  /** Of VMs, vApps and templates. */
  machine?: MachineFacts;
  /** Of datastores, storage policies, VDCs. `freeBytes` is absent where the cloud has no limit. */
  capacity?: { totalBytes?: number; freeBytes?: number };
  /** Words of this kind of cloud worth showing: `{ cidr: '10.1.1.1/24', fence: 'routed' }`. */
  facts?: Record<string, string>;
}

export type InventoryEvent =
  /** Everything; what was known before is void. Always the first event of a watch. */
  | { type: 'snapshot'; objects: InventoryObject[] }
  | { type: 'put'; objects: InventoryObject[] }
  | { type: 'gone'; ids: string[] };
