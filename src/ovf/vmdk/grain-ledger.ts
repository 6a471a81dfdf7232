import { Fault } from '../../model/fault.ts';
import { type SparseHeader, tableCount } from './header.ts';

/** Order-free fingerprint of (entry, sector) pairs: equal pairs, equal sums. */
class TableSum {
  count = 0;
  first = 0;
  second = 0;

  add(entry: number, sector: number): void {
    this.count++;
    const mixed = Math.imul(sector ^ Math.imul(entry + 1, 0x9e37_79b1), 0x85eb_ca6b);
    this.first = (this.first + mixed) | 0;
    this.second = (this.second + Math.imul(mixed ^ (mixed >>> 15), 0xc2b2_ae35)) | 0;
  }

  equals(other: TableSum): boolean {
    return this.count === other.count && this.first === other.first && this.second === other.second;
  }
}

/**
 * Holds the grains that went by against the grain tables and the grain directory of the same stream, so that a grain
 * that got lost on the way is noticed although every single marker was right. Memory grows by one small record per
 * table with grains (32 MiB of disk), not per grain.
 */
export class GrainLedger {
  readonly #header: SparseHeader;
  readonly #seen = new Map<number, TableSum>();
  readonly #tables = new Map<number, TableSum>();

  constructor(header: SparseHeader) {
    this.#header = header;
  }

  /** A grain whose marker lies at `sector`. */
  grain(index: number, sector: number): void {
    const { entriesPerTable } = this.#header;
    const table = Math.floor(index / entriesPerTable);
    let sum = this.#seen.get(table);
    if (!sum) {
      sum = new TableSum();
      this.#seen.set(table, sum);
    }
    sum.add(index % entriesPerTable, sector);
  }

  /** A grain table that begins at `sector`. */
  table(sector: number, bytes: Buffer): void {
    const sum = new TableSum();
    for (let entry = 0; entry < this.#header.entriesPerTable; entry++) {
      const value = bytes.readUInt32LE(entry * 4);
      if (value !== 0 && !(value === 1 && this.#header.zeroEntries)) sum.add(entry, value);
    }
    this.#tables.set(sector, sum);
  }

  /** Compares all that was seen with the directory. Faults: `vmdk.invalid`, `vmdk.truncated`. */
  settle(directory: Uint32Array): void {
    for (let table = 0; table < tableCount(this.#header); table++) {
      const sector = directory[table] ?? 0;
      const seen = this.#seen.get(table) ?? new TableSum();
      const written = sector === 0 ? new TableSum() : this.#tables.get(sector);
      if (!written)
        throw new Fault('vmdk.invalid', `the VMDK names a grain table at sector ${sector} that is not there`);
      if (seen.equals(written)) continue;
      const what = `the VMDK has ${seen.count} grains where its grain table ${table} names ${written.count}`;
      throw new Fault(seen.count < written.count ? 'vmdk.truncated' : 'vmdk.invalid', what);
    }
  }
}
