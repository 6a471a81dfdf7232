import { createHash, hash } from 'node:crypto';

/** Bytes of one block. Fixed: it is part of every root. */
export const BLOCK_BYTES = 1024 * 1024;
/** Bytes of one entry of a map: a SHA-256, or 32 zero bytes for a block of zeros. */
export const ENTRY_BYTES = 32;

export type MapKind = 'disk' | 'file';

/** One block with data, as drivers and codecs pass it on. Blocks that are not passed on are zero. */
export interface DataBlock {
  /** Position in units of BLOCK_BYTES. */
  index: number;
  /**
   * Exactly BLOCK_BYTES for disks (the last block is padded with zeros); the last block of a file ends with it. Valid until the consumer asks for the next
   * block: whoever keeps it longer copies it.
   */
  data: Buffer;
}

const NO_ENTRY = Buffer.alloc(ENTRY_BYTES);
const ZERO_BLOCK = Buffer.alloc(BLOCK_BYTES);

export function isZero(data: Uint8Array): boolean {
  let at = 0;
  while (at < data.length) {
    const length = Math.min(BLOCK_BYTES, data.length - at);
    if (ZERO_BLOCK.compare(data, at, at + length, 0, length) !== 0) return false;
    at += length;
  }
  return true;
}

export function hashBlock(data: Uint8Array): Buffer {
  return hash('sha256', data, 'buffer');
}

export function blockCount(lengthBytes: number): number {
  return Math.ceil(lengthBytes / BLOCK_BYTES);
}

/** Bytes of one block of a map: BLOCK_BYTES, but what is left in the last block of a file. */
export function blockLength(kind: MapKind, lengthBytes: number, index: number): number {
  return kind === 'disk' ? BLOCK_BYTES : Math.min(BLOCK_BYTES, lengthBytes - index * BLOCK_BYTES);
}

/** Entries of one page: 128 MiB of a disk. Small, so that data spread over a large disk costs little. */
const PAGE_ENTRIES = 128;
const PAGE_BYTES = PAGE_ENTRIES * ENTRY_BYTES;
const ZERO_PAGE = Buffer.alloc(PAGE_BYTES);

/**
 * A disk or file as a flat array of entries, in pages: where nothing but zeros is known there is none. It may still be
 * growing: `complete` is set once by its maker.
 */
export class BlockMap {
  readonly kind: MapKind;
  /** Capacity of a disk, exact length of a file. */
  readonly lengthBytes: number;
  complete = false;
  readonly #pages: (Buffer | undefined)[] = [];

  constructor(kind: MapKind, lengthBytes: number) {
    this.kind = kind;
    this.lengthBytes = lengthBytes;
  }

  get blocks(): number {
    return blockCount(this.lengthBytes);
  }

  /** Bytes of the block. */
  blockLength(index: number): number {
    return blockLength(this.kind, this.lengthBytes, index);
  }

  set(index: number, hash: Uint8Array): void {
    if (index < 0 || index >= this.blocks) throw new RangeError(`block ${index} is outside of a map of ${this.blocks}`);
    const number = Math.floor(index / PAGE_ENTRIES);
    let page = this.#pages[number];
    if (page === undefined) {
      if (NO_ENTRY.equals(hash)) return;
      page = Buffer.alloc(this.#pageBytes(number));
      this.#pages[number] = page;
    }
    page.set(hash, (index % PAGE_ENTRIES) * ENTRY_BYTES);
  }

  /** The hash of a block (a view, not a copy), or null where the block is zero. */
  get(index: number): Buffer | null {
    const page = this.#pages[Math.floor(index / PAGE_ENTRIES)];
    if (page === undefined) return null;
    const at = (index % PAGE_ENTRIES) * ENTRY_BYTES;
    const entry = page.subarray(at, at + ENTRY_BYTES);
    return entry.length < ENTRY_BYTES || entry.equals(NO_ENTRY) ? null : entry;
  }

  /** Index after the last block that is not zero. */
  get used(): number {
    for (let number = this.#pages.length - 1; number >= 0; number--) {
      if (this.#pages[number] === undefined) continue;
      for (let index = (number + 1) * PAGE_ENTRIES - 1; index >= number * PAGE_ENTRIES; index--) {
        if (this.get(index) !== null) return index + 1;
      }
    }
    return 0;
  }

  /** Entries up to the last one that counts: without trailing zeros for a disk, all of them for a file. A copy. */
  entries(): Buffer {
    return Buffer.concat([...this.#counted()]);
  }

  /** SHA-256(`cloudspan-map-1` ‖ kind (0 disk, 1 file; 1 byte) ‖ block size (u32 BE) ‖ length (u64 BE, files only) ‖ entries), hex. */
  root(): string {
    const head = Buffer.alloc(this.kind === 'disk' ? 5 : 13);
    head.writeUInt8(this.kind === 'disk' ? 0 : 1, 0);
    head.writeUInt32BE(BLOCK_BYTES, 1);
    if (this.kind === 'file') head.writeBigUInt64BE(BigInt(this.lengthBytes), 5);
    const hash = createHash('sha256').update('cloudspan-map-1').update(head);
    for (const entries of this.#counted()) hash.update(entries);
    return hash.digest('hex');
  }

  /** Bytes in blocks that are not zero. */
  dataBytes(): number {
    let count = 0;
    for (let index = this.used - 1; index >= 0; index--) if (this.get(index) !== null) count++;
    return count * BLOCK_BYTES;
  }

  static fromEntries(kind: MapKind, lengthBytes: number, entries: Uint8Array): BlockMap {
    const map = new BlockMap(kind, lengthBytes);
    if (entries.length % ENTRY_BYTES !== 0 || entries.length > map.blocks * ENTRY_BYTES) {
      throw new RangeError(`${entries.length} bytes are no entries for ${map.blocks} blocks`);
    }
    for (let number = 0; number * PAGE_BYTES < entries.length; number++) {
      const part = entries.subarray(number * PAGE_BYTES, (number + 1) * PAGE_BYTES);
      if (isZero(part)) continue;
      const page = Buffer.alloc(map.#pageBytes(number));
      page.set(part);
      map.#pages[number] = page;
    }
    return map;
  }

  #pageBytes(number: number): number {
    return Math.min(PAGE_BYTES, this.blocks * ENTRY_BYTES - number * PAGE_BYTES);
  }

  /** What `entries` puts together. */
  *#counted(): Generator<Buffer> {
    const bytes = (this.kind === 'disk' ? this.used : this.blocks) * ENTRY_BYTES;
    for (let number = 0; number * PAGE_BYTES < bytes; number++) {
      const page = this.#pages[number] ?? ZERO_PAGE;
      yield page.subarray(0, Math.min(PAGE_BYTES, bytes - number * PAGE_BYTES));
    }
  }
}
