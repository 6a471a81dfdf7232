import type { Data } from './value.ts';

/** What the store keeps of a managed object. References to others are their ids. */
type Entity = { id: string; name: string; parent?: string; customValues?: Record<string, string> };

export type FolderRecord = Entity & { type: 'Folder'; holds: 'datacenter' | 'vm' | 'host' | 'datastore' | 'network' };
export type DatacenterRecord = Entity & { type: 'Datacenter' };
type Compute = Entity & { datastores: string[]; networks: string[] };
type ClusterRecord = Compute & { type: 'ClusterComputeResource' };
type StandaloneRecord = Compute & { type: 'ComputeResource' };
export type ComputeRecord = ClusterRecord | StandaloneRecord;
export type HostRecord = Entity & {
  type: 'HostSystem';
  cores: number;
  memoryMB: number;
  /** `HostAutoStartManagerConfig`: what the host starts and stops by itself. */
  autostart?: { defaults: Data; powerInfo: Data[] };
};
export type PoolRecord = Entity & { type: 'ResourcePool' };
export type VAppRecord = Entity & {
  type: 'VirtualApp';
  /** The VM folder a root vApp is shown in. */
  folder?: string;
  annotation: string;
  powered: boolean;
  /** `VAppEntityConfigInfo` per machine, `key` left out: the machine's id. */
  order: {
    vm: string;
    startOrder: number;
    startDelay: number;
    waitingForGuest: boolean;
    startAction: string;
    stopDelay: number;
    stopAction: string;
  }[];
  product: Data[];
  property: Data[];
  uuid: string;
  importing?: boolean;
};
export type DatastoreRecord = Entity & { type: 'Datastore'; capacityBytes: number; kind: string };
export type NetworkRecord = Entity & { type: 'Network' };
export type PortgroupRecord = Entity & { type: 'DistributedVirtualPortgroup'; dvs: string; vlan: number };
export type SwitchRecord = Entity & { type: 'VmwareDistributedVirtualSwitch'; uuid: string };

export type PowerState = 'poweredOn' | 'poweredOff' | 'suspended';

export type VmRecord = Entity & {
  type: 'VirtualMachine';
  host: string;
  /** Resource pool or vApp; a template keeps the one it had, hidden. */
  pool: string;
  /** `[datastore] folder/` that holds its files. */
  home: { datastore: string; folder: string };
  uuid: string;
  instanceUuid: string;
  template: boolean;
  power: PowerState;
  poweredAt?: string;
  annotation: string;
  guestId: string;
  firmware: string;
  hardware: string;
  cpus: number;
  coresPerSocket: number;
  memoryMB: number;
  /** `VirtualDevice` data objects, complete, in the order of their keys. */
  devices: Data[];
  extraConfig: { key: string; value: string }[];
  bootOptions: Data;
  /** Members of `VmConfigInfo`: product, property, ovfSection, eula … */
  vApp?: Data;
  /** Particularities that a world gave it: `encrypted`, `change-tracking`, `no-tools`. */
  particular?: string[];
  nestedHV?: boolean;
  cpuHotAdd?: boolean;
  memoryHotAdd?: boolean;
  changed: string;
  created: string;
  /** The snapshot the machine runs on. */
  snapshot?: string;
  /** Made by an import whose lease is still open. */
  importing?: boolean;
};

export type SnapshotRecord = {
  type: 'VirtualMachineSnapshot';
  id: string;
  name: string;
  vm: string;
  before?: string;
  description: string;
  created: string;
  number: number;
  state: PowerState;
  frozen: VmRecord;
  /** Copies of the disks as they were, per device key; `file` is their descriptor's path, which like every disk's stands for `-flat.vmdk` beside it. */
  disks: { key: number; datastore: string; file: string }[];
};

export type AnyRecord =
  | FolderRecord
  | DatacenterRecord
  | ClusterRecord
  | StandaloneRecord
  | HostRecord
  | PoolRecord
  | VAppRecord
  | DatastoreRecord
  | NetworkRecord
  | PortgroupRecord
  | SwitchRecord
  | VmRecord
  | SnapshotRecord;

export type RecordOf<T extends AnyRecord['type']> = Extract<AnyRecord, { type: T }>;
