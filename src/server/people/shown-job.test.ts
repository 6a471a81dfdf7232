import { expect, test } from 'vitest';
import { Fault } from '../../model/fault.ts';
import type { JobView } from '../../protocol/api/jobs.ts';
import { shownFault, shownJob, shownRows } from './shown-job.ts';

const SOURCE = /SRC/;
const DESTINATION = /DST/;
const row = (cloud: string, name: string) =>
  ({ id: 'r', cloud, kind: 'vm', role: 'machine', name, outcome: 'removed', reason: 'SRC and DST' }) as const;
const at = '2026-01-01T00:00:00.000Z';

/** A job whose every sentence names both ends, as far as it has any. */
const job = {
  id: 'j',
  number: 7,
  kind: 'copy',
  title: 'Copy vm "SRC-vm" to DST-cloud/DST-folder',
  source: 'SRC-cloud/SRC-vm',
  destination: 'DST-cloud/DST-folder',
  state: 'failed',
  createdAt: at,
  user: 'anna',
  steps: [{ name: 'transfer', state: 'failed', text: 'waiting: SRC and DST' }],
  progress: {
    disks: [{ disk: 'SRC-disk', label: 'SRC-vm: DST', capacityBytes: 1, arrivedBytes: 1, givenBytes: 1 }],
    ...{ totalBytes: 1, doneBytes: 1, zeroBytes: 0, alreadyThereBytes: 0, wireBytes: 1, resentBytes: 0 },
  },
  checks: [{ name: 'name-free', outcome: 'fail', found: 'SRC and DST', remedy: 'SRC or DST' }],
  result: {
    object: { cloud: 'DST-cloud', id: 'DST-1', kind: 'vm', name: 'DST-vm', path: '/DST-folder/DST-vm' },
    differences: [{ field: 'network', left: 'SRC-net', arrived: 'DST-net', nature: 'lost' }],
    poweredOn: false,
  },
  failure: {
    ...{ code: 'cloud.unreachable', message: 'SRC, DST', remedy: 'SRC, DST', retry: 'soon' },
    ...{ details: { a: 'SRC', b: 'DST' }, leftovers: ['SRC and DST'] },
  },
  receipt: { source: { name: 'SRC' }, destination: { name: 'DST' } } as never,
  movedSource: { state: 'aside', refusal: 'the copy "DST-vm" (DST-1) in DST-cloud of SRC is gone' },
  undo: {
    ...{ run: 1, state: 'failed', user: 'anna', startedAt: at },
    rows: [row('SRC-cloud', 'SRC-snapshot'), row('DST-cloud', 'DST-vm')],
    fault: { code: 'internal', message: 'SRC, DST', remedy: '', retry: 'never' },
  },
} satisfies JobView;

test('of a job of which one end is seen nothing names the other', () => {
  const there = shownJob(job, { source: false, destination: true, cloud: 'DST-cloud' });
  expect(JSON.stringify(there)).not.toMatch(SOURCE);
  expect(there).toMatchObject({
    title: 'Copy of (not shown) to DST-cloud/DST-folder',
    hidden: ['source'],
    result: { object: { name: 'DST-vm' } },
    failure: { code: 'cloud.unreachable', leftovers: ['(not shown)'] },
    undo: { rows: [{ name: 'DST-vm' }] },
  });
  const here = shownJob(job, { source: true, destination: false, cloud: 'SRC-cloud' });
  expect(JSON.stringify(here)).not.toMatch(DESTINATION);
  expect(here).toMatchObject({ title: 'Copy vm "SRC-vm" to (not shown)', hidden: ['destination'] });
  expect(here.result).toBeUndefined();
});

test('of a move whose destination is not seen a refusal to delete the source names nothing', () => {
  const ends = { source: true, destination: false, cloud: 'SRC-cloud' };
  expect(shownJob(job, ends).movedSource).toEqual({ state: 'aside' });
  expect(shownJob(job, { ...ends, destination: true }).movedSource).toHaveProperty('refusal');
  const refusal = new Fault('source.needed', 'the source stays: DST', { remedy: 'DST', details: { id: 'DST-1' } });
  const told = shownFault(refusal, '7', ends) as Fault;
  expect(told).toMatchObject({ code: 'source.needed', retry: refusal.retry });
  expect(JSON.stringify(told.report())).not.toMatch(DESTINATION);
  expect(told.message).toMatch(/^job 7: ./);
  expect(shownFault(refusal, '7', { ...ends, destination: true })).toBe(refusal);
  const state = new Fault('job.state', 'job 7 is no move');
  expect(shownFault(state, '7', ends)).toBe(state);
});

test('both ends are told as they are; inside of one cloud no row of the ledger tells which end it is of', () => {
  expect(shownJob(job, { source: true, destination: true, cloud: null })).toBe(job);
  expect(shownRows([row('one', 'x')], { source: true, destination: false, cloud: null })).toEqual([]);
});
