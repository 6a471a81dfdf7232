import { looksRandom } from '../../base/randomness.ts';
import { BLOCK_BYTES, isZero } from '../../model/block-map.ts';
import { GRAIN_BYTES, SECTOR } from './header.ts';
import { deflater, inflater, type ZlibRun } from './zlib-engine.ts';

/** One spare byte behind the block tells a grain that is too long from one that just fits. */
export const INFLATE_OUTPUT_BYTES = BLOCK_BYTES + SECTOR;
const GRAINS_PER_BLOCK = BLOCK_BYTES / GRAIN_BYTES;
const MARKER_BYTES = 12;
const SAMPLE_STRIDE = 17;
/** A stored grain: zlib's frame and two stored blocks, behind its marker, on whole sectors. */
const STORED_GRAIN_BYTES = GRAIN_BYTES + SECTOR;
export const DEFLATE_OUTPUT_BYTES = GRAINS_PER_BLOCK * STORED_GRAIN_BYTES;

export interface InflateWork {
  kind: 'inflate';
  /** Compressed grains, one behind the other. */
  input: ArrayBuffer;
  /** INFLATE_OUTPUT_BYTES; becomes the block. */
  output: ArrayBuffer;
  grainBytes: number;
  /** Bytes of the block that belong to the disk: BLOCK_BYTES, fewer in the last one. */
  validBytes: number;
  /** Per grain, ascending: number of the grain in the block, offset and length of its data in `input`. */
  grains: Int32Array;
}

export interface InflateResult {
  input: ArrayBuffer;
  output: ArrayBuffer;
  zero: boolean;
  /** What is wrong with which grain of the block. */
  bad?: { grain: number; reason: string };
}

export interface DeflateWork {
  kind: 'deflate';
  /** A block. */
  input: ArrayBuffer;
  /** DEFLATE_OUTPUT_BYTES; becomes markers and grains as they lie in the file. */
  output: ArrayBuffer;
  level: number;
  /** Sector of the disk at which the block begins. */
  sector: number;
}

export interface DeflateResult {
  input: ArrayBuffer;
  output: ArrayBuffer;
  usedBytes: number;
  /** Per grain of the block: sector of its marker in `output`, or -1 when it is zero and left out. */
  sectors: Int32Array;
}

let inflate: ZlibRun | undefined;
const deflates = new Map<number, ZlibRun>();

function deflateAt(level: number): ZlibRun {
  let run = deflates.get(level);
  if (!run) {
    run = deflater(level);
    deflates.set(level, run);
  }
  return run;
}

/** Decompresses the grains of one block to their places; everything between them becomes zero. */
export function inflateBlock(work: InflateWork): InflateResult {
  inflate ??= inflater();
  const input = Buffer.from(work.input);
  const output = Buffer.from(work.output);
  const { grainBytes, grains, validBytes } = work;
  const result: InflateResult = { input: work.input, output: work.output, zero: false };
  let filled = 0;
  for (let at = 0; at < grains.length; at += 3) {
    const grain = grains[at]!;
    const start = grain * grainBytes;
    const from = grains[at + 1]!;
    output.fill(0, filled, start);
    let size: number | null;
    try {
      size = inflate(input.subarray(from, from + grains[at + 2]!), output.subarray(start, start + grainBytes + 1));
    } catch (error) {
      return { ...result, bad: { grain, reason: error instanceof Error ? error.message : String(error) } };
    }
    if (size === null) return { ...result, bad: { grain, reason: `it holds more than ${grainBytes} bytes` } };
    const needed = Math.min(grainBytes, validBytes - start);
    if (size < needed) return { ...result, bad: { grain, reason: `it holds ${size} bytes instead of ${needed}` } };
    filled = start + size;
  }
  output.fill(0, Math.min(filled, validBytes), BLOCK_BYTES);
  result.zero = isZero(output.subarray(0, BLOCK_BYTES));
  return result;
}

/** Compresses one block into markers and grains. The same block, level and zlib give the same bytes. */
export function deflateBlock(work: DeflateWork): DeflateResult {
  const input = Buffer.from(work.input);
  const output = Buffer.from(work.output);
  const sectors = new Int32Array(GRAINS_PER_BLOCK).fill(-1);
  let used = 0;
  for (let index = 0; index < GRAINS_PER_BLOCK; index++) {
    const grain = input.subarray(index * GRAIN_BYTES, (index + 1) * GRAIN_BYTES);
    if (isZero(grain)) continue;
    const room = output.subarray(used + MARKER_BYTES, used + STORED_GRAIN_BYTES);
    let size =
      work.level === 0 || looksRandom(grain, SAMPLE_STRIDE)
        ? null
        : deflateAt(work.level)(grain, room.subarray(0, GRAIN_BYTES));
    size ??= deflateAt(0)(grain, room);
    if (size === null) throw new Error('a stored grain does not fit its room');
    output.writeBigUInt64LE(BigInt(work.sector + index * (GRAIN_BYTES / SECTOR)), used);
    output.writeUInt32LE(size, used + 8);
    sectors[index] = used / SECTOR;
    const end = used + MARKER_BYTES + size;
    used = Math.ceil(end / SECTOR) * SECTOR;
    output.fill(0, end, used);
  }
  return { input: work.input, output: work.output, usedBytes: used, sectors };
}
