import { BLOCK_BYTES } from '../../model/block-map.ts';
import { encodeFrame, type Place, unspeakable } from './wire.ts';

/** Some bytes of a block. */
export interface Stretch extends Place {
  offset: number;
  length: number;
}

const STRETCH_BYTES = 16;

export function encodeStretches(stretches: readonly Stretch[]): Buffer {
  const words = stretches.flatMap(({ disk, index, offset, length }) => [disk, index, offset, length]);
  const payload = Buffer.alloc(words.length * 4);
  for (const [at, word] of words.entries()) payload.writeUInt32BE(word, at * 4);
  return encodeFrame('askParts', payload);
}

/** Stretches that lie within a block. */
export function decodeStretches(payload: Buffer): Stretch[] {
  if (payload.length % STRETCH_BYTES !== 0) throw unspeakable(`${payload.length} bytes are no list of parts`);
  const stretches: Stretch[] = [];
  for (let at = 0; at < payload.length; at += STRETCH_BYTES) {
    const offset = payload.readUInt32BE(at + 8);
    const length = payload.readUInt32BE(at + 12);
    if (length === 0 || offset + length > BLOCK_BYTES) throw unspeakable(`${length} bytes at ${offset} are no part`);
    stretches.push({ disk: payload.readUInt32BE(at), index: payload.readUInt32BE(at + 4), offset, length });
  }
  return stretches;
}

/** How many connections the receiver wants. */
export function encodeStreams(count: number): Buffer {
  const payload = Buffer.alloc(4);
  payload.writeUInt32BE(count);
  return encodeFrame('streams', payload);
}

export function decodeStreams(payload: Buffer): number {
  if (payload.length !== 4) throw unspeakable('a number of connections has 4 bytes');
  return payload.readUInt32BE();
}
