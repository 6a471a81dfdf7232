import type { FileHandle } from 'node:fs/promises';
import { promisify } from 'node:util';
import { deflate } from 'node:zlib';
import {
  descriptorBlock,
  GD_AT_END,
  GRAIN,
  GRAIN_SECTORS,
  MARKER,
  SECTOR,
  TABLE_ENTRIES,
  writeHeader,
  writeMarker,
} from './format.ts';

const deflating = promisify(deflate);
const BATCH = 32;
const SAMPLE = 4096;

export type EncodeTotals = { populatedBytes: number };

const ZERO = Buffer.alloc(GRAIN);

function isZero(grain: Buffer): boolean {
  return grain.equals(grain.length === GRAIN ? ZERO : ZERO.subarray(0, grain.length));
}

/** Deflates a grain; one whose first 4 KiB do not shrink is stored, which is valid zlib at a fraction of the time. */
async function compress(grain: Buffer): Promise<Buffer> {
  const sample: Buffer = await deflating(grain.subarray(0, SAMPLE), { level: 1 });
  return deflating(grain, { level: sample.length < SAMPLE - SAMPLE / 16 ? 1 : 0 });
}

function pad(length: number): number {
  return Math.ceil(length / SECTOR) * SECTOR;
}

/**
 * Reads a raw disk and yields it as one stream-optimized VMDK: grains in ascending order, empty ones left out, a grain table after
 * each 512 grains that has any, then the directory, the footer and the end marker. Memory stays below 8 MiB whatever the size.
 *
 * @param capacityBytes a multiple of 512; reads beyond the file's end count as zeros
 */
export async function* encodeVmdk(
  file: FileHandle,
  capacityBytes: number,
  name: string,
  adapter: string,
  totals: EncodeTotals = { populatedBytes: 0 },
): AsyncGenerator<Buffer, void, undefined> {
  const capacitySectors = Math.ceil(capacityBytes / SECTOR);
  const grains = Math.ceil(capacitySectors / GRAIN_SECTORS);
  const directory = new Uint32Array(Math.ceil(grains / TABLE_ENTRIES));
  yield writeHeader(capacitySectors, GD_AT_END);
  yield descriptorBlock(capacitySectors, name, adapter);
  let sector = 128;
  // Every grain of a batch is packed before the next is read, so one buffer serves the whole disk.
  const batch = Buffer.alloc(BATCH * GRAIN);

  for (let table = 0; table < directory.length; table++) {
    const entries = Buffer.alloc(TABLE_ENTRIES * 4);
    let any = false;
    for (let first = 0; first < TABLE_ENTRIES; first += BATCH) {
      const base = table * TABLE_ENTRIES + first;
      if (base >= grains) break;
      const buffer = batch.subarray(0, Math.min(BATCH, grains - base) * GRAIN);
      await readAll(file, buffer, base * GRAIN);
      if (buffer.length === BATCH * GRAIN && buffer.readInt32LE(0) === 0 && isZeroRun(buffer)) continue;
      const jobs: Promise<Buffer | undefined>[] = [];
      for (let at = 0; at < buffer.length; at += GRAIN) {
        const grain = buffer.subarray(at, at + GRAIN);
        jobs.push(isZero(grain) ? Promise.resolve(undefined) : compress(grain));
      }
      const packed = await Promise.all(jobs);
      const out: Buffer[] = [];
      for (const [index, bytes] of packed.entries()) {
        if (!bytes) continue;
        const framed = Buffer.alloc(pad(12 + bytes.length));
        framed.writeBigUInt64LE(BigInt(base + index) * BigInt(GRAIN_SECTORS), 0);
        framed.writeUInt32LE(bytes.length, 8);
        bytes.copy(framed, 12);
        entries.writeUInt32LE(sector, (first + index) * 4);
        sector += framed.length / SECTOR;
        totals.populatedBytes += GRAIN;
        any = true;
        out.push(framed);
      }
      if (out.length) yield Buffer.concat(out);
    }
    if (!any) continue;
    yield writeMarker(BigInt(entries.length / SECTOR), MARKER.grainTable);
    directory[table] = sector + 1;
    yield entries;
    sector += 1 + entries.length / SECTOR;
  }

  const directoryBytes = Buffer.alloc(pad(directory.length * 4));
  for (const [index, at] of directory.entries()) directoryBytes.writeUInt32LE(at, index * 4);
  yield writeMarker(BigInt(directoryBytes.length / SECTOR), MARKER.grainDirectory);
  yield directoryBytes;
  const directorySector = BigInt(sector + 1);
  yield Buffer.concat([
    writeMarker(1n, MARKER.footer),
    writeHeader(capacitySectors, directorySector),
    Buffer.alloc(SECTOR),
  ]);
}

const ZERO_RUN = Buffer.alloc(BATCH * GRAIN);

function isZeroRun(buffer: Buffer): boolean {
  return buffer.equals(ZERO_RUN);
}

async function readAll(file: FileHandle, into: Buffer, position: number): Promise<void> {
  let filled = 0;
  while (filled < into.length) {
    const { bytesRead } = await file.read(into, filled, into.length - filled, position + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  into.fill(0, filled);
}
