import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';

/**
 * What the simulator remembers between runs: one row of JSON per managed object and a few named values. Every change is committed
 * before the call that made it is answered, so a SIGKILL at any moment loses nothing that a client was told.
 */
export class Store {
  readonly #database: DatabaseSync;

  constructor(folder: string) {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    this.#database = new DatabaseSync(path.join(folder, 'state.db'));
    this.#database.exec(`
      PRAGMA journal_mode = WAL;
      PRAGMA synchronous = NORMAL;
      CREATE TABLE IF NOT EXISTS object (id TEXT PRIMARY KEY, body TEXT NOT NULL);
      CREATE TABLE IF NOT EXISTS setting (name TEXT PRIMARY KEY, value TEXT NOT NULL);
      CREATE TABLE IF NOT EXISTS scratch (path TEXT PRIMARY KEY);
    `);
  }

  objects(): unknown[] {
    const rows = this.#database.prepare('SELECT body FROM object ORDER BY rowid').all() as { body: string }[];
    return rows.map((row) => JSON.parse(row.body) as unknown);
  }

  put(id: string, body: unknown): void {
    this.#database
      .prepare('INSERT INTO object (id, body) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET body = excluded.body')
      .run(id, JSON.stringify(body));
  }

  remove(id: string): void {
    this.#database.prepare('DELETE FROM object WHERE id = ?').run(id);
  }

  setting(name: string): unknown {
    const row = this.#database.prepare('SELECT value FROM setting WHERE name = ?').get(name) as
      | { value: string }
      | undefined;
    return row && JSON.parse(row.value);
  }

  set(name: string, value: unknown): void {
    this.#database
      .prepare(
        'INSERT INTO setting (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value',
      )
      .run(name, JSON.stringify(value));
  }

  /** Notes a path on disk that is being filled and belongs to nobody yet; after a crash it is removed at the next start. */
  noteScratch(file: string): void {
    this.#database.prepare('INSERT OR IGNORE INTO scratch (path) VALUES (?)').run(file);
  }

  dropScratch(file: string): void {
    this.#database.prepare('DELETE FROM scratch WHERE path = ?').run(file);
  }

  scratch(): string[] {
    return (this.#database.prepare('SELECT path FROM scratch').all() as { path: string }[]).map((row) => row.path);
  }

  clear(): void {
    this.#database.exec('DELETE FROM object; DELETE FROM setting; DELETE FROM scratch');
  }

  close(): void {
    this.#database.close();
  }
}
