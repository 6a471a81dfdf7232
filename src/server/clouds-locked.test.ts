import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createLog } from '../base/log.ts';
import { Fault } from '../model/fault.ts';
import { type CloudsOptions, openClouds } from './clouds.ts';
import { readClouds } from './store/clouds.ts';
import { type Database, openDatabase } from './store/database.ts';

let folder: string;
let database: Database;
const log = createLog('test', 'silent');

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cloudspan-clouds-'));
  // As root, the database runs under another account, which has to walk through.
  await chmod(folder, 0o711);
  database = await openDatabase(folder, undefined, log);
}, 60_000);
afterAll(async () => {
  await database?.close();
  await rm(folder, { recursive: true, force: true });
});

test('a server that cannot open the secrets of a cloud does not end it for the others, and goes on trying where it watches', async () => {
  await database.query(
    `INSERT INTO nodes (id, owner, name, pin, certificate, link, public) VALUES ('n', 'o', 'n', 'p', 'c', 'direct', false)`,
  );
  await database.query(
    `INSERT INTO clouds (id, owner, name, driver, node, options, trust) VALUES ('c', 'o', 'c', 'd', 'n', '{}', '{}')`,
  );
  await database.query(`INSERT INTO secrets (id, cloud, name, sealed) VALUES ('s', 'c', 'password', 'x')`);
  let locked = true;
  const never = (signal: AbortSignal) =>
    new Promise<never>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
  const fleet = {
    steward: false,
    untilSteward: async (signal: AbortSignal) => (fleet.steward ? signal : never(signal)),
  };
  const clouds = await openClouds({
    database,
    fleet: fleet as unknown as CloudsOptions['fleet'],
    vault: {
      open() {
        if (locked) throw new Fault('vault.locked', 'the file is not here yet');
        return 'secret';
      },
    } as unknown as CloudsOptions['vault'],
    nodes: {
      onLinked: () => {},
      untilLinked: async () => {},
      client: () => ({ openSession: async () => ({}), inventory: (_: string, signal: AbortSignal) => [never(signal)] }),
    } as unknown as CloudsOptions['nodes'],
    events: { publish: () => {} } as unknown as CloudsOptions['events'],
    owner: 'o',
    log,
  });
  try {
    const fault = async () => (await readClouds(database))[0]?.fault;
    await expect(clouds.test('c', AbortSignal.timeout(9_000))).rejects.toMatchObject({ code: 'vault.locked' });
    expect(await fault()).toBeNull();
    fleet.steward = true;
    await expect(clouds.test('c', AbortSignal.timeout(9_000))).rejects.toMatchObject({ code: 'vault.locked' });
    expect(await fault()).toMatchObject({ code: 'vault.locked', retry: 'later' });
    expect(clouds.view('c').state).toBe('connecting');
    locked = false;
    await clouds.reopen('c');
    expect(await fault()).toBeNull();
    expect(clouds.view('c').state).toBe('connected');
  } finally {
    await clouds.close();
  }
});
