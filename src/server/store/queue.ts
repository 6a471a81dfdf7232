import type { Concurrency } from '../../protocol/api/concurrency.ts';
import type { Database, Query } from './database.ts';
import { type CopyOrder, ENDED } from './jobs.ts';

/** Under it one server at a time decides who starts. */
const LOCK = 7_213_553;

export interface QueuedJob {
  id: string;
  number: number;
  attempt: number;
  /** Somebody wants it stopped: it starts at once, to end. */
  stopping: boolean;
  /** It has its slots already: it runs, or may. */
  held: boolean;
  schedule: CopyOrder['schedule'];
  /** Sorted: `cloud:<id>`, `host:<cloud>/<host>`, `node:<id>`. */
  keys: string[];
  group: string | null;
  groupNumber: number | null;
  groupConcurrency: number | null;
  /** Not all jobs of its group are there yet. */
  gathering: boolean;
  /** Jobs of earlier waves that have not ended. */
  ahead: number;
  /** Ended without success, in a group that stops then; zero for one that is retried. */
  failed: number;
}

export async function insertQueued(
  { query }: Database,
  owner: string,
  job: string,
  { keys, group, wave }: { keys: string[]; group: string | null; wave: number },
): Promise<void> {
  await query('INSERT INTO job_queue (job, owner, job_group, wave, keys) VALUES ($1, $2, $3, $4, $5)', [
    job,
    owner,
    group,
    wave,
    keys.toSorted(),
  ]);
}

/**
 * Decides about every job that has not ended, in their order, as one server at a time. `decide` answers the keys whose
 * slots each job takes. It has started then: the times of starts are in the order of the jobs.
 */
export async function takeSlots(
  { transaction }: Database,
  decide: (jobs: QueuedJob[], used: Map<string, number>) => { job: string; attempt: number; keys: string[] }[],
): Promise<Map<string, Date>> {
  const started = new Map<string, Date>();
  await transaction(async (query) => {
    await query('SELECT pg_advisory_xact_lock($1)', [LOCK]);
    await query(
      `DELETE FROM slots s USING jobs j WHERE j.id = s.job
         AND (j.state = ANY($1) OR j.state = 'paused' OR s.attempt < j.attempt)`,
      [ENDED],
    );
    const jobs = await readQueue(query);
    const used = await query<{ key: string; count: number }>(
      'SELECT key, count(*)::integer AS count FROM slots GROUP BY key',
    );
    const taken = decide(jobs, new Map(used.map(({ key, count }) => [key, count])));
    for (const { job, attempt, keys } of taken) {
      const at = new Date();
      started.set(job, at);
      await query('UPDATE jobs SET started_at = coalesce(started_at, $2) WHERE id = $1', [job, at]);
      await query('INSERT INTO slots (job, attempt, key) SELECT $1, $2, unnest($3::text[]) ON CONFLICT DO NOTHING', [
        job,
        attempt,
        keys,
      ]);
    }
  });
  return started;
}

async function readQueue(query: Query): Promise<QueuedJob[]> {
  return query<QueuedJob>(
    `WITH unended AS (SELECT * FROM jobs WHERE NOT state = ANY($1) AND state <> 'paused'),
       groups AS (
         SELECT q.job_group, q.wave, count(*) FILTER (WHERE NOT j.state = ANY($1)) AS open,
           count(*) FILTER (WHERE j.state IN ('failed', 'cancelled')) AS failed
         FROM job_queue q JOIN jobs j ON j.id = q.job
         WHERE q.job_group IN (SELECT o.job_group FROM job_queue o JOIN unended u ON u.id = o.job)
         GROUP BY q.job_group, q.wave)
     SELECT j.id, j.number::integer AS number, j.attempt, j.cancel_wanted OR j.pause_wanted AS stopping,
       EXISTS (SELECT FROM slots s WHERE s.job = j.id) AS held, j.request->'schedule' AS schedule,
       coalesce(q.keys, (
         SELECT array_agg(DISTINCT 'cloud:' || split_part(cloud, '~', 1)) FROM unnest(j.clouds) cloud)) AS keys,
       g.id AS "group", g.number::integer AS "groupNumber", g.concurrency AS "groupConcurrency",
       coalesce(NOT g.ready AND g.created_at > now() - interval '10 minutes', false) AS gathering,
       coalesce((SELECT sum(w.open) FROM groups w WHERE w.job_group = g.id AND w.wave < q.wave), 0)::integer AS ahead,
       CASE WHEN g.on_failure = 'stop' AND j.attempt = 1 THEN
         coalesce((SELECT sum(w.failed) FROM groups w WHERE w.job_group = g.id), 0)::integer ELSE 0 END AS failed
     FROM unended j LEFT JOIN job_queue q ON q.job = j.id LEFT JOIN job_groups g ON g.id = q.job_group
     ORDER BY coalesce((j.request->>'priority')::integer, 1) DESC, j.number`,
    [ENDED],
  );
}

/** Of one attempt; a later one may have its own by now. */
export async function freeSlots({ query }: Database, job: string, attempt: number): Promise<void> {
  await query('DELETE FROM slots WHERE job = $1 AND attempt <= $2', [job, attempt]);
}

/** How many slots a key has, by the id of what it is of, else by its name; infinite where nobody bounds it. */
export function slotsOf(key: string, limits: Concurrency, names: ReadonlyMap<string, string>): number {
  const [kind = '', rest = ''] = [key.slice(0, key.indexOf(':')), key.slice(key.indexOf(':') + 1)];
  const of = (bounds: Record<string, number>) => bounds[rest] ?? bounds[names.get(rest) ?? rest];
  if (key === 'jobs') return limits.jobs;
  if (kind === 'node') return of(limits.nodes) ?? limits.perNode ?? Number.POSITIVE_INFINITY;
  if (kind === 'cloud') return of(limits.clouds) ?? limits.perCloud ?? Number.POSITIVE_INFINITY;
  return limits.perHost ?? Number.POSITIVE_INFINITY;
}

/** Jobs that the end of their window paused. */
export async function readWindowPaused({ query }: Database): Promise<string[]> {
  const rows = await query<{ job: string }>('SELECT job FROM job_queue WHERE window_paused');
  return rows.map(({ job }) => job);
}

export async function writeWindowPaused({ query }: Database, job: string, paused: boolean): Promise<void> {
  await query('UPDATE job_queue SET window_paused = $2 WHERE job = $1', [job, paused]);
}
