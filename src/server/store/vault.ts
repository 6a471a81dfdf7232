import type { Query } from './database.ts';

export interface VaultKeyRow {
  generation: number;
  /** Id of the master key that sealed it. */
  master: string;
  sealed_key: Buffer;
}

/** The advisory lock under which one server at a time changes the vault's keys. */
const LOCK = 7_213_552;

export async function lockVault(query: Query): Promise<void> {
  await query('SELECT pg_advisory_xact_lock($1)', [LOCK]);
}

export async function readVaultKeys(query: Query): Promise<VaultKeyRow[]> {
  return query<VaultKeyRow>('SELECT generation, master, sealed_key FROM vault_keys ORDER BY generation');
}

export async function writeVaultKey(query: Query, { generation, master, sealed_key }: VaultKeyRow): Promise<void> {
  await query(
    `INSERT INTO vault_keys (generation, master, sealed_key) VALUES ($1, $2, $3)
     ON CONFLICT (generation) DO UPDATE SET master = $2, sealed_key = $3`,
    [generation, master, sealed_key],
  );
}

/** A sealed secret with the id that it is bound to, wherever it lies. */
export interface SealedRow {
  id: string;
  sealed: Buffer;
  replace(sealed: Buffer): Promise<unknown>;
}

/** Every secret in the database, locked until the transaction ends. A new table with secrets has its line here. */
export async function lockSealed(query: Query): Promise<SealedRow[]> {
  const tables = [
    { table: 'secrets', key: 'id', bound: (key: string) => key },
    { table: 'storage_keys', key: 'node', bound: (key: string) => `storage:${key}` },
    { table: 'channels', key: 'id', bound: (key: string) => `channel:${key}` },
    { table: 'server_keys', key: 'name', bound: (key: string) => `server:${key}` },
  ];
  const rows: SealedRow[] = [];
  for (const { table, key, bound } of tables) {
    const found = await query<{ key: string; sealed: Buffer }>(
      `SELECT ${key} AS key, sealed FROM ${table} WHERE sealed IS NOT NULL FOR UPDATE`,
    );
    for (const row of found) {
      rows.push({
        id: bound(row.key),
        sealed: row.sealed,
        replace: (sealed) => query(`UPDATE ${table} SET sealed = $2 WHERE ${key} = $1`, [row.key, sealed]),
      });
    }
  }
  const [provider] = await query<{ sealed: string | null }>(
    `SELECT value::jsonb->>'sealed' AS sealed FROM settings WHERE name = 'provider' FOR UPDATE`,
  );
  if (provider?.sealed != null) {
    rows.push({
      id: 'openid provider',
      sealed: Buffer.from(provider.sealed, 'base64'),
      replace: (sealed) =>
        query(
          `UPDATE settings SET value = jsonb_set(value::jsonb, '{sealed}', to_jsonb($1::text))::text WHERE name = 'provider'`,
          [sealed.toString('base64')],
        ),
    });
  }
  return rows;
}
