import type { BlockStore } from '../store/store.ts';
import { decodeEnd, decodeEntries, type Place, unspeakable } from '../wire/wire.ts';
import type { ArrivingDisk } from './arriving-disk.ts';
import type { HotBlocks } from './hot-blocks.ts';
import type { Journal } from './journal.ts';

export interface AnnouncedOptions {
  owner: string;
  transfer: string;
  store: BlockStore;
  journal: Journal;
  disks: readonly ArrivingDisk[];
  /** Those of them that the destination walks over. */
  walking: ReadonlySet<ArrivingDisk>;
  hot: HotBlocks;
  /** The store has no room. */
  isFull: () => boolean;
  /** The source need not keep these blocks. */
  have: (places: Place[]) => void;
  /** A block that should be in the store is not. */
  lose: (disk: ArrivingDisk, index: number) => void;
  /** Whether this place is on its way. */
  fetches: (place: Place) => boolean;
  /** All entries of this disk are known and written down. */
  ended: () => void;
  /** Failures of writes that nobody awaits. */
  note: (work: Promise<unknown>) => void;
}

/** Follows the map that the source's present incarnation announces, and tells it what it need not keep. */
export class Announced {
  readonly #options: AnnouncedOptions;
  /** Number of the next announcement. */
  next = 0;
  /** The destination wants nothing more. */
  #concluded = false;

  constructor(options: AnnouncedOptions) {
    this.#options = options;
  }

  /** Another incarnation: its map is read from the beginning. */
  begin(): void {
    const { journal, owner, transfer, disks, note } = this.#options;
    this.next = 0;
    for (const disk of disks) {
      if (disk.root !== null) note(journal.root(owner, transfer, disk.id, null));
      disk.restart();
    }
  }

  /** A part of the map. Faults: `transfer.mismatch` for what does not follow from what was said before. */
  learn(type: 'entries' | 'end', payload: Buffer): void {
    const { journal, owner, transfer, store, disks, have, lose, ended, note } = this.#options;
    if (type === 'end') {
      const { disk, root } = decodeEnd(payload);
      this.#take(disk, (arriving) => arriving.end(root));
      note(journal.root(owner, transfer, disks[disk]!.id, root).then(ended));
      this.letGo();
      return;
    }
    const here: Place[] = [];
    for (const { disk, index, hash } of decodeEntries(payload)) {
      this.#take(disk, (arriving) => arriving.announce(index, hash));
      const arriving = disks[disk]!;
      if (!arriving.has(index)) {
        // Who walks does not turn back without beginning anew.
        if (this.isNeedless({ disk, index })) here.push({ disk, index });
      } else if (store.has(owner, hash)) here.push({ disk, index });
      else lose(arriving, index);
    }
    if (here.length > 0) have(here);
    this.letGo();
  }

  /** The destination wants nothing more but to see the maps complete, until it begins another walk. */
  conclude(): void {
    this.#concluded = true;
    for (const disk of this.#options.disks) disk.conclude();
    this.letGo();
  }

  get concluded(): boolean {
    return this.#concluded;
  }

  resume(): void {
    this.#concluded = false;
  }

  /**
   * Where a walk, or the end, waits for more than was announced, the source may be waiting for us: its window is full of
   * blocks of disks that nobody walks over and that fit nowhere. It may drop them; a later walk makes it read them again.
   */
  letGo(): void {
    const { disks, walking, have, fetches, isFull } = this.#options;
    const starving = this.#concluded
      ? disks.some(({ root }) => root === null)
      : [...walking].some(({ root, known, walk }) => root === null && walk !== null && walk.at >= known);
    if (!starving) return;
    const full = isFull();
    const places: Place[] = [];
    for (const disk of disks) {
      if (disk.walk !== null || !(full || disk.hasPast)) continue;
      for (let index = disk.letGoBelow; index < disk.known; index++) {
        if (disk.announced.get(index) === null || disk.has(index)) continue;
        const place = { disk: disk.number, index };
        if (disk.settled(index) || (full && !fetches(place))) places.push(place);
      }
      if (full) disk.letGoBelow = disk.known;
    }
    if (places.length > 0) have(places);
  }

  /** The source need not keep this block, or was told so before. */
  isNeedless({ disk: number, index }: Place): boolean {
    const disk = this.#options.disks[number];
    if (disk === undefined || index >= disk.known) return false;
    if (disk.has(index)) return true;
    if (disk.walk !== null) return index < disk.walk.at && disk.settled(index);
    return index < disk.letGoBelow && !this.#options.fetches({ disk: number, index });
  }

  /** Whether the source shall be read again for a block that it has dropped. What was let go waits for a walk. */
  isWanted({ disk: number, index }: Place): boolean {
    const disk = this.#options.disks[number]!;
    return disk.walk !== null || index >= disk.letGoBelow;
  }

  #take(number: number, what: (disk: ArrivingDisk) => number[]): void {
    const { journal, owner, transfer, disks, hot, note } = this.#options;
    const disk = disks[number];
    if (disk === undefined || disk.root !== null) throw unspeakable(`disk number ${number} is not to be announced`);
    let gone: number[];
    const wasStale = disk.stale;
    try {
      gone = what(disk);
    } catch (error) {
      throw unspeakable((error as Error).message);
    }
    this.next++;
    for (const index of gone) note(journal.entry(owner, transfer, disk.id, index, null));
    if (disk.stale && !wasStale) note(journal.handed(owner, transfer, disk.id, disk.handedBelow, true));
    if (gone.length > 0) hot.forget(disk);
    disk.advance();
  }
}
