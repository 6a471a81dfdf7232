import type { JobState } from '../../model/job.ts';
import type { LedgerEntry } from '../../model/ledger.ts';
import type { Database } from './database.ts';

export interface MarkerOwner {
  id: string;
  number: number;
  marker: string;
  state: JobState;
  /** Somebody undoes it just now. */
  undoing: boolean;
}

/** The jobs that these markers are of. */
export async function readMarkerOwners({ query }: Database, markers: string[]): Promise<MarkerOwner[]> {
  return query<MarkerOwner>(
    `SELECT id, number::integer AS number, marker, state, coalesce(undo->>'state' = 'running', false) AS undoing
     FROM jobs WHERE marker = ANY($1)`,
    [markers],
  );
}

/** Rows of results that jobs keep in a cloud. */
export async function readKept({ query }: Database, cloud: string, markers: string[]): Promise<LedgerEntry[]> {
  const rows = await query<{ data: LedgerEntry }>(
    `SELECT data FROM ledger WHERE cloud = $1 AND data->>'state' = 'kept' AND data->>'marker' = ANY($2)`,
    [cloud, markers],
  );
  return rows.map(({ data }) => data);
}

/** The row of an object that is gone says so from now on, where there is one. */
export async function settleRemoved({ query }: Database, cloud: string, object: string): Promise<void> {
  await query(
    `UPDATE ledger SET at = now(), data = data || jsonb_build_object('state', 'removed', 'at', to_char(
       now() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'))
     WHERE cloud = $1 AND data->>'objectId' = $2 AND data->>'state' IN ('intent', 'made')`,
    [cloud, object],
  );
}
