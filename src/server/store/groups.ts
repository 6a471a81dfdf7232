import type { GroupOrder, GroupView } from '../../protocol/api/groups.ts';
import type { Database } from './database.ts';

export interface GroupRow extends Omit<GroupView, 'createdAt' | 'states'> {
  createdAt: Date;
  /** Ids of its jobs, in their order. */
  jobs: string[];
}

/** One of a list: without its jobs, but how many of those that are asked about are in each state. */
export type ListedGroup = Omit<GroupRow, 'jobs'> & Pick<GroupView, 'states'>;

const COLUMNS = `g.id, g.number::integer AS number, g.name, g.account AS "user", g.created_at AS "createdAt",
    g.concurrency, g.on_failure AS "onFailure"`;

export async function insertGroup(
  { query }: Database,
  owner: string,
  id: string,
  account: string,
  { name, concurrency, onFailure }: Pick<GroupOrder, 'name' | 'concurrency' | 'onFailure'>,
): Promise<void> {
  await query(
    `INSERT INTO job_groups (id, owner, account, name, concurrency, on_failure) VALUES ($1, $2, $3, $4, $5, $6)
     ON CONFLICT DO NOTHING`,
    [id, owner, account, name, concurrency, onFailure],
  );
}

/** All its jobs are there: they may start. A server that died before is not waited for longer than ten minutes. */
export async function writeReady({ query }: Database, group: string): Promise<void> {
  await query('UPDATE job_groups SET ready = true WHERE id = $1', [group]);
}

/** By id or number. */
export async function readGroup({ query }: Database, group: string): Promise<GroupRow | null> {
  const byNumber = /^\d{1,9}$/.test(group);
  const [row] = await query<GroupRow>(
    `SELECT ${COLUMNS}, coalesce((SELECT array_agg(j.id ORDER BY q.wave, j.number) FROM job_queue q
        JOIN jobs j ON j.id = q.job WHERE q.job_group = g.id), '{}') AS jobs
      FROM job_groups g WHERE ${byNumber ? 'g.number = $1::bigint' : 'g.id = $1'}`,
    [group],
  );
  return row ?? null;
}

/**
 * The newest first.
 * @param jobs Only groups with one of these, and only these are counted; null: any.
 */
export async function readGroups({ query }: Database, limit: number, jobs: string[] | null): Promise<ListedGroup[]> {
  return query<ListedGroup>(
    `SELECT ${COLUMNS}, (SELECT jsonb_object_agg(s.state, s.jobs) FROM (
        SELECT j.state, count(*)::integer AS jobs FROM job_queue q JOIN jobs j ON j.id = q.job
        WHERE q.job_group = g.id AND ($2::text[] IS NULL OR j.id = ANY($2)) GROUP BY j.state) s) AS states
      FROM job_groups g
      WHERE g.id IN (SELECT q.job_group FROM job_queue q WHERE $2::text[] IS NULL OR q.job = ANY($2))
      ORDER BY g.number DESC LIMIT $1`,
    [limit, jobs],
  );
}
