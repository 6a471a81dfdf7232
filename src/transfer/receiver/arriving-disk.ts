import { BLOCK_BYTES, BlockMap, ENTRY_BYTES, type MapKind } from '../../model/block-map.ts';
import type { PackagePart } from '../../model/machine.ts';
import type { JournalDisk } from './journal.ts';
import { Walk } from './walk.ts';

const NO_ENTRY = Buffer.alloc(ENTRY_BYTES);

/**
 * What the receiver knows of one disk or file: what the source announced in its present incarnation, what is durable here, and
 * how far it was handed to the destination.
 */
export class ArrivingDisk {
  readonly id: string;
  readonly kind: MapKind;
  readonly number: number;
  /** Of a file: its exact length. */
  readonly capacityBytes: number;
  /** What the source's present incarnation said so far. */
  announced: BlockMap;
  /** Every block before this one was announced, or is zero. */
  known = 0;
  root: string | null = null;
  /** Content that is durable here, of this or an earlier incarnation. */
  readonly durable: BlockMap;
  /** Every block before this one is zero, or can be handed on (or has been) with the announced content. */
  frontier = 0;
  /** Blocks before this one may have been handed on; what they were is what `durable` and `#past` say. */
  handedBelow = 0;
  /** Something that was handed on has changed. */
  stale = false;
  handed: BlockMap;
  /** Where the feed is: blocks from here on are still wanted, those before it have been handed on. */
  feedAt = 0;
  /** The destination's present walk. */
  walk: Walk | null = null;
  /** Blocks before this one that are not here: the source was told to drop them, since nobody walks here. */
  letGoBelow = 0;
  /** Blocks of the announced map that hold data. */
  announcedBlocks = 0;
  alreadyThereBlocks = 0;
  #durableBlocks = 0;
  #pastBlocks = 0;
  /** Where to look for blocks that are still wanted. */
  #cursor = 0;
  /** Those whose cursor is behind what is known. */
  readonly #wanting: Set<ArrivingDisk>;
  /** Those that are walked over. */
  readonly #walking: Set<ArrivingDisk>;
  /**
   * What blocks were that are not in the store any more, or never were since it was full: with it a later announcement is
   * told from a change, and what has been handed on need not come again.
   */
  readonly #past: BlockMap;

  /**
   * @param wanting Holds the disk whenever it may have a block that is still wanted.
   * @param walking Holds it while the destination walks over it.
   */
  constructor(part: PackagePart, number: number, wanting = new Set<ArrivingDisk>(), walking = new Set<ArrivingDisk>()) {
    this.id = part.id;
    this.kind = part.kind;
    this.number = number;
    this.capacityBytes = part.lengthBytes;
    this.#wanting = wanting;
    this.#walking = walking;
    this.announced = this.emptyMap();
    this.durable = this.emptyMap();
    this.#past = this.emptyMap();
    this.handed = this.emptyMap();
  }

  emptyMap(): BlockMap {
    return new BlockMap(this.kind, this.capacityBytes);
  }

  /** The next announced index to look at, or null when all were. */
  nextIndex(): number | null {
    if (this.#cursor < this.known) return this.#cursor++;
    this.#wanting.delete(this);
    return null;
  }

  lookAgain(index: number): void {
    this.#cursor = Math.min(this.#cursor, index);
    this.#wanting.add(this);
  }

  get blocks(): number {
    return this.announced.blocks;
  }

  get complete(): boolean {
    return this.root !== null && this.frontier === this.blocks;
  }

  /** Every block with data is in the store. */
  get whole(): boolean {
    return this.complete && this.#durableBlocks === this.announcedBlocks;
  }

  /** Something of it went past the store, or was lost there. */
  get hasPast(): boolean {
    return this.#pastBlocks > 0;
  }

  /** Logical bytes whose content is known and durable, or went past the store. */
  get arrivedBytes(): number {
    const zeros = this.known - this.announcedBlocks;
    return Math.min((zeros + this.#durableBlocks + this.#pastBlocks) * BLOCK_BYTES, this.capacityBytes);
  }

  get zeroBytes(): number {
    return Math.min((this.known - this.announcedBlocks) * BLOCK_BYTES, this.capacityBytes);
  }

  /** Takes over what the journal knows and the store holds. A root counts only when the entries give it. */
  restore(saved: JournalDisk, holds: (hash: Uint8Array) => boolean): void {
    for (const [at, position] of saved.positions.entries()) {
      const hash = saved.hashes.subarray(at * ENTRY_BYTES, (at + 1) * ENTRY_BYTES);
      if (position >= this.blocks) continue;
      // What is gone from the store may have been handed on: a new version of the source is compared with it.
      if (holds(hash)) this.#setDurable(position, hash);
      else this.#setPast(position, hash);
    }
    this.handedBelow = saved.handed;
    this.stale = saved.stale;
    if (saved.root === null) return;
    const all = BlockMap.fromEntries(this.kind, this.capacityBytes, this.durable.entries());
    for (let index = 0; index < this.#past.used; index++) {
      const hash = this.#past.get(index);
      if (hash !== null) all.set(index, hash);
    }
    if (all.root() !== saved.root) return;
    all.complete = true;
    this.announced = all;
    this.announcedBlocks = this.#durableBlocks + this.#pastBlocks;
    this.root = saved.root;
    this.known = this.blocks;
    this.advance();
  }

  /** Another incarnation of the source begins to announce. */
  restart(): void {
    this.announced = this.emptyMap();
    this.announcedBlocks = 0;
    this.known = 0;
    this.root = null;
    this.frontier = 0;
    this.#cursor = 0;
    this.letGoBelow = 0;
  }

  /**
   * The next block with data. Everything between is zero. Answers the places whose
   * durable block is of no use any more. Throws RangeError for one out of order.
   */
  announce(index: number, hash: Uint8Array): number[] {
    if (index < this.known || index >= this.blocks)
      throw new RangeError(`block ${index} of disk ${this.id} is out of order`);
    if (NO_ENTRY.equals(hash)) throw new RangeError(`block ${index} of disk ${this.id} has no hash`);
    const changes = this.#zeros(index);
    const before = this.durable.get(index);
    const same = (before ?? this.#past.get(index))?.equals(hash) ?? false;
    if (!same && index < this.handedBelow) this.stale = true;
    if (!same && before !== null) {
      changes.push(index);
      this.#forget(index);
    }
    this.announced.set(index, hash);
    this.announcedBlocks++;
    this.known = index + 1;
    this.#wanting.add(this);
    return changes;
  }

  /** The rest is zero. Answers as `announce` does. Throws RangeError when the root does not follow from what was announced. */
  end(root: string): number[] {
    const changes = this.#zeros(this.blocks);
    this.known = this.blocks;
    if (this.announced.root() !== root)
      throw new RangeError(`the root of disk ${this.id} does not follow from its map`);
    this.announced.complete = true;
    this.root = root;
    return changes;
  }

  has(index: number): boolean {
    const wanted = this.announced.get(index);
    return wanted !== null && (this.durable.get(index)?.equals(wanted) ?? false);
  }

  /** The block is durable. False when another content is announced by now. */
  arrived(index: number, hash: Uint8Array): boolean {
    if (index < this.known && !(this.announced.get(index)?.equals(hash) ?? false)) return false;
    this.#setDurable(index, hash);
    return true;
  }

  /** The block waits in memory for `walk`. False when that is over, or another content is announced by now. */
  pass(walk: Walk, index: number, hash: Buffer, buffer: Buffer, bytes: number): boolean {
    const announced = index >= this.known || (this.announced.get(index)?.equals(hash) ?? false);
    if (this.walk !== walk || index < walk.at || !announced) return false;
    if (this.durable.get(index) === null) this.#setPast(index, hash);
    walk.put(index, hash, buffer, bytes);
    return true;
  }

  /** The block was here with this content, and is not in the store. */
  knew(index: number, hash: Uint8Array): boolean {
    return this.#past.get(index)?.equals(hash) ?? false;
  }

  /** The block is no longer in the store. */
  lose(index: number): void {
    const before = this.durable.get(index);
    if (before !== null) {
      const was = Buffer.from(before);
      this.#forget(index);
      this.#setPast(index, was);
    }
    this.frontier = Math.min(this.frontier, index);
    this.lookAgain(index);
  }

  /** What is announced for this block need not be asked for: zero, in the store, in memory for the walk, or handed on. */
  settled(index: number): boolean {
    const wanted = this.announced.get(index);
    if (wanted === null || (this.durable.get(index)?.equals(wanted) ?? false)) return true;
    if (this.walk?.holds(index, wanted)) return true;
    return this.wasHanded(index) && index < this.feedAt;
  }

  /** What is announced is what an earlier or the present walk was given, and is not in the store. */
  wasHanded(index: number): boolean {
    const wanted = this.announced.get(index);
    return wanted !== null && index < this.handedBelow && (this.#past.get(index)?.equals(wanted) ?? false);
  }

  advance(): void {
    while (this.frontier < this.known && this.settled(this.frontier)) this.frontier++;
  }

  /** The destination begins to walk: what is not in the store from `from` on is wanted again. */
  beginWalk(from: number): Walk {
    this.walk?.close();
    const walk = new Walk(from);
    this.walk = walk;
    this.#walking.add(this);
    this.#wantFrom(from);
    return walk;
  }

  endWalk(walk: Walk): void {
    walk.close();
    if (this.walk !== walk) return;
    this.walk = null;
    this.#walking.delete(this);
    this.#wantFrom(this.feedAt);
  }

  /** The destination wants nothing more: what it was given counts as being here. */
  conclude(): void {
    if (this.walk === null) this.#wantFrom(this.blocks);
  }

  #wantFrom(index: number): void {
    this.feedAt = index;
    this.frontier = 0;
    this.lookAgain(0);
    this.advance();
  }

  /** The next block with data before `end`, from `from` on; `end` when there is none. */
  nextData(from: number, end: number): number {
    let index = from;
    while (index < end && this.announced.get(index) === null) index++;
    return Math.max(from, index);
  }

  #zeros(end: number): number[] {
    const changes: number[] = [];
    if (this.#durableBlocks === 0 && this.#pastBlocks === 0) return changes;
    for (let index = this.known; index < end; index++) {
      if (this.durable.get(index) === null && this.#past.get(index) === null) continue;
      if (index < this.handedBelow) this.stale = true;
      changes.push(index);
      this.#forget(index);
    }
    return changes;
  }

  #setDurable(index: number, hash: Uint8Array): void {
    if (this.durable.get(index) === null) this.#durableBlocks++;
    this.durable.set(index, hash);
    if (this.#past.get(index) === null) return;
    this.#pastBlocks--;
    this.#past.set(index, NO_ENTRY);
  }

  #setPast(index: number, hash: Uint8Array): void {
    if (this.#past.get(index) === null) this.#pastBlocks++;
    this.#past.set(index, hash);
  }

  #forget(index: number): void {
    if (this.durable.get(index) !== null) {
      this.#durableBlocks--;
      this.durable.set(index, NO_ENTRY);
    }
    if (this.#past.get(index) !== null) {
      this.#pastBlocks--;
      this.#past.set(index, NO_ENTRY);
    }
  }
}
