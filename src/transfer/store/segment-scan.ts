import { type FileHandle, open } from 'node:fs/promises';
import { BLOCK_BYTES } from '../../model/block-map.ts';
import {
  decodeFooter,
  decodeHead,
  decodeRecord,
  encodeFooter,
  encodeRecord,
  footerLength,
  HEAD_BYTES,
  RECORD_BYTES,
  type SegmentHead,
  type SegmentRecord,
} from './segment.ts';

/** What is read from the end of a file at first: the footer of a segment of whole blocks is smaller. */
const TAIL_BYTES = 8192;

export interface SegmentContent {
  head: SegmentHead;
  records: SegmentRecord[];
  /** Bytes of the whole file. */
  bytes: number;
  usedAt: number;
  /** It has a footer: everything that it names was durable before. */
  sealed: boolean;
}

/**
 * Reads what a segment says of itself: its footer, else the head of each record, and then cuts a torn end off. Null for a
 * file without a head.
 */
export async function scanSegment(path: string): Promise<SegmentContent | null> {
  const file = await open(path, 'r+');
  try {
    const { size, mtimeMs: usedAt } = await file.stat();
    const first = Buffer.alloc(HEAD_BYTES);
    await file.read(first, 0, HEAD_BYTES, 0);
    const head = decodeHead(first);
    if (head === null) return null;
    const sealed = await readFooter(file, size);
    if (sealed !== null) return { head, records: sealed, bytes: size, usedAt, sealed: true };
    const { records, end } = await readRecords(file, size);
    if (end < size) {
      await file.truncate(end);
      await file.datasync();
    }
    return { head, records, bytes: end, usedAt, sealed: false };
  } finally {
    await file.close();
  }
}

async function readFooter(file: FileHandle, size: number): Promise<SegmentRecord[] | null> {
  let tail = Buffer.alloc(Math.min(TAIL_BYTES, size - HEAD_BYTES));
  await file.read(tail, 0, tail.length, size - tail.length);
  const length = footerLength(tail.subarray(Math.max(0, tail.length - RECORD_BYTES)));
  if (length === 0 || length > size - HEAD_BYTES) return null;
  if (length > tail.length) {
    tail = Buffer.alloc(length);
    await file.read(tail, 0, length, size - length);
  }
  return decodeFooter(tail.subarray(tail.length - length), size - length);
}

async function readRecords(file: FileHandle, size: number): Promise<{ records: SegmentRecord[]; end: number }> {
  const records: SegmentRecord[] = [];
  const header = Buffer.alloc(RECORD_BYTES);
  let at = HEAD_BYTES;
  while (at + RECORD_BYTES <= size) {
    await file.read(header, 0, RECORD_BYTES, at);
    const record = decodeRecord(header, at);
    if (record === null || record.offset + record.length > size) break;
    records.push(record);
    at = record.offset + record.length;
  }
  return { records, end: at };
}

/**
 * For a segment that may have been written to when the machine stopped: marks the records whose data are not what they
 * say, and gives it its footer. Answers the records, and the bytes of the file then.
 */
export async function proveSegment(
  path: string,
  records: readonly SegmentRecord[],
  isWhole: (id: Buffer, data: Buffer) => boolean,
): Promise<{ records: SegmentRecord[]; bytes: number }> {
  const file = await open(path, 'r+');
  try {
    const data = Buffer.allocUnsafe(BLOCK_BYTES);
    const proven: SegmentRecord[] = [];
    for (const record of records) {
      let { kind } = record;
      if (kind === 'data') {
        const { bytesRead } = await file.read(data, 0, record.length, record.offset);
        if (bytesRead !== record.length || !isWhole(record.id, data.subarray(0, record.length))) kind = 'damaged';
      }
      if (kind !== record.kind) await markDamaged(file, record);
      proven.push({ ...record, kind });
    }
    const last = proven.at(-1);
    const end = last === undefined ? HEAD_BYTES : last.offset + last.length;
    await file.datasync();
    const footer = encodeFooter(Buffer.concat(proven.map(({ kind, id, length }) => encodeRecord(kind, id, length))));
    await file.write(footer, 0, footer.length, end);
    await file.truncate(end + footer.length);
    return { records: proven, bytes: end + footer.length };
  } finally {
    await file.close();
  }
}

/** Makes the loss of a record's data durable, so that it is not found again after a restart. The footer is cut off. */
export async function dropRecord(path: string, record: SegmentRecord, end: number | null): Promise<void> {
  const file = await open(path, 'r+');
  try {
    await markDamaged(file, record);
    if (end !== null) await file.truncate(end);
    await file.datasync();
  } finally {
    await file.close();
  }
}

async function markDamaged(file: FileHandle, { id, length, offset }: SegmentRecord): Promise<void> {
  await file.write(encodeRecord('damaged', id, length), 0, RECORD_BYTES, offset - RECORD_BYTES);
}
