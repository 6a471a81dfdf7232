import { BLOCK_BYTES } from '../../model/block-map.ts';
import { Fault } from '../../model/fault.ts';
import type { ByteReader } from '../byte-reader.ts';
import { GrainLedger } from './grain-ledger.ts';
import {
  MARKER_DIRECTORY,
  MARKER_END,
  MARKER_FOOTER,
  MARKER_TABLE,
  parseHeader,
  SECTOR,
  type SparseHeader,
  sectorsOf,
  tableCount,
} from './header.ts';

/** The compressed grains of one block, as they arrived. */
export interface GrainBatch {
  block: number;
  /** Grows as needed; handed from batch to batch by `recycle`. */
  input: Buffer;
  /** Number in the block, offset and length in `input`, per grain. */
  grains: number[];
  usedBytes: number;
}

const FIRST_INPUT_BYTES = BLOCK_BYTES + 64 * 1024;

function truncated(what: string): Fault {
  return new Fault('vmdk.truncated', `the VMDK ends ${what}`);
}

function invalid(what: string): Fault {
  return new Fault('vmdk.invalid', `the VMDK ${what}`);
}

/**
 * Walks over a stream-optimized VMDK behind its header: markers, grains, tables, directory, footer, end of stream
 * (Virtual Disk Format 5.0, "Stream-Optimized Compressed Sparse Extents"). Two layouts exist: directory and tables
 * behind the grains they describe, named by the footer (VMware, VirtualBox), and in front of them (QEMU).
 */
export class GrainStream {
  readonly #reader: ByteReader;
  readonly #header: SparseHeader;
  readonly #ledger: GrainLedger;
  readonly #marker = Buffer.alloc(SECTOR);
  readonly #spare: Buffer[] = [];
  #directory: { sector: number; entries: Uint32Array } | undefined;
  #footer: SparseHeader | undefined;
  #lastGrain = -1;

  constructor(reader: ByteReader, header: SparseHeader) {
    this.#reader = reader;
    this.#header = header;
    this.#ledger = new GrainLedger(header);
  }

  /** Gives a buffer back that a batch had. */
  recycle(input: ArrayBuffer): void {
    this.#spare.push(Buffer.from(input));
  }

  /** Batches in ascending order of their blocks; ends after everything was held against the tables. */
  async *batches(): AsyncGenerator<GrainBatch> {
    if (this.#header.directorySector !== null) await this.#readFront(this.#header.directorySector);
    await this.#seek(this.#header.overheadSectors);
    let batch: GrainBatch | undefined;
    for (;;) {
      const sector = this.#reader.position / SECTOR;
      const size = await this.#reader.readInto(this.#marker, 0, SECTOR);
      if (size === 0 && this.#header.directorySector !== null) break;
      if (size < SECTOR) throw truncated(`at byte ${this.#reader.position}, before its end-of-stream marker`);
      const dataBytes = this.#marker.readUInt32LE(8);
      if (dataBytes === 0) {
        if (await this.#metadata()) break;
        continue;
      }
      const grain = this.#grainIndex(sector, dataBytes);
      const grainBytes = this.#header.grainSectors * SECTOR;
      const block = Math.floor((grain * grainBytes) / BLOCK_BYTES);
      if (batch && batch.block !== block) {
        yield batch;
        batch = undefined;
      }
      batch ??= {
        block,
        input: this.#spare.pop() ?? Buffer.allocUnsafeSlow(FIRST_INPUT_BYTES),
        grains: [],
        usedBytes: 0,
      };
      await this.#append(batch, grain % (BLOCK_BYTES / grainBytes), dataBytes);
    }
    if (batch) yield batch;
    if (!this.#directory) throw truncated('without a grain directory');
    this.#ledger.settle(this.#directory.entries);
  }

  #grainIndex(sector: number, dataBytes: number): number {
    const { capacitySectors, grainSectors } = this.#header;
    const at = this.#marker.readBigUInt64LE(0);
    const where = `has a bad grain at sector ${sector}`;
    if (this.#footer) throw invalid(`${where}: it lies behind the footer`);
    if (at >= BigInt(capacitySectors))
      throw invalid(`${where}: it belongs to sector ${at}, beyond the end of the disk`);
    const lba = Number(at);
    if (lba % grainSectors !== 0) throw invalid(`${where}: it belongs to sector ${lba}, inside of a grain`);
    const index = lba / grainSectors;
    if (index <= this.#lastGrain)
      throw invalid(`${where}: it belongs to sector ${lba}, which should have come earlier`);
    if (dataBytes > 2 * grainSectors * SECTOR + 4096) throw invalid(`${where}: ${dataBytes} compressed bytes`);
    this.#lastGrain = index;
    this.#ledger.grain(index, sector);
    return index;
  }

  /** Reads the rest of a grain whose first sector is in the marker buffer. */
  async #append(batch: GrainBatch, grain: number, dataBytes: number): Promise<void> {
    const inMarker = SECTOR - 12;
    const room = inMarker + (sectorsOf(12 + dataBytes) - 1) * SECTOR;
    if (batch.usedBytes + room > batch.input.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(batch.usedBytes + room, batch.input.length * 2));
      batch.input.copy(grown, 0, 0, batch.usedBytes);
      batch.input = grown;
    }
    this.#marker.copy(batch.input, batch.usedBytes, 12);
    const rest = room - inMarker;
    const size = await this.#reader.readInto(batch.input, batch.usedBytes + inMarker, rest);
    if (size < rest) throw truncated(`at byte ${this.#reader.position}, inside of a grain`);
    batch.grains.push(grain, batch.usedBytes, dataBytes);
    batch.usedBytes += dataBytes;
  }

  /** Reads what follows a metadata marker; true after the end of the stream. */
  async #metadata(): Promise<boolean> {
    const header = this.#header;
    const sectors = this.#marker.readBigUInt64LE(0);
    const type = this.#marker.readUInt32LE(12);
    const sector = this.#reader.position / SECTOR;
    const expect = (count: number, what: string): void => {
      if (sectors !== BigInt(count))
        throw invalid(`has a bad marker at sector ${sector - 1}: ${what} of ${sectors} sectors`);
    };
    if (this.#footer && type !== MARKER_END) throw invalid(`has a marker of type ${type} behind its footer`);
    switch (type) {
      case MARKER_END:
        expect(0, 'an end of stream');
        if (header.directorySector === null && !this.#footer) throw truncated('without a footer');
        await this.#readPadding();
        return true;
      case MARKER_TABLE: {
        const bytes = await this.#exactly(sectorsOf(header.entriesPerTable * 4) * SECTOR, 'a grain table');
        expect(bytes.length / SECTOR, 'a grain table');
        this.#ledger.table(sector, bytes);
        return false;
      }
      case MARKER_DIRECTORY:
        expect(sectorsOf(tableCount(header) * 4), 'a grain directory');
        if (header.directorySector === null) this.#directory = { sector, entries: await this.#readDirectory() };
        else await this.#readDirectory();
        return false;
      case MARKER_FOOTER:
        expect(1, 'a footer');
        this.#checkFooter(parseHeader(await this.#exactly(SECTOR, 'its footer')));
        return false;
      default:
        throw invalid(`has a marker of unknown type ${type} at sector ${sector - 1}`);
    }
  }

  #checkFooter(footer: SparseHeader): void {
    const header = this.#header;
    for (const field of ['capacitySectors', 'grainSectors', 'entriesPerTable'] as const) {
      if (footer[field] !== header[field])
        throw invalid(`says ${field} ${header[field]} first and ${footer[field]} last`);
    }
    if (header.directorySector === null && footer.directorySector !== this.#directory?.sector) {
      throw invalid(`names a grain directory at sector ${footer.directorySector} that is not there`);
    }
    this.#footer = footer;
  }

  async #readFront(directorySector: number): Promise<void> {
    await this.#seek(directorySector);
    const entries = await this.#readDirectory();
    this.#directory = { sector: directorySector, entries };
    const tableBytes = sectorsOf(this.#header.entriesPerTable * 4) * SECTOR;
    for (const sector of new Set(entries.toSorted())) {
      if (sector === 0) continue;
      if (sector * SECTOR + tableBytes > this.#header.overheadSectors * SECTOR) {
        throw new Fault('vmdk.unsupported', `the VMDK has a grain table among its grains, at sector ${sector}`);
      }
      await this.#seek(sector);
      this.#ledger.table(sector, await this.#exactly(tableBytes, 'a grain table'));
    }
  }

  /** Entries, read piece by piece and over whole sectors. */
  async #readDirectory(): Promise<Uint32Array> {
    const count = tableCount(this.#header);
    const bytes = await this.#exactly(sectorsOf(count * 4) * SECTOR, 'its grain directory');
    const entries = new Uint32Array(count);
    for (let table = 0; table < count; table++) entries[table] = bytes.readUInt32LE(table * 4);
    return entries;
  }

  async #exactly(length: number, what: string): Promise<Buffer> {
    const bytes = await this.#reader.read(length);
    if (bytes.length < length) throw truncated(`at byte ${this.#reader.position}, inside of ${what}`);
    return bytes;
  }

  async #seek(sector: number): Promise<void> {
    const distance = sector * SECTOR - this.#reader.position;
    if (distance < 0) throw new Fault('vmdk.unsupported', `the VMDK has its metadata in an order that is no stream's`);
    if ((await this.#reader.skip(distance)) < distance) {
      throw truncated(`at byte ${this.#reader.position}, before its first grain`);
    }
  }

  /** Zeros may follow the end of the stream, nothing else. */
  async #readPadding(): Promise<void> {
    for (;;) {
      const bytes = await this.#reader.some(64 * 1024);
      if (bytes.length === 0) return;
      if (bytes.some((byte) => byte !== 0)) throw invalid('goes on behind its end-of-stream marker');
    }
  }
}
