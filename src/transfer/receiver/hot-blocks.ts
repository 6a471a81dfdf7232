import { crc32 } from 'node:zlib';
import { BLOCK_BYTES } from '../../model/block-map.ts';
import type { Share } from '../pool.ts';
import type { ArrivingDisk } from './arriving-disk.ts';

const MOST_KEPT = 32;
/** A block that is farther than this from the feed is read back from the store when its turn comes. */
const MOST_AHEAD = 64;

/** Blocks that have just become durable and are about to be handed on, so that they need not be read back. */
export class HotBlocks {
  readonly #share: () => Share;
  readonly #kept = new Map<string, { disk: ArrivingDisk; index: number; buffer: Buffer; hash: Buffer; sum: number }>();

  constructor(share: () => Share) {
    this.#share = share;
  }

  /** Takes the buffer over, whose content was proven just now: keeps it, or gives it back to the share. Short blocks are not worth the whole buffer they lie in. */
  offer(disk: ArrivingDisk, index: number, hash: Buffer, buffer: Buffer): void {
    const key = `${disk.number}/${index}`;
    const near = buffer.length === BLOCK_BYTES && index >= disk.feedAt && index < disk.feedAt + MOST_AHEAD;
    if (!near || this.#kept.has(key)) {
      this.#share().give(buffer);
      return;
    }
    this.#kept.set(key, { disk, index, buffer, hash, sum: crc32(buffer) });
    if (this.#kept.size > MOST_KEPT) this.free();
  }

  /** The buffer, as it was when it came, becomes the caller's, who gives it back to the share. */
  take(disk: ArrivingDisk, index: number, hash: Buffer): Buffer | null {
    const key = `${disk.number}/${index}`;
    const found = this.#kept.get(key);
    if (found === undefined) return null;
    this.#kept.delete(key);
    if (found.hash.equals(hash) && crc32(found.buffer) === found.sum) return found.buffer;
    this.#share().give(found.buffer);
    return null;
  }

  forget(disk: ArrivingDisk): void {
    for (const [key, kept] of this.#kept) if (kept.disk === disk) this.#drop(key);
  }

  /** Frees the buffer whose turn is farthest away; false when there is none. */
  free(): boolean {
    let farthest: string | null = null;
    let distance = -1;
    for (const [key, { disk, index }] of this.#kept) {
      const ahead = index < disk.feedAt ? Number.MAX_SAFE_INTEGER : index - disk.feedAt;
      if (ahead > distance) [farthest, distance] = [key, ahead];
    }
    if (farthest === null) return false;
    this.#drop(farthest);
    return true;
  }

  clear(): void {
    for (const key of [...this.#kept.keys()]) this.#drop(key);
  }

  #drop(key: string): void {
    const { buffer } = this.#kept.get(key)!;
    this.#kept.delete(key);
    this.#share().give(buffer);
  }
}
