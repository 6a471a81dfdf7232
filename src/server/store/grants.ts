import type { Effect, Right } from '../../model/rights.ts';
import type { Database } from './database.ts';

export interface GrantRow {
  number: number;
  /** Id; null for everybody. */
  account: string | null;
  account_name: string | null;
  cloud: string;
  /** Null for the whole cloud. */
  object: string | null;
  effect: Effect;
  rights: Right[];
  created_by: string;
  created_at: Date;
  /** Ids of what holds the object, nearest first. */
  above: string[];
}

const DEEPEST = 64;

async function readWhere({ query }: Database, where: string, values: unknown[]): Promise<GrantRow[]> {
  return query<GrantRow>(
    `WITH RECURSIVE wanted AS (SELECT * FROM grants WHERE ${where}),
     up AS (
       SELECT g.number, g.cloud, o.parent, 0 AS depth FROM wanted g JOIN objects o ON o.cloud = g.cloud AND o.id = g.object
       UNION ALL
       SELECT up.number, up.cloud, o.parent, up.depth + 1 FROM up JOIN objects o ON o.cloud = up.cloud AND o.id = up.parent
       WHERE up.depth < ${DEEPEST})
     SELECT g.number::integer AS number, g.account, a.name AS account_name, g.cloud, g.object, g.effect, g.rights,
       g.created_by, g.created_at,
       coalesce((SELECT array_agg(parent ORDER BY depth) FROM up WHERE up.number = g.number AND parent IS NOT NULL), '{}') AS above
     FROM wanted g LEFT JOIN accounts a ON a.id = g.account ORDER BY g.number`,
    values,
  );
}

/** All, or those that hold for one account: its own and everybody's. */
export function readGrants(database: Database, account?: string): Promise<GrantRow[]> {
  return readWhere(database, '$1::text IS NULL OR account = $1 OR account IS NULL', [account ?? null]);
}

export async function insertGrant(
  database: Database,
  grant: Pick<GrantRow, 'account' | 'cloud' | 'object' | 'effect' | 'rights' | 'created_by'>,
): Promise<GrantRow> {
  const [made] = await database.query<{ number: string }>(
    `INSERT INTO grants (account, cloud, object, effect, rights, created_by) VALUES ($1, $2, $3, $4, $5, $6) RETURNING number`,
    [grant.account, grant.cloud, grant.object, grant.effect, grant.rights, grant.created_by],
  );
  const [row] = await readWhere(database, 'number = $1', [made?.number]);
  if (row === undefined) throw new Error('the grant is gone again');
  return row;
}

export async function deleteGrant({ query }: Database, number: number): Promise<boolean> {
  return (await query('DELETE FROM grants WHERE number = $1 RETURNING number', [number])).length > 0;
}
