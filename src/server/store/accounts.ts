import type { Role, Scope } from '../../model/rights.ts';
import type { Database, Query } from './database.ts';

export interface AccountRow {
  id: string;
  name: string;
  role: Role;
  disabled: boolean;
  /** Null where it signs in elsewhere only. */
  password_hash: string | null;
  /** Who it is at the OpenID provider: `<issuer> <subject>`. */
  subject: string | null;
  /** Id; null for accounts of the installation itself. */
  tenant: string | null;
  tenant_name: string | null;
  created_at: Date;
  last_sign_in: Date | null;
}

const COLUMNS = `id, name, role, disabled, password_hash, subject, tenant, created_at, last_sign_in,
  (SELECT t.name FROM tenants t WHERE t.id = accounts.tenant) AS tenant_name`;

/** @param tenant Only its accounts. */
export async function readAccounts({ query }: Database, tenant: string | null): Promise<AccountRow[]> {
  return query<AccountRow>(`SELECT ${COLUMNS} FROM accounts WHERE $1::text IS NULL OR tenant = $1 ORDER BY name`, [
    tenant,
  ]);
}

export async function findAccount({ query }: Database, nameOrId: string): Promise<AccountRow | null> {
  const rows = await query<AccountRow>(
    `SELECT ${COLUMNS} FROM accounts WHERE name = $1 OR id = $1 ORDER BY id = $1 DESC`,
    [nameOrId],
  );
  return rows[0] ?? null;
}

export async function findBySubject({ query }: Database, subject: string): Promise<AccountRow | null> {
  return (await query<AccountRow>(`SELECT ${COLUMNS} FROM accounts WHERE subject = $1`, [subject]))[0] ?? null;
}

type NewAccount = Pick<AccountRow, 'id' | 'name' | 'role' | 'password_hash' | 'subject'> &
  Partial<Pick<AccountRow, 'tenant'>>;

/** False where the name is taken. */
export async function insertAccount({ query }: Database, row: NewAccount): Promise<boolean> {
  const rows = await query(
    `INSERT INTO accounts (id, name, role, password_hash, subject, tenant) VALUES ($1, $2, $3, $4, $5, $6)
     ON CONFLICT (name) DO NOTHING RETURNING id`,
    [row.id, row.name, row.role, row.password_hash, row.subject, row.tenant ?? null],
  );
  return rows.length > 0;
}

/** Only into an installation that has no account at all. */
export async function insertFirst({ query }: Database, row: NewAccount): Promise<boolean> {
  const rows = await query(
    `INSERT INTO accounts (id, name, role, password_hash) SELECT $1, $2, $3, $4
     WHERE NOT EXISTS (SELECT FROM accounts) ON CONFLICT DO NOTHING RETURNING id`,
    [row.id, row.name, row.role, row.password_hash],
  );
  return rows.length > 0;
}

/**
 * Changes or removes an account, unless no administrator would be left who can sign in: then nothing is changed and the
 * answer is false. Whoever is changed has to sign in anew.
 */
export async function changeAccount(
  database: Database,
  account: string,
  change: Partial<Pick<AccountRow, 'role' | 'disabled'>> | 'delete',
): Promise<boolean> {
  const left = `SELECT FROM accounts WHERE role = 'administrator' AND NOT disabled AND password_hash IS NOT NULL
    AND tenant IS NULL`;
  class NobodyLeft extends Error {}
  try {
    await database.transaction(async (query) => {
      await query('LOCK TABLE accounts IN SHARE ROW EXCLUSIVE MODE');
      const before = await query(left);
      if (change === 'delete') await query('DELETE FROM accounts WHERE id = $1', [account]);
      else {
        await query('UPDATE accounts SET role = coalesce($2, role), disabled = coalesce($3, disabled) WHERE id = $1', [
          account,
          change.role ?? null,
          change.disabled ?? null,
        ]);
      }
      if (before.length > 0 && (await query(left)).length === 0) throw new NobodyLeft();
      await endSessions(query, account);
    });
    return true;
  } catch (error) {
    if (error instanceof NobodyLeft) return false;
    throw error;
  }
}

/** Ends every session of the account: whoever had the old password is out. */
export async function writePassword(database: Database, account: string, hash: string): Promise<void> {
  await database.transaction(async (query) => {
    await query('UPDATE accounts SET password_hash = $2 WHERE id = $1', [account, hash]);
    await endSessions(query, account);
  });
}

async function endSessions(query: Query, account: string): Promise<void> {
  await query('DELETE FROM sessions WHERE account = $1', [account]);
}

export async function insertSession(
  { query }: Database,
  hash: string,
  account: string,
  expires: string,
): Promise<void> {
  await query('DELETE FROM sessions WHERE expires < now()');
  await query('INSERT INTO sessions (hash, account, expires) VALUES ($1, $2, $3)', [hash, account, expires]);
  await query('UPDATE accounts SET last_sign_in = now() WHERE id = $1', [account]);
}

export async function deleteSession({ query }: Database, hash: string): Promise<void> {
  await query('DELETE FROM sessions WHERE hash = $1', [hash]);
}

interface Bearer {
  account: string;
  user: string;
  role: Role;
  /** Id; null for the installation itself. */
  tenant: string | null;
}

/** Whose session it is, of an account that is not disabled. */
export async function readSession({ query }: Database, hash: string, now: Date): Promise<Bearer | null> {
  const [row] = await query<Bearer>(
    `SELECT a.id AS account, a.name AS user, a.role, a.tenant FROM sessions s JOIN accounts a ON a.id = s.account
     WHERE s.hash = $1 AND s.expires > $2 AND NOT a.disabled`,
    [hash, now],
  );
  return row ?? null;
}

/** Whose token it is, likewise; remembers, to the minute, when and from where it was used. */
export async function takeToken({ query }: Database, hash: string, address: string, now: Date) {
  const [row] = await query<
    Bearer & { id: string; name: string; scope: Scope; clouds: string[] | null; stale: boolean }
  >(
    `SELECT a.id AS account, a.name AS user, a.role, a.tenant, t.id, t.name, t.scope, t.clouds,
       coalesce(t.last_used_at < $2::timestamptz - interval '1 minute' OR t.last_address <> $3, true) AS stale
     FROM tokens t JOIN accounts a ON a.id = t.account WHERE t.hash = $1 AND t.expires > $2 AND NOT a.disabled`,
    [hash, now, address],
  );
  if (row?.stale === true) {
    await query('UPDATE tokens SET last_used_at = $2, last_address = $3 WHERE id = $1', [row.id, now, address]);
  }
  return row ?? null;
}
