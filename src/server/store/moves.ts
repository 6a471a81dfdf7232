import type { MovedSource } from '../../protocol/api/moves.ts';
import type { Database } from './database.ts';
import { staleEpoch } from './jobs.ts';
import { GONE_SECONDS } from './servers.ts';

/** Nobody is at it: it was never begun, or whoever began it is gone. */
const FREE = `(NOT m.deleting OR NOT EXISTS (
  SELECT FROM servers s WHERE s.id = m.deleter AND s.seen_at > now() - make_interval(secs => ${GONE_SECONDS})))`;

/** The source of a move as it was left. Dates are ISO 8601: rows of jobs carry it as JSON. */
export interface Move {
  object: string;
  /** What the source read when it had been set aside. */
  version: string;
  back: boolean;
  deleting: boolean;
  deleted_at: string | null;
  delete_at: string | null;
  refusal: string | null;
}

/** An attempt after an undo begins anew. Fault `epoch.stale` where another server has the job. */
export async function writeMove(
  { query }: Database,
  owner: string,
  job: string,
  epoch: number,
  { object, version, days }: { object: string; version: string; days: number | null },
): Promise<void> {
  const rows = await query(
    `INSERT INTO moves (job, owner, object, version, delete_at)
     SELECT id, $2, $3, $4, now() + $5::integer * interval '1 day' FROM jobs WHERE id = $1 AND epoch = $6 FOR SHARE
     ON CONFLICT (job) DO UPDATE SET object = $3, version = $4, at = now(), back = false,
       delete_at = now() + $5::integer * interval '1 day' RETURNING job`,
    [job, owner, object, version, days, epoch],
  );
  if (rows.length === 0) throw staleEpoch(job);
}

/** The source is as it was before the move, where there was one. Fault `epoch.stale` where another server has the job. */
export async function writeBack({ transaction }: Database, job: string, epoch: number): Promise<void> {
  await transaction(async (query) => {
    const rows = await query('SELECT FROM jobs WHERE id = $1 AND epoch = $2 FOR SHARE', [job, epoch]);
    if (rows.length === 0) throw staleEpoch(job);
    await query('UPDATE moves SET back = true, delete_at = NULL WHERE job = $1', [job]);
  });
}

/**
 * The deletion is this server's from now on. False where an undo runs or has set the source back, where it is deleted, or is being
 * deleted: then it is not to be deleted now.
 */
export async function beginDeletion({ transaction }: Database, job: string, server: string): Promise<boolean> {
  return transaction(async (query) => {
    await query('SELECT FROM jobs WHERE id = $1 FOR UPDATE', [job]);
    const rows = await query(
      `UPDATE moves m SET deleting = true, deleter = $2 WHERE job = $1 AND deleted_at IS NULL AND NOT back AND ${FREE} AND EXISTS (
         SELECT FROM jobs WHERE id = $1 AND result IS NOT NULL AND ended_at IS NOT NULL
           AND coalesce(undo->>'state', '') <> 'running')
       RETURNING job`,
      [job, server],
    );
    return rows.length > 0;
  });
}

/** @param refusal Why it was not deleted; null when it is gone. */
export async function endDeletion(
  { query }: Database,
  job: string,
  server: string,
  refusal: string | null,
): Promise<void> {
  await query(
    `UPDATE moves SET deleting = false, refusal = $2,
       refused_at = CASE WHEN $2::text IS NULL THEN refused_at ELSE now() END,
       deleted_at = CASE WHEN $2::text IS NULL THEN now() ELSE deleted_at END WHERE job = $1 AND deleter = $3`,
    [job, refusal, server],
  );
}

/** Jobs whose source is to be deleted by now, or whose deletion has lost its server. */
export async function readDueDeletions({ query }: Database, againAfterHours: number): Promise<string[]> {
  const rows = await query<{ job: string }>(
    `SELECT m.job FROM moves m JOIN jobs j ON j.id = m.job
     WHERE m.deleted_at IS NULL AND NOT m.back AND ${FREE}
       AND (m.deleting OR j.state = 'succeeded' AND m.delete_at <= now())
       AND (m.refused_at IS NULL OR m.refused_at < now() - $1::integer * interval '1 hour') ORDER BY j.number`,
    [againAfterHours],
  );
  return rows.map(({ job }) => job);
}

export function viewOfMove({ back, deleted_at, delete_at, refusal }: Move): MovedSource {
  const time = (text: string) => new Date(text).toISOString();
  return {
    state: deleted_at !== null ? 'deleted' : back ? 'back' : 'aside',
    ...(delete_at === null || deleted_at !== null ? {} : { deleteAt: time(delete_at) }),
    ...(deleted_at === null ? {} : { deletedAt: time(deleted_at) }),
    ...(refusal === null ? {} : { refusal }),
  };
}
