import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { Fault } from '../../model/fault.ts';
import type { Database, Query } from '../store/database.ts';
import { listTables, readRows } from '../store/dump.ts';
import { schemaNumber } from '../store/migrations.ts';
import { readVaultKeys } from '../store/vault.ts';
import type { Vault } from '../vault.ts';
import { VERSION } from '../version.ts';
import { BACKUP_FORMAT, type BackupFile, type BackupHeader, KEY_ID, staysOut } from './format.ts';
import { sealStream } from './sealed-stream.ts';

const LARGEST_FILE_BYTES = 4 * 1024 * 1024;

export interface BackupSource {
  folder: string;
  database: Database;
  vault: Vault;
  owner: string;
}

/**
 * The whole server as it is at one moment, while it goes on working: what is in the database, and the small files of the
 * data folder. Everything but the header is encrypted under a key that only the vault's own opens. A backup that fails in
 * the middle ends without its last frame.
 */
export async function writeBackup(source: BackupSource, signal: AbortSignal): Promise<Readable> {
  const key = randomBytes(32);
  const alone = await source.vault.sealAlone(KEY_ID, key.toString('base64'));
  const header: BackupHeader = {
    format: BACKUP_FORMAT,
    version: 1,
    product: VERSION,
    schema: await schemaNumber(source.database),
    at: new Date().toISOString(),
    installation: source.owner,
    vaultKey: alone.key,
    sealedKey: alone.sealed.toString('base64'),
  };
  const line = Buffer.from(`${JSON.stringify(header)}\n`);
  const gzip = createGzip();
  const failed = pipeline(Readable.from(lines(source, alone.key, signal)), gzip);
  failed.catch(() => {});
  async function* whole() {
    yield line;
    yield* sealStream(key, line, gzip);
    await failed;
  }
  return Readable.from(whole());
}

/** Text lines in batches, one consistent view of the database. */
async function* lines(source: BackupSource, vaultKey: string, signal: AbortSignal): AsyncGenerator<string> {
  for (const file of await readFiles(source.folder)) yield `F ${JSON.stringify(file)}\n`;
  const queue = createQueue(signal);
  const dump = source.database.transaction(async (query) => {
    await query('SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY');
    await refuseRotated(query, vaultKey);
    // Whoever reads it may be slow.
    await query('SET LOCAL idle_in_transaction_session_timeout = 0');
    let count = 0;
    for (const table of await listTables(query)) {
      await queue.put(`T ${table}\n`);
      for await (const rows of readRows(query, table)) {
        count += rows.length;
        await queue.put(rows.map((row) => `R ${row}\n`).join(''));
      }
    }
    return count;
  });
  const ended = dump.then(
    () => queue.end(null),
    (error: unknown) => queue.end(error),
  );
  try {
    yield* queue.take();
  } finally {
    queue.end(new Fault('server.unavailable', 'nobody reads the backup any more'));
    await ended;
  }
  yield `E ${JSON.stringify({ rows: await dump })}\n`;
}

/** The rows have to open with the key that the header names. */
async function refuseRotated(query: Query, vaultKey: string): Promise<void> {
  if ((await readVaultKeys(query)).at(-1)?.master === vaultKey) return;
  throw new Fault('job.state', 'the key of the vault was rotated while the backup began', {
    remedy: 'Make the backup again.',
  });
}

/** One text at a time from a transaction that writes to a reader that may be slow. */
function createQueue(signal: AbortSignal) {
  const events = new EventTarget();
  const tell = () => events.dispatchEvent(new Event('change'));
  let waiting: string | null = null;
  let over: { error: unknown } | null = null;
  signal.addEventListener('abort', () => queue.end(signal.reason), { once: true });
  const queue = {
    async put(text: string): Promise<void> {
      while (waiting !== null && over === null) await once(events, 'change');
      if (over !== null) throw over.error;
      waiting = text;
      tell();
    },
    end(error: unknown): void {
      over ??= { error };
      tell();
    },
    async *take(): AsyncGenerator<string> {
      for (;;) {
        while (waiting === null && over === null) await once(events, 'change');
        if (waiting === null) break;
        const text: string = waiting;
        waiting = null;
        tell();
        yield text;
      }
      if (over?.error != null) throw over.error;
    },
  };
  return queue;
}

async function readFiles(folder: string): Promise<BackupFile[]> {
  const files: BackupFile[] = [];
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    if (!entry.isFile() || staysOut(entry.name)) continue;
    const path = join(folder, entry.name);
    const { mode, size } = await stat(path);
    if (size > LARGEST_FILE_BYTES) continue;
    files.push({ name: entry.name, mode: mode & 0o777, content: (await readFile(path)).toString('base64') });
  }
  return files;
}
