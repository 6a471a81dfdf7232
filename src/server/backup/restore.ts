import { createReadStream } from 'node:fs';
import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { StringDecoder } from 'node:string_decoder';
import { createGunzip } from 'node:zlib';
import { writeDurably } from '../../base/files.ts';
import type { Log } from '../../base/log.ts';
import { Fault } from '../../model/fault.ts';
import { lockFolder } from '../folder-lock.ts';
import { HOLD, type HoldNote } from '../hold.ts';
import { prepareEngine } from '../jobs/engine.ts';
import type { Database, Query } from '../store/database.ts';
import { openDatabase } from '../store/database.ts';
import { emptyTable, insertRows, raiseSequences } from '../store/dump.ts';
import { LAST_SCHEMA } from '../store/migrations.ts';
import { leapEpoch, writeSetting } from '../store/settings.ts';
import { openWithKeyFile } from '../vault.ts';
import { BackupFileSchema, type BackupHeader, BackupHeaderSchema, HEADER_BYTES, KEY_ID, staysOut } from './format.ts';
import { openStream } from './sealed-stream.ts';

const BATCH = 500;
const BATCH_BYTES = 8 * 1024 * 1024;

export interface RestoreOptions {
  file: string;
  /** Of the new server: empty. */
  folder: string;
  /** The `vault.key` of the server that was backed up. */
  vaultKeyFile: string;
  databaseUrl?: string;
  log: Log;
}

export interface Restored {
  /** When the backup was made. */
  at: string;
  product: string;
  rows: number;
}

/**
 * Makes a server out of a backup; it is on hold at its start. All or nothing: where it fails the folder is empty again.
 * Faults: `input.invalid` (no backup, of a newer release), `object.exists` (something is there), `vault.locked` (another key),
 * `backup.damaged`.
 */
export async function restoreServer(options: RestoreOptions): Promise<Restored> {
  const { folder, file, vaultKeyFile, databaseUrl, log } = options;
  const { header, line } = await readHeader(file);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const there = await readdir(folder);
  if (there.length > 0) {
    throw new Fault('object.exists', `${folder} is not empty: it holds ${there.slice(0, 5).join(', ')}`, {
      remedy: 'Restore into an empty folder.',
    });
  }
  await using undo = new AsyncDisposableStack();
  undo.defer(async () => {
    for (const name of await readdir(folder)) await rm(join(folder, name), { recursive: true, force: true });
  });
  await using stack = new AsyncDisposableStack();
  stack.defer(await lockFolder(folder));
  await writeDurably(join(folder, 'vault.key'), await readKey(vaultKeyFile));
  const key = Buffer.from(await openKey(header, join(folder, 'vault.key'), vaultKeyFile), 'base64');
  const database = await openDatabase(folder, databaseUrl, log, header.schema);
  stack.defer(() => database.close());
  await refuseUsed(database);
  await prepareEngine(database, log);
  const start = Buffer.byteLength(line);
  const content = openStream(key, Buffer.from(line), createReadStream(file, { start }));
  const rows = await fill(database, folder, header, content, file);
  await database.migrate();
  await stack.disposeAsync();
  undo.move();
  return { at: header.at, product: header.product, rows };
}

async function readHeader(file: string): Promise<{ header: BackupHeader; line: string }> {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of createReadStream(file, { end: HEADER_BYTES })) chunks.push(chunk as Buffer);
  } catch (error) {
    throw new Fault('input.invalid', `${file}: ${(error as Error).message}`, {
      cause: error,
      remedy: 'Name a backup.',
    });
  }
  const text = Buffer.concat(chunks);
  const end = text.indexOf('\n');
  const line = text.subarray(0, end + 1).toString('utf8');
  const parsed = BackupHeaderSchema.safeParse(parseJson(line));
  if (!parsed.success) {
    throw new Fault('input.invalid', `${file} is not a backup of Cloudspan`, {
      remedy: 'Name a file that `cloudspan backup` has written.',
    });
  }
  if (parsed.data.schema > LAST_SCHEMA) {
    throw new Fault('input.invalid', `${file} comes from the newer release ${parsed.data.product}`, {
      remedy: 'Restore it with that release, or a newer one.',
    });
  }
  return { header: parsed.data, line };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

async function readKey(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    throw new Fault('input.invalid', `--vault-key ${path}: ${(error as Error).message}`, {
      cause: error,
      remedy: 'Give the file vault.key of the server that was backed up.',
    });
  }
}

async function openKey({ sealedKey, vaultKey }: BackupHeader, path: string, file: string): Promise<string> {
  try {
    return await openWithKeyFile(path, KEY_ID, Buffer.from(sealedKey, 'base64'));
  } catch (error) {
    const wanted = vaultKey === undefined ? '' : ` (the key ${vaultKey})`;
    throw new Fault('vault.locked', `${file} is not the vault key of the server that was backed up${wanted}`, {
      cause: error,
      remedy:
        'Give the vault.key that this server had at the time of the backup; one that was rotated since is kept as vault.key.old-ID.',
    });
  }
}

async function refuseUsed({ query }: Database): Promise<void> {
  const [row] = await query('SELECT FROM accounts LIMIT 1');
  if (row === undefined) return;
  throw new Fault('object.exists', 'the database of DATABASE_URL belongs to a server already', {
    remedy: 'Restore into an empty database.',
  });
}

/** Everything in one transaction; the server is on hold with it. */
async function fill(
  database: Database,
  folder: string,
  header: BackupHeader,
  content: AsyncIterable<Buffer>,
  file: string,
): Promise<number> {
  const gunzip = createGunzip();
  const read = pipeline(Readable.from(content), gunzip);
  read.catch(() => {});
  try {
    return await database.transaction(async (query) => {
      const rows = await putLines(query, folder, linesOf(gunzip));
      await read;
      await raiseSequences(query);
      await leapEpoch({ query });
      const note: HoldNote = { since: new Date().toISOString(), backup: header.at };
      await writeSetting({ query }, HOLD, note);
      return rows;
    });
  } catch (error) {
    if (error instanceof Fault) throw error;
    const cause = await read.then(
      () => error,
      (failure: unknown) => failure,
    );
    throw new Fault('backup.damaged', `${file} cannot be restored: ${(cause as Error).message}`, { cause });
  }
}

async function putLines(query: Query, folder: string, lines: AsyncIterable<string>): Promise<number> {
  let table = '';
  let rows: string[] = [];
  let bytes = 0;
  let count = 0;
  let told: number | null = null;
  const flush = async () => {
    await insertRows(query, table, rows);
    rows = [];
    bytes = 0;
  };
  for await (const line of lines) {
    const [kind, rest] = [line[0], line.slice(2)];
    if (kind === 'R') {
      rows.push(rest);
      bytes += rest.length;
      count++;
      if (rows.length >= BATCH || bytes > BATCH_BYTES) await flush();
      continue;
    }
    await flush();
    if (kind === 'T') {
      table = rest;
      // What the first start of a database puts there by itself gives way.
      await emptyTable(query, table);
    } else if (kind === 'F') await putFile(folder, rest);
    else if (kind === 'E') told = (JSON.parse(rest) as { rows: number }).rows;
  }
  if (told !== count) throw new Error(`it ends after ${count} rows`);
  return count;
}

async function putFile(folder: string, text: string): Promise<void> {
  const { name, content, mode } = BackupFileSchema.parse(JSON.parse(text));
  if (!staysOut(name)) await writeDurably(join(folder, name), Buffer.from(content, 'base64'), mode);
}

/** Fails as the stream does, which node:readline would not. */
async function* linesOf(stream: AsyncIterable<Buffer>): AsyncGenerator<string> {
  const decoder = new StringDecoder('utf8');
  let rest = '';
  for await (const chunk of stream) {
    const lines = (rest + decoder.write(chunk)).split('\n');
    rest = lines.pop() ?? '';
    yield* lines;
  }
}
