import type { Database, Query } from './database.ts';
import { ENDED, type JobRow } from './jobs.ts';
import { raiseEpoch } from './settings.ts';

/** A server that was silent for so long is taken for gone; it may only be frozen. */
export const GONE_SECONDS = 12;
/** A job that was handed out and that nobody took within that time is handed out again. */
const OFFERED_SECONDS = 30;
const OFFERED = 'offered';
const FORGET_HOURS = 24;
/** The advisory lock under which one server at a time takes over what another left. */
const LOCK = 7_213_554;

export interface ServerRow {
  /** Of this run of the process; a server that starts again is another one. */
  id: string;
  /** The same as long as it has the same data folder. */
  folder: string;
  host: string;
  /** `host:port` where nodes dial it. */
  address: string;
  version: string;
  steward: boolean;
  started_at: Date;
  seen_at: Date;
}

export async function enrol(
  { query }: Database,
  row: Pick<ServerRow, 'id' | 'folder' | 'host' | 'address' | 'version'>,
): Promise<void> {
  await query(`DELETE FROM servers WHERE folder = $1 OR seen_at < now() - make_interval(hours => ${FORGET_HOURS})`, [
    row.folder,
  ]);
  await query('INSERT INTO servers (id, folder, host, address, version) VALUES ($1, $2, $3, $4, $5)', [
    row.id,
    row.folder,
    row.host,
    row.address,
    row.version,
  ]);
}

/** Says that the server is there. */
export async function beat(
  { query }: Database,
  row: Pick<ServerRow, 'id' | 'folder' | 'host' | 'address' | 'version' | 'steward'>,
): Promise<void> {
  await query(
    `INSERT INTO servers (id, folder, host, address, version, steward) VALUES ($1, $2, $3, $4, $5, $6)
     ON CONFLICT (id) DO UPDATE SET seen_at = clock_timestamp(), address = $4, steward = $6`,
    [row.id, row.folder, row.host, row.address, row.version, row.steward],
  );
}

export async function leave({ query }: Database, id: string): Promise<void> {
  await query('DELETE FROM leases WHERE holder = $1', [id]);
  await query('DELETE FROM servers WHERE id = $1', [id]);
}

export async function readServers({ query }: Database): Promise<(ServerRow & { alive: boolean; jobs: number })[]> {
  return query(
    `SELECT s.id, s.folder, s.host, s.address, s.version, s.steward, s.started_at, s.seen_at,
       s.seen_at > now() - make_interval(secs => ${GONE_SECONDS}) AS alive,
       (SELECT count(*)::integer FROM jobs j WHERE j.server = s.id AND NOT j.state = ANY($1)) AS jobs
     FROM servers s ORDER BY s.host, s.address`,
    [[...ENDED, 'paused']],
  );
}

/** True where the lease is this server's from now on, for `seconds`. */
export async function takeLease({ query }: Database, name: string, holder: string, seconds: number): Promise<boolean> {
  const rows = await query(
    `INSERT INTO leases (name, holder, until) VALUES ($1, $2, now() + make_interval(secs => $3))
     ON CONFLICT (name) DO UPDATE SET holder = $2, until = excluded.until
     WHERE leases.holder = $2 OR leases.until < now() RETURNING holder`,
    [name, holder, seconds],
  );
  return rows.length > 0;
}

/** The run takes the job: from now on commands of an older epoch are refused, by nodes and by the database. */
export async function claimJob(database: Database, job: string, server: string): Promise<number> {
  return database.transaction(async (query) => {
    const epoch = await raiseEpoch({ query });
    await query('UPDATE jobs SET epoch = $2, server = $3, server_at = now() WHERE id = $1', [job, epoch, server]);
    return epoch;
  });
}

/** Nobody has the job, where this server had it and no run of it has begun since. */
export async function releaseJob({ query }: Database, job: string, server: string, epoch: number): Promise<void> {
  await query('UPDATE jobs SET server = NULL WHERE id = $1 AND server = $2 AND epoch = $3', [job, server, epoch]);
}

/** Those of these jobs that this server has at the epoch that it knows. */
export async function stillHeld({ query }: Database, server: string, held: { job: string; epoch: number }[]) {
  const rows = await query<{ id: string }>(
    `SELECT j.id FROM jobs j JOIN unnest($1::text[], $2::integer[]) AS h (job, epoch) ON h.job = j.id
     WHERE j.server = $3 AND j.epoch = h.epoch`,
    [held.map(({ job }) => job), held.map(({ epoch }) => epoch), server],
  );
  return new Set(rows.map(({ id }) => id));
}

export type Orphan = Pick<JobRow, 'id' | 'number' | 'attempt' | 'state' | 'undo'>;

/**
 * Hands the jobs of servers that are gone to `offer`, under a lock that one server at a time gets: false for the others.
 * Their epoch is raised first, so that a server which is only frozen has no more say in them.
 * @param mine This server; `all`: there can be no other one.
 */
export async function takeOverJobs(
  database: Database,
  mine: { id: string; all: boolean },
  offer: (orphan: Orphan) => Promise<void>,
): Promise<boolean> {
  const orphans = await database.transaction(async (query) => {
    const [lock] = await query<{ got: boolean }>('SELECT pg_try_advisory_xact_lock($1) AS got', [LOCK]);
    if (lock?.got !== true) return null;
    return raiseOrphans(query, mine);
  });
  for (const orphan of orphans ?? []) await offer(orphan);
  return orphans !== null;
}

async function raiseOrphans(query: Query, { id, all }: { id: string; all: boolean }): Promise<Orphan[]> {
  const [first] = await query(`SELECT id FROM jobs WHERE ${ORPHANED} LIMIT 1`, [ENDED, id, all]);
  if (first === undefined) return [];
  const epoch = await raiseEpoch({ query });
  return query<Orphan>(
    `UPDATE jobs SET epoch = $4, server = '${OFFERED}', server_at = now() WHERE ${ORPHANED}
     RETURNING id, number::integer AS number, attempt, state, undo`,
    [ENDED, id, all, epoch],
  );
}

const ORPHANED = `(NOT state = ANY($1) OR undo->>'state' = 'running') AND state <> 'paused' AND (
  server IS NULL
  OR server = '${OFFERED}' AND (server_at < now() - make_interval(secs => ${OFFERED_SECONDS}) OR $3)
  OR server <> '${OFFERED}' AND server <> $2 AND ($3 OR NOT EXISTS (
    SELECT FROM servers s WHERE s.id = jobs.server AND s.seen_at > now() - make_interval(secs => ${GONE_SECONDS}))))`;
