import { describe, expect, it } from 'vitest';
import { hashBlock } from '../../model/block-map.ts';
import { randomNumbers } from '../sample-transfer.ts';
import { BlockIndex, EntrySet, NONE } from './block-index.ts';

function idOf(number: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(number);
  return hashBlock(bytes);
}

describe('the index of blocks', () => {
  it('agrees with a map through additions, removals and moves in any order', () => {
    const index = new BlockIndex();
    const truth = new Map<number, { entry: number; segment: number; offset: number; length: number }>();
    const random = randomNumbers(7);
    for (let step = 0; step < 40_000; step++) {
      const number = Math.floor(random() * 3000);
      const known = truth.get(number);
      const place = { segment: step % 77, offset: step * 64, length: step % 5000 };
      if (known === undefined) truth.set(number, { entry: index.add(idOf(number), place, NONE), ...place });
      else if (random() < 0.6) {
        index.remove(known.entry);
        truth.delete(number);
      } else {
        index.move(known.entry, place);
        truth.set(number, { entry: known.entry, ...place });
      }
    }
    expect(index.size).toBe(truth.size);
    for (let number = 0; number < 3000; number++) {
      const known = truth.get(number);
      const entry = index.find(idOf(number));
      expect(entry).toBe(known?.entry ?? NONE);
      if (known === undefined) continue;
      expect(index.id(entry).equals(idOf(number))).toBe(true);
      expect([index.segment(entry), index.offset(entry), index.length(entry)]).toEqual([
        known.segment,
        known.offset,
        known.length,
      ]);
    }
  });

  it('finds ids that begin alike, also after one between them was removed', () => {
    const index = new BlockIndex();
    const ids = Array.from({ length: 50 }, (_, at) => Buffer.alloc(32, 0).fill(at + 1, 31));
    const entries = ids.map((id) => index.add(id, { segment: 0, offset: 0, length: 0 }, NONE));
    for (const at of [0, 10, 11, 49]) index.remove(entries[at]!);
    for (const [at, id] of ids.entries()) {
      expect(index.find(id)).toBe([0, 10, 11, 49].includes(at) ? NONE : entries[at]);
    }
  });

  it('counts references of an entry', () => {
    const index = new BlockIndex();
    const entry = index.add(idOf(1), { segment: 1, offset: 2, length: 3 }, NONE);
    expect([index.refer(entry, 1), index.refer(entry, 1), index.refer(entry, -1)]).toEqual([1, 2, 1]);
    index.remove(entry);
    expect(index.references(index.add(idOf(2), { segment: 1, offset: 2, length: 3 }, NONE))).toBe(0);
  });

  it('takes less than 100 bytes a block', () => {
    const index = new BlockIndex();
    const id = Buffer.alloc(32);
    const random = randomNumbers(3);
    for (let number = 0; number < 300_000; number++) {
      id.writeUInt32LE(Math.floor(random() * 2 ** 32), 0);
      id.writeUInt32LE(number, 4);
      index.add(id, { segment: number >> 6, offset: number, length: 1 }, NONE);
      if (number > 1000 && number % 10_000 === 0) expect(index.bytes / index.size).toBeLessThan(100);
    }
  });
});

describe('a set of entries', () => {
  it('holds what was added and not deleted, in ascending order', () => {
    const set = new EntrySet();
    for (const entry of [900, 0, 31, 32, 63, 5000]) set.add(entry);
    set.delete(32);
    set.delete(100_000);
    expect([...set]).toEqual([0, 31, 63, 900, 5000]);
    expect(set.has(31)).toBe(true);
    expect(set.has(32) || set.has(100_000)).toBe(false);
  });
});
