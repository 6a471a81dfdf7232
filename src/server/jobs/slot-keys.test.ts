import { expect, test } from 'vitest';
import { slotsOf } from '../store/queue.ts';
import { slotKeysOf } from './slot-keys.ts';

test('people with accounts of their own share the slots of the one cloud', () => {
  const clouds = { get: (cloud: string) => ({ node: `node of ${cloud.slice(0, 4)}` }) };
  const source = { facts: { host: 'esx-1' } } as never;
  expect(slotKeysOf(clouds, { sourceCloud: 'east~ann', destinationCloud: 'west~ann', source })).toEqual([
    'cloud:east',
    'node:node of east',
    'cloud:west',
    'node:node of west',
    'host:east/esx-1',
  ]);
});

test('a limit is that of the id, else that of the name, else that of all', () => {
  const none = { jobs: 9, perNode: 3, perCloud: 4, perHost: null };
  const limits = { ...none, nodes: { n1: 1, north: 2 }, clouds: { c1: 5, east: 6 } };
  const names = new Map([
    ['n1', 'north'],
    ['n2', 'north'],
    ['c1', 'east'],
    ['c2', 'east'],
  ]);
  const slots = ['node:n1', 'node:n2', 'node:n3', 'cloud:c1', 'cloud:c2', 'cloud:c3'].map((key) =>
    slotsOf(key, limits, names),
  );
  expect(slots).toEqual([1, 2, 3, 5, 6, 4]);
});
