import type { Database } from './database.ts';
import { ENDED } from './jobs.ts';

export interface OldJob {
  id: string;
  number: number;
  attempt: number;
  /** How often it was undone. */
  undos: number;
  clouds: string[];
  /** Something that it made or changed may still be in a cloud, or it is being undone. */
  unsettled: boolean;
  /** It has a receipt, or something that it made was kept. */
  proof: boolean;
  ended_at: Date;
}

const before = (parameter: string) => `j.state = ANY($1) AND j.ended_at < now() - make_interval(days => ${parameter})`;

/** Ended jobs that have a log and ended so many days ago. */
export async function readOldLogs({ query }: Database, days: number): Promise<{ id: string; number: number }[]> {
  return query(
    `SELECT j.id, j.number::integer AS number FROM jobs j
     WHERE ${before('$2')} AND EXISTS (SELECT FROM job_log l WHERE l.job = j.id) ORDER BY j.number`,
    [ENDED, days],
  );
}

export async function deleteLog({ query }: Database, job: string): Promise<void> {
  await query('DELETE FROM job_log l USING jobs j WHERE l.job = $2 AND j.id = l.job AND j.state = ANY($1)', [
    ENDED,
    job,
  ]);
}

export async function readOldJobs({ query }: Database, days: number): Promise<OldJob[]> {
  return query<OldJob>(
    `SELECT j.id, j.number::integer AS number, j.attempt, j.clouds, j.ended_at,
       coalesce((j.undo->>'run')::integer, 0) AS undos,
       coalesce(j.undo->>'state' = 'running', false)
         OR EXISTS (SELECT FROM ledger l WHERE l.job = j.id AND l.data->>'state' IN ('intent', 'made')
           AND NOT (l.data->>'action' = 'change' AND EXISTS (
             SELECT FROM moves m WHERE m.job = j.id AND m.deleted_at IS NOT NULL))) AS unsettled,
       EXISTS (SELECT FROM receipts r WHERE r.job = j.id)
         OR EXISTS (SELECT FROM ledger l WHERE l.job = j.id AND l.data->>'state' = 'kept') AS proof
     FROM jobs j WHERE ${before('$2')} ORDER BY j.number`,
    [ENDED, days],
  );
}

/** With its log, ledger and receipt. False where it runs again or is being undone, or is not there any more. */
export async function deleteJob({ query }: Database, job: string, attempt: number): Promise<boolean> {
  const rows = await query(
    `DELETE FROM jobs WHERE id = $2 AND attempt = $3 AND state = ANY($1)
       AND undo->>'state' IS DISTINCT FROM 'running' RETURNING id`,
    [ENDED, job, attempt],
  );
  return rows.length > 0;
}
