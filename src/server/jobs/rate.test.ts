import { expect, test } from 'vitest';
import { createRate } from './rate.ts';

test('the rate is that of the last ten seconds, not of the whole job', () => {
  let now = 0;
  const measure = createRate(() => now);
  let rate = measure(0, 1_000_000);
  expect(rate).toEqual({});
  for (let second = 1; second <= 60; second++) {
    now = second * 1000;
    rate = measure(second * 1000, 1_000_000);
  }
  expect(rate).toEqual({ bytesPerSecond: 1000, etaSeconds: 940 });
  for (let second = 61; second <= 80; second++) {
    now = second * 1000;
    rate = measure(60_000 + (second - 60) * 5000, 1_000_000);
  }
  expect(rate.bytesPerSecond).toBe(5000);
});

test('a job that stands still has the rate zero and no time of arrival', () => {
  let now = 0;
  const measure = createRate(() => now);
  measure(5000, 10_000);
  now = 20_000;
  measure(5000, 10_000);
  now = 25_000;
  expect(measure(5000, 10_000)).toEqual({ bytesPerSecond: 0 });
});

test('progress that falls back, as after a retry, begins a new measure', () => {
  let now = 0;
  const measure = createRate(() => now);
  measure(9000, 10_000);
  now = 1000;
  expect(measure(100, 10_000)).toEqual({});
});
