import type { Database } from './database.ts';

/** Bytes per second of the last finished copies between two clouds, from begin to end, the newest first. */
export async function readPaces({ query }: Database, source: string, destination: string): Promise<number[]> {
  const rows = await query<{ pace: number }>(
    `SELECT (progress->>'totalBytes')::float8 / GREATEST(EXTRACT(EPOCH FROM ended_at - started_at), 1)::float8 AS pace
     FROM jobs WHERE kind = 'copy' AND state = 'succeeded' AND clouds @> $1::text[] AND cardinality(clouds) = cardinality($1::text[])
       AND (progress->>'totalBytes')::float8 > 0 AND started_at IS NOT NULL AND ended_at IS NOT NULL
     ORDER BY number DESC LIMIT 5`,
    [[...new Set([source, destination])]],
  );
  return rows.map(({ pace }) => pace);
}
