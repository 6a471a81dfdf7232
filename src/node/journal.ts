import { DatabaseSync, type SQLInputValue } from 'node:sqlite';
import { Fault, type FaultReport } from '../model/fault.ts';
import type { LedgerEntry } from '../model/ledger.ts';
import type { WorkOrder, WorkResult, WorkState } from '../protocol/work.ts';

/** A work as it lies in the journal. The order holds no cloud credentials: they live in sessions only. */
export interface WorkRow {
  server: string;
  id: string;
  epoch: number;
  order: WorkOrder;
  phase: WorkState['phase'];
  text: string;
  fault?: FaultReport;
  result?: WorkResult;
  /** Asked for; the work has not ended yet. */
  cancelled: boolean;
  /** It is cancelled, or ended so, only to begin again later: what arrived is not given up for others. */
  paused: boolean;
  revision: number;
}

export type LogLine = WorkState['log'][number];

const LOG_LINES_PER_WORK = 1000;
const LOG_FLUSH_MILLISECONDS = 300;
/** While the disk is full. */
const MOST_LINES_WAITING = 5000;

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS works (
    server TEXT NOT NULL, id TEXT NOT NULL, epoch INTEGER NOT NULL, work_order TEXT NOT NULL, phase TEXT NOT NULL,
    text TEXT NOT NULL, fault TEXT, result TEXT, cancelled INTEGER NOT NULL, revision INTEGER NOT NULL,
    PRIMARY KEY (server, id)) STRICT;
  CREATE TABLE IF NOT EXISTS epochs (
    server TEXT NOT NULL, job TEXT NOT NULL, epoch INTEGER NOT NULL, PRIMARY KEY (server, job)) STRICT;
  CREATE TABLE IF NOT EXISTS ledger (
    number INTEGER PRIMARY KEY, server TEXT NOT NULL, work TEXT NOT NULL, role TEXT NOT NULL, entry TEXT NOT NULL,
    UNIQUE (server, work, role)) STRICT;
  CREATE TABLE IF NOT EXISTS log (
    server TEXT NOT NULL, work TEXT NOT NULL, number INTEGER NOT NULL, at TEXT NOT NULL, level TEXT NOT NULL,
    text TEXT NOT NULL, PRIMARY KEY (server, work, number)) STRICT;
`;

interface PendingLine extends LogLine {
  server: string;
  work: string;
}

/**
 * What the node must know after a crash: works, the ledger, the last lines of their logs. Every write is on disk when
 * the method returns (SQLite, synchronous=FULL), save log lines, which follow within 300 ms. Fault of everything that
 * writes: `storage.full`.
 */
export class WorkJournal implements Disposable {
  readonly #database: DatabaseSync;
  readonly #lines: PendingLine[] = [];
  #flush: NodeJS.Timeout | undefined;

  /** @param path File of the database. */
  constructor(path: string) {
    this.#database = new DatabaseSync(path);
    this.#database.exec('PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA busy_timeout=5000;');
    this.#database.exec(SCHEMA);
  }

  works(): WorkRow[] {
    return this.#database.prepare('SELECT * FROM works ORDER BY rowid').all().map(readWork);
  }

  /** Writes the work whole. */
  putWork(row: WorkRow): void {
    this.#run(
      `INSERT OR REPLACE INTO works (server, id, epoch, work_order, phase, text, fault, result, cancelled, revision)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      row.server,
      row.id,
      row.epoch,
      JSON.stringify(row.order),
      row.phase,
      row.text,
      row.fault === undefined ? null : JSON.stringify(row.fault),
      row.result === undefined ? null : JSON.stringify(row.result),
      row.paused ? 2 : row.cancelled ? 1 : 0,
      row.revision,
    );
  }

  /**
   * Removes the work with its log, but for the last line: a work of this name that begins later numbers its own after it.
   * Its ledger stays while something in it is not settled.
   */
  forgetWork(server: string, id: string): void {
    this.#writeLines();
    this.#transaction(() => {
      this.#run('DELETE FROM works WHERE server = ? AND id = ?', server, id);
      this.#run(
        `DELETE FROM log WHERE server = ?1 AND work = ?2
         AND number < (SELECT max(number) FROM log WHERE server = ?1 AND work = ?2)`,
        server,
        id,
      );
      const open = this.ledger(server, id).some((entry) => entry.state === 'intent' || entry.state === 'made');
      if (!open) this.#run('DELETE FROM ledger WHERE server = ? AND work = ?', server, id);
    });
  }

  epoch(server: string, job: string): number {
    const row = this.#database.prepare('SELECT epoch FROM epochs WHERE server = ? AND job = ?').get(server, job);
    return row === undefined ? 0 : Number(row.epoch);
  }

  raiseEpoch(server: string, job: string, epoch: number): void {
    this.#run('INSERT OR REPLACE INTO epochs (server, job, epoch) VALUES (?, ?, ?)', server, job, epoch);
  }

  /** Rows of a work, oldest first. */
  ledger(server: string, work: string): LedgerEntry[] {
    return this.#database
      .prepare('SELECT entry FROM ledger WHERE server = ? AND work = ? ORDER BY number')
      .all(server, work)
      .map((row) => JSON.parse(String(row.entry)) as LedgerEntry);
  }

  /** A row is known by work and role. */
  putLedger(server: string, work: string, entry: LedgerEntry): void {
    this.#run(
      `INSERT INTO ledger (server, work, role, entry) VALUES (?, ?, ?, ?)
       ON CONFLICT (server, work, role) DO UPDATE SET entry = excluded.entry`,
      server,
      work,
      entry.role,
      JSON.stringify(entry),
    );
  }

  addLine(server: string, work: string, line: LogLine): void {
    this.#lines.push({ server, work, ...line });
    this.#flushSoon();
  }

  #flushSoon(): void {
    this.#flush ??= setTimeout(() => this.#flushLines(), LOG_FLUSH_MILLISECONDS);
  }

  /** Lines that find no space on the disk wait for it. */
  #flushLines(): void {
    try {
      this.#writeLines();
    } catch {
      this.#flushSoon();
    }
  }

  lines(server: string, work: string): LogLine[] {
    this.#flushLines();
    return this.#database
      .prepare('SELECT number, at, level, text FROM log WHERE server = ? AND work = ? ORDER BY number')
      .all(server, work)
      .map((row) => ({ ...row }) as unknown as LogLine);
  }

  [Symbol.dispose](): void {
    this.#flushLines();
    clearTimeout(this.#flush);
    this.#database.close();
  }

  #writeLines(): void {
    clearTimeout(this.#flush);
    this.#flush = undefined;
    const lines = this.#lines.slice(-MOST_LINES_WAITING);
    if (lines.length === 0) return;
    this.#transaction(() => {
      const newest = new Map<string, PendingLine>();
      for (const line of lines) {
        const { server, work, number, at, level, text } = line;
        this.#run('INSERT OR REPLACE INTO log VALUES (?, ?, ?, ?, ?, ?)', server, work, number, at, level, text);
        newest.set(JSON.stringify([server, work]), line);
      }
      for (const { server, work } of newest.values()) {
        this.#run(
          `DELETE FROM log WHERE server = ?1 AND work = ?2 AND number <= (SELECT number FROM log
           WHERE server = ?1 AND work = ?2 ORDER BY number DESC LIMIT 1 OFFSET ${LOG_LINES_PER_WORK})`,
          server,
          work,
        );
      }
    });
    this.#lines.length = 0;
  }

  #transaction(work: () => void): void {
    this.#database.exec('BEGIN IMMEDIATE');
    try {
      work();
      this.#database.exec('COMMIT');
    } catch (error) {
      // A disk that is full may have ended the transaction already.
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK');
      throw asFault(error);
    }
  }

  #run(statement: string, ...values: SQLInputValue[]): void {
    try {
      this.#database.prepare(statement).run(...values);
    } catch (error) {
      throw asFault(error);
    }
  }
}

const SQLITE_IOERR = 10;
const SQLITE_FULL = 13;

function asFault(error: unknown): unknown {
  const { errcode = 0, message } = error as { errcode?: number; message: string };
  if ((errcode & 0xff) !== SQLITE_FULL && (errcode & 0xff) !== SQLITE_IOERR) return error;
  return new Fault('storage.full', `the journal of this node's works cannot be written: ${message}`, { cause: error });
}

function readWork(row: Record<string, unknown>): WorkRow {
  return {
    server: String(row.server),
    id: String(row.id),
    epoch: Number(row.epoch),
    order: JSON.parse(String(row.work_order)) as WorkOrder,
    phase: row.phase as WorkRow['phase'],
    text: String(row.text),
    ...(row.fault === null ? {} : { fault: JSON.parse(String(row.fault)) as FaultReport }),
    ...(row.result === null ? {} : { result: JSON.parse(String(row.result)) as WorkResult }),
    cancelled: row.cancelled !== 0,
    paused: row.cancelled === 2,
    revision: Number(row.revision),
  };
}
