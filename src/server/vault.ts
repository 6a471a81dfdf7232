import { createCipheriv, createDecipheriv, createHmac, randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeDurably } from '../base/files.ts';
import { Fault } from '../model/fault.ts';

const FORMAT = 1;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const KEY_BYTES = 32;

export interface Vault {
  /** Encrypts a secret for the row `id`; it can be opened under that id only. */
  seal(id: string, secret: string): Buffer;
  /** Fault `vault.locked`: another key, another row, or changed bytes. */
  open(id: string, sealed: Buffer): string;
  /** Equal for equal texts, and tells nobody without the key what they were, not even by guessing. Hex. */
  fingerprint(text: string): string;
}

/**
 * Secrets at rest: AES-256-GCM under a data key of their own, which is wrapped (AES-256-GCM) by the master key of
 * `folder/vault.key` (0600, made at the first start). Both layers are bound to the row's id.
 * Form: format (1 byte) ‖ wrapped data key (nonce, tag, 32 bytes) ‖ secret (nonce, tag, text).
 */
export async function openVault(folder: string): Promise<Vault> {
  const master = await loadMaster(join(folder, 'vault.key'));
  return {
    seal(id, secret) {
      const key = randomBytes(KEY_BYTES);
      return Buffer.concat([
        Buffer.of(FORMAT),
        encrypt(master, `key:${id}`, key),
        encrypt(key, `secret:${id}`, Buffer.from(secret)),
      ]);
    },
    fingerprint: (text) => createHmac('sha256', master).update(`fingerprint:${text}`).digest('hex'),
    open(id, sealed) {
      try {
        if (sealed[0] !== FORMAT) throw new Error(`format ${sealed[0]}`);
        const wrapped = 1 + NONCE_BYTES + TAG_BYTES + KEY_BYTES;
        const key = decrypt(master, `key:${id}`, sealed.subarray(1, wrapped));
        return decrypt(key, `secret:${id}`, sealed.subarray(wrapped)).toString('utf8');
      } catch (error) {
        throw new Fault('vault.locked', `the secret ${id} cannot be opened with ${join(folder, 'vault.key')}`, {
          cause: error,
        });
      }
    },
  };
}

async function loadMaster(path: string): Promise<Buffer> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    const key = randomBytes(KEY_BYTES);
    await writeDurably(path, `${key.toString('base64')}\n`);
    return key;
  }
  const key = Buffer.from(text.trim(), 'base64');
  if (key.length !== KEY_BYTES) throw new Fault('vault.locked', `${path} does not hold a key of ${KEY_BYTES} bytes`);
  return key;
}

function encrypt(key: Buffer, bound: string, plain: Buffer): Buffer {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(Buffer.from(bound));
  const body = Buffer.concat([cipher.update(plain), cipher.final()]);
  return Buffer.concat([nonce, cipher.getAuthTag(), body]);
}

function decrypt(key: Buffer, bound: string, sealed: Buffer): Buffer {
  const nonce = sealed.subarray(0, NONCE_BYTES);
  const tag = sealed.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES);
  const decipher = createDecipheriv('aes-256-gcm', key, nonce).setAAD(Buffer.from(bound)).setAuthTag(tag);
  return Buffer.concat([decipher.update(sealed.subarray(NONCE_BYTES + TAG_BYTES)), decipher.final()]);
}
