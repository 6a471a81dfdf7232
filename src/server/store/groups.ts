import type { GroupOrder, GroupView } from '../../protocol/api/groups.ts';
import type { Database } from './database.ts';

export interface GroupRow extends Omit<GroupView, 'createdAt' | 'states'> {
  createdAt: Date;
  /** Ids of its jobs, in their order. */
  jobs: string[];
}

const SELECT = `SELECT g.id, g.number::integer AS number, g.name, g.account AS "user", g.created_at AS "createdAt",
    g.concurrency, g.on_failure AS "onFailure",
    coalesce((SELECT array_agg(j.id ORDER BY q.wave, j.number) FROM job_queue q JOIN jobs j ON j.id = q.job
      WHERE q.job_group = g.id), '{}') AS jobs
  FROM job_groups g`;

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
  const [row] = await query<GroupRow>(`${SELECT} WHERE ${byNumber ? 'g.number = $1::bigint' : 'g.id = $1'}`, [group]);
  return row ?? null;
}

/** The newest first. */
export async function readGroups({ query }: Database, limit: number): Promise<GroupRow[]> {
  return query<GroupRow>(`${SELECT} ORDER BY g.number DESC LIMIT $1`, [limit]);
}
