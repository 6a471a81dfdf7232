import { arch, versions } from 'node:process';
import { BLOCK_BYTES, type DataBlock, isZero } from '../../model/block-map.ts';
import { Fault } from '../../model/fault.ts';
import { type VmdkAdapter, writeEmbeddedDescriptor } from './embedded-descriptor.ts';
import { deflateInThread } from './grain-threads.ts';
import { DEFLATE_OUTPUT_BYTES } from './grains.ts';
import {
  GRAIN_BYTES,
  MARKER_DIRECTORY,
  MARKER_END,
  MARKER_FOOTER,
  MARKER_TABLE,
  SECTOR,
  sectorsOf,
  TABLE_ENTRIES,
  tableCount,
  writeHeader,
  writeMarker,
} from './header.ts';
import { inOrder } from './in-order.ts';

/** Raised whenever the same blocks give other bytes than before. */
const VMDK_ENCODER = 2;

const READ_AHEAD_BLOCKS = 6;
const GRAIN_SECTORS = GRAIN_BYTES / SECTOR;
const OVERHEAD_SECTORS = 128;
const DESCRIPTOR_SECTORS = 20;
const TABLE_BYTES = TABLE_ENTRIES * 4;
const TABLE_SPAN_BLOCKS = (TABLE_ENTRIES * GRAIN_BYTES) / BLOCK_BYTES;
const LAST_SECTOR = 2 ** 32 - 1;

export interface EncodeOptions {
  /** A multiple of 512. */
  capacityBytes: number;
  /**
   * Blocks with data, strictly ascending, each of BLOCK_BYTES bytes with zeros behind the disk's end; the others are
   * zero. Blocks of zeros are left out of the file as well.
   */
  blocks: AsyncIterable<DataBlock>;
  signal: AbortSignal;
  /** Deflate level 0 (stored) to 9; 1 when left out. */
  level?: number;
  /** Written to the embedded descriptor; `lsilogic` when left out. */
  adapter?: VmdkAdapter;
  /** Name of the extent in the embedded descriptor; `disk.vmdk` when left out. */
  fileName?: string;
}

/**
 * Identity of the encoding: with the same one the same blocks and options give the same bytes, so an upload may go on
 * in the middle. Zlib's version and the processor's kind are part of it because its matches depend on both.
 */
export function encoderIdentity(level = 1): string {
  return `vmdk-${VMDK_ENCODER}/zlib-${versions.zlib}/${arch}/level-${level}`;
}

interface EncodedBlock {
  index: number;
  bytes: Buffer;
  sectors: Int32Array;
}

/** Takes a copy of each block, so that the source may reuse its buffer, and compresses the copies in threads. */
function encodeBlocks(options: EncodeOptions, level: number): AsyncGenerator<EncodedBlock> {
  const spare: ArrayBuffer[] = [];
  return inOrder(options.blocks, READ_AHEAD_BLOCKS, options.signal, ({ index, data }) => {
    checkBlock(index, data, options.capacityBytes);
    const input = spare.pop() ?? Buffer.allocUnsafeSlow(BLOCK_BYTES).buffer;
    data.copy(Buffer.from(input));
    const output = Buffer.allocUnsafeSlow(DEFLATE_OUTPUT_BYTES).buffer;
    const sector = (index * BLOCK_BYTES) / SECTOR;
    return deflateInThread({ kind: 'deflate', input, output, level, sector }).then((result) => {
      spare.push(result.input);
      return { index, bytes: Buffer.from(result.output, 0, result.usedBytes), sectors: result.sectors };
    });
  });
}

function checkBlock(index: number, data: Buffer, capacityBytes: number): void {
  const validBytes = capacityBytes - index * BLOCK_BYTES;
  if (!Number.isSafeInteger(index) || index < 0 || validBytes <= 0) {
    throw new Fault('vmdk.invalid', `block ${index} lies outside of a disk of ${capacityBytes} bytes`);
  }
  if (data.length !== BLOCK_BYTES) throw new Fault('vmdk.invalid', `block ${index} has ${data.length} bytes`);
  if (validBytes < BLOCK_BYTES && !isZero(data.subarray(validBytes))) {
    throw new Fault('vmdk.invalid', `block ${index} holds data behind the end of a disk of ${capacityBytes} bytes`);
  }
}

/**
 * The disk as a stream-optimized VMDK of version 3: grains of 64 KiB, each table behind its grains, then directory,
 * footer and end of stream. The buffers are the consumer's to keep. A slow consumer stops the source.
 * Faults: `vmdk.invalid` for blocks or a capacity that do not fit the contract; what the source throws.
 */
export async function* encodeVmdk(options: EncodeOptions): AsyncGenerator<Buffer> {
  const { capacityBytes, signal, level = 1, adapter = 'lsilogic', fileName = 'disk.vmdk' } = options;
  if (!Number.isSafeInteger(capacityBytes) || capacityBytes < 0 || capacityBytes % SECTOR !== 0) {
    throw new Fault(
      'vmdk.invalid',
      `a VMDK cannot have ${capacityBytes} bytes: it is made of sectors of ${SECTOR} bytes`,
    );
  }
  const capacitySectors = capacityBytes / SECTOR;
  const shape = { capacitySectors, descriptorSectors: DESCRIPTOR_SECTORS, overheadSectors: OVERHEAD_SECTORS };
  const front = Buffer.alloc(OVERHEAD_SECTORS * SECTOR);
  writeHeader({ ...shape, directorySector: null }).copy(front);
  writeEmbeddedDescriptor({ capacitySectors, adapter, fileName }).copy(front, SECTOR, 0, DESCRIPTOR_SECTORS * SECTOR);
  yield front;

  const tables = tableCount({ capacitySectors, grainSectors: GRAIN_SECTORS, entriesPerTable: TABLE_ENTRIES });
  const directory = Buffer.alloc(sectorsOf(tables * 4) * SECTOR);
  let sector = OVERHEAD_SECTORS;
  let current: { index: number; bytes: Buffer } | undefined;
  let last = -1;
  const closeTable = (): Buffer[] => {
    if (!current) return [];
    directory.writeUInt32LE(sector + 1, current.index * 4);
    const parts = [writeMarker(MARKER_TABLE, TABLE_BYTES / SECTOR), current.bytes];
    sector += 1 + TABLE_BYTES / SECTOR;
    current = undefined;
    return parts;
  };

  for await (const { index, bytes, sectors } of encodeBlocks(options, level)) {
    signal.throwIfAborted();
    if (index <= last) throw new Fault('vmdk.invalid', `block ${index} comes after block ${last}`);
    last = index;
    if (bytes.length === 0) continue;
    const table = Math.floor(index / TABLE_SPAN_BLOCKS);
    if (current && current.index !== table) yield* closeTable();
    current ??= { index: table, bytes: Buffer.alloc(TABLE_BYTES) };
    const firstEntry = (index % TABLE_SPAN_BLOCKS) * sectors.length;
    for (const [grain, at] of sectors.entries()) {
      if (at !== -1) current.bytes.writeUInt32LE(sector + at, (firstEntry + grain) * 4);
    }
    sector += bytes.length / SECTOR;
    if (sector > LAST_SECTOR - directory.length / SECTOR - 4096) {
      throw new Fault('vmdk.invalid', 'the compressed disk does not fit into a VMDK: it would be larger than 2 TiB');
    }
    yield bytes;
  }
  signal.throwIfAborted();
  yield* closeTable();
  const footer = writeHeader({ ...shape, directorySector: sector + 1 });
  yield Buffer.concat([
    writeMarker(MARKER_DIRECTORY, directory.length / SECTOR),
    directory,
    writeMarker(MARKER_FOOTER, 1),
    footer,
    writeMarker(MARKER_END, 0),
  ]);
}

/** Bytes that `encodeVmdk` will give for the same options, found by encoding and keeping nothing. */
export async function countVmdk(options: EncodeOptions): Promise<number> {
  let bytes = 0;
  for await (const part of encodeVmdk(options)) bytes += part.length;
  return bytes;
}
