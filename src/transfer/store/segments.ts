import { rename, rm, utimes } from 'node:fs/promises';
import { BlockIndex, EntrySet, NONE } from './block-index.ts';
import type { SegmentHead } from './segment.ts';
import type { SegmentWriter } from './segment-writer.ts';

/** How often the time of a segment's last use is written to its file. */
const TOUCH_MILLISECONDS = 60_000;

/** One file of blocks. */
export interface Segment extends SegmentHead {
  path: string;
  readonly number: number;
  bytes: number;
  /** Where its footer begins; null while it has none. */
  footerAt: number | null;
  /** The chain of its entries in the index, how many they are, and how many of them a transfer refers to. */
  first: number;
  blocks: number;
  live: number;
  liveBytes: number;
  /** Its transfer; null once that has ended: cache, as far as no other transfer refers to its blocks. */
  holder: Holder | null;
  /** Somebody writes or copies it: not to be evicted. */
  busy: boolean;
  gone: boolean;
  touchedAt: number;
}

/** What one transfer needs of its owner's blocks. */
export interface Holder {
  readonly owner: string;
  readonly transfer: string;
  readonly entries: EntrySet;
  /** Bytes of the blocks that it refers to. */
  heldBytes: number;
  reservedBytes: number;
  /** Its segments, and the files of its references. */
  readonly segments: Set<Segment>;
  writer: SegmentWriter | null;
  referenceWriter: SegmentWriter | null;
  /** It was released: nothing more is written for it. */
  over: boolean;
}

export interface OwnerBlocks {
  readonly index: BlockIndex;
  readonly holders: Map<string, Holder>;
}

/** The segments of a store, what lies in them, and which of them nobody needs. */
export class Segments {
  readonly byNumber = new Map<number, Segment>();
  readonly owners = new Map<string, OwnerBlocks>();
  usedBytes = 0;
  /** Of these: data of blocks that a transfer refers to. */
  liveBytes = 0;
  /** Segments without a block that a transfer refers to, the least recently used first. */
  readonly #idle = new Set<Segment>();

  of(owner: string): OwnerBlocks {
    let blocks = this.owners.get(owner);
    if (blocks === undefined) {
      blocks = { index: new BlockIndex(), holders: new Map() };
      this.owners.set(owner, blocks);
    }
    return blocks;
  }

  holder(owner: string, transfer: string): Holder {
    const { holders } = this.of(owner);
    let holder = holders.get(transfer);
    if (holder === undefined) {
      holder = {
        owner,
        transfer,
        entries: new EntrySet(),
        heldBytes: 0,
        reservedBytes: 0,
        segments: new Set(),
        writer: null,
        referenceWriter: null,
        over: false,
      };
      holders.set(transfer, holder);
    }
    return holder;
  }

  add(segment: Segment): void {
    this.byNumber.set(segment.number, segment);
    this.usedBytes += segment.bytes;
    segment.holder?.segments.add(segment);
  }

  grow(segment: Segment, bytes: number): void {
    segment.bytes += bytes;
    this.usedBytes += bytes;
  }

  /** The id must not be known yet. */
  index(segment: Segment, id: Uint8Array, offset: number, length: number): number {
    const place = { segment: segment.number, offset, length };
    segment.first = this.of(segment.owner).index.add(id, place, segment.first);
    segment.blocks++;
    return segment.first;
  }

  refer(holder: Holder, entry: number): void {
    if (holder.over || holder.entries.has(entry)) return;
    const { index } = this.of(holder.owner);
    holder.entries.add(entry);
    holder.heldBytes += index.length(entry);
    if (index.refer(entry, 1) > 1) return;
    const segment = this.byNumber.get(index.segment(entry))!;
    this.#count(segment, 1, index.length(entry));
  }

  unrefer(holder: Holder, entry: number): void {
    if (!holder.entries.has(entry)) return;
    const { index } = this.of(holder.owner);
    holder.entries.delete(entry);
    holder.heldBytes -= index.length(entry);
    if (index.refer(entry, -1) > 0) return;
    this.#count(this.byNumber.get(index.segment(entry))!, -1, index.length(entry));
  }

  /** A block is read or referred to: its segment is the last to be evicted. */
  use(segment: Segment): void {
    if (this.#idle.delete(segment)) this.#idle.add(segment);
    const now = Date.now();
    if (now - segment.touchedAt < TOUCH_MILLISECONDS) return;
    segment.touchedAt = now;
    utimes(segment.path, now / 1000, now / 1000).catch(() => {});
  }

  /** Removes a block that turned out to be damaged. */
  remove(owner: string, entry: number): void {
    const blocks = this.of(owner);
    this.#unreferAll(blocks, entry);
    this.#unchain(blocks.index, this.byNumber.get(blocks.index.segment(entry))!, entry);
    blocks.index.remove(entry);
  }

  /** The block lies in another segment from now on. */
  move(owner: string, entry: number, to: Segment, offset: number): void {
    const { index } = this.of(owner);
    const from = this.byNumber.get(index.segment(entry))!;
    const length = index.length(entry);
    const isLive = index.references(entry) > 0;
    this.#unchain(index, from, entry);
    if (isLive) this.#count(from, -1, length);
    index.move(entry, { segment: to.number, offset, length });
    index.setNext(entry, to.first);
    to.first = entry;
    to.blocks++;
    if (isLive) this.#count(to, 1, length);
  }

  /** To be called when `busy` or `live` has changed. */
  settle(segment: Segment): void {
    const idle = segment.live === 0 && !segment.busy && !segment.gone;
    if (!idle) this.#idle.delete(segment);
    else if (!this.#idle.has(segment)) this.#idle.add(segment);
  }

  /** The segment that nobody needs and that was not used for the longest time. */
  oldestIdle(): Segment | null {
    for (const segment of this.#idle) return segment;
    return null;
  }

  /** The segment with the smallest part of bytes that somebody needs. */
  sparsest(): Segment | null {
    let found: Segment | null = null;
    for (const segment of this.byNumber.values()) {
      if (segment.busy || segment.live === 0) continue;
      if (found === null || segment.liveBytes * found.bytes < found.liveBytes * segment.bytes) found = segment;
    }
    return found;
  }

  /** Deletes a segment with all that is left in it. */
  async delete(segment: Segment): Promise<void> {
    if (segment.gone) return;
    segment.gone = true;
    this.#idle.delete(segment);
    const blocks = this.of(segment.owner);
    for (let entry = segment.first; entry !== NONE; entry = segment.first) {
      if (blocks.index.references(entry) > 0) this.#unreferAll(blocks, entry);
      segment.first = blocks.index.next(entry);
      blocks.index.remove(entry);
    }
    segment.holder?.segments.delete(segment);
    await rm(segment.path, { force: true });
    if (this.byNumber.delete(segment.number)) this.usedBytes -= segment.bytes;
    if (blocks.index.size === 0 && blocks.holders.size === 0) this.owners.delete(segment.owner);
  }

  /** Its transfer needs it no longer. */
  async release(segment: Segment): Promise<void> {
    segment.holder?.segments.delete(segment);
    segment.holder = null;
    if (segment.gone) return;
    const path = segment.path.replace(/\.segment$/, '.cache');
    try {
      await rename(segment.path, path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      return;
    }
    segment.path = path;
    // It may have been evicted under its old name meanwhile.
    if (segment.gone) await rm(path, { force: true });
  }

  #unreferAll({ holders }: OwnerBlocks, entry: number): void {
    for (const holder of holders.values()) this.unrefer(holder, entry);
  }

  #count(segment: Segment, change: 1 | -1, bytes: number): void {
    segment.live += change;
    segment.liveBytes += change * bytes;
    this.liveBytes += change * bytes;
    this.settle(segment);
  }

  /** Ends the references of a transfer. It may begin anew under its name at once. */
  forget(holder: Holder): void {
    holder.over = true;
    for (const entry of holder.entries) this.unrefer(holder, entry);
    const blocks = this.of(holder.owner);
    blocks.holders.delete(holder.transfer);
    if (blocks.index.size === 0 && blocks.holders.size === 0) this.owners.delete(holder.owner);
  }

  #unchain(index: BlockIndex, segment: Segment, entry: number): void {
    if (segment.first === entry) segment.first = index.next(entry);
    else {
      let before = segment.first;
      while (index.next(before) !== entry) before = index.next(before);
      index.setNext(before, index.next(entry));
    }
    segment.blocks--;
  }
}
