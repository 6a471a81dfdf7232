import { randomBytes } from 'node:crypto';
import { BLOCK_BYTES, BlockMap, type DataBlock, hashBlock, isZero } from '../../model/block-map.ts';
import { Fault } from '../../model/fault.ts';
import { type PackageDescription, type PackagePart, partsOf } from '../../model/machine.ts';
import { blockPool, type Share } from '../pool.ts';

export interface OfferOptions {
  transfer: string;
  owner: string;
  description: PackageDescription;
  /** Bytes of blocks that are kept until the receiver has them. Default 64 MiB. */
  windowBytes?: number;
  /** Called once all roots are equal, before the receiver is told so: what must not be lost is written down here. */
  proven?: () => void;
}

export interface OfferProgress {
  /** Bytes of blocks as they were sent, repeated ones included. */
  wireBytes: number;
  /** Of these: bytes of blocks that had been sent before. */
  resentBytes: number;
  /** By disk id: logical bytes up to the last block that was added; the capacity once the disk ended. */
  readBytes: Record<string, number>;
  /** Bytes in blocks that are waiting for the receiver. */
  heldBytes: number;
}

/** A block on its way out: its bytes stay until every lease on it is released. */
export interface BlockLease {
  readonly data: Buffer;
  /** Whether it was sent before in this incarnation. */
  readonly repeated: boolean;
  release(): void;
}

/** An announcement, in the order in which it was made. */
export type Announcement =
  | { kind: 'entry'; disk: number; index: number; hash: Buffer }
  | { kind: 'end'; disk: number; blocks: number; root: string };

interface Held {
  buffer: Buffer;
  leases: number;
  /** A bit for each of 16 stretches of the block that has been sent. */
  sent: number;
  dropped: boolean;
}

interface OfferedDisk {
  part: PackagePart;
  map: BlockMap;
  next: number;
  root: string | null;
}

const END = 0xffffffff;
const SENT_BYTES = BLOCK_BYTES / 16;

function sentBits(offset: number, length: number): number {
  return (1 << Math.ceil((offset + length) / SENT_BYTES)) - (1 << Math.floor(offset / SENT_BYTES));
}

/**
 * The source's side of one transfer: what is known of the disks and files so far, and the blocks that the receiver has not yet
 * made durable. Blocks of one disk come in ascending order; several disks may be added to at the same time.
 */
export class Offer {
  readonly transfer: string;
  readonly owner: string;
  readonly description: PackageDescription;
  /** Another one for every export: announcements of two incarnations are never mixed. */
  readonly incarnation = randomBytes(12).toString('hex');
  /** Resolves once the receiver has confirmed equal roots for every disk; rejects with the fault that ended the offer. */
  readonly done: Promise<void>;
  readonly #disks: OfferedDisk[];
  readonly #numbers: Map<string, number>;
  readonly #held = new Map<number, Map<number, Held>>();
  readonly #share: Share;
  readonly #listeners = new Set<() => void>();
  readonly #ended = new AbortController();
  readonly #proven: () => void;
  #settle: { resolve: () => void; reject: (fault: Fault) => void };
  /** Announcements as pairs of disk and index (END for the end of a disk): flat, since there is one per block. */
  #log = new Uint32Array(256);
  #count = 0;
  #confirmed: Record<string, string> | null = null;
  #fault: Fault | null = null;
  #isProven = false;
  #wireBytes = 0;
  #resentBytes = 0;

  constructor(options: OfferOptions) {
    this.#proven = options.proven ?? (() => {});
    this.transfer = options.transfer;
    this.owner = options.owner;
    this.description = options.description;
    this.#disks = partsOf(options.description).map((part) => ({
      part,
      map: new BlockMap(part.kind, part.lengthBytes),
      next: 0,
      root: null,
    }));
    this.#numbers = new Map(this.#disks.map((disk, number) => [disk.part.id, number]));
    this.#share = blockPool.share({
      most: Math.max(2, Math.floor((options.windowBytes ?? 64 * BLOCK_BYTES) / BLOCK_BYTES)),
      entitled: 2,
    });
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.done = promise;
    this.done.catch(() => {});
    this.#settle = { resolve, reject };
  }

  /** The fault that ended this offer. */
  get fault(): Fault | null {
    return this.#fault;
  }

  /**
   * Announces a block. Copies it, and waits while the window is full. Blocks of zeros are skipped.
   * @param disk id in the description.
   * Faults: `internal` for a block out of order or outside of its disk; the fault that ended the offer.
   */
  async add(disk: string, block: DataBlock): Promise<void> {
    this.#ended.signal.throwIfAborted();
    const [offered, number] = this.#disk(disk);
    if (offered.root !== null || block.index < offered.next || block.index >= offered.map.blocks) {
      throw new Fault('internal', `transfer ${this.transfer}: block ${block.index} of disk ${disk} is out of order`);
    }
    if (block.data.length !== offered.map.blockLength(block.index)) {
      throw new Fault('internal', `transfer ${this.transfer}: a block of disk ${disk} has ${block.data.length} bytes`);
    }
    offered.next = block.index + 1;
    if (isZero(block.data)) return;
    if (this.#confirmed !== null) {
      offered.map.set(block.index, hashBlock(block.data));
      return;
    }
    const buffer = await this.#share.takePart(block.data.length, this.#ended.signal);
    block.data.copy(buffer);
    offered.map.set(block.index, hashBlock(buffer));
    const blocks = this.#held.get(number) ?? new Map<number, Held>();
    this.#held.set(number, blocks);
    blocks.set(block.index, { buffer, leases: 0, sent: 0, dropped: false });
    this.#announce(number, block.index);
    if (this.#confirmed !== null) this.drop(number, block.index);
  }

  /** The disk has no further blocks with data: its root is known. */
  endDisk(disk: string): void {
    if (this.#ended.signal.aborted) return;
    const [offered, number] = this.#disk(disk);
    if (offered.root !== null) return;
    offered.map.complete = true;
    offered.root = offered.map.root();
    this.#announce(number, END);
    this.#compare();
  }

  /** Ends the offer; the receiver is told. With retry other than `never` it waits for the next incarnation. */
  fail(fault: Fault): void {
    if (this.#ended.signal.aborted) return;
    this.#fault = fault;
    this.#settle.reject(fault);
    this.#end(fault);
  }

  /** The map of a disk as far as it is known. */
  map(disk: string): BlockMap {
    return this.#disk(disk)[0].map;
  }

  progress(): OfferProgress {
    const readBytes = Object.fromEntries(
      this.#disks.map(({ part, next, root }) => [
        part.id,
        root === null ? Math.min(next * BLOCK_BYTES, part.lengthBytes) : part.lengthBytes,
      ]),
    );
    return {
      wireBytes: this.#wireBytes,
      resentBytes: this.#resentBytes,
      readBytes,
      heldBytes: this.#share.held * BLOCK_BYTES,
    };
  }

  /** Frees the buffers. An offer that is not done rejects with `transfer.lost`. Idempotent. */
  close(): void {
    const fault = new Fault('transfer.lost', `transfer ${this.transfer}: the offer was closed at the source`);
    if (!this.isDone) this.#fault ??= fault;
    this.#settle.reject(fault);
    this.#end(fault);
  }

  // What follows is for `serveOffer`.

  /** Announcements from number `from` on, at most `most`. */
  announcements(from: number, most: number): Announcement[] {
    const found: Announcement[] = [];
    for (let number = from; number < Math.min(this.#count, from + most); number++) {
      const disk = this.#log[number * 2]!;
      const index = this.#log[number * 2 + 1]!;
      const { map, root } = this.#disks[disk]!;
      if (index === END) found.push({ kind: 'end', disk, blocks: map.used, root: root! });
      else found.push({ kind: 'entry', disk, index, hash: map.get(index)! });
    }
    return found;
  }

  /** Calls back after each announcement and at the end, until the answer is called. */
  listen(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** A block that is still held, or `length` bytes of it; null when it is not. */
  lease(disk: number, index: number, offset = 0, length = BLOCK_BYTES): BlockLease | null {
    const held = this.#held.get(disk)?.get(index);
    if (held === undefined) return null;
    held.leases++;
    const stretches = sentBits(offset, length);
    const repeated = (held.sent & stretches) !== 0;
    held.sent |= stretches;
    let released = false;
    return {
      data: held.buffer.subarray(offset, offset + length),
      repeated,
      release: () => {
        if (released) return;
        released = true;
        held.leases--;
        this.#free(held);
      },
    };
  }

  holds(disk: number, index: number): boolean {
    return this.#held.get(disk)?.has(index) ?? false;
  }

  /** Counts what went over the wire. */
  sent(bytes: number, repeated: boolean): void {
    this.#wireBytes += bytes;
    if (repeated) this.#resentBytes += bytes;
  }

  /** The receiver has the block, durably: it need not be kept. */
  drop(disk: number, index: number): void {
    const blocks = this.#held.get(disk);
    const held = blocks?.get(index);
    if (held === undefined) return;
    blocks!.delete(index);
    held.dropped = true;
    this.#free(held);
  }

  /** Blocks that wait for the receiver. */
  *held(): Iterable<{ disk: number; index: number }> {
    for (const [disk, blocks] of this.#held) for (const index of blocks.keys()) yield { disk, index };
  }

  /**
   * The receiver's roots by disk id: it has everything, also when we read it only now after a restart, so no block is kept
   * for it any longer. Fault `disk.changed` where the roots are not ours.
   */
  confirm(roots: Record<string, string>): void {
    this.#confirmed = roots;
    for (const { disk, index } of [...this.held()]) this.drop(disk, index);
    this.#compare();
  }

  /** All roots are equal, and what had to be written down is. */
  get isDone(): boolean {
    return this.#isProven && this.#fault === null;
  }

  #compare(): void {
    const roots = this.#confirmed;
    if (roots === null || this.#disks.some(({ root }) => root === null)) return;
    const other = this.#disks.find(({ part, root }) => roots[part.id] !== root);
    if (other === undefined) {
      try {
        this.#proven();
      } catch (error) {
        this.fail(Fault.from(error, `transfer ${this.transfer}`));
        return;
      }
      this.#isProven = true;
      this.#settle.resolve();
      this.#notify();
    } else {
      const { id } = other.part;
      this.fail(
        new Fault('disk.changed', `transfer ${this.transfer}: the receiver holds another version of disk ${id}`, {
          retry: 'later',
        }),
      );
    }
  }

  #disk(id: string): [OfferedDisk, number] {
    const number = this.#numbers.get(id);
    if (number === undefined) throw new Fault('internal', `transfer ${this.transfer} has no disk ${id}`);
    return [this.#disks[number]!, number];
  }

  #announce(disk: number, index: number): void {
    if (this.#count * 2 === this.#log.length) {
      const grown = new Uint32Array(this.#log.length * 2);
      grown.set(this.#log);
      this.#log = grown;
    }
    this.#log[this.#count * 2] = disk;
    this.#log[this.#count * 2 + 1] = index;
    this.#count++;
    this.#notify();
  }

  #notify(): void {
    for (const listener of [...this.#listeners]) listener();
  }

  #free(held: Held): void {
    if (held.dropped && held.leases === 0) this.#share.give(held.buffer);
  }

  #end(reason: Fault): void {
    if (this.#ended.signal.aborted) return;
    this.#ended.abort(reason);
    for (const { disk, index } of [...this.held()]) this.drop(disk, index);
    this.#share.close();
    this.#notify();
  }
}
