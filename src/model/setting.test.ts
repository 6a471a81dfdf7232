import { expect, test } from 'vitest';
import { nameOfMoved } from './setting.ts';

/** As vCenter stores it. */
const stored = (name: string) => name.replace(/[%/\\]/g, (character) => encodeURIComponent(character));

test.each([
  ['web', 'web (moved, job 12)'],
  ['x'.repeat(80), `${'x'.repeat(64)} (moved, job 12)`],
  ['a/b%c\\d', 'a/b%c\\d (moved, job 12)'],
  ['/'.repeat(80), `${'/'.repeat(21)} (moved, job 12)`],
  ['ü'.repeat(80), `${'ü'.repeat(64)} (moved, job 12)`],
])('%s is cut where vCenter would refuse it', (name, moved) => {
  expect(nameOfMoved(name, 12)).toBe(moved);
  expect(stored(moved).length).toBeLessThanOrEqual(80);
});
