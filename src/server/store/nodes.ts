import type { NodeAbout } from '../../protocol/link.ts';
import type { Database } from './database.ts';

export interface NodeRow {
  id: string;
  /** The installation's id, or a tenant's. */
  owner: string;
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

const COLUMNS = 'id, owner, name, pin, certificate, link, public, address, about';

export async function readNodes({ query }: Database): Promise<NodeRow[]> {
  return query<NodeRow>(`SELECT ${COLUMNS} FROM nodes ORDER BY name`);
}

export async function writeAbout({ query }: Database, node: string, about: NodeAbout): Promise<void> {
  await query('UPDATE nodes SET about = $2 WHERE id = $1', [node, JSON.stringify(about)]);
}

export async function deleteNode({ query }: Database, node: string): Promise<void> {
  await query('DELETE FROM nodes WHERE id = $1', [node]);
}

/** @param owner Whose the node will be. */
export async function insertToken(
  { query }: Database,
  hash: string,
  account: string,
  owner: string,
  expires: string,
): Promise<void> {
  await query("DELETE FROM join_tokens WHERE expires < now() - interval '1 day'");
  await query('INSERT INTO join_tokens (hash, created_by, owner, expires) VALUES ($1, $2, $3, $4)', [
    hash,
    account,
    owner,
    expires,
  ]);
}

/**
 * Uses the token up and stores the node, both or neither. A node that is known by its pin gets its new name and address.
 * @param usual Whose a node is whose token says nothing about it.
 * @returns null when the token is unknown, used or too old, or when the node is somebody else's; `'name'` when another
 * node of the same owner has the name.
 */
export async function admitNode(
  database: Database,
  tokenHash: string,
  usual: string,
  node: Omit<NodeRow, 'about' | 'owner'>,
): Promise<NodeRow | null | 'name'> {
  return database.transaction(async (query) => {
    const [token] = await query<{ owner: string | null }>(
      'SELECT owner FROM join_tokens WHERE hash = $1 AND used_at IS NULL AND expires > now()',
      [tokenHash],
    );
    if (token === undefined) return null;
    const owner = token.owner ?? usual;
    const [foreign] = await query('SELECT FROM nodes WHERE pin = $1 AND owner <> $2', [node.pin, owner]);
    if (foreign !== undefined) return null;
    const [taken] = await query('SELECT FROM nodes WHERE owner = $3 AND name = $1 AND pin <> $2', [
      node.name,
      node.pin,
      owner,
    ]);
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
