import { type FileHandle, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { syncFolder } from '../../base/files.ts';
import { encodeFooter, encodeHead, encodeRecord, HEAD_BYTES, RECORD_BYTES, type SegmentHead } from './segment.ts';

/** Bytes after which a batch is written at once, and how long a smaller one waits for company. */
const BATCH_BYTES = 8 * 1024 * 1024;
const BATCH_MILLISECONDS = 10;
/** Most bytes of one batch: what has gathered meanwhile. */
const LONGEST_BATCH_BYTES = 32 * 1024 * 1024;
/** One call writes about as much. For larger ones Linux takes larger pages, which cost up to twice the time to fill. */
const WRITE_BYTES = 1024 * 1024;

/** A segment that is being written. */
export interface OpenSegment {
  path: string;
  number: number;
}

export interface WriterOptions {
  folder: string;
  head: SegmentHead;
  /** Ending of the names. */
  kind: 'segment' | 'references';
  /** Another segment is begun once one is as large. */
  segmentBytes: number;
  nextNumber: () => number;
  onGrow: (segment: OpenSegment, bytes: number) => void;
  /** It is written no more. `footerAt` is null when it has no footer. */
  onSeal: (segment: OpenSegment, footerBytes: number, footerAt: number | null) => void;
}

interface Entry {
  id: Uint8Array;
  /** Null for a reference. */
  data: Buffer | null;
  resolve: (place: { segment: OpenSegment; offset: number }) => void;
  reject: (error: unknown) => void;
}

/**
 * Appends records of one transfer. Appends that come together share one write and one fdatasync; the promise of each
 * resolves when its bytes, and the name of its file, are on the disk.
 */
export class SegmentWriter {
  readonly #options: WriterOptions;
  #queue: Entry[] = [];
  #queuedBytes = 0;
  #wake: (() => void) | null = null;
  #running: Promise<void> | null = null;
  #file: FileHandle | null = null;
  #segment: OpenSegment | null = null;
  #records: Buffer[] = [];
  #offset = 0;
  #closing = false;

  constructor(options: WriterOptions) {
    this.#options = options;
  }

  append(id: Uint8Array, data: Buffer | null): Promise<{ segment: OpenSegment; offset: number }> {
    return new Promise((resolve, reject) => {
      this.#queue.push({ id, data, resolve, reject });
      this.#queuedBytes += RECORD_BYTES + (data?.length ?? 0);
      if (this.#queuedBytes >= BATCH_BYTES) this.#wake?.();
      this.#running ??= this.#run();
    });
  }

  /** The record whose data begin at `offset` is damaged: the footer has to say so. */
  spoil(number: number, offset: number): void {
    if (this.#segment?.number !== number) return;
    let at = HEAD_BYTES;
    for (const [place, record] of this.#records.entries()) {
      const length = record.readUInt32BE(8);
      if (at + RECORD_BYTES === offset) this.#records[place] = encodeRecord('damaged', record.subarray(16, 48), length);
      at += RECORD_BYTES + length;
    }
  }

  /** Writes what waits and closes the file. */
  async close(): Promise<void> {
    this.#closing = true;
    this.#wake?.();
    await this.#running;
    await this.#finish();
  }

  async #run(): Promise<void> {
    while (this.#queue.length > 0) {
      if (this.#queuedBytes < BATCH_BYTES && !this.#closing) await this.#gather();
      let count = 0;
      let bytes = 0;
      if (this.#offset >= this.#options.segmentBytes) await this.#finish();
      const most = Math.min(LONGEST_BATCH_BYTES, this.#options.segmentBytes - this.#offset);
      while (count < this.#queue.length && (count === 0 || bytes < most)) {
        bytes += RECORD_BYTES + (this.#queue[count]!.data?.length ?? 0);
        count++;
      }
      const batch = this.#queue.splice(0, count);
      try {
        await this.#write(batch);
      } catch (error) {
        for (const entry of batch) entry.reject(error);
      } finally {
        this.#queuedBytes -= bytes;
      }
    }
    this.#running = null;
  }

  #gather(): Promise<void> {
    return new Promise((resolve) => {
      const stop = () => {
        clearTimeout(timer);
        this.#wake = null;
        resolve();
      };
      const timer = setTimeout(stop, BATCH_MILLISECONDS);
      this.#wake = stop;
    });
  }

  async #write(batch: readonly Entry[]): Promise<void> {
    const file = this.#file ?? (await this.#start());
    const segment = this.#segment!;
    const parts: Buffer[] = [];
    const records: Buffer[] = [];
    const offsets: number[] = [];
    let end = this.#offset;
    for (const { id, data } of batch) {
      const record = encodeRecord(data === null ? 'reference' : 'data', id, data?.length ?? 0);
      records.push(record);
      parts.push(record);
      end += RECORD_BYTES;
      offsets.push(end);
      if (data === null) continue;
      parts.push(data);
      end += data.length;
    }
    try {
      await writeFully(file, parts, this.#offset);
      await file.datasync();
    } catch (error) {
      await file.truncate(this.#offset).catch(() => this.#finish());
      throw error;
    }
    this.#records.push(...records);
    this.#options.onGrow(segment, end - this.#offset);
    this.#offset = end;
    for (const [at, entry] of batch.entries()) entry.resolve({ segment, offset: offsets[at]! });
  }

  async #start(): Promise<FileHandle> {
    const { folder, head, kind, nextNumber, onGrow } = this.#options;
    const number = nextNumber();
    const path = join(folder, `${String(number).padStart(10, '0')}.${kind}`);
    const file = await open(path, 'wx', 0o600);
    try {
      await file.write(encodeHead(head), 0, HEAD_BYTES, 0);
      await syncFolder(folder);
    } catch (error) {
      await file.close();
      await rm(path, { force: true });
      throw error;
    }
    this.#file = file;
    this.#segment = { path, number };
    this.#records = [];
    this.#offset = HEAD_BYTES;
    onGrow(this.#segment, HEAD_BYTES);
    return file;
  }

  /** A footer that is lost or torn costs time at the next start and nothing else: it is not waited for. */
  async #finish(): Promise<void> {
    const file = this.#file;
    const segment = this.#segment;
    if (file === null || segment === null) return;
    this.#file = null;
    this.#segment = null;
    const footerAt = this.#offset;
    this.#offset = 0;
    const footer = encodeFooter(Buffer.concat(this.#records));
    let written = true;
    try {
      await writeFully(file, [footer], footerAt);
    } catch {
      written = false;
    } finally {
      await file.close().catch(() => {});
      this.#options.onSeal(segment, written ? footer.length : 0, written ? footerAt : null);
    }
  }
}

/** `writev` may write less than it was given. */
async function writeFully(file: FileHandle, parts: Buffer[], position: number): Promise<void> {
  let rest = parts;
  let at = position;
  while (rest.length > 0) {
    let count = 0;
    for (let bytes = 0; count < rest.length && bytes < WRITE_BYTES; count++) bytes += rest[count]!.length;
    let { bytesWritten } = await file.writev(rest.slice(0, count), at);
    at += bytesWritten;
    let whole = 0;
    while (whole < count && bytesWritten >= rest[whole]!.length) bytesWritten -= rest[whole++]!.length;
    rest = rest.slice(whole);
    if (bytesWritten > 0) rest[0] = rest[0]!.subarray(bytesWritten);
  }
}
