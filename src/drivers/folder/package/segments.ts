import type { FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { hashBlock } from '../../../model/block-map.ts';
import { openPlain } from '../files.ts';
import { unpackBody } from './body.ts';
import { type Coding, HEADER_BYTES, type Place, type RecordCodec, type RecordHead } from './record.ts';

/** A segment takes no further record when it has so many bytes. */
export const SEGMENT_BYTES = 256 * 1024 * 1024;
export const SEGMENTS_FOLDER = 'segments';
export const CONTENTS = 'contents';

export function segmentPath(folder: string, number: number): string {
  return join(folder, SEGMENTS_FOLDER, `${String(number).padStart(6, '0')}.seg`);
}

export interface ReadRecord extends Place {
  head: RecordHead;
  coding: Coding;
  /** Of the body, as the header says. */
  length: number;
  /** Where the next record begins. */
  end: number;
}

/**
 * What is at a place of a file: null where it is no whole record of this package. With `verify` the body is read as
 * well and has to be what the head says.
 */
export async function readRecord(
  file: FileHandle,
  size: number,
  place: Place,
  codec: RecordCodec,
  verify: boolean,
): Promise<(ReadRecord & { body: Buffer | null }) | null> {
  const front = Buffer.alloc(HEADER_BYTES + codec.headBytes);
  const { bytesRead } = await file.read(front, 0, front.length, place.offset);
  if (bytesRead < front.length) return null;
  const header = codec.header(front);
  if (header === null) return null;
  const end = place.offset + codec.sizeOf(header.length);
  if (end > size) return null;
  const head = codec.head(place, header, front.subarray(HEADER_BYTES));
  if (head === null) return null;
  const { coding, length } = header;
  const record = { ...place, head, coding, length, end };
  if (!verify && (coding === 'stored' || coding === 'zstd')) return { ...record, body: null };
  const sealed = Buffer.allocUnsafeSlow(codec.bodyBytes(length));
  const read = await file.read(sealed, 0, sealed.length, place.offset + front.length);
  const body = read.bytesRead < sealed.length ? null : codec.body(place, header, sealed);
  if (body === null) return null;
  if (coding === 'same' || coding === 'anew') return { ...record, body };
  const data = await unpackBody(coding, body);
  return data === null || !hashBlock(data).equals(head.hash) ? null : { ...record, body: data };
}

/** All records of a file from its begin on, as far as they are whole. */
export async function* scan(
  path: string,
  number: number,
  codec: RecordCodec,
  verify: boolean,
): AsyncGenerator<ReadRecord & { body: Buffer | null }> {
  await using file = await openPlain(path);
  const { size } = await file.stat();
  for (let offset = 0; offset < size; ) {
    const record = await readRecord(file, size, { file: number, offset }, codec, verify);
    if (record === null) return;
    yield record;
    offset = record.end;
  }
}
