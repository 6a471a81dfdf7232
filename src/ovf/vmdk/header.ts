import { Fault } from '../../model/fault.ts';

/** Virtual Disk Format 5.0, "Hosted Sparse Extents": all numbers little endian, all offsets in sectors. */
export const SECTOR = 512;
export const GRAIN_BYTES = 64 * 1024;
export const TABLE_ENTRIES = 512;
/** Value of gdOffset in a header whose grain directory lies at the end and is named by the footer. */
const DIRECTORY_AT_END = 0xffff_ffff_ffff_ffffn;

export const MARKER_END = 0;
export const MARKER_TABLE = 1;
export const MARKER_DIRECTORY = 2;
export const MARKER_FOOTER = 3;

const MAGIC = 0x564d444b;
const FLAG_NEWLINE = 1;
const FLAG_ZERO_ENTRY = 4;
const FLAG_COMPRESSED = 0x1_0000;
const FLAG_MARKERS = 0x2_0000;
const DEFLATE = 1;
const MAX_CAPACITY_SECTORS = 2 ** 37;
const MAX_DIRECTORY_ENTRIES = 2 ** 22;
const MAX_DESCRIPTOR_SECTORS = 2048;
/** Front matter beyond this is no metadata of a disk that fits MAX_CAPACITY_SECTORS. */
const MAX_OVERHEAD_SECTORS = 2 ** 26;

export interface SparseHeader {
  capacitySectors: number;
  grainSectors: number;
  descriptorSector: number;
  descriptorSectors: number;
  entriesPerTable: number;
  /** null: at the end, named by the footer. */
  directorySector: number | null;
  overheadSectors: number;
  /** Entries of 1 mean a grain of zeros. */
  zeroEntries: boolean;
}

/** Grain tables that a disk needs. */
export function tableCount(header: Pick<SparseHeader, 'capacitySectors' | 'grainSectors' | 'entriesPerTable'>): number {
  return Math.ceil(Math.ceil(header.capacitySectors / header.grainSectors) / header.entriesPerTable);
}

export function sectorsOf(bytes: number): number {
  return Math.ceil(bytes / SECTOR);
}

function invalid(what: string): Fault {
  return new Fault('vmdk.invalid', `the VMDK ${what}`);
}

const KNOWN_STARTS: readonly [string, string][] = [
  ['# Disk DescriptorFile', 'a VMDK descriptor whose data lies in another (flat or sparse) file'],
  ['COWD', 'a sparse extent of an ESXi snapshot (COWD)'],
  ['QFI\xfb', 'a qcow2 image'],
  ['conectix', 'a VHD image'],
  ['vhdxfile', 'a VHDX image'],
  ['<<< ', 'a VirtualBox VDI image'],
  ['\x1f\x8b', 'a gzip file'],
  ['PK\x03\x04', 'a zip file'],
  ['<?xml', 'an XML document'],
  ['<', 'an XML or HTML document'],
];

/** Says what the bytes are when they are not the start of a sparse VMDK. */
function strangeStart(sector: Buffer): Fault {
  const text = sector.toString('latin1');
  const known = KNOWN_STARTS.find(([start]) => text.startsWith(start));
  if (known) return new Fault('vmdk.unsupported', `the disk is not a stream-optimized VMDK but ${known[1]}`);
  if (sector.toString('latin1', 257, 262) === 'ustar') {
    return new Fault('vmdk.unsupported', 'the disk is not a stream-optimized VMDK but a tar archive (perhaps an OVA)');
  }
  return invalid('does not begin with the magic number KDMV');
}

function number64(sector: Buffer, at: number, name: string, limit: number): number {
  const value = sector.readBigUInt64LE(at);
  if (value > BigInt(limit)) throw invalid(`header is absurd: ${name} is ${value}`);
  return Number(value);
}

/** Parses sector 0, or the copy of it in the footer. Faults: `vmdk.invalid`, `vmdk.unsupported`. */
export function parseHeader(sector: Buffer): SparseHeader {
  if (sector.readUInt32LE(0) !== MAGIC) throw strangeStart(sector);
  const version = sector.readUInt32LE(4);
  if (version < 1 || version > 3) throw new Fault('vmdk.unsupported', `the VMDK has the unknown version ${version}`);
  const flags = sector.readUInt32LE(8);
  if ((flags & FLAG_NEWLINE) !== 0 && sector.toString('latin1', 73, 77) !== '\n \r\n') {
    throw invalid('was changed by a transfer in text mode');
  }
  if ((flags & FLAG_COMPRESSED) === 0 || (flags & FLAG_MARKERS) === 0) {
    const kind = (flags & FLAG_COMPRESSED) === 0 ? 'an uncompressed sparse VMDK (monolithicSparse)' : 'without markers';
    throw new Fault('vmdk.unsupported', `the disk is not a stream-optimized VMDK but ${kind}`);
  }
  const compression = sector.readUInt16LE(77);
  if (compression !== DEFLATE) throw new Fault('vmdk.unsupported', `the VMDK uses unknown compression ${compression}`);
  const directory = sector.readBigUInt64LE(56);
  const header: SparseHeader = {
    capacitySectors: number64(sector, 12, 'its capacity', MAX_CAPACITY_SECTORS),
    grainSectors: number64(sector, 20, 'its grain size', 2048),
    descriptorSector: number64(sector, 28, 'the offset of its descriptor', MAX_OVERHEAD_SECTORS),
    descriptorSectors: number64(sector, 36, 'the size of its descriptor', MAX_DESCRIPTOR_SECTORS),
    entriesPerTable: sector.readUInt32LE(44),
    directorySector: directory === DIRECTORY_AT_END ? null : number64(sector, 56, 'its directory', 2 ** 32),
    overheadSectors: number64(sector, 64, 'its overhead', MAX_OVERHEAD_SECTORS),
    zeroEntries: (flags & FLAG_ZERO_ENTRY) !== 0,
  };
  const { grainSectors, entriesPerTable, descriptorSector, descriptorSectors, overheadSectors } = header;
  if (grainSectors < 1 || (grainSectors & (grainSectors - 1)) !== 0) {
    throw invalid(`header is absurd: a grain of ${grainSectors} sectors`);
  }
  if (entriesPerTable < 1 || entriesPerTable > TABLE_ENTRIES) {
    throw invalid(`header is absurd: ${entriesPerTable} entries in a grain table`);
  }
  if (tableCount(header) > MAX_DIRECTORY_ENTRIES) throw invalid(`header is absurd: ${tableCount(header)} grain tables`);
  if (overheadSectors < 1 || (descriptorSectors > 0 && descriptorSector + descriptorSectors > overheadSectors)) {
    throw invalid('header is absurd: its descriptor reaches into its grains');
  }
  if (descriptorSectors > 0 && descriptorSector < 1) throw invalid('header is absurd: its descriptor covers it');
  return header;
}

/** Sector 0 of a stream-optimized disk (gdOffset null) or its footer. */
export function writeHeader(
  header: Pick<SparseHeader, 'capacitySectors' | 'descriptorSectors' | 'overheadSectors' | 'directorySector'>,
): Buffer {
  const sector = Buffer.alloc(SECTOR);
  sector.writeUInt32LE(MAGIC, 0);
  sector.writeUInt32LE(3, 4);
  sector.writeUInt32LE(FLAG_NEWLINE | FLAG_COMPRESSED | FLAG_MARKERS, 8);
  sector.writeBigUInt64LE(BigInt(header.capacitySectors), 12);
  sector.writeBigUInt64LE(BigInt(GRAIN_BYTES / SECTOR), 20);
  sector.writeBigUInt64LE(1n, 28);
  sector.writeBigUInt64LE(BigInt(header.descriptorSectors), 36);
  sector.writeUInt32LE(TABLE_ENTRIES, 44);
  sector.writeBigUInt64LE(header.directorySector === null ? DIRECTORY_AT_END : BigInt(header.directorySector), 56);
  sector.writeBigUInt64LE(BigInt(header.overheadSectors), 64);
  sector.write('\n \r\n', 73, 'latin1');
  sector.writeUInt16LE(DEFLATE, 77);
  return sector;
}

/** A marker of metadata: `sectors` of it follow. */
export function writeMarker(type: number, sectors: number): Buffer {
  const sector = Buffer.alloc(SECTOR);
  sector.writeBigUInt64LE(BigInt(sectors), 0);
  sector.writeUInt32LE(type, 12);
  return sector;
}
