import type { NodeAbout } from '../../protocol/link.ts';
import type { Database } from './database.ts';

export interface NodeRow {
  id: string;
  name: string;
  pin: string;
  /** PEM: receipts are checked with its key. */
  certificate: string;
  link: 'dial-home' | 'direct';
  public: boolean;
  address: string | null;
  /** As it said the last time it was linked. */
  about: NodeAbout | null;
}

const COLUMNS = 'id, name, pin, certificate, link, public, address, about';

export async function readNodes({ query }: Database): Promise<NodeRow[]> {
  return query<NodeRow>(`SELECT ${COLUMNS} FROM nodes ORDER BY name`);
}

export async function writeAbout({ query }: Database, node: string, about: NodeAbout): Promise<void> {
  await query('UPDATE nodes SET about = $2 WHERE id = $1', [node, JSON.stringify(about)]);
}

export async function deleteNode({ query }: Database, node: string): Promise<void> {
  await query('DELETE FROM nodes WHERE id = $1', [node]);
}

export async function insertToken({ query }: Database, hash: string, account: string, expires: string): Promise<void> {
  await query("DELETE FROM join_tokens WHERE expires < now() - interval '1 day'");
  await query('INSERT INTO join_tokens (hash, created_by, expires) VALUES ($1, $2, $3)', [hash, account, expires]);
}

/**
 * Uses the token up and stores the node, both or neither. A node that is known by its pin gets its new name and address.
 * @returns null when the token is unknown, used or too old; `'name'` when another node has the name.
 */
export async function admitNode(
  database: Database,
  tokenHash: string,
  owner: string,
  node: Omit<NodeRow, 'about'>,
): Promise<NodeRow | null | 'name'> {
  return database.transaction(async (query) => {
    const [taken] = await query('SELECT FROM nodes WHERE name = $1 AND pin <> $2', [node.name, node.pin]);
    if (taken !== undefined) return 'name';
    const used = await query(
      'UPDATE join_tokens SET used_at = now() WHERE hash = $1 AND used_at IS NULL AND expires > now() RETURNING hash',
      [tokenHash],
    );
    if (used.length === 0) return null;
    const [row] = await query<NodeRow>(
      `INSERT INTO nodes (id, owner, name, pin, certificate, link, public, address) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
       ON CONFLICT (pin) DO UPDATE SET name = $3, certificate = $5, link = $6, public = $7, address = $8
       RETURNING ${COLUMNS}`,
      [node.id, owner, node.name, node.pin, node.certificate, node.link, node.public, node.address],
    );
    return row ?? null;
  });
}
