/**
 * What is copied, in words that no cloud owns: the description of a package (one VM, a vApp with several, a template).
 * Drivers read it out of their cloud and build from it; `comparison.ts` names what did not arrive.
 */

import type { MapKind } from './block-map.ts';

/** `media` is an image of a disc: no machines, and exactly one entry in `files`. */
export type PackageKind = 'vm' | 'vapp' | 'template' | 'media';
export type Firmware = 'bios' | 'efi';
export type ControllerKind =
  | 'ide'
  | 'sata'
  | 'nvme'
  | 'lsilogic'
  | 'lsilogic-sas'
  | 'buslogic'
  | 'pvscsi'
  | 'virtio-scsi';
export type NicKind =
  | 'e1000'
  | 'e1000e'
  | 'vmxnet3'
  | 'vmxnet2'
  | 'vmxnet'
  | 'pcnet32'
  | 'flexible'
  | 'virtio'
  | 'sriov';
export type DiskFormat = 'thin' | 'thick' | 'eager-thick';

export interface Controller {
  /** Unique in the machine: `pvscsi-0`. Made of kind and bus number. */
  id: string;
  kind: ControllerKind;
  bus: number;
}

export interface DiskDescription {
  /** Unique in the package, stable over repeated exports of the same version: `web-01/disk-0`. */
  id: string;
  /** What people call it: `Hard disk 1`. */
  label: string;
  capacityBytes: number;
  /** Bytes that the cloud says are in use, where it says so: only good for estimates. */
  usedBytes?: number;
  controller: string;
  unit: number;
  format?: DiskFormat;
}

export interface NicDescription {
  label: string;
  kind: NicKind;
  /** Lower case, colon separated; absent where the package does not carry it. */
  mac?: string;
  /** Name of the network in `PackageDescription.networks`; null when not attached. */
  network: string | null;
  connected: boolean;
  ip?: { mode: 'dhcp' | 'pool' | 'manual' | 'none'; address?: string };
}

export interface OvfProperty {
  classId?: string;
  instanceId?: string;
  key: string;
  type: string;
  value?: string;
  label?: string;
  description?: string;
  userConfigurable: boolean;
  /** Values of secret properties (ovf:password) are carried, never shown. */
  password?: boolean;
}

export interface MachineDescription {
  /** Unique in the package; the ovf:id of its VirtualSystem. */
  id: string;
  name: string;
  notes: string;
  /** VMware's guest id: `debian12_64Guest`. */
  guestId: string;
  /** `vmx-19`; absent when the source has none. */
  hardwareVersion?: string;
  cpus: number;
  coresPerSocket: number;
  memoryMib: number;
  firmware: Firmware;
  secureBoot?: boolean;
  controllers: Controller[];
  disks: DiskDescription[];
  /** In slot order. */
  nics: NicDescription[];
  /** Device classes in order, for example `['disk', 'network']`; empty = the default of the cloud. */
  bootOrder: ('disk' | 'network' | 'cdrom' | 'floppy')[];
  /** BIOS UUID, lower case with dashes, where it is known. */
  uuid?: string;
  properties: OvfProperty[];
  eulas: string[];
  /** Configuration that has no field here, by the vendor's key (`cpuHotAddEnabled`, `tools.syncTimeWithHost`). */
  extras: Record<string, string>;
}

export interface StartOrderEntry {
  machine: string;
  order: number;
  startAction: 'powerOn' | 'none';
  startDelaySeconds: number;
  stopAction: 'powerOff' | 'guestShutdown' | 'none';
  stopDelaySeconds: number;
}

/** A file that goes with the package beside its disks: NVRAM, an ISO image, media of a catalog. */
export interface FileDescription {
  /** Unique among the disks and files of the package, stable over repeated exports of the same version. */
  id: string;
  /** Relative to the package, `/` between folders: `web-01.nvram`. */
  path: string;
  /** Exact. */
  bytes: number;
}

export interface PackageDescription {
  kind: PackageKind;
  name: string;
  notes: string;
  machines: MachineDescription[];
  networks: { name: string; description?: string }[];
  /** Only of a vApp; in order. */
  startOrder: StartOrderEntry[];
  /** Properties and licenses of the vApp itself. */
  properties: OvfProperty[];
  eulas: string[];
  files?: FileDescription[];
}

/** What has a block map of its own in a package. */
export interface PackagePart {
  kind: MapKind;
  id: string;
  /** What people call it. */
  label: string;
  /** Capacity of a disk, exact length of a file. */
  lengthBytes: number;
  /** Bytes that are in use, where that is known: only good for estimates. */
  usedBytes?: number;
}

/** Disks in the order of the machines, then files: the order in which both nodes number them. */
export function partsOf(description: Pick<PackageDescription, 'machines' | 'files'>): PackagePart[] {
  const disks = disksOf(description).map(
    ({ id, label, capacityBytes, usedBytes }): PackagePart => ({
      kind: 'disk',
      id,
      label,
      lengthBytes: capacityBytes,
      ...(usedBytes === undefined ? {} : { usedBytes }),
    }),
  );
  const files = (description.files ?? []).map(
    ({ id, path, bytes }): PackagePart => ({ kind: 'file', id, label: path, lengthBytes: bytes }),
  );
  return [...disks, ...files];
}

/** Bytes that will come at the most, as far as they are known. */
export function expectedBytes(description: Pick<PackageDescription, 'machines' | 'files'>): number {
  return partsOf(description).reduce((sum, { usedBytes, lengthBytes }) => sum + (usedBytes ?? lengthBytes), 0);
}

export function disksOf(description: Pick<PackageDescription, 'machines'>): DiskDescription[] {
  return description.machines.flatMap((machine) => machine.disks);
}
