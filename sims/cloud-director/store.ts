import { DatabaseSync, type StatementSync } from 'node:sqlite';
import type { Kind, Kinds } from './entities.ts';

/**
 * Everything the simulated cloud knows, kept in one SQLite file and mirrored in memory. A change is on disk when the
 * call (or the outermost `atomically`) returns, so killing the process leaves the state before or after, never between.
 */
export class Store {
  readonly #database: DatabaseSync;
  readonly #write: StatementSync;
  readonly #erase: StatementSync;
  readonly #entities = new Map<Kind, Map<string, Kinds[Kind]>>();
  #depth = 0;
  /** Session tokens, and the unguessable part of every transfer's URL, since the start. */
  readonly handedOut = new Set<string>();

  constructor(file: string) {
    this.#database = new DatabaseSync(file);
    this.#database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA busy_timeout = 5000;');
    this.#database.exec(
      'CREATE TABLE IF NOT EXISTS entity (kind TEXT, id TEXT, body TEXT, PRIMARY KEY (kind, id)) STRICT',
    );
    this.#write = this.#database.prepare('INSERT OR REPLACE INTO entity (kind, id, body) VALUES (?, ?, ?)');
    this.#erase = this.#database.prepare('DELETE FROM entity WHERE kind = ? AND id = ?');
    this.#load();
  }

  /** The entities of a kind, oldest first. The objects are the store's own: change them only through `put`/`change`. */
  all<K extends Kind>(kind: K): Kinds[K][] {
    return [...(this.#table(kind).values() as Iterable<Kinds[K]>)];
  }

  get<K extends Kind>(kind: K, id: string): Kinds[K] | undefined {
    return this.#table(kind).get(id) as Kinds[K] | undefined;
  }

  /** Like `get` for an id that another entity names; throws when the store contradicts itself. */
  must<K extends Kind>(kind: K, id: string): Kinds[K] {
    const found = this.get(kind, id);
    if (found === undefined) throw new Error(`cloud-director lab: no ${kind} ${id} in the store`);
    return found;
  }

  put<K extends Kind>(kind: K, entity: Kinds[K]): void {
    if (kind === 'session') this.handedOut.add((entity as Kinds['session']).token);
    if (kind === 'transfer') this.handedOut.add(entity.id);
    this.#write.run(kind, entity.id, JSON.stringify(entity));
    this.#table(kind).set(entity.id, entity);
  }

  /** Writes the entity with the given fields replaced and returns it; undefined when it is gone. */
  change<K extends Kind>(kind: K, id: string, fields: Partial<Kinds[K]>): Kinds[K] | undefined {
    const found = this.get(kind, id);
    if (found === undefined) return undefined;
    const next = { ...found, ...fields };
    this.put(kind, next);
    return next;
  }

  remove(kind: Kind, id: string): void {
    this.#erase.run(kind, id);
    this.#table(kind).delete(id);
  }

  /** Runs `work` as one transaction; when it throws, nothing of it remains. */
  atomically<T>(work: () => T): T {
    if (this.#depth > 0) return work();
    this.#database.exec('BEGIN IMMEDIATE');
    this.#depth += 1;
    try {
      const result = work();
      this.#database.exec('COMMIT');
      return result;
    } catch (error) {
      this.#database.exec('ROLLBACK');
      this.#load();
      throw error;
    } finally {
      this.#depth -= 1;
    }
  }

  close(): void {
    this.#database.close();
  }

  #table(kind: Kind): Map<string, Kinds[Kind]> {
    let table = this.#entities.get(kind);
    if (table === undefined) {
      table = new Map();
      this.#entities.set(kind, table);
    }
    return table;
  }

  #load(): void {
    this.#entities.clear();
    for (const row of this.#database.prepare('SELECT kind, body FROM entity ORDER BY rowid').iterate()) {
      const entity = JSON.parse(String(row.body)) as Kinds[Kind];
      this.#table(row.kind as Kind).set(entity.id, entity);
    }
  }
}
