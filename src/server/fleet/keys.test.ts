import { createPrivateKey, X509Certificate } from 'node:crypto';
import { chmod, copyFile, mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { createLog } from '../../base/log.ts';
import { loadSelfSigned } from '../certificate/ui.ts';
import { type Database, openDatabase, type Query } from '../store/database.ts';
import { openVault } from '../vault.ts';
import { openKeys } from './keys.ts';

let home: string;
let database: Database;
let one: string;
let two: string;

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'cloudspan-keys-'));
  // As root, the database runs under another account, which has to walk through.
  await chmod(home, 0o711);
  database = await openDatabase(home, undefined, createLog('test', 'silent'));
}, 60_000);
afterAll(async () => {
  await database?.close();
  await rm(home, { recursive: true, force: true });
});

beforeEach(async () => {
  for (const table of ['vault_keys', 'server_keys']) await database.query(`DELETE FROM ${table}`);
  one = await mkdtemp(join(home, 'one-'));
  two = await mkdtemp(join(home, 'two-'));
  await openVault(one, database);
  await copyFile(join(one, 'vault.key'), join(two, 'vault.key'));
});

/** The second server starts; before it gives its own away, `meanwhile` happens. */
function startSecond(meanwhile: () => Promise<unknown>) {
  let done = false;
  const query: Query = async (text, values) => {
    if (!done && text.startsWith('INSERT INTO server_keys')) {
      done = true;
      await meanwhile();
    }
    return database.query(text, values);
  };
  return openKeys(two, { ...database, query }, true);
}

async function pair(folder: string, name: string) {
  const certificate = await readFile(join(folder, `${name}.crt`), 'utf8');
  const key = createPrivateKey(await readFile(join(folder, `${name}.key`)));
  expect(new X509Certificate(certificate).checkPrivateKey(key)).toBe(true);
  return certificate;
}

test('of two that start for the first time together, both have the identity and the certificate of the earlier one', async () => {
  let first: Awaited<ReturnType<typeof openKeys>> | undefined;
  const second = await startSecond(async () => {
    first = await openKeys(one, database, true);
  });
  expect(second.identity.pin).toBe(first?.identity.pin);
  for (const name of ['identity', 'ui']) expect(await pair(two, name)).toBe(await pair(one, name));
  expect((await openKeys(two, database, true)).identity).toEqual(first?.identity);
});

test('a certificate that the folder had before stays', async () => {
  await openKeys(two, database, false);
  await rm(join(two, 'identity.key'));
  const own = await loadSelfSigned(two);
  await openKeys(one, database, true);
  await openKeys(two, database, true);
  expect(await pair(two, 'ui')).toBe(own.certificate);
});

test('ended between certificate and key, the next start takes the pair again', async () => {
  const stone = join(two, 'identity.crt');
  await expect(
    startSecond(async () => {
      await openKeys(one, database, true);
      // Nothing can take its place.
      await rm(stone);
      await mkdir(join(stone, 'stone'), { recursive: true });
    }),
  ).rejects.toThrow();
  await rm(stone, { recursive: true });
  await openKeys(two, database, true);
  expect(await pair(two, 'identity')).toBe(await pair(one, 'identity'));
});
