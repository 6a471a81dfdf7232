import type { Database } from './database.ts';

const MOST_JOBS = 500;

/** Those that have not ended, and those that ended in the last days; the newest first. */
export async function readRecentJobs({ query }: Database, days: number): Promise<{ id: string; number: number }[]> {
  return query(
    `SELECT id, number::integer AS number FROM jobs
     WHERE ended_at IS NULL OR ended_at > now() - make_interval(days => $1) ORDER BY number DESC LIMIT ${MOST_JOBS}`,
    [days],
  );
}

export async function readAudit({ query }: Database, days: number) {
  return query(
    `SELECT at, account, action, subject FROM audit WHERE at > now() - make_interval(days => $1)
     ORDER BY number DESC LIMIT 5000`,
    [days],
  );
}
