import { expect, test } from 'vitest';
import { createMisses } from './misses.ts';

test('a miss is remembered for its cloud and id, for a short while, and the oldest make room', () => {
  let now = 0;
  const misses = createMisses(() => now);
  misses.add('a', 'vm-1');
  expect([misses.has('a', 'vm-1'), misses.has('b', 'vm-1'), misses.has('a', 'vm-2')]).toEqual([true, false, false]);
  now = 15_001;
  expect(misses.has('a', 'vm-1')).toBe(false);
  for (let index = 0; index <= 10_000; index++) misses.add('a', `guess-${index}`);
  expect([misses.has('a', 'guess-0'), misses.has('a', 'guess-1')]).toEqual([false, true]);
});
