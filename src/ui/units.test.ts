import { describe, expect, it } from 'vitest';
import { bytesText, secondsBetween, secondsText } from './units.ts';

describe('units', () => {
  it('writes bytes with the unit in which they are easy to read', () => {
    expect([0, 512, 1024, 224 * 1024 ** 2, 1024 ** 5].map(bytesText)).toEqual([
      '0 B',
      '512 B',
      '1 KiB',
      '224 MiB',
      '1 PiB',
    ]);
  });

  it('writes a time that is left as a clock would', () => {
    expect([-3, 7.4, 750, 11_100].map(secondsText)).toEqual(['0:00', '0:07', '12:30', '3:05:00']);
  });

  it('counts up to now while the end is still to come', () => {
    const from = '2026-01-01T00:00:00.000Z';
    expect(secondsBetween(from, '2026-01-01T00:00:05.000Z')).toBe(5);
    expect(secondsBetween(from, undefined, Date.parse(from) + 2_500)).toBe(2.5);
    expect(secondsBetween(undefined, undefined)).toBeUndefined();
  });
});
