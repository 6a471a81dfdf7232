import { type FileHandle, lstat } from 'node:fs/promises';
import { join } from 'node:path';
import { BLOCK_BYTES, BlockMap, blockCount, type DataBlock } from '../../../model/block-map.ts';
import { Fault } from '../../../model/fault.ts';
import { disksOf } from '../../../model/machine.ts';
import { type Contents, ContentsSchema } from '../../../protocol/package.ts';
import { openPlain } from '../files.ts';
import { ENTRY_BYTES, type Entry, entriesOf } from './entries.ts';
import { CONTENTS_FILE, NO_DISK, type RecordCodec } from './record.ts';
import { CONTENTS, readRecord, scan, segmentPath } from './segments.ts';

const JSON_BYTES = 32 * 1024 * 1024;

/** One complete package. Every block is proven while it is read. */
export interface PackageReader {
  readonly contents: Contents;
  /** Compares the maps with their roots and the segments with their lengths. Faults: `package.damaged`. */
  check(signal: AbortSignal): Promise<void>;
  /** Blocks of a disk that hold data, ascending, each proven by its hash. Faults: `package.damaged`. */
  read(disk: string, signal: AbortSignal): AsyncGenerator<DataBlock>;
}

/** Opens a package that is complete. @param who Begins every sentence. Faults: `package.damaged`. */
export async function openPackage(folder: string, codec: RecordCodec, who: string): Promise<PackageReader> {
  const damaged = (what: string) => new Fault('package.damaged', `${who}: ${what}`);
  const contents = await readContents(join(folder, CONTENTS), codec, damaged);
  const numberOf = (disk: string) => contents.disks.findIndex((one) => one.disk === disk);
  return {
    contents,
    async check(signal) {
      for (const [number, bytes] of contents.segments.entries()) {
        signal.throwIfAborted();
        const size = await lstat(segmentPath(folder, number)).then(
          (found) => found.size,
          () => null,
        );
        if (size !== bytes) {
          throw damaged(`segment ${number} has ${size ?? 'no'} bytes instead of ${bytes}: the package is not whole`);
        }
      }
      for (const [number, disk] of contents.disks.entries()) {
        const map = new BlockMap('disk', disk.capacityBytes);
        for await (const { index, hash } of mapOf(folder, codec, number, contents, damaged)) map.set(index, hash);
        signal.throwIfAborted();
        if (map.root() !== disk.root) throw damaged(`the map of disk "${disk.disk}" has not the root that it should`);
      }
    },
    async *read(disk, signal) {
      const number = numberOf(disk);
      if (number < 0) throw new Fault('object.missing', `${who}: it has no disk "${disk}"`);
      using segments = new Segments(folder);
      for await (const entry of mapOf(folder, codec, number, contents, damaged)) {
        signal.throwIfAborted();
        const data = await segments.block(entry, codec);
        if (data === null) {
          throw damaged(
            `block ${entry.index} of disk "${disk}" (segment ${entry.file}, byte ${entry.offset}) is not what was written`,
          );
        }
        yield { index: entry.index, data };
      }
    },
  };
}

async function readContents(path: string, codec: RecordCodec, damaged: (what: string) => Fault): Promise<Contents> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const { head, body } of scan(path, CONTENTS_FILE, codec, true)) {
    if (head.disk !== NO_DISK || head.index !== parts.length || body === null) break;
    bytes += body.length;
    if (bytes > JSON_BYTES) throw damaged('its description is larger than anything that is one');
    parts.push(body);
  }
  let parsed: ReturnType<typeof ContentsSchema.safeParse>;
  try {
    parsed = ContentsSchema.safeParse(JSON.parse(Buffer.concat(parts).toString('utf8')));
  } catch {
    throw damaged('its description cannot be read');
  }
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw damaged(`its description is wrong at ${issue?.path.join('.')}: ${issue?.message}`);
  }
  const contents = parsed.data;
  const described = disksOf(contents.description);
  const same = described.every(
    ({ id, capacityBytes }, number) =>
      contents.disks[number]?.disk === id && contents.disks[number]?.capacityBytes === capacityBytes,
  );
  if (!same || described.length !== contents.disks.length) throw damaged('its disks are not those of its description');
  return contents;
}

/** The entries of one disk, each inside of the disk and of a segment, ascending. */
async function* mapOf(
  folder: string,
  codec: RecordCodec,
  number: number,
  contents: Contents,
  damaged: (what: string) => Fault,
): AsyncGenerator<Entry> {
  const disk = contents.disks[number]!;
  const limit = blockCount(disk.capacityBytes);
  let count = 0;
  let pieces = 0;
  let before = -1;
  for await (const { head, body } of scan(join(folder, CONTENTS), CONTENTS_FILE, codec, true)) {
    if (head.disk !== number || body === null) continue;
    if (head.index !== pieces++ || body.length % ENTRY_BYTES !== 0) throw damaged('a map is out of order');
    for (const entry of entriesOf(body)) {
      const inside = entry.index > before && entry.index < limit && entry.offset < (contents.segments[entry.file] ?? 0);
      if (!inside) throw damaged(`the map of disk "${disk.disk}" leads out of the package`);
      before = entry.index;
      count++;
      yield entry;
    }
  }
  if (count !== disk.blocks) {
    throw damaged(`the map of disk "${disk.disk}" has ${count} entries instead of ${disk.blocks}: it is cut`);
  }
}

/** The segment that was read last stays open: blocks mostly lie one behind the other. */
class Segments implements Disposable {
  readonly #folder: string;
  #number = -1;
  #size = 0;
  #file: FileHandle | undefined;

  constructor(folder: string) {
    this.#folder = folder;
  }

  async block({ file: number, offset, hash }: Entry, codec: RecordCodec): Promise<Buffer | null> {
    const file = await this.#open(number);
    if (file === null) return null;
    const record = await readRecord(file, this.#size, { file: number, offset }, codec, true);
    if (record?.body?.length !== BLOCK_BYTES || !record.head.hash.equals(hash)) return null;
    return record.body;
  }

  async #open(number: number): Promise<FileHandle | null> {
    if (this.#number === number && this.#file !== undefined) return this.#file;
    await this.#file?.close();
    this.#file = undefined;
    try {
      this.#file = await openPlain(segmentPath(this.#folder, number));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
      throw error;
    }
    this.#size = (await this.#file.stat()).size;
    this.#number = number;
    return this.#file;
  }

  [Symbol.dispose](): void {
    this.#file?.close().catch(() => {});
  }
}
