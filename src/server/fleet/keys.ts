import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { isThere, syncFolder, writeDurably } from '../../base/files.ts';
import { type Identity, loadIdentity } from '../../base/identity.ts';
import { Fault } from '../../model/fault.ts';
import { loadSelfSigned } from '../certificate/ui.ts';
import type { Database } from '../store/database.ts';
import { openVault, type Vault } from '../vault.ts';

export interface Keys {
  vault: Vault;
  /** By which nodes know the server: the same on all servers of one database. */
  identity: Identity;
}

interface StoredKey {
  certificate: string;
  sealed: Buffer;
}

/**
 * The keys of this server, and in its folder the self-signed certificate that browsers are shown. On a database that several share, the first one puts its own there, sealed by the vault, and
 * the others take them: they need `vault.key` and nothing else. Faults: `vault.locked` where the folder has no vault key,
 * or another one than the secrets of the database; `server.unavailable` where the folder belongs to another installation.
 */
export async function openKeys(folder: string, database: Database, shared: boolean): Promise<Keys> {
  const vault = await openVault(folder, database);
  if (shared) await takeShared(folder, database, vault);
  const identity = await loadIdentity(folder, 'identity', 'cloudspan server');
  if (!shared) return { vault, identity };
  const ownUi = await isThere(join(folder, 'ui.key'));
  const own = { identity, ui: await loadSelfSigned(folder) };
  for (const name of ['identity', 'ui'] as const) {
    await giveShared(database, vault, name, own[name]);
    // Two that start for the first time together: what the later one made is not what the database holds.
    const stored = await readKey(database, name);
    if (stored === null || stored.certificate === own[name].certificate || (name === 'ui' && ownUi)) continue;
    own[name] = await write(folder, name, { ...stored, key: vault.open(secretOf(name), stored.sealed) });
  }
  return { vault, identity: own.identity };
}

/** What the database has and the folder has not; an identity that differs is none of this installation. */
async function takeShared(folder: string, database: Database, vault: Vault): Promise<void> {
  for (const name of ['identity', 'ui'] as const) {
    const stored = await readKey(database, name);
    if (stored === null) continue;
    if (!(await isThere(join(folder, `${name}.key`)))) {
      await write(folder, name, { ...stored, key: vault.open(secretOf(name), stored.sealed) });
      continue;
    }
    if (name === 'ui') continue;
    const own = await loadIdentity(folder, name, name);
    if (own.certificate === stored.certificate) continue;
    throw new Fault(
      'server.unavailable',
      `${folder} holds the identity ${own.pin.slice(0, 16)}…, and the servers of this database have another one`,
      {
        remedy:
          'Nodes know all servers of one database by one identity. Start this server on an empty folder that holds only vault.key, or with the database that it had before.',
      },
    );
  }
}

async function readKey({ query }: Database, name: string): Promise<StoredKey | null> {
  const [row] = await query<StoredKey>('SELECT certificate, sealed FROM server_keys WHERE name = $1', [name]);
  return row ?? null;
}

async function giveShared({ query }: Database, vault: Vault, name: string, { key, certificate }: Identity) {
  await query('INSERT INTO server_keys (name, certificate, sealed) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING', [
    name,
    certificate,
    vault.seal(secretOf(name), key),
  ]);
}

async function write(folder: string, name: string, { certificate, key }: { certificate: string; key: string }) {
  const path = join(folder, `${name}.key`);
  // Gone first: after a crash in between it is taken again, and no certificate stands beside another one's key.
  await rm(path, { force: true });
  await syncFolder(folder);
  await writeDurably(join(folder, `${name}.crt`), certificate, 0o644);
  await writeDurably(path, key, 0o600);
  return loadIdentity(folder, name, name);
}

const secretOf = (name: string) => `server:${name}`;
