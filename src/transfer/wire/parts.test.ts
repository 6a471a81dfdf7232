import { describe, expect, it } from 'vitest';
import { BLOCK_BYTES } from '../../model/block-map.ts';
import { decodeStreams, decodeStretches, encodeStreams, encodeStretches } from './parts.ts';

const payloadOf = (frame: Buffer) => frame.subarray(8);

describe('asking for parts of blocks', () => {
  it('comes out as it went in', () => {
    const stretches = [
      { disk: 0, index: 7, offset: 0, length: 65536 },
      { disk: 3, index: 0xfffffffe, offset: BLOCK_BYTES - 1, length: 1 },
    ];
    expect(decodeStretches(payloadOf(encodeStretches(stretches)))).toEqual(stretches);
    expect(decodeStreams(payloadOf(encodeStreams(64)))).toBe(64);
  });

  it.each([
    ['nothing', 0, 0],
    ['what goes over the end', BLOCK_BYTES - 1, 2],
    ['what begins behind it', BLOCK_BYTES, 1],
    ['sums that overflow', 0xffffffff, 0xffffffff],
  ])('refuses %s', (_, offset, length) => {
    const payload = payloadOf(encodeStretches([{ disk: 0, index: 0, offset, length }]));
    expect(() => decodeStretches(payload)).toThrow('are no part');
  });

  it('refuses lists and numbers that are cut off', () => {
    expect(() => decodeStretches(Buffer.alloc(15))).toThrow('no list of parts');
    expect(() => decodeStreams(Buffer.alloc(3))).toThrow('has 4 bytes');
  });
});
