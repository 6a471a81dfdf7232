import type { Limit } from '../../model/limit.ts';
import type { Database } from './database.ts';

export interface LimitRow {
  node: string;
  /** The other node of a pair, the greater id of the two; the node itself where the limit is for all it does. */
  peer: string;
  data: Limit;
}

export async function readLimits({ query }: Database): Promise<LimitRow[]> {
  return query<LimitRow>('SELECT node, peer, data FROM limits ORDER BY node, peer');
}

export async function writeLimit(database: Database, owner: string, row: LimitRow): Promise<void> {
  await database.query(
    'INSERT INTO limits (node, peer, owner, data) VALUES ($1, $2, $3, $4) ON CONFLICT (node, peer) DO UPDATE SET data = $4',
    [row.node, row.peer, owner, JSON.stringify(row.data)],
  );
}

export async function deleteLimit({ query }: Database, node: string, peer: string): Promise<void> {
  await query('DELETE FROM limits WHERE node = $1 AND peer = $2', [node, peer]);
}
