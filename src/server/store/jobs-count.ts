import type { JobState } from '../../model/job.ts';
import type { Database } from './database.ts';

export async function countJobs({ query }: Database): Promise<{ kind: string; state: JobState; count: number }[]> {
  return query('SELECT kind, state, count(*)::integer AS count FROM jobs GROUP BY kind, state');
}
