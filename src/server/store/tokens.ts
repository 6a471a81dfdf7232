import type { Scope } from '../../model/rights.ts';
import type { Database } from './database.ts';

export interface TokenRow {
  id: string;
  account: string;
  account_name: string;
  name: string;
  scope: Scope;
  clouds: string[] | null;
  created_at: Date;
  expires: Date;
  last_used_at: Date | null;
  last_address: string | null;
}

/** Whose: one account's, one tenant's, or all. */
export interface Whose {
  account?: string;
  tenant?: string;
}

export async function readTokens({ query }: Database, { account, tenant }: Whose): Promise<TokenRow[]> {
  return query<TokenRow>(
    `SELECT t.id, t.account, a.name AS account_name, t.name, t.scope, t.clouds, t.created_at, t.expires, t.last_used_at,
       t.last_address
     FROM tokens t JOIN accounts a ON a.id = t.account WHERE ($1::text IS NULL OR t.account = $1) AND ($2::text IS NULL OR a.tenant = $2)
     ORDER BY a.name, t.created_at`,
    [account ?? null, tenant ?? null],
  );
}

/** False where the account has a token of this name; one that is over makes room. */
export async function insertToken(
  { query }: Database,
  row: Pick<TokenRow, 'id' | 'account' | 'name' | 'scope' | 'clouds' | 'expires'> & { hash: string },
): Promise<boolean> {
  await query('DELETE FROM tokens WHERE account = $1 AND name = $2 AND expires < now()', [row.account, row.name]);
  const rows = await query(
    `INSERT INTO tokens (id, hash, account, name, scope, clouds, expires) VALUES ($1, $2, $3, $4, $5, $6, $7)
     ON CONFLICT (account, name) DO NOTHING RETURNING id`,
    [row.id, row.hash, row.account, row.name, row.scope, row.clouds, row.expires],
  );
  return rows.length > 0;
}

export async function deleteToken({ query }: Database, id: string, { account, tenant }: Whose): Promise<boolean> {
  const rows = await query(
    `DELETE FROM tokens WHERE id = $1 AND ($2::text IS NULL OR account = $2)
       AND ($3::text IS NULL OR account IN (SELECT id FROM accounts WHERE tenant = $3)) RETURNING id`,
    [id, account ?? null, tenant ?? null],
  );
  return rows.length > 0;
}
