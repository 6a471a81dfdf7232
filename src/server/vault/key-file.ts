import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import { readIfThere, syncFolder, writeDurably } from '../../base/files.ts';
import { Fault } from '../../model/fault.ts';
import { idOfKey, KEY_BYTES } from './envelope.ts';

const FILE = 'vault.key';
/** A new master key, durable before the database knows it. */
const NEXT = 'vault.key.next';

export const keyFile = (folder: string) => join(folder, FILE);

/** Null where there is no such file. Fault `vault.locked`: it holds no key. */
export async function readKeyFile(path: string): Promise<Buffer | null> {
  const text = await readIfThere(path);
  if (text === null) return null;
  const key = Buffer.from(text.trim(), 'base64');
  if (key.length !== KEY_BYTES) throw new Fault('vault.locked', `${path} does not hold a key of ${KEY_BYTES} bytes`);
  return key;
}

export async function writeKeyFile(path: string, key: Buffer): Promise<void> {
  await writeDurably(path, `${key.toString('base64')}\n`);
}

export async function writeNextKey(folder: string, key: Buffer): Promise<void> {
  await writeKeyFile(join(folder, NEXT), key);
}

/** Where a master key is kept after its rotation: backups that were made under it need it. */
export const oldKeyFile = (folder: string, id: string) => join(folder, `${FILE}.old-${id}`);

/**
 * The master key with this id, as `vault.key` at the end, wherever a rotation was interrupted: the database says which key
 * counts. A next key that the database does not know is kept as an old one. The caller holds the lock of the vault's keys.
 * Fault `vault.locked`: it is not here.
 */
export async function settleKeyFile(folder: string, wanted: string): Promise<Buffer> {
  const next = await readKeyFile(join(folder, NEXT));
  const current = await readKeyFile(keyFile(folder));
  if (next !== null && idOfKey(next) === wanted) {
    if (current !== null && idOfKey(current) !== wanted) {
      await writeKeyFile(oldKeyFile(folder, idOfKey(current)), current);
    }
    await rename(join(folder, NEXT), keyFile(folder));
    await syncFolder(folder);
    return next;
  }
  if (current !== null && idOfKey(current) === wanted) {
    if (next !== null) {
      await rename(join(folder, NEXT), oldKeyFile(folder, idOfKey(next)));
      await syncFolder(folder);
    }
    return current;
  }
  const what = current === null ? 'is not there' : `holds the key ${idOfKey(current)}`;
  throw new Fault('vault.locked', `the vault is sealed with the key ${wanted}, and ${keyFile(folder)} ${what}`, {
    remedy: 'Put the right vault.key there: a copy of it, or that of the server where the key was rotated.',
  });
}
