import type { Database } from './database.ts';

export async function readStorageKey({ query }: Database, node: string): Promise<Buffer | null> {
  const [row] = await query<{ sealed: Buffer }>('SELECT sealed FROM storage_keys WHERE node = $1', [node]);
  return row?.sealed ?? null;
}

/** Keeps the one that is there. */
export async function storeStorageKey({ query }: Database, node: string, sealed: Buffer): Promise<void> {
  await query('INSERT INTO storage_keys (node, sealed) SELECT id, $2 FROM nodes WHERE id = $1 ON CONFLICT DO NOTHING', [
    node,
    sealed,
  ]);
}

export async function deleteStorageKey({ query }: Database, node: string): Promise<void> {
  await query('DELETE FROM storage_keys WHERE node = $1', [node]);
}
