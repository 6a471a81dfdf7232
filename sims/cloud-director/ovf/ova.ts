import { createReadStream } from 'node:fs';

/** A part of an OVA: bytes made here or a file of known length. */
type Segment = { bytes: Buffer } | { path: string; length: number };

export interface OvaMember {
  name: string;
  bytes: number;
  path: string;
}

function tarHeader(name: string, bytes: number): Buffer {
  const block = Buffer.alloc(512);
  block.write(name.slice(0, 100), 0, 'utf8');
  block.write('0000644\0' + '0000000\0' + '0000000\0', 100, 'latin1');
  if (bytes < 8 ** 11) {
    block.write(`${bytes.toString(8).padStart(11, '0')}\0`, 124, 'latin1');
  } else {
    // GNU base-256 form for members of 8 GiB and more.
    block.writeUInt8(0x80, 124);
    block.writeBigUInt64BE(BigInt(bytes), 128);
  }
  block.write('00000000000\0        0', 136, 'latin1');
  block.write('ustar\u000000', 257, 'latin1');
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return block;
}

function segmentsOf(members: readonly OvaMember[]): Segment[] {
  const segments = members.flatMap((member): Segment[] => [
    { bytes: tarHeader(member.name, member.bytes) },
    { path: member.path, length: member.bytes },
    { bytes: Buffer.alloc((512 - (member.bytes % 512)) % 512) },
  ]);
  return [...segments, { bytes: Buffer.alloc(1024) }];
}

function lengthOf(segment: Segment): number {
  return 'bytes' in segment ? segment.bytes.length : segment.length;
}

/** Exact size of the archive. */
export function ovaBytes(members: readonly OvaMember[]): number {
  return segmentsOf(members).reduce((sum, segment) => sum + lengthOf(segment), 0);
}

/** The bytes `first` to `last` (inclusive) of the archive, made as they are read. */
export async function* readOva(members: readonly OvaMember[], first: number, last: number): AsyncGenerator<Buffer> {
  let at = 0;
  for (const segment of segmentsOf(members)) {
    const length = lengthOf(segment);
    const start = Math.max(0, first - at);
    const end = Math.min(length - 1, last - at);
    at += length;
    if (start > end) continue;
    if ('bytes' in segment) yield segment.bytes.subarray(start, end + 1);
    else yield* createReadStream(segment.path, { start, end, highWaterMark: 256 * 1024 }) as AsyncIterable<Buffer>;
  }
}
