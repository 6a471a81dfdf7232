import type { BlockMap, DataBlock } from '../../model/block-map.ts';
import type { PackageDescription } from '../../model/machine.ts';
import type { PullOptions, PullProgress } from './pull-options.ts';
import { Receiver } from './receiver.ts';

export type { PullOptions, PullProgress } from './pull-options.ts';

/** One disk as it is handed to a driver (structurally the `DiskFeed` of the driver contract). */
export interface PullFeed {
  readonly disk: string;
  readonly capacityBytes: number;
  /**
   * Data blocks, ascending, from index `from`; waits for what has not arrived and ends with the disk. Each block is
   * valid until the next one is asked for. May be called again from any index until the store releases the transfer, one
   * walk at a time: blocks that the store had no room for then come from the source again.
   * Faults: `disk.changed` when a block that was handed on has another content in the source's new version: only a call
   * with `from` 0 goes on then; `storage.damaged` when a block is lost here and the source has gone; the fault that
   * ended the pull.
   */
  blocks(from: number, signal: AbortSignal): AsyncIterable<DataBlock>;
}

export interface Pull {
  /** As soon as the journal knows it or the source told it. */
  description(): Promise<PackageDescription>;
  feed(disk: string): PullFeed;
  /** What the feed of this disk handed on: `complete` when it came to its end. */
  handed(disk: string): BlockMap;
  progress(): PullProgress;
  /**
   * The destination has what it wants, unless it begins to walk again. Without this a transfer larger than the store does
   * not finish: its source is kept, since it may have to be read again.
   */
  conclude(): void;
  /**
   * Every block of every disk is durable here, or was handed on and is not wanted again (`conclude`), and every root is
   * the one that the source announced. By disk id.
   */
  readonly finished: Promise<Map<string, BlockMap>>;
  /** The source knows it too, so that it may end its export. Resolves after `finished`. */
  readonly confirmed: Promise<void>;
  /** Aborted with the fault for which nothing more comes out of this pull, also after `finished`: open another one. */
  readonly ended: AbortSignal;
  /** Closes connections and frees buffers. What arrived stays. Idempotent. */
  close(): Promise<void>;
}

/** Begins at once. A pull that was killed goes on where its journal and store say. */
export function createPull(options: PullOptions): Pull {
  const receiver = new Receiver(options);
  return {
    description: () => receiver.described,
    feed: (disk) => ({
      disk,
      get capacityBytes() {
        return receiver.disk(disk).capacityBytes;
      },
      blocks: (from, signal) => receiver.blocks(disk, from, signal),
    }),
    handed: (disk) => receiver.disk(disk).handed,
    progress: () => receiver.progress(),
    conclude: () => receiver.conclude(),
    finished: receiver.finished,
    confirmed: receiver.confirmed,
    ended: receiver.ended,
    close: () => receiver.close(),
  };
}
