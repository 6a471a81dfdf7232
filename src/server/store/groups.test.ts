import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createLog } from '../../base/log.ts';
import { groupRoutes } from '../routes/groups.ts';
import { type Database, openDatabase } from './database.ts';
import { insertGroup } from './groups.ts';
import { insertJob } from './jobs.ts';
import { insertPlaces, type JobPlaces } from './places.ts';
import { insertQueued } from './queue.ts';

/** More than are listed at once. */
const OTHERS = 205;

let folder: string;
let database: Database;

async function group(id: string, account: string, states: string[]) {
  await insertGroup(database, 'o', id, account, { name: id, concurrency: null, onFailure: 'go-on' });
  for (const [index, state] of states.entries()) {
    const job = `${id}.${index}`;
    const plain = { kind: 'copy', title: job, request: {}, clouds: [], marker: job, epoch: 1, steps: [], server: null };
    await insertJob(database, 'o', { ...plain, id: job, account } as never);
    await database.query('UPDATE jobs SET state = $2 WHERE id = $1', [job, state]);
    await insertQueued(database, 'o', job, { keys: [], group: id, wave: 1 });
    const at = { source_cloud: 'c', source: [], destination_cloud: 'c', destination: [] };
    await insertPlaces(database, job, { ...at, account, runner: account });
  }
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cloudspan-groups-'));
  database = await openDatabase(folder, undefined, createLog('test', 'silent'));
  await group('mine', 'anna', ['failed', 'succeeded', 'failed']);
  await group('mixed', 'anna', ['failed']);
  await database.query(`UPDATE job_places SET account = 'bert' WHERE job = 'mine.2'`);
  for (let index = 0; index < OTHERS; index++) await group(`other-${index}`, 'bert', ['succeeded']);
}, 60_000);
afterAll(async () => {
  await database?.close();
  await rm(folder, { recursive: true, force: true });
});

test('groups of others take no place in the list, and of a group only the jobs that are seen are counted', async () => {
  const { listGroups } = groupRoutes({} as never, database, 'o');
  const list = async (account: string | null) => {
    const seesJob = (places: JobPlaces | null) => places?.account === account;
    const { groups } = await listGroups({ sight: { rights: { seesAll: account === null }, seesJob } } as never);
    return groups.map(({ name, states }) => [name, states]);
  };
  expect(await list('anna')).toEqual([
    ['mixed', { failed: 1 }],
    ['mine', { failed: 1, succeeded: 1 }],
  ]);
  expect(await list('nobody')).toEqual([]);
  const all = await list(null);
  expect([all.length, all[0]]).toEqual([200, [`other-${OTHERS - 1}`, { succeeded: 1 }]]);
});
