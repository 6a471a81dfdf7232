import type { ConfigEntry, ControllerKind, StartupItem } from '../entities.ts';
import type { XmlElement } from '../xml/tree.ts';

/** What an OVF descriptor says, as far as Cloud Director keeps it. Sizes are bytes unless the name says otherwise. */
export interface OvfPackage {
  name: string;
  files: OvfFile[];
  disks: OvfDisk[];
  networks: { name: string; description: string }[];
  systems: OvfSystem[];
  startup: StartupItem[];
  products: XmlElement[];
  eulas: string[];
  annotation: string;
  /** `vcloud:*` sections at the envelope or collection, by local name. */
  vendor: Record<string, XmlElement>;
}

export interface OvfFile {
  id: string;
  href: string;
  /** -1 when the descriptor does not say. */
  bytes: number;
  gzip: boolean;
}

export interface OvfDisk {
  id: string;
  file: string | null;
  capacityBytes: number;
  /** Granularity of `capacityBytes`: what `capacityAllocationUnits` multiplies by. */
  unitBytes: number;
}

export interface OvfSystem {
  id: string;
  name: string;
  annotation: string;
  osId: number;
  osType: string;
  osDescription: string;
  hardwareVersion: string;
  transport: string;
  cpus: number;
  coresPerSocket: number;
  memoryMb: number;
  disks: {
    disk: string;
    name: string;
    controller: ControllerKind;
    subtype: string;
    bus: number;
    unit: number;
  }[];
  nics: { network: string; mac: string; adapter: string; connected: boolean; connection: XmlElement | undefined }[];
  drives: { type: 15 | 14; name: string }[];
  configs: ConfigEntry[];
  products: XmlElement[];
  eulas: string[];
  vendor: Record<string, XmlElement>;
}
