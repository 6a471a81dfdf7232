import { describe, expect, it } from 'vitest';
import { BLOCK_BYTES } from '../../model/block-map.ts';
import {
  depthBytes,
  firstPlan,
  LEAST_STREAMS,
  MOST_STREAMS,
  nextPlan,
  partBytes,
  type StreamsPlan,
} from './streams.ts';

const MB = 1e6;

/** Measures every 100 ms over a way that gives `rate` to so many streams. */
function travel(
  seconds: number,
  roundTripSeconds: number,
  rate: (streams: number, at: number) => number,
  begin: StreamsPlan = firstPlan(0, roundTripSeconds),
  busy = true,
): { plan: StreamsPlan; most: number; at: number } {
  let plan = begin;
  let most = 0;
  let at = begin.since;
  for (const end = at + seconds; at < end; at += 0.1) {
    plan = nextPlan(plan, { at, bytesPerSecond: rate(plan.streams, at), busy, roundTripSeconds });
    most = Math.max(most, plan.streams);
  }
  return { plan, most, at };
}

/** Each stream brings so much, up to what the line carries. */
const line =
  (each: number, all = 25 * MB) =>
  (streams: number) =>
    Math.min(all, streams * each);

describe('the number of connections', () => {
  it('stays small where few fill the way', () => {
    expect(travel(60, 0.0005, line(100 * MB)).plan.streams).toBe(LEAST_STREAMS);
  });

  it('grows to the most where every one of them brings little', () => {
    expect(travel(15, 0.25, line(0.07 * MB)).plan.streams).toBe(MOST_STREAMS);
  });

  it('grows until the way is full, and no further for long', () => {
    const { plan } = travel(30, 0.1, line(0.7 * MB));
    expect(plan.streams * 0.7 * MB).toBeGreaterThanOrEqual(22 * MB);
  });

  it('begins with more the longer the way is', () => {
    const first = [0.0005, 0.02, 0.1].map((roundTrip) => firstPlan(0, roundTrip).streams);
    expect(first).toEqual([4, 8, 16]);
  });

  it('is not changed by what cannot be the fault of the way', () => {
    const { plan } = travel(60, 0.1, line(0.1 * MB), undefined, false);
    expect(plan.streams).toBe(16);
  });

  it('is raised again when the streams lose their pace', () => {
    const before = travel(20, 0.1, line(5 * MB));
    expect(before.plan.streams).toBeLessThanOrEqual(32);
    const after = travel(8, 0.1, line(0.4 * MB), { ...before.plan, since: before.at });
    expect(after.plan.streams).toBe(MOST_STREAMS);
  });

  it('falls in the end when fewer do as well', () => {
    const { plan } = travel(1000, 0.02, line(100 * MB), {
      ...firstPlan(0, 0.02),
      streams: MOST_STREAMS,
      nextMore: 1e9,
    });
    expect(plan.streams).toBe(LEAST_STREAMS);
  });

  it('tries in vain ever more seldom', () => {
    let trials = 0;
    let last = LEAST_STREAMS;
    travel(600, 0.0005, (streams) => {
      if (streams > last) trials++;
      last = streams;
      return 100 * MB;
    });
    expect(trials).toBeLessThan(10);
  });
});

describe('what a connection is asked for ahead', () => {
  it('covers what is on its way twice, whatever its pace', () => {
    for (const roundTripSeconds of [0.02, 0.1, 0.25]) {
      const bytesPerSecond = 2 * MB;
      const depth = depthBytes({ bytesPerSecond, roundTripSeconds, lanes: 16 });
      expect(depth).toBeGreaterThanOrEqual(Math.min(2 * bytesPerSecond * roundTripSeconds, 2.5 * BLOCK_BYTES));
    }
  });

  it('stays within the memory of one transfer over a long way', () => {
    for (const lanes of [4, 16, 64]) {
      const depth = depthBytes({ bytesPerSecond: 1000 * MB, roundTripSeconds: 0.25, lanes });
      expect(depth * lanes).toBeLessThanOrEqual(48 * BLOCK_BYTES);
    }
  });

  it('is whole blocks over a short way and parts over a long one', () => {
    expect([0.0005, 0.02, 0.1].map(partBytes)).toEqual([BLOCK_BYTES, BLOCK_BYTES / 8, BLOCK_BYTES / 16]);
  });

  it('leaves a slow connection little, so that no block waits for it', () => {
    const depth = depthBytes({ bytesPerSecond: 0.05 * MB, roundTripSeconds: 0.25, lanes: 64 });
    expect(depth).toBe(2 * partBytes(0.25));
  });
});
