import { type FileHandle, mkdir, open, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { syncFolder } from '../../../base/files.ts';
import { BLOCK_BYTES, type DataBlock, hashBlock } from '../../../model/block-map.ts';
import type { DiskDescription } from '../../../model/machine.ts';
import { inOrder } from '../../../ovf/vmdk/in-order.ts';
import type { Contents } from '../../../protocol/package.ts';
import { packBody, packPlace, unpackPlace } from './body.ts';
import { EntryList } from './entries.ts';
import { CONTENTS_FILE, type Coding, NO_DISK, type Place, type RecordCodec } from './record.ts';
import { CONTENTS, SEGMENT_BYTES, SEGMENTS_FOLDER, scan, segmentPath } from './segments.ts';

/** Blocks that are compressed while the one before is written. */
const AHEAD_BLOCKS = 4;
const SYNC_BYTES = 64 * 1024 * 1024;
/** Hashes that are kept to write equal blocks once: enough for 256 GiB of different ones. */
const KNOWN_BLOCKS = 256 * 1024;
const NOTHING = Buffer.alloc(0);
const NO_HASH = Buffer.alloc(32);

/** Appends the blocks of disks to a package, and goes on where an earlier writer was interrupted. */
export class PackageWriter {
  readonly #folder: string;
  readonly #codec: RecordCodec;
  readonly #entries: EntryList[];
  readonly #known = new Map<string, Place>();
  readonly #sizes: number[] = [];
  #file: FileHandle | undefined;
  #unsynced = 0;

  private constructor(folder: string, codec: RecordCodec, disks: number) {
    this.#folder = folder;
    this.#codec = codec;
    this.#entries = Array.from({ length: disks }, () => new EntryList());
  }

  /** Reads what an earlier writer left, proves its last segment and cuts a torn end off. */
  static async open(folder: string, codec: RecordCodec, disks: number, signal: AbortSignal): Promise<PackageWriter> {
    const writer = new PackageWriter(folder, codec, disks);
    await mkdir(join(folder, SEGMENTS_FOLDER), { recursive: true });
    await writer.#resume(signal);
    return writer;
  }

  /** The first block of a disk that is not here: all before it are. */
  next(disk: number): number {
    return this.#entries[disk]?.next ?? 0;
  }

  /** Forgets the map of a disk; its blocks are found again by their hashes. */
  async beginAnew(disk: number): Promise<void> {
    await this.#append({ disk, index: 0, hash: NO_HASH }, 'anew', NOTHING);
    this.#entries[disk]?.clear();
  }

  /** Writes blocks of one disk as they come, from `next` on. `written` hears the index behind each one. */
  async write(
    disk: number,
    blocks: AsyncIterable<DataBlock>,
    signal: AbortSignal,
    written: (next: number) => void,
  ): Promise<void> {
    const prepared = inOrder(blocks, AHEAD_BLOCKS, signal, async ({ index, data }) => {
      const copy = Buffer.from(data);
      const hash = hashBlock(copy);
      const same = this.#known.has(hash.toString('latin1'));
      return { index, hash, copy, packed: same ? null : await packBody(copy) };
    });
    for await (const { index, hash, copy, packed } of prepared) {
      signal.throwIfAborted();
      const known = this.#known.get(hash.toString('latin1'));
      const head = { disk, index, hash };
      let place = known;
      if (place !== undefined) await this.#append(head, 'same', packPlace(place.file, place.offset));
      else {
        const { coding, body } = packed ?? (await packBody(copy));
        place = await this.#append(head, coding, body);
        this.#remember(hash, place);
      }
      this.#entries[disk]?.push({ index, hash, ...place });
      written(index + 1);
    }
  }

  /** Root of what is here of a disk. */
  root(disk: number, capacityBytes: number): string {
    return this.#entries[disk]?.root(capacityBytes) ?? '';
  }

  /** Writes `contents` and makes everything durable. */
  async finish(about: Omit<Contents, 'disks' | 'segments'>, disks: readonly DiskDescription[]): Promise<void> {
    await this.#file?.datasync();
    const contents: Contents = {
      ...about,
      disks: disks.map(({ id, capacityBytes }, number) => ({
        disk: id,
        capacityBytes,
        root: this.root(number, capacityBytes),
        blocks: this.#entries[number]?.length ?? 0,
      })),
      segments: this.#sizes,
    };
    await using file = await open(join(this.#folder, CONTENTS), 'w', 0o600);
    let offset = 0;
    const put = async (disk: number, index: number, data: Buffer) => {
      const { coding, body } = await packBody(data);
      const parts = this.#codec.encode(
        { file: CONTENTS_FILE, offset },
        { disk, index, hash: hashBlock(data) },
        coding,
        body,
      );
      await file.writev(parts, offset);
      offset += this.#codec.sizeOf(body.length);
    };
    const json = Buffer.from(JSON.stringify(contents));
    for (let at = 0; at < json.length; at += BLOCK_BYTES) {
      await put(NO_DISK, at / BLOCK_BYTES, json.subarray(at, at + BLOCK_BYTES));
    }
    for (const [disk, entries] of this.#entries.entries()) {
      let index = 0;
      for (const piece of entries.pieces()) await put(disk, index++, piece);
    }
    await file.datasync();
    await syncFolder(join(this.#folder, SEGMENTS_FOLDER));
    await syncFolder(this.#folder);
  }

  /** Makes durable what was written. Idempotent. */
  async close(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    await file?.datasync().finally(() => file.close());
  }

  #remember(hash: Buffer, place: Place): void {
    if (this.#known.size < KNOWN_BLOCKS) this.#known.set(hash.toString('latin1'), place);
  }

  async #append(head: { disk: number; index: number; hash: Buffer }, coding: Coding, body: Buffer): Promise<Place> {
    if (this.#file === undefined || (this.#sizes.at(-1) ?? 0) >= SEGMENT_BYTES) await this.#nextSegment();
    const file = this.#file as unknown as FileHandle;
    const number = this.#sizes.length - 1;
    const place = { file: number, offset: this.#sizes[number] ?? 0 };
    const parts = this.#codec.encode(place, head, coding, body);
    const { bytesWritten } = await file.writev(parts, place.offset);
    const size = this.#codec.sizeOf(body.length);
    if (bytesWritten < size) throw Object.assign(new Error('the disk is full'), { code: 'ENOSPC' });
    this.#sizes[number] = place.offset + size;
    this.#unsynced += size;
    if (this.#unsynced >= SYNC_BYTES) {
      await file.datasync();
      this.#unsynced = 0;
    }
    return place;
  }

  /** Opens the last segment again while it has room, else the one behind it. */
  async #nextSegment(): Promise<void> {
    if (this.#file === undefined && this.#sizes.length > 0 && (this.#sizes.at(-1) ?? 0) < SEGMENT_BYTES) {
      this.#file = await open(segmentPath(this.#folder, this.#sizes.length - 1), 'r+');
      return;
    }
    await this.close();
    this.#sizes.push(0);
    this.#file = await open(segmentPath(this.#folder, this.#sizes.length - 1), 'wx', 0o600);
    await syncFolder(join(this.#folder, SEGMENTS_FOLDER));
  }

  async #resume(signal: AbortSignal): Promise<void> {
    for (let number = 0; ; number++) {
      signal.throwIfAborted();
      const size = await sizeOf(segmentPath(this.#folder, number));
      if (size === null) return;
      const last = (await sizeOf(segmentPath(this.#folder, number + 1))) === null;
      let end = 0;
      for await (const record of scan(segmentPath(this.#folder, number), number, this.#codec, last)) {
        const { head, coding, file, offset, body } = record;
        const place = coding === 'same' ? unpackPlace(body ?? NOTHING) : { file, offset };
        const entries = this.#entries[head.disk];
        if (entries === undefined || place === null) break;
        if (coding === 'anew') entries.clear();
        else {
          if (coding !== 'same') this.#remember(head.hash, place);
          if (head.index >= entries.next) entries.push({ index: head.index, hash: head.hash, ...place });
        }
        end = record.end;
      }
      this.#sizes.push(end);
      if (end < size) {
        // What lies behind a torn record is written again.
        await truncate(segmentPath(this.#folder, number), end);
        for (let more = number + 1; (await sizeOf(segmentPath(this.#folder, more))) !== null; more++) {
          await truncate(segmentPath(this.#folder, more), 0);
          this.#sizes.push(0);
        }
        return;
      }
    }
  }
}

async function sizeOf(path: string): Promise<number | null> {
  try {
    await using file = await open(path, 'r');
    return (await file.stat()).size;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}
