import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { expect, test } from 'vitest';
import { createLog } from '../../base/log.ts';
import { startEmbedded } from './embedded.ts';

test('a database that is killed comes back with what was committed, and close ends it', {
  timeout: 60_000,
}, async () => {
  const folder = await mkdtemp(join(tmpdir(), 'cloudspan-embedded-'));
  const database = await startEmbedded(folder, createLog('test', 'silent'));
  const pool = new pg.Pool(database.connection);
  pool.on('error', () => {});
  const postmaster = async () => {
    const pid = Number((await readFile(join(folder, 'postgres/postmaster.pid'), 'utf8')).split('\n')[0]);
    expect(pid).toBeGreaterThan(1);
    return pid;
  };
  try {
    await pool.query('CREATE TABLE kept AS SELECT 42 AS answer');
    const killed = await postmaster();
    process.kill(killed, 'SIGKILL');
    const answer = async (): Promise<number> => {
      for (;;) {
        const rows = await pool.query('SELECT answer FROM kept').then(
          (result) => result.rows,
          () => null,
        );
        if (rows !== null && (await postmaster()) !== killed) return rows[0].answer;
        await sleep(50);
      }
    };
    expect(await answer()).toBe(42);
  } finally {
    const last = await postmaster().catch(() => 0);
    await pool.end();
    await database.close();
    if (last > 1) expect(() => process.kill(last, 0)).toThrow('ESRCH');
    await rm(folder, { recursive: true, force: true });
  }
});
