import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createLog } from '../../base/log.ts';
import { type Database, openDatabase } from '../store/database.ts';
import { insertJob, putLedger, readJob, wantCancel, writeJob, writePaused } from '../store/jobs.ts';
import { beginDeletion, endDeletion, writeBack, writeMove } from '../store/moves.ts';
import { insertQueued, readWindowPaused, writeWindowPaused } from '../store/queue.ts';
import { readOldJobs } from '../store/retention.ts';
import { takeOverJobs } from '../store/servers.ts';
import { beginUndo } from '../store/undo.ts';
import { beginRun } from './begin.ts';
import { pauseAndResume } from './schedule.ts';

let folder: string;
let database: Database;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cloudspan-held-'));
  // As root, the database runs under another account, which has to walk through.
  await chmod(folder, 0o711);
  database = await openDatabase(folder, undefined, createLog('test', 'silent'));
}, 60_000);
afterAll(async () => {
  await database?.close();
  await rm(folder, { recursive: true, force: true });
});

/** Of epoch 7. */
async function job(id: string, clouds = ['east', 'west']): Promise<void> {
  const row = { id, kind: 'move' as const, account: 'ann', title: id, request: {} as never, clouds, marker: id };
  await insertJob(database, 'o', { ...row, epoch: 7, server: 'here', steps: [] });
}
const aside = { object: 'vm-1', version: 'aside', days: null };

test('a server that has lost a job writes neither its pause nor where its source stands', async () => {
  await job('lost');
  const stale = { code: 'epoch.stale' };
  await expect(writePaused(database, 'lost', 6, null, null)).rejects.toMatchObject(stale);
  await expect(writeMove(database, 'o', 'lost', 6, aside)).rejects.toMatchObject(stale);
  expect(await readJob(database, 'lost')).toMatchObject({ state: 'queued', move: null });
  await writeMove(database, 'o', 'lost', 7, aside);
  await expect(writeBack(database, 'lost', 6)).rejects.toMatchObject(stale);
  expect((await readJob(database, 'lost'))?.move).toMatchObject({ back: false, version: 'aside' });
  await writeBack(database, 'lost', 7);
  expect((await readJob(database, 'lost'))?.move).toMatchObject({ back: true, version: 'aside' });
  expect(await writePaused(database, 'lost', 7, null, null)).toBe(true);
  await job('cancelled');
  await wantCancel(database, 'cancelled');
  expect(await writePaused(database, 'cancelled', 7, null, null)).toBe(false);
});

test('an undo is the job of the server that begins it, and one whose run does not begin is taken over', async () => {
  await job('undone');
  await writeJob(database, 'undone', { state: 'succeeded', server: 'gone' }, 7);
  const undo = { run: 1, state: 'running' as const, user: 'ann', startedAt: new Date().toISOString(), rows: [] };
  expect(await beginUndo(database, 'undone', { epoch: 8, server: 'here' }, undo)).toBe(true);
  expect(await readJob(database, 'undone')).toMatchObject({ server: 'here', epoch: 8 });

  const context = { database, fleet: { id: 'here' } as never, closing: new AbortController().signal };
  const engine = { start: () => Promise.reject(new Error('the database is away')) };
  const begin = (epoch: number) => beginRun(context, engine, { id: 'undone', epoch }, 'undone.undo-1', 'undo');
  const server = async () => (await readJob(database, 'undone'))?.server;
  await expect(begin(7)).rejects.toThrow('away');
  // One that has begun since stays where it is.
  await new Promise((done) => setTimeout(done, 200));
  expect(await server()).toBe('here');
  await expect(begin(8)).rejects.toThrow('away');
  await expect.poll(server).toBeNull();
  const offered: string[] = [];
  await takeOverJobs(database, { id: 'other', all: false }, async ({ id }) => void offered.push(id));
  expect(offered).toContain('undone');
});

test('settings of a source that was deleted keep no job from being removed', async () => {
  await job('old');
  const result = { object: { id: 'vm-2', kind: 'vm', name: 'a', cloud: 'east', path: 'east/a' } } as never;
  await writeJob(
    database,
    'old',
    { state: 'succeeded', result, ended_at: new Date(Date.now() - 3 * 24 * 3_600_000) },
    7,
  );
  await writeMove(database, 'o', 'old', 7, aside);
  const row = {
    job: 'old',
    owner: 'o',
    cloud: 'east',
    kind: 'vm' as const,
    role: 'source name',
    name: 'a',
    marker: 'm',
  };
  const change = { ...row, id: 'c', action: 'change' as const, state: 'made' as const, at: new Date().toISOString() };
  await putLedger(database, 'old', [change]);
  const unsettled = async () => (await readOldJobs(database, 1)).find(({ id }) => id === 'old')?.unsettled;
  expect(await unsettled()).toBe(true);
  expect(await beginDeletion(database, 'old', 'here')).toBe(true);
  await endDeletion(database, 'old', 'here', null);
  expect(await unsettled()).toBe(false);
  await putLedger(database, 'old', [{ ...change, id: 'o', action: 'create' }]);
  expect(await unsettled()).toBe(true);
});

test('a job that cannot be resumed in its window is resumed later', async () => {
  await job('window');
  await database.query(
    `UPDATE jobs SET state = 'paused', request = '{"schedule":{"atEnd":"pause"}}' WHERE id = 'window'`,
  );
  await insertQueued(database, 'o', 'window', { keys: [], group: null, wave: 1 });
  await writeWindowPaused(database, 'window', true);
  const jobs = { pause: () => Promise.reject(new Error('no')), resume: () => Promise.reject(new Error('away')) };
  await pauseAndResume({ database, log: createLog('test', 'silent') }, jobs);
  expect(await readWindowPaused(database)).toEqual(['window']);
});
