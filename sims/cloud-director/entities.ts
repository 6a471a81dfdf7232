import type { XmlElement } from './xml/tree.ts';

/** The nouns of the simulated cloud as they lie in the store. Ids are bare lower-case UUIDs; times are ISO 8601 UTC. */
export interface Metadatum {
  domain: 'GENERAL' | 'SYSTEM';
  visibility: 'READWRITE' | 'READONLY' | 'PRIVATE';
  key: string;
  type: 'MetadataStringValue' | 'MetadataNumberValue' | 'MetadataBooleanValue' | 'MetadataDateTimeValue';
  value: string;
}

export interface Entity {
  id: string;
  name: string;
  description: string;
  /** Id of the organization that owns the entity. */
  org: string;
  created: string;
  metadata: Metadatum[];
}

interface Lease {
  deploymentSeconds: number;
  storageSeconds: number;
}

export interface Org extends Entity {
  fullName: string;
  canPublishCatalogs: boolean;
  canPublishExternally: boolean;
  canSubscribe: boolean;
}

export interface User extends Entity {
  role: string;
  passwordHash: string;
  /** Rights of a role of its own; absent: all of an organization administrator. */
  rights?: string[];
  /** Who knows its password; of `SAML` and `OAUTH` nobody here does. */
  provider?: 'INTEGRATED' | 'SAML' | 'OAUTH';
}

export interface Vdc extends Entity {
  cpuLimitMhz: number;
  memoryLimitMb: number;
  /** Machines that it may hold; absent or 0 = no limit. */
  vmQuota?: number;
  access: XmlElement | null;
}

export interface StorageProfile extends Entity {
  vdc: string;
  /** 0 = no limit. */
  limitMb: number;
  isDefault: boolean;
}

export interface Catalog extends Entity {
  owner: string;
  version: number;
  storageProfile: string | null;
  isPublished: boolean;
  external: { cached: boolean; preserveIdentity: boolean; password: string } | null;
  access: XmlElement | null;
}

export interface CatalogItem extends Entity {
  catalog: string;
  entity: { kind: 'template' | 'media'; id: string };
  version: number;
}

interface IpRange {
  start: string;
  end: string;
}

export interface IpScope {
  inherited: boolean;
  gateway: string;
  netmask: string;
  dns1: string;
  dns2: string;
  dnsSuffix: string;
  ranges: IpRange[];
}

export type FenceMode = 'bridged' | 'natRouted' | 'isolated';

export interface Network extends Entity {
  vdc: string;
  fence: FenceMode;
  scope: IpScope;
  shared: boolean;
}

/** A network inside a vApp or template; its id is in the same id space as the networks of a VDC. */
export interface NetworkConfig {
  id: string;
  name: string;
  description: string;
  fence: FenceMode;
  parent: string | null;
  scope: IpScope;
  retain: boolean;
  features: XmlElement | null;
}

export interface StartupItem {
  id: string;
  order: number;
  startAction: string;
  startDelay: number;
  stopAction: string;
  stopDelay: number;
  waitingForGuest: boolean;
}

/** What vApps and templates have in common. */
export interface Container extends Entity {
  vdc: string;
  owner: string;
  networks: NetworkConfig[];
  startup: StartupItem[];
  products: XmlElement[];
  lease: Lease;
  eulas: string[];
  /** Id of the transfer that holds the staged download, when there is one. */
  staged: string | null;
}

export interface Template extends Container {
  /** The vendor's number: -1 failed, 0 unresolved, 8 usable, 17 transfer timed out. */
  status: number;
  descriptorUploaded: boolean;
  goldMaster: boolean;
  customizeOnInstantiate: boolean;
  storageProfile: string;
  upload: string | null;
}

export interface VApp extends Container {
  /** 0 while it is being made, -1 when that failed, else null: the status follows from the machines. */
  fixedStatus: number | null;
  deployed: boolean;
  /** Power state of a vApp without machines; `never` = it was not powered on yet. */
  bareState: 'never' | 'on' | 'off';
  maintenance: boolean;
  /** The hidden vApp around a standalone VM. */
  autoNature: boolean;
  access: XmlElement | null;
}

export type ControllerKind = 'ide' | 'scsi' | 'sata' | 'nvme';

export interface VmDisk {
  /** Device key as `DiskSettings/DiskId` shows it: 2000 + n for SCSI, 3000 + n for IDE, 16000 + n SATA, 32000 + n NVMe. */
  id: string;
  name: string;
  sizeMb: number;
  /** Name of the immutable raw file; null = never written. */
  file: string | null;
  controller: ControllerKind;
  /** `lsilogic`, `lsilogicsas`, `buslogic`, `VirtualSCSI`, `vmware.sata.ahci`, `vmware.nvme.controller`, empty for IDE. */
  subtype: string;
  bus: number;
  unit: number;
  storageProfile: string;
  /** Id of the independent disk attached here. */
  independent: string | null;
}

export type AllocationMode = 'POOL' | 'DHCP' | 'MANUAL' | 'NONE';

export interface Nic {
  index: number;
  network: string;
  mac: string;
  adapter: string;
  connected: boolean;
  mode: AllocationMode;
  ip: string;
}

export interface GuestCustomization {
  enabled: boolean;
  computerName: string;
  /** Every other element of the section by name, as sent. */
  rest: Record<string, string>;
}

export interface ConfigEntry {
  element: 'Config' | 'ExtraConfig';
  key: string;
  value: string;
}

export interface Hardware {
  osType: string;
  osId: number;
  osDescription: string;
  hardwareVersion: string;
  firmware: 'bios' | 'efi';
  cpus: number;
  coresPerSocket: number;
  memoryMb: number;
  disks: VmDisk[];
  nics: Nic[];
  primaryNic: number;
  configs: ConfigEntry[];
  /** Optical and floppy drives: resource type 15 or 14. */
  drives: { type: 15 | 14; name: string; media: string | null }[];
}

export interface Vm extends Entity, Hardware {
  parent: { kind: 'vapp' | 'template'; id: string };
  localId: string;
  status: number;
  deployed: boolean;
  customization: GuestCustomization;
  products: XmlElement[];
  transport: string;
  biosUuid: string;
  storageProfile: string;
  nested: boolean;
  snapshot: { created: string; poweredOn: boolean; hardware: Hardware } | null;
}

export interface Media extends Entity {
  vdc: string;
  owner: string;
  status: number;
  bytes: number;
  file: string | null;
  storageProfile: string;
  upload: string | null;
  staged: string | null;
}

export interface Disk extends Entity {
  vdc: string;
  owner: string;
  sizeMb: number;
  busType: string;
  busSubtype: string;
  file: string | null;
  storageProfile: string;
}

export interface TransferFile {
  name: string;
  /** -1 = not known yet. */
  bytes: number;
  transferred: number;
  type: string;
}

export interface Transfer extends Entity {
  direction: 'upload' | 'download';
  owner: { kind: 'template' | 'media' | 'vapp'; id: string };
  task: string;
  files: TransferFile[];
  touched: string;
  manifestRequired: boolean;
  /** Set once: from then on no PUT is taken. */
  complete: boolean;
}

export interface TaskError {
  major: number;
  minor: string;
  message: string;
}

export interface Task extends Entity {
  operation: string;
  operationName: string;
  status: 'queued' | 'running' | 'success' | 'error' | 'canceled' | 'aborted';
  progress: number;
  user: string;
  owner: { kind: OwnerKind; id: string; name: string };
  started: string;
  ended: string | null;
  error: TaskError | null;
  details: string;
  cancelRequested: boolean;
  /** What has to be done, so that it can be done again after a restart; `scheduled` false = it waits for something. */
  work: { kind: string; args: unknown };
  scheduled: boolean;
}

export interface Session extends Entity {
  user: string;
  token: string;
  touched: string;
  legacy: boolean;
}

interface ApiToken extends Entity {
  user: string;
  clientId: string;
  token: string | null;
  expired?: boolean;
}

export interface Kinds {
  org: Org;
  user: User;
  vdc: Vdc;
  storageProfile: StorageProfile;
  catalog: Catalog;
  catalogItem: CatalogItem;
  network: Network;
  template: Template;
  vapp: VApp;
  vm: Vm;
  media: Media;
  disk: Disk;
  transfer: Transfer;
  task: Task;
  session: Session;
  apiToken: ApiToken;
}

export type Kind = keyof Kinds;
export type OwnerKind =
  | 'org'
  | 'vdc'
  | 'catalog'
  | 'catalogItem'
  | 'template'
  | 'vapp'
  | 'vm'
  | 'media'
  | 'disk'
  | 'network';

/** VCD numbers its states; `query` shows the names instead. */
export const statusNames: Readonly<Record<number, string>> = {
  [-1]: 'FAILED_CREATION',
  0: 'UNRESOLVED',
  1: 'RESOLVED',
  3: 'SUSPENDED',
  4: 'POWERED_ON',
  8: 'POWERED_OFF',
  10: 'MIXED',
  17: 'TRANSFER_TIMEOUT',
};

export const powerOn = 4;
export const powerOff = 8;
export const suspended = 3;
