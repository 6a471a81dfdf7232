import { createCipheriv, createDecipheriv, createHmac, randomBytes } from 'node:crypto';

export const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const ALONE = 1;
const GENERATION = 2;
const GENERATION_BYTES = 4;

export function newKey(): Buffer {
  return randomBytes(KEY_BYTES);
}

/** Tells master keys apart and says nothing about them. Hex. */
export function idOfKey(master: Buffer): string {
  return createHmac('sha256', master).update('cloudspan-vault-key').digest('hex').slice(0, 16);
}

/** Format 2 ‖ generation (uint32) ‖ nonce, tag, text: AES-256-GCM under a generation's data key, bound to the row's id. */
export function seal(generation: number, key: Buffer, id: string, secret: string): Buffer {
  const head = Buffer.alloc(1 + GENERATION_BYTES);
  head.writeUInt8(GENERATION);
  head.writeUInt32BE(generation, 1);
  return Buffer.concat([head, encrypt(key, `secret:${generation}:${id}`, Buffer.from(secret))]);
}

/** The generation of a sealed secret; null for one that the master key sealed by itself. */
export function generationOf(sealed: Buffer): number | null {
  if (sealed[0] === ALONE) return null;
  if (sealed[0] !== GENERATION || sealed.length < 1 + GENERATION_BYTES) throw new Error(`format ${sealed[0]}`);
  return sealed.readUInt32BE(1);
}

export function open(generation: number, key: Buffer, id: string, sealed: Buffer): string {
  return decrypt(key, `secret:${generation}:${id}`, sealed.subarray(1 + GENERATION_BYTES)).toString('utf8');
}

/** The data key of a generation under the master key. */
export function wrapKey(master: Buffer, generation: number, key: Buffer): Buffer {
  return encrypt(master, `generation:${generation}`, key);
}

export function unwrapKey(master: Buffer, generation: number, wrapped: Buffer): Buffer {
  return decrypt(master, `generation:${generation}`, wrapped);
}

/**
 * Format 1 ‖ wrapped data key (nonce, tag, 32 bytes) ‖ nonce, tag, text: a secret that the file of the master key opens
 * without the database. Every secret was sealed like that before there were generations; a backup's key still is.
 */
export function sealAlone(master: Buffer, id: string, secret: string): Buffer {
  const key = newKey();
  return Buffer.concat([
    Buffer.of(ALONE),
    encrypt(master, `key:${id}`, key),
    encrypt(key, `secret:${id}`, Buffer.from(secret)),
  ]);
}

export function openAlone(master: Buffer, id: string, sealed: Buffer): string {
  if (sealed[0] !== ALONE) throw new Error(`format ${sealed[0]}`);
  const wrapped = 1 + NONCE_BYTES + TAG_BYTES + KEY_BYTES;
  const key = decrypt(master, `key:${id}`, sealed.subarray(1, wrapped));
  return decrypt(key, `secret:${id}`, sealed.subarray(wrapped)).toString('utf8');
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
  const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES });
  decipher.setAAD(Buffer.from(bound)).setAuthTag(tag);
  return Buffer.concat([decipher.update(sealed.subarray(NONCE_BYTES + TAG_BYTES)), decipher.final()]);
}
