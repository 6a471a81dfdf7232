import { promisify } from 'node:util';
import { inflate } from 'node:zlib';
import type { DiskWriter } from '../disk-files.ts';
import {
  directoryAtEnd,
  type ExtentHeader,
  markerKinds,
  readHeader,
  sectorBytes,
  sectorsOf,
  tableEntries,
  VmdkError,
} from './format.ts';

const inflateAsync = promisify(inflate);
const grainsAtOnce = 16;
/** 32 MiB: tables of a disk of about 250 GiB. Streams with their tables at the end have no such bound. */
const maximumOverheadSectors = 65_536;

/** Reads exact numbers of bytes from a stream of chunks; holds one chunk at a time. */
function exactReader(source: AsyncIterable<Buffer>) {
  const iterator = source[Symbol.asyncIterator]();
  let held: Buffer = Buffer.alloc(0);
  const read = async (bytes: number): Promise<Buffer> => {
    const parts: Buffer[] = [];
    let wanted = bytes;
    while (wanted > 0) {
      if (held.length === 0) {
        const next = await iterator.next();
        if (next.done === true) throw new VmdkError('the file ends in the middle (truncated)');
        held = next.value;
        continue;
      }
      const part = held.subarray(0, wanted);
      held = held.subarray(part.length);
      wanted -= part.length;
      parts.push(part);
    }
    return parts.length === 1 ? parts[0]! : Buffer.concat(parts);
  };
  const restIsEmpty = async (): Promise<boolean> => {
    while (held.length === 0) {
      const next = await iterator.next();
      if (next.done === true) return true;
      held = next.value;
    }
    return false;
  };
  const restIsZero = async (): Promise<boolean> => {
    while (!(await restIsEmpty())) {
      if (held.some((byte) => byte !== 0)) return false;
      held = held.subarray(held.length);
    }
    return true;
  };
  return { read, restIsEmpty, restIsZero };
}

/**
 * Reads what lies between header and first grain. Some writers put directory and tables there and end the file with
 * the last grain; then the numbers of the grains that must come are returned. Undefined = tables and footer come last.
 */
async function readOverhead(
  reader: { read(bytes: number): Promise<Buffer> },
  header: ExtentHeader,
): Promise<number[] | undefined> {
  if (header.overheadSectors > maximumOverheadSectors)
    throw new VmdkError('the space before the first grain is too large');
  const bytes = await reader.read(Math.max(0, header.overheadSectors - 1) * sectorBytes);
  if (header.directoryOffset === directoryAtEnd) return undefined;
  const at = (sector: number) => (sector - 1) * sectorBytes;
  const grains = Math.ceil(header.capacitySectors / header.grainSectors);
  const announced: number[] = [];
  for (let grain = 0; grain < grains; grain++) {
    const entry = at(Number(header.directoryOffset)) + Math.floor(grain / tableEntries) * 4;
    if (entry < 0 || entry + 4 > bytes.length) throw new VmdkError('the grain directory lies outside of its place');
    const table = bytes.readUInt32LE(entry);
    const slot = at(table) + (grain % tableEntries) * 4;
    if (table === 0) continue;
    if (slot < 0 || slot + 4 > bytes.length) throw new VmdkError('a grain table lies outside of its place');
    if (bytes.readUInt32LE(slot) > 1) announced.push(grain);
  }
  return announced;
}

/**
 * Decodes a stream-optimized VMDK into `writer` and returns the capacity in bytes that the header states.
 * `accept` is asked with that capacity before the first grain and may throw. Memory stays at a few grains.
 * Throws `VmdkError` for every breach of the format: wrong magic, not stream-optimized, a grain outside of the disk
 * or twice, a grain that does not inflate, a missing footer or end-of-stream marker, bytes (other than padding with zeros) after the end.
 */
export async function decodeVmdk(
  source: AsyncIterable<Buffer>,
  writer: DiskWriter,
  accept: (capacityBytes: number) => void,
  signal: AbortSignal,
): Promise<number> {
  const reader = exactReader(source);
  const header = readHeader(await reader.read(sectorBytes));
  const capacityBytes = header.capacitySectors * sectorBytes;
  accept(capacityBytes);
  const announced = await readOverhead(reader, header);

  const grainLength = header.grainSectors * sectorBytes;
  const seen = new Uint8Array(Math.ceil(header.capacitySectors / header.grainSectors / 8) + 1);
  let pending: Promise<void>[] = [];
  let sawFooter = false;

  const takeGrain = async (lba: number, packed: Buffer): Promise<void> => {
    const plain = await inflateAsync(packed, { maxOutputLength: grainLength }).catch((error: Error) => {
      throw new VmdkError(`the grain at sector ${lba} does not inflate: ${error.message}`);
    });
    const wanted = Math.min(grainLength, capacityBytes - lba * sectorBytes);
    if (plain.length < wanted) throw new VmdkError(`the grain at sector ${lba} is short (${plain.length} bytes)`);
    await writer.write(lba * sectorBytes, plain.subarray(0, wanted));
  };
  const settle = async () => {
    const batch = pending;
    pending = [];
    await Promise.all(batch);
  };

  try {
    for (;;) {
      signal.throwIfAborted();
      if (announced !== undefined && (await reader.restIsEmpty())) break;
      const marker = await reader.read(sectorBytes);
      const value = Number(marker.readBigUInt64LE(0));
      const size = marker.readUInt32LE(8);
      if (size > 0) {
        const index = value / header.grainSectors;
        if (!Number.isInteger(index) || value >= header.capacitySectors) {
          throw new VmdkError(`a grain at sector ${value} lies outside of the disk`);
        }
        if (size > grainLength * 2) throw new VmdkError(`the grain at sector ${value} claims ${size} packed bytes`);
        const bit = 1 << (index & 7);
        if (((seen[index >> 3] ?? 0) & bit) !== 0) throw new VmdkError(`the grain at sector ${value} comes twice`);
        seen[index >> 3]! |= bit;
        const rest = sectorsOf(12 + size) * sectorBytes - sectorBytes;
        const tail = rest > 0 ? await reader.read(rest) : Buffer.alloc(0);
        pending.push(takeGrain(value, Buffer.concat([marker.subarray(12), tail]).subarray(0, size)));
        if (pending.length >= grainsAtOnce) await settle();
        continue;
      }
      const kind = marker.readUInt32LE(12);
      if (kind === markerKinds.endOfStream && value === 0) break;
      if (kind !== markerKinds.grainTable && kind !== markerKinds.grainDirectory && kind !== markerKinds.footer) {
        throw new VmdkError(`marker kind ${kind} is unknown`);
      }
      if (value > 2 ** 20) throw new VmdkError(`a marker of kind ${kind} claims ${value} sectors`);
      const body = await reader.read(value * sectorBytes);
      if (kind === markerKinds.footer) {
        const footer = readHeader(body.subarray(0, sectorBytes));
        if (footer.capacitySectors !== header.capacitySectors) throw new VmdkError('header and footer disagree');
        sawFooter = true;
      }
    }
    await settle();
  } finally {
    await Promise.allSettled(pending);
  }
  for (const grain of announced ?? []) {
    if (((seen[grain >> 3] ?? 0) & (1 << (grain & 7))) === 0) {
      throw new VmdkError('the file ends before the last grain of its tables (truncated)');
    }
  }
  if (announced === undefined && !sawFooter) throw new VmdkError('the footer is missing');
  if (!(await reader.restIsZero())) throw new VmdkError('there are bytes after the end of the disk');
  return capacityBytes;
}
