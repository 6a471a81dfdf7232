import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { looksRandom } from './randomness.ts';

const MIB = 1024 * 1024;
const words = Buffer.from(Array.from({ length: MIB / 8 }, (_, at) => `${(at * 7919) % 99991} `).join(''));

describe('what looks random', () => {
  test('random bytes do, each time', () => {
    for (let round = 0; round < 200; round++) expect(looksRandom(randomBytes(MIB), 509)).toBe(true);
    for (let round = 0; round < 200; round++) expect(looksRandom(randomBytes(64 * 1024), 17)).toBe(true);
  });

  test.each([
    ['zeros', Buffer.alloc(MIB)],
    ['text', words],
    ['a counter', Buffer.from(Array.from({ length: MIB }, (_, at) => at & 0xff))],
    ['random bytes of which a fifth is zero', Buffer.concat([randomBytes(MIB * 0.8), Buffer.alloc(MIB * 0.2)])],
  ])('%s do not', (_name, data) => {
    expect(looksRandom(data, 509)).toBe(false);
  });
});
