import { hashBlock } from '../../model/block-map.ts';
import { Fault } from '../../model/fault.ts';
import type { Bell } from '../bell.ts';
import { type Inlet, openInlet } from '../pace/pace.ts';
import type { Share } from '../pool.ts';
import { recordBytes } from '../store/room.ts';
import type { BlockStore } from '../store/store.ts';
import type { BlockHead, Place } from '../wire/wire.ts';
import type { ArrivingDisk } from './arriving-disk.ts';
import { Claims } from './claims.ts';
import type { Earlier } from './earlier.ts';
import { fill } from './fill.ts';
import { isFullDisk } from './full-disk.ts';
import type { HotBlocks } from './hot-blocks.ts';
import type { Journal } from './journal.ts';
import type { Lanes } from './lanes.ts';
import type { Asked } from './source-peer.ts';
import type { Walk } from './walk.ts';

/** Blocks that are about to be asked for at a time: one that waits for its turn or for a buffer does not stop the others. */
const HANDS = 4;
/** Blocks that are found in the store at a time. */
const MOST_ADOPTING = 256;
const MOST_TRIES = 3;
/** Blocks ahead of a walk that are asked for when the store has no room for them. */
const PASS_AHEAD = 32;

export interface FetchOptions {
  owner: string;
  transfer: string;
  store: BlockStore;
  journal: Journal;
  disks: readonly ArrivingDisk[];
  /** Those of them that may have something to get. */
  wanting: Set<ArrivingDisk>;
  /** Those of them that the destination walks over. */
  walking: Set<ArrivingDisk>;
  share: Share;
  hot: HotBlocks;
  /** Blocks of an earlier version. */
  earlier: Earlier;
  /** Rings when something may have become possible. */
  bell: Bell;
  /** What it is let have of the way. Default: all. */
  inlet?: Inlet;
  signal: AbortSignal;
  /** These blocks are durable: the source need not keep them. */
  durable: (places: Place[]) => void;
  /** Does it again as long as the disk of store and journal is full. */
  whileFull: <T>(work: () => Promise<T>) => Promise<T>;
  /** The store has no room for this transfer; rings the bell when that has changed. */
  makeRoom: () => void;
  /** Nothing can be asked for at present. */
  idle: () => void;
  fail: (fault: Fault) => void;
}

interface Item extends Place {
  hash: Buffer;
  /** Other places with the same content. */
  followers: Place[];
  /** Goes to this walk through memory, since the store has no room. */
  pass: { walk: Walk; buffer: Buffer } | null;
  /** What it will take in the store, when a place there is claimed for it. */
  claimedBytes: number;
}

const keyOf = ({ disk, index }: Place) => `${disk}/${index}`;

/** Gets the blocks that are announced and not durable here: out of the store where it holds them, else from the source. */
export class Fetch {
  readonly #options: FetchOptions;
  readonly #inlet: Inlet;
  readonly #busy = new Map<string, Item>();
  readonly #byHash = new Map<string, Item>();
  readonly #tries = new Map<string, number>();
  /** Blocks that are in the store and could not be kept for this transfer. */
  readonly #unkept = new Set<string>();
  readonly #claims: Claims;
  #adopting = 0;
  /** The store had no room when it was last asked. */
  full = false;
  wireBytes = 0;
  resentBytes = 0;

  constructor(options: FetchOptions) {
    this.#options = options;
    this.#claims = new Claims(options);
    this.#inlet = options.inlet ?? openInlet;
  }

  /** Asks until the signal is aborted. */
  async run(lanes: Lanes): Promise<void> {
    this.#inlet.watch(() => !lanes.room || this.#options.share.waiting);
    await Promise.all(Array.from({ length: HANDS }, () => this.#ask(lanes)));
  }

  async #ask(lanes: Lanes): Promise<void> {
    const { bell, share, signal, earlier, disks } = this.#options;
    while (!signal.aborted) {
      const item = lanes.room ? this.#next() : null;
      if (item === null) {
        this.#options.idle();
        await bell.wait(signal);
        continue;
      }
      let buffer: Buffer;
      try {
        await this.#inlet.ask(signal);
        const bytes = this.#bytesOf(item);
        buffer = item.pass?.buffer.subarray(0, bytes) ?? (await share.takePart(bytes, signal));
      } catch (error) {
        this.#inlet.came(0);
        item.pass?.walk.give(item.pass.buffer);
        this.#release(item);
        throw error;
      }
      const { disk, index, hash } = item;
      const older =
        lanes.modern && !this.#tries.has(keyOf(item)) && (await earlier.read(disks[disk]!.id, index, buffer));
      if (lanes.open && this.#wanted(item)) lanes.ask({ disk, index, hash, buffer, older });
      else {
        this.#inlet.came(0);
        this.#give(item, buffer);
        this.#release(item);
      }
    }
  }

  /** They do not come any more: they are asked for again if they are still wanted. */
  unanswered(asked: readonly Asked[], partialBytes: number): void {
    this.#count(partialBytes, partialBytes);
    for (const one of asked) {
      this.#inlet.came(0);
      const item = this.#busy.get(keyOf(one));
      this.#give(item, one.buffer);
      this.#release(item);
    }
  }

  async arrived(asked: Asked, head: BlockHead, data: Buffer): Promise<void> {
    const { transfer, hot, disks } = this.#options;
    const { buffer, hash } = asked;
    const item = this.#busy.get(keyOf(asked))!;
    const disk = disks[item.disk]!;
    this.#inlet.came(head.length);
    const again = head.repeated || disk.knew(item.index, hash) ? head.length : 0;
    this.#count(head.length, Math.max(head.resentBytes ?? 0, again));
    if (asked.older) this.#options.earlier.judge(disk.id, head.patch);
    let kept = false;
    try {
      if (!(await fill(buffer, head, data)) || !hashBlock(buffer).equals(hash)) return this.#mismatch(item);
      kept = item.pass === null ? await this.#store(item, buffer) : await this.#pass(item, item.pass, buffer.length);
      if (kept && item.pass === null) hot.offer(disk, item.index, item.hash, buffer);
    } catch (error) {
      this.#release(item);
      this.#options.fail(Fault.from(error, `transfer ${transfer}`));
    } finally {
      if (!kept) this.#give(item, buffer);
    }
  }

  /** Whether a place is on its way. */
  fetches(place: Place): boolean {
    return this.#busy.has(keyOf(place));
  }

  close(): void {
    this.#claims.close();
  }

  /** Makes the block durable, for all places that want it. False when the store had no room after all. */
  async #store(item: Item, buffer: Buffer): Promise<boolean> {
    const { owner, transfer, store, journal, disks, whileFull } = this.#options;
    const places = [item, ...item.followers];
    const followers = item.followers.length;
    try {
      await whileFull(() =>
        Promise.all([
          store.put(owner, transfer, item.hash, buffer),
          ...places.map(({ disk, index }) => journal.entry(owner, transfer, disks[disk]!.id, index, item.hash)),
        ]),
      );
    } catch (error) {
      if (!(error instanceof Fault) || error.code !== 'storage.full' || isFullDisk(error)) throw error;
      // Somebody else was faster: it comes again when its turn does.
      this.#claims.refused();
      this.#release(item);
      return false;
    }
    this.#settled(item, followers, followers);
    return true;
  }

  /** Holds the block in memory for the walk; what it was is written down before it can be handed on. */
  async #pass(item: Item, { walk, buffer }: NonNullable<Item['pass']>, bytes: number): Promise<boolean> {
    const { owner, transfer, journal, disks, whileFull, bell } = this.#options;
    const disk = disks[item.disk]!;
    await whileFull(() => journal.entry(owner, transfer, disk.id, item.index, item.hash));
    this.#forget(item);
    const passed = disk.pass(walk, item.index, item.hash, buffer, bytes);
    if (passed) disk.advance();
    else disk.lookAgain(item.index);
    bell.ring();
    return passed;
  }

  #next(): Item | null {
    const { wanting, walking } = this.#options;
    this.full = false;
    for (const disk of wanting) {
      while (!this.full) {
        if (this.#adopting >= MOST_ADOPTING) return null;
        const index = disk.nextIndex();
        if (index === null) break;
        const item = this.#look(disk, index);
        if (item === 'full') {
          disk.lookAgain(index);
          this.full = true;
        } else if (item !== null) {
          // The others come first next time.
          if (wanting.delete(disk)) wanting.add(disk);
          return item;
        }
      }
      if (this.full) break;
    }
    if (!this.full) return null;
    for (const disk of walking) {
      const item = this.#nextOf(disk);
      if (item === null) continue;
      if (walking.delete(disk)) walking.add(disk);
      return item;
    }
    return null;
  }

  /** The block at this place, if it has to be asked for and the store has room for it. */
  #look(disk: ArrivingDisk, index: number): Item | 'full' | null {
    const hash = disk.announced.get(index);
    const place = { disk: disk.number, index };
    if (hash === null || this.#busy.has(keyOf(place)) || disk.settled(index)) return null;
    if (this.#isAtHand(place, hash)) return null;
    // The source has dropped it, and is read again only for a walk.
    if (disk.walk === null && index < disk.letGoBelow) return null;
    const bytes = recordBytes(this.#bytesOf(place));
    if (!this.#claims.take(bytes)) return 'full';
    const item = this.#begin(place, hash, null);
    item.claimedBytes = bytes;
    return item;
  }

  /** The next block that a walk over this disk wants and that is not on its way. */
  #nextOf(disk: ArrivingDisk): Item | null {
    const { walk } = disk;
    if (walk === null) return null;
    let ahead = 0;
    let isNext = true;
    for (let index = walk.at; index < disk.known && ahead < PASS_AHEAD; index++) {
      const hash = disk.announced.get(index);
      if (hash === null) continue;
      ahead++;
      if (disk.settled(index)) continue;
      const place = { disk: disk.number, index };
      const first = isNext;
      isNext = false;
      if (this.#busy.has(keyOf(place)) || this.#isAtHand(place, hash)) continue;
      const buffer = walk.take(index, first);
      return buffer === null ? null : this.#begin(place, hash, { walk, buffer });
    }
    return null;
  }

  /** Whether the same content is on its way into the store, or in it: it is then taken from there. */
  #isAtHand(place: Place, hash: Buffer): boolean {
    const { owner, store } = this.#options;
    const key = hash.toString('latin1');
    const leader = this.#byHash.get(key);
    if (leader !== undefined) {
      leader.followers.push(place);
      this.#busy.set(keyOf(place), leader);
      return true;
    }
    if (!store.has(owner, hash) || this.#unkept.has(key)) return false;
    void this.#adopt(this.#begin(place, hash, null));
    return true;
  }

  #begin(place: Place, hash: Buffer, pass: Item['pass']): Item {
    const item: Item = { ...place, hash: Buffer.from(hash), followers: [], pass, claimedBytes: 0 };
    this.#busy.set(keyOf(item), item);
    // Only what is going to be durable serves other places too.
    if (pass === null) this.#byHash.set(hash.toString('latin1'), item);
    return item;
  }

  /** Takes a block that this owner has here already. */
  async #adopt(item: Item): Promise<void> {
    const { owner, transfer, store, journal, disks, whileFull } = this.#options;
    this.#adopting++;
    try {
      if (!(await whileFull(() => store.keep(owner, transfer, item.hash)))) return this.#release(item);
      const places = [item, ...item.followers];
      const followers = item.followers.length;
      await whileFull(() =>
        Promise.all(places.map(({ disk, index }) => journal.entry(owner, transfer, disks[disk]!.id, index, item.hash))),
      );
      this.#settled(item, followers, followers + 1);
    } catch (error) {
      this.#release(item);
      if (error instanceof Fault && error.code === 'storage.full' && !isFullDisk(error)) {
        this.#unkept.add(item.hash.toString('latin1'));
      } else this.#options.fail(Fault.from(error, `transfer ${transfer}`));
    } finally {
      this.#adopting--;
      this.#options.bell.ring();
    }
  }

  /**
   * The block and the first `followers` of its followers are in the journal. Those that came meanwhile are looked at
   * again, and found in the store.
   */
  #settled(item: Item, followers: number, alreadyThere: number): void {
    const { disks, durable, bell } = this.#options;
    const done = [item, ...item.followers.slice(0, followers)];
    const late = item.followers.slice(followers);
    this.#forget(item);
    const places = done.filter(({ disk, index }) => {
      const arriving = disks[disk]!;
      const fits = arriving.arrived(index, item.hash);
      if (!fits) arriving.lookAgain(index);
      return fits;
    });
    for (const { disk, index } of late) disks[disk]!.lookAgain(index);
    disks[item.disk]!.alreadyThereBlocks += alreadyThere;
    for (const disk of new Set(places.map((place) => disks[place.disk]!))) disk.advance();
    durable(places.map(({ disk, index }) => ({ disk, index })));
    bell.ring();
  }

  #mismatch(item: Item): void {
    const { disks, transfer, fail } = this.#options;
    const tries = (this.#tries.get(keyOf(item)) ?? 0) + 1;
    this.#tries.set(keyOf(item), tries);
    this.#release(item);
    if (tries < MOST_TRIES) return;
    const { id } = disks[item.disk]!;
    fail(
      new Fault(
        'transfer.mismatch',
        `transfer ${transfer}: block ${item.index} of disk ${id} came ${tries} times without the hash that the source announced`,
      ),
    );
  }

  #wanted(item: Item): boolean {
    return this.#options.disks[item.disk]!.announced.get(item.index)?.equals(item.hash) ?? false;
  }

  #forget(item: Item): void {
    for (const place of [item, ...item.followers]) this.#busy.delete(keyOf(place));
    if (item.pass === null) this.#byHash.delete(item.hash.toString('latin1'));
    this.#claims.give(item.claimedBytes);
    item.claimedBytes = 0;
  }

  #bytesOf({ disk, index }: Place): number {
    return this.#options.disks[disk]!.announced.blockLength(index);
  }

  #give(item: Item | undefined, buffer: Buffer): void {
    if (item?.pass) item.pass.walk.give(item.pass.buffer);
    else this.#options.share.give(buffer);
  }

  /** Gives up an item: its places are found again by the cursor if they are still wanted. */
  #release(item: Item | undefined): void {
    if (item === undefined) return;
    const { disks, bell } = this.#options;
    this.#forget(item);
    for (const { disk, index } of [item, ...item.followers]) {
      disks[disk]!.lookAgain(index);
    }
    bell.ring();
  }

  #count(wireBytes: number, resentBytes: number): void {
    if (wireBytes === 0) return;
    const { journal, owner, transfer, fail } = this.#options;
    this.wireBytes += wireBytes;
    this.resentBytes += resentBytes;
    journal.count(owner, transfer, wireBytes, resentBytes).catch((error) => fail(error as Fault));
  }
}
