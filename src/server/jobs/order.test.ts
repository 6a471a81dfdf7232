import { expect, it } from 'vitest';
import type { QueuedJob } from '../store/queue.ts';
import { admit } from './order.ts';

const NOW = Date.parse('2026-07-01T12:00:00Z');

function job(number: number, keys: string[], more: Partial<QueuedJob> = {}): QueuedJob {
  const idle = { stopping: false, held: false, schedule: undefined, group: null, groupNumber: null };
  return {
    id: `j${number}`,
    number,
    attempt: 1,
    ...idle,
    groupConcurrency: null,
    gathering: false,
    ahead: 0,
    failed: 0,
    keys,
    ...more,
  };
}

function started(jobs: QueuedJob[], limits: Record<string, number>, used: Record<string, number> = {}) {
  const slots = (key: string) => limits[key] ?? Number.POSITIVE_INFINITY;
  const { admitted, waiting } = admit(jobs, new Map(Object.entries(used)), slots, NOW);
  return { jobs: admitted.map((one) => one.job), waiting };
}

it('starts jobs in their order, as many as there are slots', () => {
  const { jobs, waiting } = started([job(1, []), job(2, []), job(3, [])], { jobs: 2 });
  expect(jobs).toEqual(['j1', 'j2']);
  expect(waiting.get('j3')).toMatch(/as many jobs run as may/);
});

it('lets a job pass one that waits for another cloud', () => {
  const { jobs } = started([job(1, ['cloud:a']), job(2, ['cloud:b'])], { 'cloud:a': 1 }, { 'cloud:a': 1 });
  expect(jobs).toEqual(['j2']);
});

it('keeps a place free for the first that waits, so that it is not overtaken for ever', () => {
  const queue = [job(1, ['cloud:a', 'cloud:b']), job(2, ['cloud:b']), job(3, ['cloud:b'])];
  const { jobs } = started(queue, { 'cloud:a': 1, 'cloud:b': 2 }, { 'cloud:a': 1 });
  expect(jobs).toEqual(['j2']);
});

it('keeps only one place free, however many wait for the same', () => {
  const queue = [job(1, ['cloud:a']), job(2, ['cloud:a']), job(3, ['cloud:b'])];
  expect(started(queue, { jobs: 3, 'cloud:a': 1 }, { jobs: 1, 'cloud:a': 1 }).jobs).toEqual(['j3']);
});

it('holds back later waves, and a group that stopped', () => {
  const group = { group: 'g', groupNumber: 4 };
  const later = job(2, [], { ...group, ahead: 2 });
  const stopped = job(3, [], { ...group, failed: 1 });
  const { jobs, waiting } = started([job(1, [], group), later, stopped], {});
  expect(jobs).toEqual(['j1']);
  expect(waiting.get('j2')).toBe('It waits for 2 jobs of earlier waves of group 4.');
  expect(waiting.get('j3')).toMatch(/stopped/);
});

it('starts nothing of a group before all of it is there', () => {
  expect(started([job(1, [], { group: 'g', groupNumber: 4, gathering: true })], {}).jobs).toEqual([]);
});

it('keeps to the concurrency of the group', () => {
  const group = { group: 'g', groupNumber: 4, groupConcurrency: 1 };
  expect(started([job(1, [], group), job(2, [], group), job(3, [])], {}).jobs).toEqual(['j1', 'j3']);
});

it('starts nothing before its time or outside of its window, by the clock of its zone', () => {
  const windows = [{ days: ['wed' as const], from: '14:00', to: '15:00' }];
  const inBerlin = job(1, [], { schedule: { windows, timeZone: 'Europe/Berlin', atEnd: 'go-on' } });
  const inUtc = job(2, [], { schedule: { windows, timeZone: 'UTC', atEnd: 'go-on' } });
  const at = job(3, [], { schedule: { at: '2026-07-01T14:30:00+02:00', atEnd: 'go-on' } });
  const { jobs, waiting } = started([inBerlin, inUtc, at], {});
  expect(jobs).toEqual(['j1']);
  expect(waiting.get('j2')).toContain('wed 14:00-15:00 (UTC)');
  expect(waiting.get('j3')).toContain('2026-07-01T14:30:00+02:00');
});

it('starts what is to be stopped at once, without slots', () => {
  const { jobs } = started(
    [job(1, ['cloud:a'], { stopping: true })],
    { jobs: 1, 'cloud:a': 1 },
    { jobs: 1, 'cloud:a': 1 },
  );
  expect(jobs).toEqual(['j1']);
});
