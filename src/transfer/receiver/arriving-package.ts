import { BLOCK_BYTES } from '../../model/block-map.ts';
import { Fault } from '../../model/fault.ts';
import { type PackageDescription, partsOf } from '../../model/machine.ts';
import { ArrivingDisk } from './arriving-disk.ts';
import type { Journal, JournalDisk } from './journal.ts';
import type { PullProgress } from './pull-options.ts';

/** Files that are written down as handed on together with the one that is asked for. */
const FILES_AT_ONCE = 256;

export interface ArrivingPackageOptions {
  owner: string;
  transfer: string;
  journal: Journal;
  /** What an earlier pull wrote down. */
  saved: readonly JournalDisk[];
  holds: (hash: Uint8Array) => boolean;
}

/** The disks and files of a package as they arrive. There may be many thousand files. */
export class ArrivingPackage {
  /** In the order in which both nodes number them. */
  readonly disks: readonly ArrivingDisk[];
  /** Those that may have blocks that are still wanted. */
  readonly wanting = new Set<ArrivingDisk>();
  /** Those that the destination walks over. */
  readonly walking = new Set<ArrivingDisk>();
  readonly #byId: Map<string, ArrivingDisk>;
  readonly #options: ArrivingPackageOptions;
  /** Every part before this one was complete when it was looked at. */
  #whole = 0;

  constructor(description: PackageDescription, options: ArrivingPackageOptions) {
    this.#options = options;
    this.disks = partsOf(description).map((part, number) => new ArrivingDisk(part, number, this.wanting, this.walking));
    this.#byId = new Map(this.disks.map((disk) => [disk.id, disk]));
    for (const saved of options.saved) this.#byId.get(saved.disk)?.restore(saved, options.holds);
  }

  find(id: string): ArrivingDisk {
    const disk = this.#byId.get(id);
    if (disk === undefined) throw new Fault('internal', `transfer ${this.#options.transfer} has no disk or file ${id}`);
    return disk;
  }

  /**
   * Every part is complete and, unless the destination has concluded, in the store. Asked after each block, so only what
   * was not complete before is looked at again.
   */
  isOver(concluded: boolean): boolean {
    while (this.#whole < this.disks.length && this.disks[this.#whole]!.complete) this.#whole++;
    if (this.#whole < this.disks.length) return false;
    // One that was complete may have lost a block since.
    this.#whole = 0;
    return this.disks.every(({ complete, whole }) => (concluded ? complete : whole));
  }

  progress(): Pick<PullProgress, 'arrivedBytes' | 'zeroBytes' | 'alreadyThereBytes'> {
    let zeroBytes = 0;
    let alreadyThereBytes = 0;
    for (const disk of this.disks) {
      zeroBytes += disk.zeroBytes;
      alreadyThereBytes += disk.alreadyThereBlocks * BLOCK_BYTES;
    }
    return {
      arrivedBytes: Object.fromEntries(this.disks.map((disk) => [disk.id, disk.arrivedBytes])),
      zeroBytes,
      alreadyThereBytes,
    };
  }

  /** Begins to look from the first part again: the source began anew. */
  restart(): void {
    this.#whole = 0;
  }

  /**
   * Writes down that blocks of the disk before `end` may have been handed on. For a file, the complete files behind it
   * are written down in the same commit: whoever takes this one takes those next.
   */
  async handOn(disk: ArrivingDisk, end: number): Promise<void> {
    const { journal, owner, transfer } = this.#options;
    const others: ArrivingDisk[] = [];
    if (disk.kind === 'file') {
      for (const next of this.disks.slice(disk.number + 1, disk.number + FILES_AT_ONCE)) {
        if (next.complete && !next.stale && next.handedBelow === 0) others.push(next);
      }
    }
    await Promise.all([
      journal.handed(owner, transfer, disk.id, end, false),
      ...others.map(({ id, blocks }) => journal.handed(owner, transfer, id, blocks, false)),
    ]);
    for (const other of others) if (other.complete) other.handedBelow = other.blocks;
  }
}
