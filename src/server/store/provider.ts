import type { Provider } from '../../protocol/api/provider.ts';
import type { Database } from './database.ts';

export interface StoredProvider extends Provider {
  /** The client's secret, sealed by the vault, base64. */
  sealed?: string;
}

export async function readProvider({ query }: Database): Promise<StoredProvider | null> {
  const [row] = await query<{ value: string }>(`SELECT value FROM settings WHERE name = 'provider'`);
  return row === undefined ? null : (JSON.parse(row.value) as StoredProvider);
}

export async function writeProvider({ query }: Database, provider: StoredProvider): Promise<void> {
  await query(`INSERT INTO settings VALUES ('provider', $1) ON CONFLICT (name) DO UPDATE SET value = $1`, [
    JSON.stringify(provider),
  ]);
}

export async function deleteProvider({ query }: Database): Promise<void> {
  await query(`DELETE FROM settings WHERE name = 'provider'`);
}
