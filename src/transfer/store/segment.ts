import { crc32 } from 'node:zlib';
import { BLOCK_BYTES } from '../../model/block-map.ts';

/**
 * A segment is a file of one owner, begun by one transfer:
 *
 *     head     512 bytes: magic `CSSG` · version u32 · length of JSON u32 · JSON {owner, transfer, key?} · zeros · CRC-32 u32
 *     records  64 bytes: magic `CSRB` · kind u32 · length u32 · zeros u32 · id · zeros · CRC-32 of these 60 bytes
 *              and then `length` bytes of data
 *     footer   64 bytes: magic `CSFB` and zeros; the 64 bytes of every record once more; 64 bytes: magic `CSFE` · number of
 *              records u32 · CRC-32 of the repeated records u32 · zeros · CRC-32 of these 60 bytes
 *
 * Numbers are big-endian. The id is the block's SHA-256, or, where `key` names the owner's key, what `sealing.ts` makes of
 * it. Only a segment that is written no more has a footer. Nothing is overwritten but the kind of a record that turned
 * out to be damaged; the footer is then cut off. The name tells what it is: `.segment` belongs to a transfer, `.cache` to
 * none any longer, `.references` holds records without data: blocks in other segments that a transfer needs.
 */
export const SEGMENT_BYTES = 64 * 1024 * 1024;
export const HEAD_BYTES = 512;
export const RECORD_BYTES = 64;

const SEGMENT_MAGIC = 0x43535347;
const RECORD_MAGIC = 0x43535242;
const FOOTER_MAGIC = 0x43534642;
const END_MAGIC = 0x43534645;
const VERSION = 1;

export type RecordKind = 'data' | 'reference' | 'damaged';
const kinds: readonly RecordKind[] = ['data', 'reference', 'damaged'];

export interface SegmentHead {
  owner: string;
  transfer: string;
  /** Name of the key under which ids and data are encrypted. */
  key?: string;
}

export interface SegmentRecord {
  kind: RecordKind;
  id: Buffer;
  /** Where the data begins in the file. */
  offset: number;
  length: number;
}

export function encodeHead({ owner, transfer, key }: SegmentHead): Buffer {
  const json = Buffer.from(JSON.stringify({ owner, transfer, key }));
  const bytes = Buffer.alloc(HEAD_BYTES);
  if (json.length > HEAD_BYTES - 16) throw new RangeError('the names of owner and transfer are too long for a segment');
  bytes.writeUInt32BE(SEGMENT_MAGIC, 0);
  bytes.writeUInt32BE(VERSION, 4);
  bytes.writeUInt32BE(json.length, 8);
  json.copy(bytes, 12);
  return withSum(bytes);
}

/** Null for anything that is not a whole head. */
export function decodeHead(bytes: Buffer): SegmentHead | null {
  if (bytes.length < HEAD_BYTES || bytes.readUInt32BE(0) !== SEGMENT_MAGIC || bytes.readUInt32BE(4) !== VERSION) {
    return null;
  }
  if (!hasSum(bytes)) return null;
  const head = JSON.parse(bytes.toString('utf8', 12, 12 + bytes.readUInt32BE(8))) as SegmentHead;
  const { owner, transfer, key } = head;
  return key === undefined ? { owner, transfer } : { owner, transfer, key };
}

export function encodeRecord(kind: RecordKind, id: Uint8Array, length: number): Buffer {
  const bytes = Buffer.alloc(RECORD_BYTES);
  bytes.writeUInt32BE(RECORD_MAGIC, 0);
  bytes.writeUInt32BE(kinds.indexOf(kind), 4);
  bytes.writeUInt32BE(length, 8);
  bytes.set(id, 16);
  return withSum(bytes);
}

/** Null for anything that is not a whole record. `at`: where it begins in the file. */
export function decodeRecord(bytes: Buffer, at: number): SegmentRecord | null {
  if (bytes.readUInt32BE(0) !== RECORD_MAGIC || !hasSum(bytes)) return null;
  const kind = kinds[bytes.readUInt32BE(4)];
  const length = bytes.readUInt32BE(8);
  if (kind === undefined || length > BLOCK_BYTES) return null;
  return { kind, id: Buffer.from(bytes.subarray(16, 48)), offset: at + RECORD_BYTES, length };
}

export function footerBytes(records: number): number {
  return RECORD_BYTES * (records + 2);
}

/** @param records the 64 bytes of every record, in order. */
export function encodeFooter(records: Buffer): Buffer {
  const begin = Buffer.alloc(RECORD_BYTES);
  begin.writeUInt32BE(FOOTER_MAGIC, 0);
  const end = Buffer.alloc(RECORD_BYTES);
  end.writeUInt32BE(END_MAGIC, 0);
  end.writeUInt32BE(records.length / RECORD_BYTES, 4);
  end.writeUInt32BE(crc32(records), 8);
  return Buffer.concat([begin, records, withSum(end)]);
}

/** How many bytes at the end of the file are its footer, by its last 64 bytes; 0 when there is none. */
export function footerLength(end: Buffer): number {
  if (end.length < RECORD_BYTES || end.readUInt32BE(0) !== END_MAGIC || !hasSum(end)) return 0;
  return footerBytes(end.readUInt32BE(4));
}

/** The records of a segment whose footer begins at `start`; null unless they fill the file exactly up to there. */
export function decodeFooter(footer: Buffer, start: number): SegmentRecord[] | null {
  const records = footer.subarray(RECORD_BYTES, footer.length - RECORD_BYTES);
  if (crc32(records) !== footer.readUInt32BE(footer.length - RECORD_BYTES + 8)) return null;
  const found: SegmentRecord[] = [];
  let at = HEAD_BYTES;
  for (let from = 0; from < records.length; from += RECORD_BYTES) {
    const record = decodeRecord(records.subarray(from, from + RECORD_BYTES), at);
    if (record === null) return null;
    found.push(record);
    at = record.offset + record.length;
  }
  return at === start ? found : null;
}

function withSum(bytes: Buffer): Buffer {
  bytes.writeUInt32BE(crc32(bytes.subarray(0, bytes.length - 4)), bytes.length - 4);
  return bytes;
}

function hasSum(bytes: Buffer): boolean {
  return crc32(bytes.subarray(0, bytes.length - 4)) === bytes.readUInt32BE(bytes.length - 4);
}
