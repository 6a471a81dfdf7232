import type { PackageDescription } from '../../model/machine.ts';

/** A file that a descriptor refers to. */
export interface OvfFile {
  id: string;
  /** As written, relative to the descriptor's own address. */
  href: string;
  /** What it means below the descriptor's folder: safe to use as a path. */
  path: string;
  sizeBytes?: number;
  /** `gzip`; undefined when the file is as it is. */
  compression?: string;
  /** Set when the file is cut into numbered chunks of that size. */
  chunkBytes?: number;
}

/** Where the bytes of a disk of the description lie. */
export interface OvfDiskSource {
  /** `DiskDescription.id`. */
  disk: string;
  /** The `ovf:diskId` of its Disk element. Two disks with the same one both begin as a copy of its bytes. */
  diskId: string;
  /** null: the disk is empty. */
  file: OvfFile | null;
  /** URI of the format; empty when the descriptor has none. */
  format: string;
}

/** A descriptor that was read. */
export interface OvfPackage {
  version: 1 | 2;
  description: PackageDescription;
  files: OvfFile[];
  /** One for every disk of the description. */
  disks: OvfDiskSource[];
  /** What the descriptor has and the description cannot hold, in words for people: `USB controller "usb" of "web-01"`. */
  notCarried: string[];
}
