import { statfsSync } from 'node:fs';
import { BLOCK_BYTES } from '../../model/block-map.ts';
import { Fault } from '../../model/fault.ts';
import { Bell } from '../bell.ts';
import { compact } from './compaction.ts';
import { HEAD_BYTES, RECORD_BYTES, SEGMENT_BYTES } from './segment.ts';
import type { SegmentWriter } from './segment-writer.ts';
import type { Holder, Segments } from './segments.ts';

/** A segment is rewritten to free the rest of it when at most this part of it is needed. */
const WORTH_COMPACTING = 0.75;
/** The part of the limit that one segment takes at most, so that a small storage is given back in small steps too. */
const SEGMENTS = 16;
/** Kept free on the disk, so that journals can still be written when the storage has to wait. */
const DISK_MARGIN_BYTES = 8 * 1024 * 1024;

export interface StoreUsage {
  /** Most bytes of all segments together. */
  limitBytes: number;
  /** Bytes of all segments. */
  usedBytes: number;
  /** Of these: blocks that transfers need. The rest is cache, and makes way for them. */
  liveBytes: number;
  cacheBytes: number;
  /** Kept free for transfers that have not yet received what they reserved. */
  reservedBytes: number;
  freeDiskBytes: number;
}

/** What a record takes with its footer's part. */
export const recordBytes = (length: number) => length + 2 * RECORD_BYTES;

/** The bound of a store: who may write how much, and what goes to make room. */
export class Room {
  readonly segmentBytes: number;
  /** Rings when something may fit that did not fit before. */
  readonly freed = new Bell();
  readonly #folder: string;
  readonly #limitBytes: number;
  /** Never given away: a segment is copied into it before it is deleted. */
  readonly #slackBytes: number;
  readonly #segments: Segments;
  readonly #writerOf: (holder: Holder) => SegmentWriter;
  readonly #reserving = new Set<Holder>();
  /** Bytes that were admitted and are not yet written. */
  #promisedBytes = 0;
  #making: Promise<boolean> | null = null;

  constructor(folder: string, limitBytes: number, segments: Segments, writerOf: (holder: Holder) => SegmentWriter) {
    this.#folder = folder;
    this.#limitBytes = limitBytes;
    this.#segments = segments;
    this.#writerOf = writerOf;
    this.segmentBytes = Math.min(SEGMENT_BYTES, Math.floor(limitBytes / SEGMENTS));
    this.#slackBytes = this.segmentBytes < 2 * BLOCK_BYTES ? 0 : Math.floor(this.segmentBytes * WORTH_COMPACTING);
  }

  /** Lets `bytes` in and runs `work`, which writes them; evicts cache if need be. Fault `storage.full`. */
  async admit<T>(holder: Holder, bytes: number, work: () => Promise<T>): Promise<T> {
    for (;;) {
      while (!this.#fits(bytes)) {
        if (this.roomFor(holder) < bytes) throw this.#full('limit', bytes);
        if (!(await this.makeRoom())) throw this.#full('limit', bytes);
      }
      if (this.roomFor(holder) < bytes) throw this.#full('limit', bytes);
      if (freeBytes(this.#folder) < bytes + DISK_MARGIN_BYTES) {
        if (await this.makeRoom()) continue;
        throw this.#full('disk', bytes);
      }
      this.#promisedBytes += bytes;
      try {
        return await work();
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        if (code !== 'ENOSPC' && code !== 'EDQUOT') throw error;
        if (!(await this.makeRoom())) throw this.#full('disk', bytes, error);
      } finally {
        this.#promisedBytes -= bytes;
      }
    }
  }

  /** Frees something that no transfer needs: the oldest cache, else the dead part of a segment. False: there is nothing. */
  makeRoom(): Promise<boolean> {
    this.#making ??= this.#make().finally(() => {
      this.#making = null;
    });
    return this.#making;
  }

  /** Evicts cache until the limit is kept: it may have been lowered. */
  async shrink(): Promise<void> {
    while (this.#segments.usedBytes > this.#limitBytes && (await this.makeRoom()));
  }

  /**
   * Keeps space free for what a transfer will receive, at most half of what nobody has reserved, so that others can begin
   * too. Replaces an earlier reservation. Answers the bytes that are kept.
   */
  reserve(holder: Holder, bytes: number): number {
    this.#reserving.delete(holder);
    holder.reservedBytes = 0;
    const free = Math.max(0, this.roomFor(holder));
    holder.reservedBytes = Math.min(Math.ceil(bytes), holder.heldBytes + Math.floor(free / 2));
    if (holder.reservedBytes > 0) this.#reserving.add(holder);
    return holder.reservedBytes;
  }

  forget(holder: Holder): void {
    this.#reserving.delete(holder);
    this.freed.ring();
  }

  /** Bytes that this transfer could still write, once all cache had made way. */
  roomFor(holder: Holder): number {
    const taken = this.#segments.liveBytes + this.#promisedBytes + this.#reserved(holder);
    return this.#limitBytes - this.#slackBytes - taken;
  }

  usage(): StoreUsage {
    const { usedBytes, liveBytes } = this.#segments;
    return {
      limitBytes: this.#limitBytes,
      usedBytes,
      liveBytes,
      cacheBytes: usedBytes - liveBytes,
      reservedBytes: this.#reserved(null),
      freeDiskBytes: freeBytes(this.#folder),
    };
  }

  #fits(bytes: number): boolean {
    const limit = this.#limitBytes - this.#slackBytes;
    return this.#segments.usedBytes + this.#promisedBytes + bytes + HEAD_BYTES <= limit;
  }

  #reserved(except: Holder | null): number {
    let bytes = 0;
    for (const holder of this.#reserving) {
      if (holder !== except) bytes += Math.max(0, holder.reservedBytes - holder.heldBytes);
    }
    return bytes;
  }

  async #make(): Promise<boolean> {
    const segments = this.#segments;
    const oldest = segments.oldestIdle();
    if (oldest !== null) {
      await segments.delete(oldest);
      return true;
    }
    const sparse = segments.sparsest();
    if (sparse === null || sparse.liveBytes > sparse.bytes * WORTH_COMPACTING) return false;
    if (sparse.liveBytes + recordBytes(0) * sparse.live > this.#slackBytes) return false;
    try {
      await compact(segments, sparse, this.#writerOf);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== 'ENOSPC' && code !== 'EDQUOT') throw error;
    }
    return sparse.gone;
  }

  #full(reason: 'limit' | 'disk', wantedBytes: number, cause?: unknown): Fault {
    const usage = this.usage();
    const { limitBytes, liveBytes, reservedBytes, freeDiskBytes } = usage;
    const why = reason === 'limit' ? 'its limit is reached' : 'its disk is full';
    return new Fault(
      'storage.full',
      `transfer storage ${this.#folder}: ${why}: ${wantedBytes} bytes are wanted (${liveBytes} of ${limitBytes} bytes used by transfers, ${reservedBytes} reserved, ${freeDiskBytes} free on its disk)`,
      { cause, details: { folder: this.#folder, reason, wantedBytes, ...usage } },
    );
  }
}

function freeBytes(folder: string): number {
  const { bavail, bsize } = statfsSync(folder);
  return bavail * bsize;
}
