import { BlockMap } from '../../../model/block-map.ts';
import type { Place } from './record.ts';

/** An entry of a map in `contents`: index u32 · segment u32 · offset u32 · SHA-256. Blocks that are zero have none. */
export const ENTRY_BYTES = 44;
/** Entries in one piece of a map: a piece is smaller than a block. */
export const ENTRIES_IN_PIECE = 16 * 1024;

export interface Entry extends Place {
  index: number;
  hash: Buffer;
}

/** The map of one disk with the places of its blocks, ascending, in one flat buffer. */
export class EntryList {
  #bytes = Buffer.alloc(1024 * ENTRY_BYTES);
  length = 0;

  /** Index behind the last entry. */
  get next(): number {
    return this.length === 0 ? 0 : this.#bytes.readUInt32BE((this.length - 1) * ENTRY_BYTES) + 1;
  }

  push({ index, file, offset, hash }: Entry): void {
    const at = this.length * ENTRY_BYTES;
    if (at === this.#bytes.length) {
      const grown = Buffer.alloc(this.#bytes.length * 2);
      this.#bytes.copy(grown);
      this.#bytes = grown;
    }
    this.#bytes.writeUInt32BE(index, at);
    this.#bytes.writeUInt32BE(file, at + 4);
    this.#bytes.writeUInt32BE(offset, at + 8);
    hash.copy(this.#bytes, at + 12);
    this.length++;
  }

  clear(): void {
    this.length = 0;
  }

  root(capacityBytes: number): string {
    const map = new BlockMap('disk', capacityBytes);
    for (const { index, hash } of entriesOf(this.#bytes.subarray(0, this.length * ENTRY_BYTES))) map.set(index, hash);
    return map.root();
  }

  /** As they are written: pieces of at most ENTRIES_IN_PIECE. */
  *pieces(): Generator<Buffer> {
    const size = ENTRIES_IN_PIECE * ENTRY_BYTES;
    const end = this.length * ENTRY_BYTES;
    for (let at = 0; at < end; at += size) yield this.#bytes.subarray(at, Math.min(end, at + size));
  }
}

/** The hashes are views, not copies. */
export function* entriesOf(bytes: Buffer): Generator<Entry> {
  for (let at = 0; at + ENTRY_BYTES <= bytes.length; at += ENTRY_BYTES) {
    yield {
      index: bytes.readUInt32BE(at),
      file: bytes.readUInt32BE(at + 4),
      offset: bytes.readUInt32BE(at + 8),
      hash: bytes.subarray(at + 12, at + ENTRY_BYTES),
    };
  }
}
