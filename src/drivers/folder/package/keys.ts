import { createCipheriv, createDecipheriv, createPublicKey, type KeyObject, randomBytes, scrypt } from 'node:crypto';
import { pinOfKey } from '../../../base/identity.ts';
import { openSealedKey, type SealedKey, sealKey } from '../../../base/sealed-key.ts';
import type { Manifest, PassphraseKey } from '../../../protocol/package.ts';

/** What this node can open packages with. */
export interface Keyring {
  /** The node's own private key. */
  identity: KeyObject;
  passphrase: string | undefined;
  /** The key of one package, sealed again for this node by the node that it was written for. */
  handed: (SealedKey & { id: string }) | undefined;
}

type Key = Manifest['keys'][number];

const SCRYPT = { n: 2 ** 17, r: 8 as const, p: 1 };
const TAG_BYTES = 16;

/** What a sealed key of a package is bound to. */
export function keyContext(id: string): string {
  return `package ${id}`;
}

export function newDataKey(): Buffer {
  return randomBytes(32);
}

export async function lockByPassphrase(secret: Buffer, passphrase: string, id: string): Promise<Key> {
  const salt = randomBytes(16);
  const nonce = randomBytes(12);
  const key = await derive(passphrase, salt, SCRYPT);
  const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(Buffer.from(keyContext(id)));
  const wrapped = Buffer.concat([cipher.update(secret), cipher.final(), cipher.getAuthTag()]);
  return {
    kind: 'passphrase',
    ...SCRYPT,
    salt: salt.toString('base64'),
    nonce: nonce.toString('base64'),
    wrapped: wrapped.toString('base64'),
  };
}

export function lockByNode(secret: Buffer, recipient: KeyObject, id: string): Key {
  return { kind: 'node', pin: pinOfKey(recipient), ...sealKey(secret, recipient, keyContext(id)) };
}

/** The data key of a package, or null when nothing in the keyring opens it. */
export async function unlock(manifest: Manifest, keyring: Keyring): Promise<Buffer | null> {
  const context = keyContext(manifest.id);
  const own = pinOfKey(createPublicKey(keyring.identity));
  for (const key of manifest.keys) {
    const secret =
      key.kind === 'node'
        ? key.pin === own
          ? openSealedKey(key, keyring.identity, context)
          : null
        : keyring.passphrase === undefined
          ? null
          : await openByPassphrase(key, keyring.passphrase, manifest.id);
    if (secret !== null) return secret;
  }
  if (keyring.handed?.id === manifest.id) return openSealedKey(keyring.handed, keyring.identity, context);
  return null;
}

async function openByPassphrase(key: PassphraseKey, passphrase: string, id: string): Promise<Buffer | null> {
  try {
    const derived = await derive(passphrase, Buffer.from(key.salt, 'base64'), key);
    const wrapped = Buffer.from(key.wrapped, 'base64');
    const decipher = createDecipheriv('aes-256-gcm', derived, Buffer.from(key.nonce, 'base64'), {
      authTagLength: TAG_BYTES,
    });
    decipher.setAAD(Buffer.from(keyContext(id))).setAuthTag(wrapped.subarray(-TAG_BYTES));
    return Buffer.concat([decipher.update(wrapped.subarray(0, -TAG_BYTES)), decipher.final()]);
  } catch {
    return null;
  }
}

function derive(passphrase: string, salt: Buffer, { n, r, p }: typeof SCRYPT): Promise<Buffer> {
  const options = { N: n, r, p, maxmem: 129 * n * r + 1024 * r * p };
  return new Promise((resolve, reject) => {
    scrypt(passphrase.normalize('NFC'), salt, 32, options, (error, key) => (error ? reject(error) : resolve(key)));
  });
}
