import type { Database } from './database.ts';

export interface TenantRow {
  id: string;
  name: string;
  created_at: Date;
  accounts: number;
  nodes: number;
  clouds: number;
}

const COUNTED = `SELECT t.id, t.name, t.created_at,
  (SELECT count(*)::integer FROM accounts WHERE tenant = t.id) AS accounts,
  (SELECT count(*)::integer FROM nodes WHERE owner = t.id) AS nodes,
  (SELECT count(*)::integer FROM clouds WHERE owner = t.id AND base IS NULL) AS clouds FROM tenants t`;

export async function readTenants({ query }: Database): Promise<TenantRow[]> {
  return query<TenantRow>(`${COUNTED} ORDER BY t.name`);
}

export async function findTenant({ query }: Database, nameOrId: string): Promise<TenantRow | null> {
  return (
    (await query<TenantRow>(`${COUNTED} WHERE t.id = $1 OR t.name = $1 ORDER BY t.id = $1 DESC`, [nameOrId]))[0] ?? null
  );
}

/** False where the name is taken, or would be the end of a name that an account has already. */
export async function insertTenant({ query }: Database, id: string, name: string): Promise<boolean> {
  const rows = await query(
    `INSERT INTO tenants (id, name) SELECT $1, $2
     WHERE NOT EXISTS (SELECT FROM accounts WHERE right(name, length($2) + 1) = '@' || $2)
     ON CONFLICT DO NOTHING RETURNING id`,
    [id, name],
  );
  return rows.length > 0;
}

/** False where something is in it (again). */
export async function deleteTenant({ query }: Database, id: string): Promise<boolean> {
  const rows = await query(
    `DELETE FROM tenants t WHERE id = $1 AND NOT EXISTS (SELECT FROM accounts WHERE tenant = t.id)
       AND NOT EXISTS (SELECT FROM nodes WHERE owner = t.id) AND NOT EXISTS (SELECT FROM clouds WHERE owner = t.id)
     RETURNING id`,
    [id],
  );
  return rows.length > 0;
}
