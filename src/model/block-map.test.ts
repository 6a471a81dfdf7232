import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { BLOCK_BYTES, BlockMap, blockCount, hashBlock, isZero } from './block-map.ts';
import vectors from './block-map.vectors.json' with { type: 'json' };

const block = (fill: number) => Buffer.alloc(BLOCK_BYTES, fill);

function mapOf(vector: (typeof vectors)[number]): BlockMap {
  const map = new BlockMap(vector.kind as 'disk' | 'file', vector.lengthBytes);
  for (const [index, fill] of Object.entries(vector.fills)) map.set(Number(index), hashBlock(block(fill)));
  return map;
}

/** The formula of the design, written down a second time. */
function rootByHand(map: BlockMap): string {
  const parts: Buffer[] = [Buffer.from('cloudspan-map-1'), Buffer.from([map.kind === 'disk' ? 0 : 1])];
  parts.push(Buffer.from([0x00, 0x10, 0x00, 0x00]));
  if (map.kind === 'file') {
    const length = Buffer.alloc(8);
    length.writeUIntBE(map.lengthBytes, 2, 6);
    parts.push(length);
  }
  const entries = Array.from({ length: map.blocks }, (_, index) => map.get(index) ?? Buffer.alloc(32));
  while (map.kind === 'disk' && entries.length > 0 && entries.at(-1)!.equals(Buffer.alloc(32))) entries.pop();
  return createHash('sha256')
    .update(Buffer.concat([...parts, ...entries]))
    .digest('hex');
}

describe('a block map', () => {
  it.each(vectors)('has the root of its test vector: $name', (vector) => {
    const map = mapOf(vector);
    expect(map.root()).toBe(vector.root);
    expect(rootByHand(map)).toBe(vector.root);
  });

  it('keeps the root of a disk when a cloud rounds it up, and not that of a file', () => {
    const roots = (kind: 'disk' | 'file') =>
      [5, 6, 4000].map((blocks) => {
        const map = new BlockMap(kind, blocks * BLOCK_BYTES - 3);
        map.set(1, hashBlock(block(1)));
        return map.root();
      });
    expect(new Set(roots('disk')).size).toBe(1);
    expect(new Set(roots('file')).size).toBe(3);
  });

  it('grows with the entries that are set and gives zero for all others', () => {
    const map = new BlockMap('disk', 5000 * BLOCK_BYTES);
    map.set(4999, hashBlock(block(9)));
    map.set(0, hashBlock(block(1)));
    expect(map.get(4999)?.equals(hashBlock(block(9)))).toBe(true);
    expect(map.get(4998)).toBeNull();
    expect(map.used).toBe(5000);
    expect(map.dataBytes()).toBe(2 * BLOCK_BYTES);
    expect(() => map.set(5000, hashBlock(block(1)))).toThrow(RangeError);
    expect(() => map.set(-1, hashBlock(block(1)))).toThrow(RangeError);
  });

  it('is the same after its entries went through bytes', () => {
    const map = mapOf(vectors.find(({ name }) => name.includes('hole'))!);
    const copy = BlockMap.fromEntries(map.kind, map.lengthBytes, map.entries());
    expect(copy.root()).toBe(map.root());
    copy.set(copy.blocks - 1, hashBlock(block(3)));
    expect(copy.root()).not.toBe(map.root());
    expect(() => BlockMap.fromEntries('disk', BLOCK_BYTES, Buffer.alloc(64))).toThrow(RangeError);
    expect(() => BlockMap.fromEntries('disk', BLOCK_BYTES, Buffer.alloc(31))).toThrow(RangeError);
  });

  it('counts blocks and finds a single bit that is not zero', () => {
    expect([0, 1, BLOCK_BYTES, BLOCK_BYTES + 1].map(blockCount)).toEqual([0, 1, 1, 2]);
    const data = Buffer.alloc(2 * BLOCK_BYTES + 7);
    expect(isZero(data)).toBe(true);
    expect(isZero(new Uint8Array(0))).toBe(true);
    for (const at of [0, BLOCK_BYTES - 1, BLOCK_BYTES, data.length - 1]) {
      data[at] = 1;
      expect(isZero(data)).toBe(false);
      data[at] = 0;
    }
  });

  it('holds entries anywhere in a large disk, and gives the same root when it is read back', () => {
    const map = new BlockMap('disk', 100 * 1024 ** 3 + 5 * BLOCK_BYTES);
    const places = [0, 1023, 1024, 5000, 102_400, 102_404];
    for (const index of places.toReversed()) map.set(index, hashBlock(block((index % 255) + 1)));
    const again = BlockMap.fromEntries('disk', map.lengthBytes, map.entries());
    expect(map.entries().length).toBe(102_405 * 32);
    expect(places.map((index) => again.get(index))).toEqual(places.map((index) => map.get(index)));
    expect([2, 1022, 1025, 99_999, 102_405].map((index) => again.get(index))).toEqual([null, null, null, null, null]);
    expect(again.root()).toBe(map.root());
    expect(map.root()).toBe(rootByHand(map));
    for (const index of [102_404, 102_400, 5000]) again.set(index, Buffer.alloc(32));
    expect(again.used).toBe(1025);
    expect(again.dataBytes()).toBe(3 * BLOCK_BYTES);
  });
});
