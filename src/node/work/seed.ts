import type { BlockMap } from '../../model/block-map.ts';
import { Fault } from '../../model/fault.ts';
import { blockPool } from '../../transfer/pool.ts';
import type { ReadBlock } from '../disk-root.ts';
import { blockOwner, type Desk, type OrderOf } from './desk.ts';
import type { Work } from './work.ts';

/** Blocks that are on their way to the disk at the same time, so that they share its syncs. */
const MOST_WRITING = 8;

/**
 * What a reading leaves behind for a copy that follows: blocks as cache, maps as the earlier version that the copy is
 * compared with, page by page. It only saves bytes between nodes, so nothing here fails the reading: what does not fit
 * is left out, and the log says so.
 */
export interface Seed extends AsyncDisposable {
  /** The version of every disk is remembered and all its blocks are here: nothing has to be read. */
  isHeld(): Promise<boolean>;
  /** Resolves when the block's data may change; durable after `remember`. False: there is no room for more. */
  keep(block: ReadBlock): Promise<boolean>;
  /** The disk at this place of the package has been read, as far as there was room. */
  remember(at: number, map: BlockMap): Promise<void>;
}

/** Null where the reading leaves nothing behind. */
export function seedOf(desk: Desk, work: Work, signal: AbortSignal): Seed | null {
  const { remember } = work.row.order as OrderOf<'read'>;
  if (remember === undefined) return null;
  const { store, versions } = desk;
  const owner = blockOwner(work.row);
  const transfer = work.row.id;
  const share = blockPool.share({ most: MOST_WRITING, entitled: 1 });
  const writing = new Set<Promise<void>>();
  let over = false;
  const giveUp = (error: unknown) => {
    if (over) return;
    over = true;
    const why = Fault.from(error, 'transfer storage').message;
    work.log.warn(`not all of what was read is kept, the rest travels as if it were new: ${why}`);
  };
  const holds = (map: BlockMap) => {
    for (let index = 0; index < map.blocks; index++) {
      const hash = map.get(index);
      if (hash !== null && !store.has(owner, hash)) return false;
    }
    return true;
  };
  return {
    async isHeld() {
      for (const disk of remember.disks) {
        const map = await versions.recall(owner, { lineage: remember.lineage, disk });
        if (map === null || !holds(map)) return false;
      }
      return true;
    },
    async keep({ data, hash }) {
      if (over || hash === null) return !over;
      const buffer = await share.take(signal);
      const copy = buffer.subarray(0, data.copy(buffer));
      const put = store
        .put(owner, transfer, hash, copy)
        .catch(giveUp)
        .finally(() => {
          share.give(buffer);
          writing.delete(put);
        });
      writing.add(put);
      return true;
    },
    async remember(at, map) {
      const disk = remember.disks[at];
      await Promise.all(writing);
      if (disk === undefined) return;
      await versions.remember(owner, { lineage: remember.lineage, disk }, map).catch(giveUp);
    },
    async [Symbol.asyncDispose]() {
      over = true;
      await Promise.all(writing);
      share.close();
      await store.release(owner, transfer);
    },
  };
}
