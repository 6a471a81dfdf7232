import { DatabaseSync, type SQLInputValue } from 'node:sqlite';
import { parentPort, workerData } from 'node:worker_threads';
import type { JournalAnswer, JournalCall, JournalState } from './journal.ts';

/** The journal's own thread: a commit waits for the disk. All calls of one message share a transaction. */

const schema = `
  CREATE TABLE transfer (
    id INTEGER PRIMARY KEY, owner TEXT NOT NULL, name TEXT NOT NULL, description TEXT, done INTEGER NOT NULL DEFAULT 0,
    wire_bytes INTEGER NOT NULL DEFAULT 0, resent_bytes INTEGER NOT NULL DEFAULT 0, UNIQUE (owner, name)
  ) STRICT;
  CREATE TABLE disk (
    id INTEGER PRIMARY KEY, transfer INTEGER NOT NULL REFERENCES transfer ON DELETE CASCADE, name TEXT NOT NULL,
    root TEXT, handed INTEGER NOT NULL DEFAULT 0, stale INTEGER NOT NULL DEFAULT 0, UNIQUE (transfer, name)
  ) STRICT;
  CREATE TABLE entry (
    disk INTEGER NOT NULL REFERENCES disk ON DELETE CASCADE, position INTEGER NOT NULL, hash BLOB NOT NULL,
    PRIMARY KEY (disk, position)
  ) STRICT, WITHOUT ROWID;
  PRAGMA user_version = 1;
`;

const db = new DatabaseSync(workerData as string);
db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA busy_timeout = 5000;');
if (db.prepare('PRAGMA user_version').get()?.user_version === 0) db.exec(`BEGIN; ${schema} COMMIT;`);

const addTransfer = db.prepare('INSERT INTO transfer (owner, name) VALUES (?, ?) ON CONFLICT DO NOTHING');
const findTransferId = db.prepare('SELECT id FROM transfer WHERE owner = ? AND name = ?');
const findTransfer = db.prepare('SELECT * FROM transfer WHERE owner = ? AND name = ?');
const addDisk = db.prepare('INSERT INTO disk (transfer, name) VALUES (?, ?) ON CONFLICT DO NOTHING');
const findDisk = db.prepare('SELECT id FROM disk WHERE transfer = ? AND name = ?');
const listDisks = db.prepare('SELECT * FROM disk WHERE transfer = ?');
const putEntry = db.prepare(
  'INSERT INTO entry (disk, position, hash) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET hash = excluded.hash',
);
const removeEntry = db.prepare('DELETE FROM entry WHERE disk = ? AND position = ?');
const listEntries = db.prepare('SELECT position, hash FROM entry WHERE disk = ? ORDER BY position');
const setDescription = db.prepare('UPDATE transfer SET description = ? WHERE id = ?');
const setDone = db.prepare('UPDATE transfer SET done = 1 WHERE id = ?');
const reopenTransfer = db.prepare('UPDATE transfer SET done = 0, description = NULL WHERE id = ?');
const reopenDisks = db.prepare('UPDATE disk SET root = NULL WHERE transfer = ?');
const addCounters = db.prepare(
  'UPDATE transfer SET wire_bytes = wire_bytes + ?, resent_bytes = resent_bytes + ? WHERE id = ?',
);
const setRoot = db.prepare('UPDATE disk SET root = ? WHERE id = ?');
const setHanded = db.prepare('UPDATE disk SET handed = ?, stale = ? WHERE id = ?');
const removeTransfer = db.prepare('DELETE FROM transfer WHERE owner = ? AND name = ?');
const listTransfers = db.prepare('SELECT owner, name AS transfer, done FROM transfer');

type Row = Record<string, SQLInputValue>;

/** Looks the id up, or makes the row. The description is left alone: of a package of many files it is long. */
function transferId(call: { owner: string; transfer: string }): number {
  let row = findTransferId.get(call.owner, call.transfer) as Row | undefined;
  if (row === undefined) {
    addTransfer.run(call.owner, call.transfer);
    row = findTransferId.get(call.owner, call.transfer) as Row;
  }
  return row.id as number;
}

function diskId(call: { owner: string; transfer: string; disk: string }): number {
  const transfer = transferId(call);
  let row = findDisk.get(transfer, call.disk) as Row | undefined;
  if (row === undefined) {
    addDisk.run(transfer, call.disk);
    row = findDisk.get(transfer, call.disk) as Row;
  }
  return row.id as number;
}

function load(owner: string, name: string): JournalState | null {
  const row = findTransfer.get(owner, name) as Row | undefined;
  if (row === undefined) return null;
  const disks = (listDisks.all(row.id as number) as Row[]).map((disk) => {
    const entries = listEntries.all(disk.id as number) as { position: number; hash: Uint8Array }[];
    return {
      disk: disk.name as string,
      root: disk.root as string | null,
      handed: disk.handed as number,
      stale: disk.stale === 1,
      positions: Uint32Array.from(entries, ({ position }) => position),
      hashes: new Uint8Array(Buffer.concat(entries.map(({ hash }) => hash))),
    };
  });
  return {
    description: row.description === null ? null : JSON.parse(row.description as string),
    done: row.done === 1,
    wireBytes: row.wire_bytes as number,
    resentBytes: row.resent_bytes as number,
    disks,
  };
}

function apply(call: JournalCall): unknown {
  switch (call.kind) {
    case 'load':
      return load(call.owner, call.transfer);
    case 'transfers':
      return (listTransfers.all() as Row[]).map((row) => ({ ...row, done: row.done === 1 }));
    case 'describe':
      return void setDescription.run(JSON.stringify(call.description), transferId(call));
    case 'entry':
      if (call.hash === null) return void removeEntry.run(diskId(call), call.index);
      return void putEntry.run(diskId(call), call.index, call.hash);
    case 'root':
      return void setRoot.run(call.root, diskId(call));
    case 'handed':
      return void setHanded.run(call.handed, call.stale ? 1 : 0, diskId(call));
    case 'count':
      return void addCounters.run(call.wireBytes, call.resentBytes, transferId(call));
    case 'done':
      return void setDone.run(transferId(call));
    case 'reopen':
      reopenDisks.run(transferId(call));
      return void reopenTransfer.run(transferId(call));
    case 'forget':
      return void removeTransfer.run(call.owner, call.transfer);
  }
}

parentPort!.on('message', (calls: JournalCall[] | 'close') => {
  if (calls === 'close') {
    db.close();
    parentPort!.close();
    return;
  }
  let answer: JournalAnswer;
  try {
    db.exec('BEGIN IMMEDIATE');
    const values = calls.map(apply);
    db.exec('COMMIT');
    answer = { values };
  } catch (error) {
    if (db.isTransaction) db.exec('ROLLBACK');
    answer = { error: (error as Error).message, full: (error as { errcode?: number }).errcode === 13 };
  }
  parentPort!.postMessage(answer);
});
