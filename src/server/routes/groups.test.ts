import { expect, test } from 'vitest';
import type { JobView } from '../../protocol/api/jobs.ts';
import { groupRoutes } from './groups.ts';
import { jobRoutes } from './jobs.ts';

const views = [
  { id: 'j1', number: 1, state: 'succeeded' },
  { id: 'j2', number: 2, state: 'failed', result: { object: { path: '/DC/vm/made' } } },
  { id: 'j3', number: 3, state: 'failed' },
  { id: 'j4', number: 4, state: 'paused' },
] as unknown as JobView[];
const PLACES = { account: 'anna', runner: 'anna', source_cloud: 'c', source: [], destination_cloud: 'c' };

function world(mayRun: boolean) {
  const runners: string[] = [];
  const done: string[] = [];
  const query = async (sql: string, [id = '']: string[]) => {
    if (sql.startsWith('UPDATE job_places')) runners.push(id);
    if (sql.includes('FROM job_groups')) return [{ id: 'g', jobs: views.map((view) => view.id) }];
    return [{ id, number: 1, ...PLACES, destination: [] }];
  };
  const act = (action: string) => async (id: string) => {
    done.push(`${action} ${id}`);
    return views.find((view) => view.id === id);
  };
  const jobs = {
    get: async (id: string) => views.find((view) => view.id === id),
    ...{ retry: act('retry'), resume: act('resume'), cancel: act('cancel'), pause: act('pause') },
  };
  const ends = () => ({ source: true, destination: true, cloud: null });
  const sight = { seesJob: () => true, ends, mayRun: () => mayRun, mayStop: () => false };
  const of = (account: string) => ({ account, user: account, role: 'operator', scope: 'own' });
  const database = { query } as never;
  return {
    ...{ runners, done },
    group: (action: string, account = 'bert') =>
      groupRoutes(jobs as never, database, 'o').actOnGroup({
        ...{ parameters: { group: 'g', action }, sight, signed: of(account) },
      } as never),
    one: (action: 'retryJob' | 'resumeJob', job: string) =>
      jobRoutes(jobs as never, database)[action]({ parameters: { job }, sight, signed: of('bert') } as never),
  };
}

test('a job that cannot go on stays that of whoever ran it last', async () => {
  const { group, one, runners, done } = world(true);
  expect(await group('retry')).toMatchObject({
    changed: [3],
    left: [
      { job: 1, why: expect.stringContaining('only failed and cancelled jobs are retried') },
      { job: 2, why: expect.stringContaining('has made its copy already') },
      { job: 4 },
    ],
  });
  expect((await group('resume')).changed).toEqual([4]);
  expect([runners, done]).toEqual([
    ['j3', 'j4'],
    ['retry j3', 'resume j4'],
  ]);
  await expect(one('retryJob', 'j2')).rejects.toMatchObject({ code: 'job.state' });
  await expect(one('resumeJob', 'j3')).rejects.toMatchObject({ code: 'job.state' });
  expect(runners).toEqual(['j3', 'j4']);
  await one('retryJob', 'j3');
  expect(runners).toEqual(['j3', 'j4', 'j3']);
});

test('who started the jobs of a group may stop them without the rights for a further attempt, and nobody else', async () => {
  const { group, runners } = world(false);
  expect((await group('cancel', 'anna')).changed).toEqual([1, 2, 3, 4]);
  expect((await group('retry', 'anna')).changed).toEqual([]);
  expect((await group('cancel', 'bert')).changed).toEqual([]);
  expect(runners).toEqual([]);
});
