import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Fault } from '../../model/fault.ts';
import type { Client } from '../../protocol/client.ts';
import { MANIFEST_BYTES, MANIFEST_FILE, type Manifest, ManifestSchema } from '../../protocol/package.ts';

/** Manifests of the packages that a folder, or a package itself, holds. What cannot be read is left to the node. */
export async function manifestsIn(place: string): Promise<Manifest[]> {
  const found = await stat(place);
  if (!found.isDirectory()) return [];
  const folders = place.endsWith('.cloudspan')
    ? [place]
    : (await readdir(place)).filter((name) => /^[^.].*\.cloudspan$/.test(name)).map((name) => join(place, name));
  const manifests: Manifest[] = [];
  for (const folder of folders) {
    const file = join(folder, MANIFEST_FILE);
    const known = await stat(file).catch(() => null);
    if (known === null || !known.isFile() || known.size > MANIFEST_BYTES) continue;
    try {
      manifests.push(ManifestSchema.parse(JSON.parse(await readFile(file, 'utf8'))));
    } catch {}
  }
  return manifests;
}

/**
 * The keys of packages that were written for a node of this server, handed by it to the one with `publicKey`. Null when
 * there is none. Faults: `node.unreachable`, `package.locked`.
 */
export async function handedKey(
  client: Client,
  manifests: readonly Manifest[],
  publicKey: string,
): Promise<string | null> {
  const { nodes } = await client.listNodes({});
  for (const { id, keys } of manifests) {
    for (const key of keys) {
      if (key.kind !== 'node') continue;
      const node = nodes.find(({ pin }) => pin === key.pin);
      if (node === undefined) continue;
      if (!node.connected) {
        throw new Fault('node.unreachable', `the package was written for node ${node.name}, which is away`, {
          remedy: 'Start that node: only its key opens the package.',
        });
      }
      const { ephemeral, nonce, wrapped } = key;
      const sealed = { ephemeral, nonce, wrapped };
      const handed = await client.handPackageKey({
        node: node.id,
        body: { package: id, sealed, recipient: publicKey },
      });
      return JSON.stringify({ id, ...handed });
    }
  }
  return null;
}

/** Whether a passphrase opens one of them. */
export function wantsPassphrase(manifests: readonly Manifest[]): boolean {
  return manifests.some(({ keys }) => keys.some(({ kind }) => kind === 'passphrase'));
}
