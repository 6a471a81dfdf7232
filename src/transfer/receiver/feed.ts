import type { DataBlock } from '../../model/block-map.ts';
import { Fault } from '../../model/fault.ts';
import type { Bell } from '../bell.ts';
import { blockPool, type Share } from '../pool.ts';
import type { BlockStore } from '../store/store.ts';
import type { ArrivingDisk } from './arriving-disk.ts';
import type { HotBlocks } from './hot-blocks.ts';
import type { Journal } from './journal.ts';
import type { Walk } from './walk.ts';

export interface FeedOptions {
  owner: string;
  transfer: string;
  disk: ArrivingDisk;
  store: BlockStore;
  journal: Journal;
  hot: HotBlocks;
  /** Whom the hot blocks' buffers go back to. */
  share: Share;
  bell: Bell;
  /** Aborted with the fault that ended the pull. */
  ended: AbortSignal;
  /** Writes down that the blocks of the disk before `end` may have been handed on. */
  handOn: (disk: ArrivingDisk, end: number) => Promise<void>;
  /** Whether the source may still be asked; if not, a lost block cannot be got again. */
  lost: (index: number) => boolean;
  /** This block, which is not in the store, has been handed on: the source need not keep it. */
  passed: (index: number) => void;
  /** The walk waits for more than is known of its disk. */
  starving: () => void;
  /** Does it again as long as the disk of the journal is full. */
  whileFull: <T>(work: () => Promise<T>) => Promise<T>;
}

interface Loaded {
  buffer: Buffer;
  hash: Buffer;
  giveBack: () => void;
}

/** Reads that are under way while the consumer works. */
const READ_AHEAD = 2;

/** One walk over the data blocks of a disk; see `PullFeed.blocks`. */
export async function* feedBlocks(options: FeedOptions, from: number, signal: AbortSignal): AsyncGenerator<DataBlock> {
  const { disk, journal, owner, transfer, bell, ended } = options;
  const both = AbortSignal.any([signal, ended]);
  const changed = () =>
    new Fault('disk.changed', `transfer ${transfer}: disk ${disk.id} changed at the source after it was handed on`);
  if (from === 0) {
    disk.handed = disk.emptyMap();
    // Of a file more is written down than was handed on: its mark stays, since a commit for each would be slow.
    if (disk.stale || (disk.kind === 'disk' && disk.handedBelow > 0)) {
      await options.whileFull(() => journal.handed(owner, transfer, disk.id, 0, false));
      disk.stale = false;
      disk.handedBelow = 0;
    }
  }
  const handed = disk.handed;
  const walk = disk.beginWalk(from);
  bell.ring();
  const share = blockPool.share({ most: READ_AHEAD + 1, entitled: READ_AHEAD + 1 });
  const ahead = new Map<number, Promise<Loaded>>();
  const load = (index: number) => {
    let loading = ahead.get(index);
    if (loading === undefined) {
      loading = loadBlock(options, walk, share, index);
      loading.catch(() => {});
      ahead.set(index, loading);
    }
    return loading;
  };
  // A walk that begins in the middle proves again what an earlier process handed on in front of it.
  let index = 0;
  try {
    for (;;) {
      both.throwIfAborted();
      if (disk.stale) throw changed();
      walk.at = index;
      if (index < from && index < disk.frontier) {
        // What went past the store was hashed when it was handed on, and cannot be looked at again.
        if (disk.wasHanded(index) && !disk.has(index)) handed.set(index, disk.announced.get(index)!);
        if (disk.announced.get(index) === null || handed.get(index) !== null) {
          index++;
          continue;
        }
      }
      if (index >= from && index > disk.feedAt) {
        disk.feedAt = index;
        disk.advance();
      }
      const end = disk.frontier;
      const next = disk.nextData(index, end);
      if (next >= end) {
        if (disk.complete && end === disk.blocks) break;
        index = Math.max(index, next);
        walk.at = index;
        if (index >= from) disk.feedAt = index;
        options.starving();
        await bell.wait(both);
        continue;
      }
      index = next;
      if (index >= disk.handedBelow) {
        await options.whileFull(() => options.handOn(disk, end));
        if (disk.stale || disk.frontier < end) continue;
        disk.handedBelow = Math.max(disk.handedBelow, end);
      }
      const hash = disk.announced.get(index)!;
      let loaded: Loaded;
      try {
        const loading = load(index);
        for (let more = disk.nextData(index + 1, end); more < end && ahead.size <= READ_AHEAD; ) {
          void load(more);
          more = disk.nextData(more + 1, end);
        }
        loaded = await loading;
      } catch (error) {
        ahead.delete(index);
        const gone = error instanceof Fault && (error.code === 'storage.damaged' || error.code === 'object.missing');
        if (!gone || !options.lost(index)) throw error;
        continue;
      }
      ahead.delete(index);
      try {
        if (!loaded.hash.equals(hash)) continue;
        handed.set(index, loaded.hash);
        if (index >= from) yield { index, data: loaded.buffer };
      } finally {
        loaded.giveBack();
      }
      if (disk.durable.get(index) === null) {
        // From here on it counts as handed on, before the source drops it.
        disk.feedAt = Math.max(disk.feedAt, index + 1);
        options.passed(index);
      }
      index++;
    }
    disk.feedAt = disk.blocks;
    handed.complete = true;
  } finally {
    disk.endWalk(walk);
    bell.ring();
    for (const loading of ahead.values()) loading.then((loaded) => loaded.giveBack()).catch(() => {});
    share.close();
  }
}

/** From memory when it was proven just now, else out of the store, which hashes it. */
async function loadBlock(options: FeedOptions, walk: Walk, share: Share, index: number): Promise<Loaded> {
  const { disk, hot, owner, store } = options;
  const hash = Buffer.from(disk.announced.get(index)!);
  const waiting = walk.read(index, hash);
  if (waiting !== null) return { buffer: waiting, hash, giveBack: () => walk.drop(index) };
  const kept = hot.take(disk, index, hash);
  if (kept !== null) return { buffer: kept, hash, giveBack: () => options.share.give(kept) };
  const bytes = disk.announced.blockLength(index);
  const buffer = await share.takePart(bytes, options.ended);
  try {
    const data = await store.read(owner, hash, buffer);
    if (data.length !== bytes) throw new Fault('storage.damaged', `block ${index} of disk ${disk.id} is too short`);
    return { buffer, hash, giveBack: () => share.give(buffer) };
  } catch (error) {
    share.give(buffer);
    throw error;
  }
}
