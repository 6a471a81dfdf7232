import { expect, test } from 'vitest';
import { bytesPerSecondAt, type Limit, weightOf } from './limit.ts';

const at = (limit: Limit | null, time: string) => {
  const bytes = bytesPerSecondAt(limit, Date.parse(time));
  return bytes === null ? null : bytes * 8;
};

const office: Limit = {
  bitsPerSecond: null,
  timeZone: 'Europe/Berlin',
  windows: [
    { days: ['fri'], from: '12:00', to: '13:00', bitsPerSecond: 0 },
    { days: ['mon', 'tue', 'wed', 'thu', 'fri'], from: '08:00', to: '18:00', bitsPerSecond: 20e6 },
    { days: ['sat'], from: '22:00', to: '06:00', bitsPerSecond: 5e6 },
    { days: ['sun'], from: '20:00', to: '24:00', bitsPerSecond: 7e6 },
  ],
};

test('no limit is no limit, and one without windows holds always', () => {
  expect(at(null, '2026-11-21T12:00:00Z')).toBe(null);
  expect(at({ bitsPerSecond: 1e9, windows: [] }, '2026-11-21T12:00:00Z')).toBe(1e9);
  expect(at({ bitsPerSecond: 0, windows: [] }, '2026-11-21T12:00:00Z')).toBe(0);
});

test('windows hold from their first minute to before their last, by the clock of their time zone', () => {
  expect(at(office, '2026-11-23T06:59:59Z')).toBe(null);
  expect(at(office, '2026-11-23T07:00:00Z')).toBe(20e6);
  expect(at(office, '2026-11-23T16:59:59Z')).toBe(20e6);
  expect(at(office, '2026-11-23T17:00:00Z')).toBe(null);
  expect(at(office, '2026-07-20T06:00:00Z')).toBe(20e6);
  expect(at(office, '2026-11-22T07:00:00Z')).toBe(null);
});

test('the first window that holds counts', () => {
  expect(at(office, '2026-11-27T11:30:00Z')).toBe(0);
  expect(at(office, '2026-11-27T12:00:00Z')).toBe(20e6);
});

test('a window over midnight belongs to the day on which it begins; one may end with the day', () => {
  expect(at(office, '2026-11-28T21:30:00Z')).toBe(5e6);
  expect(at(office, '2026-11-29T04:59:00Z')).toBe(5e6);
  expect(at(office, '2026-11-29T05:00:00Z')).toBe(null);
  expect(at(office, '2026-11-28T04:00:00Z')).toBe(null);
  expect(at(office, '2026-11-29T22:59:59Z')).toBe(7e6);
  expect(at(office, '2026-11-29T23:00:00Z')).toBe(null);
});

test('a window that ends where it begins holds for a whole day', () => {
  const always: Limit = {
    bitsPerSecond: null,
    timeZone: 'UTC',
    windows: [{ days: ['wed'], from: '09:00', to: '09:00', bitsPerSecond: 1e6 }],
  };
  expect(at(always, '2026-11-25T09:00:00Z')).toBe(1e6);
  expect(at(always, '2026-11-26T08:59:00Z')).toBe(1e6);
  expect(at(always, '2026-11-26T09:00:00Z')).toBe(null);
});

test('each step of priority weighs more than twice the one below', () => {
  expect(weightOf(undefined)).toBe(weightOf(1));
  for (const priority of [2, 3, 4]) expect(weightOf(priority) / weightOf(priority - 1)).toBeGreaterThan(2);
});
