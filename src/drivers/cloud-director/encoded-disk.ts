import { createHash } from 'node:crypto';
import { BLOCK_BYTES, type DataBlock } from '../../model/block-map.ts';
import { Fault } from '../../model/fault.ts';
import type { DiskDescription } from '../../model/machine.ts';
import { countVmdk, encoderIdentity, encodeVmdk } from '../../ovf/vmdk/encode.ts';
import type { DiskFeed } from '../driver.ts';

/** Deflate level of every upload. */
const LEVEL = 1;
const MIB = 1024 * 1024;

/** Two encodings with this identity are equal byte by byte: only then an upload may go on in the middle. */
export const ENCODING = encoderIdentity(LEVEL);

/** Cloud Director counts disks in MiB: a disk of another size is made larger by less than one. */
export function roundedCapacity(capacityBytes: number): number {
  return Math.max(MIB, Math.ceil(capacityBytes / MIB) * MIB);
}

/** One disk of a package as the file that is uploaded for it. */
export interface EncodedDisk {
  readonly disk: DiskDescription;
  readonly feed: DiskFeed;
  /** Name in the transfer area. */
  readonly fileName: string;
}

function encode({ disk, feed, fileName }: EncodedDisk, blocks: AsyncIterable<DataBlock>, signal: AbortSignal) {
  return encodeVmdk({
    capacityBytes: roundedCapacity(feed.capacityBytes || disk.capacityBytes),
    blocks,
    level: LEVEL,
    fileName,
    signal,
  });
}

/** Length of the file, found by encoding all of the disk's blocks as they arrive and keeping nothing. */
export async function countEncoded(encoded: EncodedDisk, signal: AbortSignal): Promise<number> {
  const { disk, feed, fileName } = encoded;
  const capacityBytes = roundedCapacity(feed.capacityBytes || disk.capacityBytes);
  return countVmdk({ capacityBytes, blocks: feed.blocks(0, signal), level: LEVEL, fileName, signal });
}

/** The file's bytes from `start` on, in pieces of the caller's sizes. Everything is hashed, also what is passed over. */
export class EncodedBytes {
  /** Logical bytes of the disk that are in what was given out. */
  givenBytes = 0;
  readonly #bytes: AsyncGenerator<Buffer>;
  readonly #abort: AbortController;
  readonly #hash = createHash('sha256');
  readonly #what: string;
  #rest: Buffer = Buffer.alloc(0);
  #skip: number;

  constructor(encoded: EncodedDisk, start: number, signal: AbortSignal) {
    this.#abort = new AbortController();
    const both = AbortSignal.any([signal, this.#abort.signal]);
    this.#what = `disk "${encoded.disk.label}"`;
    this.#skip = start;
    this.#bytes = encode(encoded, this.#watched(encoded.feed.blocks(0, both)), both);
  }

  async *#watched(blocks: AsyncIterable<DataBlock>): AsyncGenerator<DataBlock> {
    for await (const block of blocks) {
      yield block;
      this.givenBytes = (block.index + 1) * BLOCK_BYTES;
    }
  }

  /** Exactly the next `length` bytes. Fault `internal` when the file is shorter than was counted. */
  async *take(length: number): AsyncGenerator<Buffer> {
    let left = length;
    while (left > 0) {
      if (this.#rest.length === 0) {
        const next = await this.#next();
        if (next === null) {
          throw new Fault('internal', `${this.#what}: its second encoding is shorter than the first`, {
            retry: 'soon',
          });
        }
        this.#rest = next;
      }
      const part = this.#rest.subarray(0, Math.min(left, this.#rest.length));
      this.#rest = this.#rest.subarray(part.length);
      left -= part.length;
      yield part;
    }
  }

  /** SHA-256 of the whole file, hex; encodes what was not taken yet. `size` is what the whole has to have. */
  async digest(): Promise<string> {
    this.#rest = Buffer.alloc(0);
    while ((await this.#next()) !== null);
    return this.#hash.digest('hex');
  }

  /** Ends the encoding. Idempotent. */
  async close(): Promise<void> {
    this.#abort.abort();
    await this.#bytes.return(undefined).catch(() => undefined);
  }

  async #next(): Promise<Buffer | null> {
    for (;;) {
      const result = await this.#bytes.next();
      if (result.done) return null;
      this.#hash.update(result.value);
      const passed = Math.min(this.#skip, result.value.length);
      this.#skip -= passed;
      if (passed < result.value.length) return result.value.subarray(passed);
    }
  }
}
