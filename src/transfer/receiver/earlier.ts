import type { BlockMap } from '../../model/block-map.ts';
import type { BlockStore } from '../store/store.ts';

/** Finds the maps of an earlier version of a package's disks and files, by their ids. */
export type Recall = () => Promise<ReadonlyMap<string, BlockMap>>;

/** It was only a guess, then. */
const MOST_MISSES = 64;

/** Blocks of an earlier version, as far as the store holds them: what a new version is compared with, page by page. */
export class Earlier {
  readonly #owner: string;
  readonly #store: BlockStore;
  readonly #maps: Promise<ReadonlyMap<string, BlockMap>>;
  /** By disk: how often its older blocks were of no use. Counted until the first that was. */
  readonly #misses = new Map<string, number>();

  constructor(owner: string, store: BlockStore, recall: Recall | undefined) {
    this.#owner = owner;
    this.#store = store;
    this.#maps = recall?.().catch(() => new Map()) ?? Promise.resolve(new Map());
  }

  /** Fills `into` with the older block of this place. False, with `into` in any state, when there is none of its length. */
  async read(id: string, index: number, into: Buffer): Promise<boolean> {
    const map = (await this.#maps).get(id);
    if (
      map === undefined ||
      (this.#misses.get(id) ?? 0) >= MOST_MISSES ||
      index >= map.blocks ||
      map.blockLength(index) !== into.length
    )
      return false;
    const hash = map.get(index);
    if (hash === null || !this.#store.has(this.#owner, hash)) return false;
    try {
      return (await this.#store.read(this.#owner, hash, into)).length === into.length;
    } catch {
      // It is only for comparing: without it the block comes as a whole.
      return false;
    }
  }

  /** Whether the older block that was read saved something. A map that never does is not asked any more. */
  judge(id: string, useful: boolean): void {
    this.#misses.set(id, useful ? Number.NEGATIVE_INFINITY : (this.#misses.get(id) ?? 0) + 1);
  }
}
