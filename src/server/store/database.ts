import pg from 'pg';
import type { Log } from '../../base/log.ts';
import { Fault } from '../../model/fault.ts';
import { type EmbeddedPostgres, startEmbedded } from './embedded.ts';
import { migrate } from './migrations.ts';

const CONNECT_MILLISECONDS = 15_000;
const IDLE_MILLISECONDS = 5_000;

/** Runs one statement; rows as the statement names their columns. */
export type Query = <Row extends pg.QueryResultRow = pg.QueryResultRow>(
  text: string,
  values?: unknown[],
) => Promise<Row[]>;

export interface Database {
  readonly query: Query;
  /** Commits when `work` ends well, else rolls back. */
  transaction<T>(work: (query: Query) => Promise<T>): Promise<T>;
  /** How another pool to the same database is made. */
  readonly connection: pg.PoolConfig;
  /** Brings the schema up to date, where it was opened with an older one. */
  migrate(): Promise<void>;
  close(): Promise<void>;
}

/**
 * Opens the database and brings its schema up to date: the one that `url` names, else the embedded one in `folder`.
 * @param schema Stops at this one.
 */
export async function openDatabase(
  folder: string,
  url: string | undefined,
  log: Log,
  schema?: number,
): Promise<Database> {
  const embedded: EmbeddedPostgres | null = url === undefined ? await startEmbedded(folder, log) : null;
  const connection: pg.PoolConfig = embedded?.connection ?? {
    connectionString: url,
    keepAlive: true,
    connectionTimeoutMillis: CONNECT_MILLISECONDS,
    // A server that is frozen in the middle of a transaction does not hold up the others.
    idle_in_transaction_session_timeout: IDLE_MILLISECONDS,
  };
  const pool = new pg.Pool({ ...connection, max: 16 });
  watchPool(pool, log);
  const close = async () => {
    await pool.end();
    await embedded?.close();
  };
  const query = queryOf(pool);
  const update = (until?: number) => migrate((work) => transaction(pool, work), until);
  try {
    await update(schema);
  } catch (error) {
    await close();
    throw new Fault('server.unavailable', `the database cannot be used: ${(error as Error).message}`, { cause: error });
  }
  return { query, transaction: (work) => transaction(pool, work), connection, migrate: () => update(), close };
}

/** A broken idle connection is replaced by the pool; its error is told without the connection's settings. */
export function watchPool(pool: pg.Pool, log: Log): void {
  pool.on('error', (error) => {
    if (!pool.ending) log.warn(`a connection to the database broke: ${error.message}`);
  });
}

function queryOf(client: pg.Pool | pg.PoolClient): Query {
  return async <Row extends pg.QueryResultRow>(text: string, values: unknown[] = []) =>
    (await client.query<Row>(text, values)).rows;
}

async function transaction<T>(pool: pg.Pool, work: (query: Query) => Promise<T>): Promise<T> {
  const client = await pool.connect();
  let broken: Error | undefined;
  try {
    await client.query('BEGIN');
    const result = await work(queryOf(client));
    await client.query('COMMIT');
    return result;
  } catch (error) {
    await client.query('ROLLBACK').catch((failure: Error) => {
      broken = failure;
    });
    throw error;
  } finally {
    client.release(broken);
  }
}
