import type { Database } from './database.ts';

/** An object that a job has made and that should still be in its cloud. */
export interface MadeObject {
  job: string;
  number: number;
  cloud: string;
  kind: string;
  name: string;
  objectId: string;
}

/** Leases, transfers and snapshots are no objects that stay. */
const PASSING = ['upload', 'lease', 'download', 'snapshot'];

export async function readMade({ query }: Database): Promise<MadeObject[]> {
  return query<MadeObject>(
    `SELECT j.id AS job, j.number::integer AS number, l.cloud, l.data->>'kind' AS kind, l.data->>'name' AS name,
       l.data->>'objectId' AS "objectId"
     FROM ledger l JOIN jobs j ON j.id = l.job
     WHERE l.data->>'action' = 'create' AND l.data->>'state' IN ('made', 'kept') AND l.data ? 'objectId'
       AND NOT l.data->>'kind' = ANY($1)
     ORDER BY j.number, l.at`,
    [PASSING],
  );
}
