/**
 * The stream-optimized flavour of the sparse VMDK extent (Virtual Disk Format 5.0, "Stream-Optimized Compressed Sparse
 * Extents"): one header sector, the text descriptor, compressed grains behind markers, grain tables and the directory
 * behind markers, a footer (a second header that knows where the directory is) and an end-of-stream marker.
 */
export const sectorBytes = 512;
export const grainSectors = 128;
export const grainBytes = grainSectors * sectorBytes;
export const tableEntries = 512;
const magic = 0x564d444b;
export const directoryAtEnd = 0xffff_ffff_ffff_ffffn;

export const markerKinds = { endOfStream: 0, grainTable: 1, grainDirectory: 2, footer: 3 } as const;

export interface ExtentHeader {
  version: number;
  flags: number;
  capacitySectors: number;
  grainSectors: number;
  descriptorOffset: number;
  descriptorSectors: number;
  overheadSectors: number;
  compression: number;
  directoryOffset: bigint;
}

/** A disk stream that breaks the format. The message says which rule. */
export class VmdkError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'VmdkError';
  }
}

export function writeHeader(header: ExtentHeader): Buffer {
  const sector = Buffer.alloc(sectorBytes);
  sector.writeUInt32LE(magic, 0);
  sector.writeUInt32LE(header.version, 4);
  sector.writeUInt32LE(header.flags, 8);
  sector.writeBigUInt64LE(BigInt(header.capacitySectors), 12);
  sector.writeBigUInt64LE(BigInt(header.grainSectors), 20);
  sector.writeBigUInt64LE(BigInt(header.descriptorOffset), 28);
  sector.writeBigUInt64LE(BigInt(header.descriptorSectors), 36);
  sector.writeUInt32LE(tableEntries, 44);
  sector.writeBigUInt64LE(0n, 48);
  sector.writeBigUInt64LE(header.directoryOffset, 56);
  sector.writeBigUInt64LE(BigInt(header.overheadSectors), 64);
  sector.writeUInt8(0, 72);
  sector.write('\n \r\n', 73, 'latin1');
  sector.writeUInt16LE(header.compression, 77);
  return sector;
}

export function readHeader(sector: Buffer): ExtentHeader {
  if (sector.readUInt32LE(0) !== magic) throw new VmdkError('the file does not begin with a sparse extent header');
  const header: ExtentHeader = {
    version: sector.readUInt32LE(4),
    flags: sector.readUInt32LE(8),
    capacitySectors: Number(sector.readBigUInt64LE(12)),
    grainSectors: Number(sector.readBigUInt64LE(20)),
    descriptorOffset: Number(sector.readBigUInt64LE(28)),
    descriptorSectors: Number(sector.readBigUInt64LE(36)),
    overheadSectors: Number(sector.readBigUInt64LE(64)),
    compression: sector.readUInt16LE(77),
    directoryOffset: sector.readBigUInt64LE(56),
  };
  if (header.version < 1 || header.version > 3) throw new VmdkError(`version ${header.version} is unknown`);
  if (sector.toString('latin1', 73, 77) !== '\n \r\n')
    throw new VmdkError('the file went through a text-mode transfer');
  if ((header.flags & 0x30000) !== 0x30000 || header.compression !== 1) {
    throw new VmdkError('the disk is not in stream-optimized format');
  }
  const grain = header.grainSectors;
  if (grain < 8 || grain > 2048 || (grain & (grain - 1)) !== 0)
    throw new VmdkError(`a grain of ${grain} sectors is not allowed`);
  if (!Number.isSafeInteger(header.capacitySectors) || header.capacitySectors > 2 ** 37) {
    throw new VmdkError('the capacity is out of range');
  }
  return header;
}

export function writeMarker(sectors: number, kind: number): Buffer {
  const sector = Buffer.alloc(sectorBytes);
  sector.writeBigUInt64LE(BigInt(sectors), 0);
  sector.writeUInt32LE(0, 8);
  sector.writeUInt32LE(kind, 12);
  return sector;
}

export function sectorsOf(bytes: number): number {
  return Math.ceil(bytes / sectorBytes);
}
