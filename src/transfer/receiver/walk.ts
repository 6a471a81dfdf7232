import { crc32 } from 'node:zlib';
import { blockPool, type Share } from '../pool.ts';

/** Blocks that wait in memory for one walk, at most. */
const MOST_WAITING = 32;

interface Waiting {
  hash: Buffer;
  /** The whole buffer of the pool. */
  buffer: Buffer;
  data: Buffer;
  sum: number;
}

/**
 * One walk of the destination over a disk. Blocks that the store has no room for go to it through memory: two buffers
 * are always its own, so that it goes on however full storage and memory are.
 */
export class Walk {
  /** The block that it wants next; everything between it and `from` has been handed on by this walk. */
  at = 0;
  readonly from: number;
  #share: Share | null = null;
  #closed = false;
  readonly #waiting = new Map<number, Waiting>();

  constructor(from: number) {
    this.from = from;
  }

  /** A buffer for a block, or null. The block that is wanted next takes that of the farthest one if need be. */
  take(index: number, isNext: boolean): Buffer | null {
    if (this.#closed) return null;
    this.#share ??= blockPool.share({ most: MOST_WAITING, entitled: 2 });
    const buffer = this.#share.tryTake();
    if (buffer !== null || !isNext) return buffer;
    const farthest = Math.max(-1, ...this.#waiting.keys());
    if (farthest <= index) return null;
    this.drop(farthest);
    return this.#share.tryTake();
  }

  give(buffer: Buffer): void {
    this.#share?.give(buffer);
  }

  /** The buffer, whose content was proven just now, is the walk's until `drop`. */
  put(index: number, hash: Buffer, buffer: Buffer, bytes: number): void {
    this.drop(index);
    const data = buffer.subarray(0, bytes);
    this.#waiting.set(index, { hash, buffer, data, sum: crc32(data) });
  }

  /** Whether this content waits. */
  holds(index: number, hash: Uint8Array): boolean {
    return this.#waiting.get(index)?.hash.equals(hash) ?? false;
  }

  /** The content as it was when it was put; null when it is not there, or not what it was any more. */
  read(index: number, hash: Uint8Array): Buffer | null {
    const waiting = this.#waiting.get(index);
    if (!waiting?.hash.equals(hash)) return null;
    if (crc32(waiting.data) === waiting.sum) return waiting.data;
    this.drop(index);
    return null;
  }

  /** Idempotent. */
  drop(index: number): void {
    const waiting = this.#waiting.get(index);
    if (waiting === undefined) return;
    this.#waiting.delete(index);
    this.give(waiting.buffer);
  }

  close(): void {
    this.#closed = true;
    for (const index of [...this.#waiting.keys()]) this.drop(index);
    this.#share?.close();
  }
}
