/** VMware Virtual Disk Format 5.0 (technical note), the stream-optimized sparse extent. Numbers are little-endian. */
export const SECTOR = 512;
export const GRAIN_SECTORS = 128;
export const GRAIN = GRAIN_SECTORS * SECTOR;
export const TABLE_ENTRIES = 512;
const MAGIC = 0x564d444b;
export const GD_AT_END = 0xffffffffffffffffn;
const OVERHEAD_SECTORS = 128;
export const MARKER = { end: 0, grainTable: 1, grainDirectory: 2, footer: 3 } as const;
const DESCRIPTOR_SECTORS = 20;

export type SparseHeader = {
  version: number;
  flags: number;
  capacitySectors: number;
  grainSectors: number;
  descriptorOffset: number;
  descriptorSectors: number;
  tableEntries: number;
  directoryOffset: bigint;
  overheadSectors: number;
  compression: number;
};

export class VmdkError extends Error {}

export function writeHeader(capacitySectors: number, directoryOffset: bigint): Buffer {
  const header = Buffer.alloc(SECTOR);
  header.writeUInt32LE(MAGIC, 0);
  header.writeUInt32LE(3, 4);
  header.writeUInt32LE(0x30001, 8);
  header.writeBigUInt64LE(BigInt(capacitySectors), 12);
  header.writeBigUInt64LE(BigInt(GRAIN_SECTORS), 20);
  header.writeBigUInt64LE(1n, 28);
  header.writeBigUInt64LE(BigInt(DESCRIPTOR_SECTORS), 36);
  header.writeUInt32LE(TABLE_ENTRIES, 44);
  header.writeBigUInt64LE(0n, 48);
  header.writeBigUInt64LE(directoryOffset, 56);
  header.writeBigUInt64LE(BigInt(OVERHEAD_SECTORS), 64);
  header.write('\n \r\n', 73, 'latin1');
  header.writeUInt16LE(1, 77);
  return header;
}

/** @throws VmdkError unless it is the header of a stream-optimized extent with 64 KiB grains */
export function readHeader(sector: Buffer): SparseHeader {
  if (sector.readUInt32LE(0) !== MAGIC) throw new VmdkError('not a VMDK: the first four bytes are not "KDMV"');
  const header: SparseHeader = {
    version: sector.readUInt32LE(4),
    flags: sector.readUInt32LE(8),
    capacitySectors: Number(sector.readBigUInt64LE(12)),
    grainSectors: Number(sector.readBigUInt64LE(20)),
    descriptorOffset: Number(sector.readBigUInt64LE(28)),
    descriptorSectors: Number(sector.readBigUInt64LE(36)),
    tableEntries: sector.readUInt32LE(44),
    directoryOffset: sector.readBigUInt64LE(56),
    overheadSectors: Number(sector.readBigUInt64LE(64)),
    compression: sector.readUInt16LE(77),
  };
  if (header.compression !== 1 || (header.flags & 0x30000) !== 0x30000)
    throw new VmdkError('not stream-optimized: no compressed grains with markers');
  if (header.grainSectors !== GRAIN_SECTORS)
    throw new VmdkError(`grains of ${header.grainSectors} sectors are not supported`);
  if (header.overheadSectors < 1 || header.overheadSectors > 65536)
    throw new VmdkError('the overhead in the header is out of range');
  if (header.capacitySectors > 2 ** 40) throw new VmdkError('the capacity in the header is out of range');
  return header;
}

export function writeMarker(value: bigint, type: number): Buffer {
  const marker = Buffer.alloc(SECTOR);
  marker.writeBigUInt64LE(value, 0);
  marker.writeUInt32LE(0, 8);
  marker.writeUInt32LE(type, 12);
  return marker;
}

function geometry(capacitySectors: number): number {
  return Math.max(1, Math.min(65535, Math.floor(capacitySectors / (255 * 63))));
}

/** The text inside a stream-optimized disk. */
function streamDescriptor(capacitySectors: number, name: string, adapter: string): string {
  return `# Disk DescriptorFile
version=1
CID=fffffffe
parentCID=ffffffff
createType="streamOptimized"

# Extent description
RW ${capacitySectors} SPARSE "${name}"

# The Disk Data Base
#DDB

ddb.virtualHWVersion = "19"
ddb.geometry.cylinders = "${geometry(capacitySectors)}"
ddb.geometry.heads = "255"
ddb.geometry.sectors = "63"
ddb.adapterType = "${adapter}"
`;
}

/** The small text file that names a flat disk on a datastore. */
export function flatDescriptor(capacitySectors: number, flatName: string, adapter: string, thin: boolean): string {
  return `# Disk DescriptorFile
version=1
encoding="UTF-8"
CID=fffffffe
parentCID=ffffffff
createType="vmfs"

# Extent description
RW ${capacitySectors} VMFS "${flatName}"

# The Disk Data Base
#DDB

ddb.adapterType = "${adapter}"
ddb.geometry.cylinders = "${geometry(capacitySectors)}"
ddb.geometry.heads = "255"
ddb.geometry.sectors = "63"
ddb.thinProvisioned = "${thin ? 1 : 0}"
ddb.virtualHWVersion = "19"
`;
}

export function descriptorBlock(capacitySectors: number, name: string, adapter: string): Buffer {
  const block = Buffer.alloc((OVERHEAD_SECTORS - 1) * SECTOR);
  const source = Buffer.from(streamDescriptor(capacitySectors, name, adapter));
  if (source.length > DESCRIPTOR_SECTORS * SECTOR) throw new VmdkError('the descriptor does not fit its sectors');
  source.copy(block);
  return block;
}
