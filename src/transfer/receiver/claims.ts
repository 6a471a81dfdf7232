import type { Bell } from '../bell.ts';
import type { BlockStore } from '../store/store.ts';

/** Left free, so that blocks that are there already can be kept for a transfer. */
const REFERENCES_BYTES = 64 * 1024;
/** How often a full store is looked at again. */
const LOOK_MILLISECONDS = 500;

/** Bytes of blocks that are on their way into a store, of all transfers together. */
const claimed = new WeakMap<BlockStore, number>();

interface ClaimsOptions {
  owner: string;
  transfer: string;
  store: BlockStore;
  /** Rings when there may be room again. */
  bell: Bell;
  /** The store has no room for this transfer. */
  makeRoom: () => void;
}

/** Places in the store for blocks that one transfer asks its source for: what has none is not asked for in vain. */
export class Claims {
  readonly #options: ClaimsOptions;
  #pausedUntil = 0;
  #looking: NodeJS.Timeout | null = null;

  constructor(options: ClaimsOptions) {
    this.#options = options;
  }

  /** False when the store has no room. Each claim is given back once its block is in the store, or is not coming. */
  take(bytes: number): boolean {
    const { store, owner, transfer } = this.#options;
    const room = store.room(owner, transfer) - (claimed.get(store) ?? 0);
    if (performance.now() < this.#pausedUntil || room < bytes + REFERENCES_BYTES) {
      this.#lookLater();
      return false;
    }
    claimed.set(store, (claimed.get(store) ?? 0) + bytes);
    return true;
  }

  give(bytes: number): void {
    const { store } = this.#options;
    claimed.set(store, (claimed.get(store) ?? 0) - bytes);
  }

  /** The store refused a block for which a place had been claimed: somebody else was faster. */
  refused(): void {
    this.#pausedUntil = performance.now() + LOOK_MILLISECONDS;
  }

  close(): void {
    if (this.#looking !== null) clearTimeout(this.#looking);
    this.#looking = null;
  }

  #lookLater(): void {
    const { bell, makeRoom } = this.#options;
    if (this.#looking !== null) return;
    makeRoom();
    this.#looking = setTimeout(() => {
      this.#looking = null;
      bell.ring();
    }, LOOK_MILLISECONDS);
    this.#looking.unref();
  }
}
