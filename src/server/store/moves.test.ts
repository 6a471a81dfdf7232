import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createLog } from '../../base/log.ts';
import { type Database, openDatabase } from './database.ts';
import { beginDeletion, endDeletion, readDueDeletions, writeMove } from './moves.ts';
import { beginUndo } from './undo.ts';

let folder: string;
let database: Database;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cloudspan-moves-'));
  // As root, the database runs under another account, which has to walk through.
  await chmod(folder, 0o711);
  database = await openDatabase(folder, undefined, createLog('test', 'silent'));
  const { query } = database;
  await query(
    `INSERT INTO jobs (id, owner, kind, account, title, request, clouds, marker, state, epoch, steps, result, ended_at)
     VALUES ('j', 'o', 'move', 'a', 't', '{}', '{}', 'm', 'succeeded', 1, '[]', '{}', now())`,
  );
  await writeMove(database, 'o', 'j', 1, { object: 'vm-1', version: 'v', days: 0 });
  for (const id of ['one', 'two']) {
    await query(`INSERT INTO servers (id, folder, host, address, version) VALUES ($1, $1, 'h', 'a', '1')`, [id]);
  }
}, 60_000);
afterAll(async () => {
  await database?.close();
  await rm(folder, { recursive: true, force: true });
});

test('a source is deleted by one server at a time, and by the next one only when that is gone', async () => {
  expect(await readDueDeletions(database, 6)).toEqual(['j']);
  expect(await beginDeletion(database, 'j', 'one')).toBe(true);
  // A cloud takes its time, and the schedule looks again meanwhile.
  expect(await readDueDeletions(database, 6)).toEqual([]);
  expect(await beginDeletion(database, 'j', 'one')).toBe(false);
  expect(await beginDeletion(database, 'j', 'two')).toBe(false);
  await endDeletion(database, 'j', 'two', 'the other one is busy with it');
  const undo = { run: 1, state: 'running' as const, user: 'u', startedAt: new Date().toISOString(), rows: [] };
  expect(await beginUndo(database, 'j', { epoch: 2, server: 'two' }, undo)).toBe(false);

  await database.query(`UPDATE servers SET seen_at = now() - interval '1 minute' WHERE id = 'one'`);
  expect(await readDueDeletions(database, 6)).toEqual(['j']);
  expect(await beginDeletion(database, 'j', 'two')).toBe(true);
  // The one that was frozen wakes.
  await endDeletion(database, 'j', 'one', 'it is not there');
  expect(await beginUndo(database, 'j', { epoch: 2, server: 'two' }, undo)).toBe(false);
  await endDeletion(database, 'j', 'two', null);
  expect(await readDueDeletions(database, 6)).toEqual([]);
  expect(await beginDeletion(database, 'j', 'two')).toBe(false);
});
