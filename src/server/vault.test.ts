import { chmod, mkdtemp, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { delay } from '../base/backoff.ts';
import { createLog, type Log } from '../base/log.ts';
import { type Database, openDatabase, type Query } from './store/database.ts';
import { lockSealed } from './store/vault.ts';
import { idOfKey, sealAlone } from './vault/envelope.ts';
import { lookAtVault } from './vault/look.ts';
import { openVault, openWithKeyFile, type Vault } from './vault.ts';

let folder: string;
let database: Database;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cloudspan-vault-'));
  // As root, the database runs under another account, which has to walk through.
  await chmod(folder, 0o711);
  database = await openDatabase(folder, undefined, createLog('test', 'silent'));
}, 60_000);
afterAll(async () => {
  await database?.close();
  await rm(folder, { recursive: true, force: true });
});

const file = () => join(folder, 'vault.key');
const next = () => join(folder, 'vault.key.next');
const locked = expect.objectContaining({ code: 'vault.locked' });
const open = () => openVault(folder, database);

beforeEach(async () => {
  for (const table of ['vault_keys', 'channels', 'clouds', 'nodes']) await database.query(`DELETE FROM ${table}`);
  await database.query(`DELETE FROM settings WHERE name = 'provider'`);
  for (const path of [file(), next()]) await rm(path, { force: true });
});

/** One secret in every place where secrets lie; answers how each is opened. */
async function fill(seal: (id: string, secret: string) => Buffer): Promise<(vault: Vault) => Promise<string[]>> {
  const { query } = database;
  await query(
    `INSERT INTO nodes (id, owner, name, pin, certificate, link, public) VALUES ('n', 'o', 'n', 'p', 'c', 'direct', false)`,
  );
  await query(
    `INSERT INTO clouds (id, owner, name, driver, node, options, trust) VALUES ('c', 'o', 'c', 'd', 'n', '{}', '{}')`,
  );
  await query(`INSERT INTO secrets (id, cloud, name, sealed) VALUES ('s1', 'c', 'password', $1)`, [seal('s1', 'one')]);
  await query(`INSERT INTO storage_keys (node, sealed) VALUES ('n', $1)`, [seal('storage:n', 'two')]);
  await query(
    `INSERT INTO channels (id, owner, name, target, events, sealed) VALUES ('h', 'o', 'h', '{}', '{}', $1), ('i', 'o', 'i', '{}', '{}', NULL)`,
    [seal('channel:h', 'three')],
  );
  await query(`INSERT INTO settings VALUES ('provider', $1)`, [
    JSON.stringify({ issuer: 'x', sealed: seal('openid provider', 'four').toString('base64') }),
  ]);
  return async (vault) => {
    const rows = await database.transaction(lockSealed);
    return rows.map(({ id, sealed }) => vault.open(id, sealed));
  };
}
const ALL = ['one', 'two', 'three', 'four'];

test('a secret comes out as it went in, also after the server started again', async () => {
  const sealed = (await open()).seal('row-1', 'pässwörd');
  expect((await open()).open('row-1', sealed)).toBe('pässwörd');
});

test('the same secret never looks the same, and its text is not in the sealed bytes', async () => {
  const vault = await open();
  const [first, second] = [vault.seal('row', 'tell-nobody'), vault.seal('row', 'tell-nobody')];
  expect(first.equals(second)).toBe(false);
  expect(first.includes('tell-nobody')).toBe(false);
});

test('a secret that was moved to another row does not open, and every changed byte is noticed', async () => {
  const vault = await open();
  const sealed = vault.seal('row-1', 'mine');
  expect(() => vault.open('row-2', sealed)).toThrow(locked);
  for (let at = 0; at < sealed.length; at++) {
    const changed = Buffer.from(sealed);
    changed.writeUInt8(changed.readUInt8(at) ^ 1, at);
    expect(() => vault.open('row-1', changed)).toThrow(locked);
  }
});

test('the server does not start with another key, one of the wrong length, or none where there are secrets', async () => {
  await open();
  const right = await readFile(file());
  await writeFile(file(), Buffer.alloc(32, 7).toString('base64'));
  await expect(open()).rejects.toMatchObject({ code: 'vault.locked' });
  await writeFile(file(), 'short');
  await expect(open()).rejects.toMatchObject({ code: 'vault.locked' });
  await rm(file());
  await expect(open()).rejects.toMatchObject({ code: 'vault.locked' });
  await writeFile(file(), right);
  await open();
});

test('the key file is for its owner only, and the database holds no key in clear', async () => {
  const vault = await open();
  expect((await stat(file())).mode & 0o777).toBe(0o600);
  const master = Buffer.from(await readFile(file(), 'utf8'), 'base64');
  expect(master).toHaveLength(32);
  await vault.rotate();
  const rows = await database.query<{ sealed_key: Buffer }>('SELECT sealed_key FROM vault_keys');
  expect(rows).toHaveLength(2);
  for (const { sealed_key } of rows) expect(sealed_key.includes(master)).toBe(false);
  expect((await stat(file())).mode & 0o777).toBe(0o600);
});

test('secrets of the release before, each under the master key itself, are sealed anew at the start', async () => {
  const master = Buffer.alloc(32, 9);
  await writeFile(file(), master.toString('base64'));
  const opened = await fill((id, secret) => sealAlone(master, id, secret));
  const vault = await open();
  expect(await opened(vault)).toEqual(ALL);
  for (const { sealed } of await database.transaction(lockSealed)) expect(sealed[0]).toBe(2);
});

test('with no key file, or with another one, nothing of the release before is touched', async () => {
  await fill((id, secret) => sealAlone(Buffer.alloc(32, 9), id, secret));
  await expect(open()).rejects.toMatchObject({ code: 'vault.locked' });
  await expect(stat(file())).rejects.toMatchObject({ code: 'ENOENT' });
  await writeFile(file(), Buffer.alloc(32, 7).toString('base64'));
  await expect(open()).rejects.toMatchObject({ code: 'vault.locked' });
  for (const { sealed } of await database.transaction(lockSealed)) expect(sealed[0]).toBe(1);
});

test('every column that holds sealed secrets is one that a rotation visits', async () => {
  const found = await database.query<{ table_name: string }>(
    `SELECT table_name FROM information_schema.columns WHERE column_name = 'sealed' AND table_schema = 'public'`,
  );
  expect(found.map((row) => row.table_name).sort()).toEqual(['channels', 'secrets', 'server_keys', 'storage_keys']);
});

test('a rotation seals every secret under a new key: the old file opens nothing, and the running vault goes on', async () => {
  const vault = await open();
  const opened = await fill(vault.seal);
  const late = vault.seal('late', 'sealed before, stored after');
  const before = await readFile(file(), 'utf8');
  const rotation = await vault.rotate();
  expect(rotation).toMatchObject({ generation: 2, secrets: 4, left: 0, host: hostname() });
  expect(await readFile(rotation.oldKeyFile, 'utf8')).toBe(before);
  expect(await readFile(file(), 'utf8')).not.toBe(before);
  expect(await opened(vault)).toEqual(ALL);
  expect(vault.open('late', late)).toBe('sealed before, stored after');
  expect(await opened(await open())).toEqual(ALL);
  expect((await open()).open('late', late)).toBe('sealed before, stored after');
  const fresh = await readFile(file());
  await writeFile(file(), before);
  await expect(open()).rejects.toMatchObject({ code: 'vault.locked' });
  await writeFile(file(), fresh);
});

test('what the key file alone has to open opens with the key of its time only', async () => {
  const vault = await open();
  const backup = await vault.sealAlone('backup', 'key');
  const { oldKey, oldKeyFile } = await vault.rotate();
  expect(backup.key).toBe(oldKey);
  expect(await openWithKeyFile(oldKeyFile, 'backup', backup.sealed)).toBe('key');
  await expect(openWithKeyFile(file(), 'backup', backup.sealed)).rejects.toThrow();
});

/** Whether the work changed the keys, or only looked at them. */
async function changing<T>(query: Query, work: (query: Query) => Promise<T>) {
  let changed = false;
  const result = await work((text, values) => {
    changed ||= text.includes('INSERT INTO vault_keys');
    return query(text, values);
  });
  return { result, changed };
}

test('a crash before the database took the new key leaves the old one', async () => {
  const vault = await open();
  const opened = await fill(vault.seal);
  const before = await readFile(file(), 'utf8');
  const failing = {
    query: database.query,
    transaction: <T>(work: Parameters<typeof database.transaction<T>>[0]) =>
      database.transaction<T>(async (query) => {
        const { result, changed } = await changing(query, work);
        if (changed) throw new Error('the power went');
        return result;
      }),
  };
  await expect((await openVault(folder, failing)).rotate()).rejects.toThrow('the power went');
  // What the process that died would have left:
  await writeFile(next(), Buffer.alloc(32, 5).toString('base64'));
  expect(await opened(await open())).toEqual(ALL);
  expect(await readFile(file(), 'utf8')).toBe(before);
  await expect(stat(next())).rejects.toMatchObject({ code: 'ENOENT' });
  // A key is never thrown away.
  const kept = join(folder, `vault.key.old-${idOfKey(Buffer.alloc(32, 5))}`);
  expect(await readFile(kept, 'utf8')).toBe(Buffer.alloc(32, 5).toString('base64'));
});

test('while the end of a rotation is in doubt nobody looks: committed after all, its key is there', async () => {
  const opened = await fill((await open()).seal);
  const before = await readFile(file(), 'utf8');
  const other = new pg.Client(database.connection as pg.ClientConfig);
  await other.connect();
  try {
    let held = false;
    const doubtful = {
      query: database.query,
      transaction: <T>(work: Parameters<typeof database.transaction<T>>[0]) =>
        database.transaction<T>(async (query) => {
          if (held) return work(query);
          await other.query('BEGIN');
          const own: Query = async (text, values) => (await other.query<never>(text, values)).rows;
          const { result, changed } = await changing(own, work);
          held = changed;
          if (held) throw new Error('the connection broke at COMMIT');
          await other.query('COMMIT');
          return result;
        }),
    };
    const vault = await openVault(folder, doubtful);
    let ended = false;
    const rotation = vault.rotate().finally(() => {
      ended = true;
    });
    rotation.catch(() => {});
    await delay(500);
    expect(ended).toBe(false);
    await other.query('COMMIT');
    await expect(rotation).rejects.toThrow('the connection broke at COMMIT');
    expect(await opened(vault)).toEqual(ALL);
    expect(await opened(await open())).toEqual(ALL);
    expect(await readFile(file(), 'utf8')).not.toBe(before);
  } finally {
    await other.end();
  }
});

test('a crash after the database took the new key is ended by the next start', async () => {
  const vault = await open();
  const opened = await fill(vault.seal);
  const { oldKeyFile } = await vault.rotate();
  // As it was before the new file took the place of the old one.
  await rename(file(), next());
  await rename(oldKeyFile, file());
  const again = await open();
  expect(await opened(again)).toEqual(ALL);
  expect((await stat(oldKeyFile)).mode & 0o777).toBe(0o600);
  await expect(stat(next())).rejects.toMatchObject({ code: 'ENOENT' });
});

test('a second server on the database opens what was sealed after the rotation as soon as it has the new file', async () => {
  const one = await open();
  const other = await mkdtemp(join(tmpdir(), 'cloudspan-vault-'));
  try {
    await writeFile(join(other, 'vault.key'), await readFile(file()));
    const two = await openVault(other, database);
    await one.rotate();
    const sealed = one.seal('row', 'new');
    expect(() => two.open('row', sealed)).toThrow(locked);
    await expect(two.rotate()).rejects.toMatchObject({ code: 'vault.locked' });
    expect(one.open('row', two.seal('row', 'by the other'))).toBe('by the other');
    await writeFile(join(other, 'vault.key'), await readFile(file()));
    await two.sealAlone('any', 'look at the file');
    expect(two.open('row', sealed)).toBe('new');
  } finally {
    await rm(other, { recursive: true });
  }
});

test('a server that has the new file takes it at its next look, before anybody needs it, and says what is missing until then', async () => {
  const one = await open();
  const other = await mkdtemp(join(tmpdir(), 'cloudspan-vault-'));
  try {
    await writeFile(join(other, 'vault.key'), await readFile(file()));
    const two = await openVault(other, database);
    const warnings: string[] = [];
    const look = lookAtVault(two, { warn: (_: unknown, text: string) => void warnings.push(text) } as unknown as Log);
    await look();
    await one.rotate();
    const sealed = one.seal('row', 'new');
    await look();
    await look();
    expect(warnings).toEqual(['the key of the vault was rotated at another server']);
    await writeFile(join(other, 'vault.key'), await readFile(file()));
    await look();
    expect(two.open('row', sealed)).toBe('new');
    await one.rotate();
    await look();
    expect(warnings).toHaveLength(2);
  } finally {
    await rm(other, { recursive: true });
  }
});

test('fingerprints are the same after a restart, and say under which key they were made', async () => {
  const [one, again] = [await open(), await open()];
  expect(one.fingerprint('text')).toBe(again.fingerprint('text'));
  expect(one.fingerprint('text')).not.toBe(one.fingerprint('texts'));
  const before = one.fingerprint('text');
  await one.rotate();
  expect([before, one.fingerprint('text')].map((text) => text.split(':')[0])).toEqual(['1', '2']);
  expect(one.fingerprint('text').slice(2)).not.toBe(before.slice(2));
});
