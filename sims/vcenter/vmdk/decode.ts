import type { FileHandle } from 'node:fs/promises';
import { promisify } from 'node:util';
import { inflate } from 'node:zlib';
import { GD_AT_END, GRAIN, GRAIN_SECTORS, MARKER, readHeader, SECTOR, TABLE_ENTRIES, VmdkError } from './format.ts';

const inflating = promisify(inflate);
const AT_ONCE = 16;
const ZERO = Buffer.alloc(GRAIN);

export type DecodeTotals = { capacityBytes: number; populatedBytes: number };

/** Pulls exact amounts of bytes out of a stream of chunks. */
class ByteReader {
  readonly #source: AsyncIterator<Buffer>;
  #chunks: Buffer[] = [];
  #held = 0;
  #offset = 0;

  constructor(source: AsyncIterable<Buffer>) {
    this.#source = source[Symbol.asyncIterator]();
  }

  async take(length: number, what: string): Promise<Buffer> {
    while (this.#held < length) {
      const next = await this.#source.next();
      if (next.done) throw new VmdkError(`the stream ends inside ${what}, at byte ${this.#offset + this.#held}`);
      this.#chunks.push(next.value);
      this.#held += next.value.length;
    }
    const whole = this.#chunks.length === 1 ? (this.#chunks[0] as Buffer) : Buffer.concat(this.#chunks);
    const taken = whole.subarray(0, length);
    const rest = whole.subarray(length);
    this.#chunks = rest.length ? [rest] : [];
    this.#held = rest.length;
    this.#offset += length;
    return taken;
  }

  /** As `take`, but nothing when the stream ends exactly here. */
  async takeOrEnd(length: number, what: string): Promise<Buffer | undefined> {
    if (this.#held === 0) {
      const next = await this.#source.next();
      if (next.done) return undefined;
      this.#chunks = [next.value];
      this.#held = next.value.length;
      if (this.#held === 0) return this.takeOrEnd(length, what);
    }
    return this.take(length, what);
  }

  /** Reads to the end; how many bytes were left. */
  async drain(): Promise<number> {
    let left = this.#held;
    this.#chunks = [];
    this.#held = 0;
    for (let next = await this.#source.next(); !next.done; next = await this.#source.next()) left += next.value.length;
    return left;
  }
}

/**
 * Writes a stream-optimized VMDK into a raw sparse file. The whole structure is checked: markers, grain sizes and places, one grain
 * per place, the footer and the end marker; so a disk that was cut short or damaged on its way is never taken for a whole one.
 *
 * @param capacityBytes what the disk must hold; a stream that says more is refused
 * @throws VmdkError naming what is wrong
 */
export async function decodeVmdk(
  source: AsyncIterable<Buffer>,
  file: FileHandle,
  capacityBytes: number,
): Promise<DecodeTotals> {
  const reader = new ByteReader(source);
  const header = readHeader(await reader.take(SECTOR, 'the header'));
  const declared = header.capacitySectors * SECTOR;
  if (declared > capacityBytes)
    throw new VmdkError(`the stream holds a disk of ${declared} bytes, the disk has ${capacityBytes}`);
  const overhead = await reader.take((header.overheadSectors - 1) * SECTOR, 'the overhead');
  const grains = Math.ceil(header.capacitySectors / GRAIN_SECTORS);
  const promised =
    header.directoryOffset === GD_AT_END ? undefined : countPromised(overhead, Number(header.directoryOffset), grains);
  let received = 0;
  const seen = new Uint8Array(Math.ceil(grains / 8));
  let populatedBytes = 0;
  let footer = false;
  const writes = new Set<Promise<void>>();
  let failure: Error | undefined;

  const write = async (place: number, packed: Buffer): Promise<void> => {
    let grain: Buffer;
    try {
      grain = await inflating(packed, { maxOutputLength: GRAIN });
    } catch (error) {
      throw new VmdkError(`the grain of sector ${place} does not inflate: ${(error as Error).message}`);
    }
    const room = Math.min(GRAIN, declared - place * SECTOR);
    if (grain.length < room)
      throw new VmdkError(`the grain of sector ${place} holds ${grain.length} bytes instead of ${room}`);
    const bytes = grain.subarray(0, room);
    if (bytes.equals(ZERO.subarray(0, room))) return;
    await file.write(bytes, 0, room, place * SECTOR);
  };

  for (;;) {
    const where = footer ? 'the end marker' : 'a marker';
    const sector = promised === undefined ? await reader.take(SECTOR, where) : await reader.takeOrEnd(SECTOR, where);
    if (!sector) break;
    const value = sector.readBigUInt64LE(0);
    const size = sector.readUInt32LE(8);
    if (size > 0) {
      const place = Number(value);
      const index = place / GRAIN_SECTORS;
      if (footer || !Number.isInteger(index) || index >= grains)
        throw new VmdkError(`a grain says it belongs to sector ${value}`);
      if (size > GRAIN * 2) throw new VmdkError(`a compressed grain of ${size} bytes is too long`);
      const bit = 1 << (index & 7);
      if ((seen[index >> 3] ?? 0) & bit) throw new VmdkError(`the grain of sector ${place} comes twice`);
      seen[index >> 3] = (seen[index >> 3] ?? 0) | bit;
      const beyond = Math.max(0, Math.ceil((12 + size) / SECTOR) * SECTOR - SECTOR);
      const rest = beyond ? await reader.take(beyond, 'a grain') : Buffer.alloc(0);
      const packed = Buffer.concat([sector.subarray(12), rest]).subarray(0, size);
      populatedBytes += GRAIN;
      received++;
      const job: Promise<void> = write(place, packed)
        .catch((error: unknown) => {
          failure ??= error as Error;
        })
        .finally(() => writes.delete(job));
      writes.add(job);
      if (writes.size >= AT_ONCE) await Promise.race(writes);
      if (failure) throw failure;
      continue;
    }
    const type = sector.readUInt32LE(12);
    if (type === MARKER.end) {
      if (!footer && promised === undefined) throw new VmdkError('the stream ends without a footer');
      break;
    }
    if (type === MARKER.grainTable || type === MARKER.grainDirectory) {
      const longest = Math.ceil((Math.max(TABLE_ENTRIES, Math.ceil(grains / TABLE_ENTRIES)) * 4) / SECTOR) + 1;
      if (value > BigInt(longest)) throw new VmdkError(`a table of ${value} sectors is too long`);
      await reader.take(Number(value) * SECTOR, 'a grain table');
    } else if (type === MARKER.footer) {
      const last = readHeader(await reader.take(SECTOR, 'the footer'));
      if (last.capacitySectors !== header.capacitySectors)
        throw new VmdkError('header and footer disagree about the capacity');
      footer = true;
    } else throw new VmdkError(`a marker of unknown type ${type}`);
  }
  await Promise.all(writes);
  if (failure) throw failure;
  if (promised !== undefined && promised !== received) {
    throw new VmdkError(`the stream ends with ${received} grains; its tables name ${promised}`);
  }
  await reader.drain();
  return { capacityBytes: declared, populatedBytes };
}

/**
 * Counts the grains that tables at the front of the extent name. Such a stream, as qemu-img writes it, has neither footer nor end
 * marker; its tables are what tells whether it is whole.
 */
function countPromised(overhead: Buffer, directory: number, grains: number): number {
  const at = (sector: number, bytes: number): Buffer => {
    const start = (sector - 1) * SECTOR;
    if (sector < 1 || start + bytes > overhead.length)
      throw new VmdkError('the grain directory is neither at the front nor at the end of the stream');
    return overhead.subarray(start, start + bytes);
  };
  const tables = Math.ceil(grains / TABLE_ENTRIES);
  const entries = at(directory, tables * 4);
  let count = 0;
  for (let table = 0; table < tables; table++) {
    const sector = entries.readUInt32LE(table * 4);
    if (sector === 0) continue;
    const places = at(sector, TABLE_ENTRIES * 4);
    for (let index = 0; index < TABLE_ENTRIES; index++) if (places.readUInt32LE(index * 4) > 1) count++;
  }
  return count;
}
