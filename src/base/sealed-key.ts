import {
  createCipheriv,
  createDecipheriv,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  hkdfSync,
  type KeyObject,
  randomBytes,
  X509Certificate,
} from 'node:crypto';
import { Fault } from '../model/fault.ts';

/** A secret of 32 bytes that only the holder of one P-256 key can read. */
export interface SealedKey {
  /** Public key made for this one seal: SPKI, DER, base64. */
  ephemeral: string;
  /** Base64, 12 bytes. */
  nonce: string;
  /** Base64: AES-256-GCM of the secret and its tag of 16 bytes. */
  wrapped: string;
}

const SECRET_BYTES = 32;
const TAG_BYTES = 16;
const INFO = 'cloudspan-sealed-key-1';

/** SPKI, DER, base64. @param certificate PEM. */
export function publicKeyOf(certificate: string): string {
  return spkiOf(new X509Certificate(certificate).publicKey).toString('base64');
}

/** Reads a public key: PEM (also of a certificate), or SPKI in base64. Fault: `input.invalid`. */
export function readPublicKey(text: string): KeyObject {
  try {
    const plain = text.trim();
    const key = plain.includes('BEGIN CERTIFICATE')
      ? new X509Certificate(plain).publicKey
      : plain.startsWith('-----')
        ? createPublicKey(plain)
        : createPublicKey({ key: Buffer.from(plain, 'base64'), format: 'der', type: 'spki' });
    if (key.asymmetricKeyType !== 'ec' || key.asymmetricKeyDetails?.namedCurve !== 'prime256v1') {
      throw new Error('it is not a key of the curve P-256');
    }
    return key;
  } catch (error) {
    throw new Fault('input.invalid', `what is given is not the public key of a node: ${(error as Error).message}`, {
      cause: error,
      remedy: 'Print it with `cloudspan nodes key NODE`.',
    });
  }
}

/**
 * Seals `secret` for the holder of `recipient`: ECDH with a fresh key, HKDF-SHA-256 (salt: both public keys), then
 * AES-256-GCM. `context` says what the secret is for and has to be given again to open it.
 */
export function sealKey(secret: Buffer, recipient: KeyObject, context: string): SealedKey {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const ephemeral = spkiOf(publicKey);
  const key = keyFor(diffieHellman({ privateKey, publicKey: recipient }), ephemeral, spkiOf(recipient), context);
  const nonce = randomBytes(12);
  const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(Buffer.from(context));
  const wrapped = Buffer.concat([cipher.update(secret), cipher.final(), cipher.getAuthTag()]);
  return {
    ephemeral: ephemeral.toString('base64'),
    nonce: nonce.toString('base64'),
    wrapped: wrapped.toString('base64'),
  };
}

/** Null when it was sealed for another key or context, or was changed. */
export function openSealedKey(sealed: SealedKey, privateKey: KeyObject, context: string): Buffer | null {
  try {
    const ephemeral = readPublicKey(sealed.ephemeral);
    const shared = diffieHellman({ privateKey, publicKey: ephemeral });
    const key = keyFor(shared, spkiOf(ephemeral), spkiOf(createPublicKey(privateKey)), context);
    const wrapped = Buffer.from(sealed.wrapped, 'base64');
    if (wrapped.length !== SECRET_BYTES + TAG_BYTES) return null;
    const decipher = createDecipheriv('aes-256-gcm', key, Buffer.from(sealed.nonce, 'base64'), {
      authTagLength: TAG_BYTES,
    });
    decipher.setAAD(Buffer.from(context)).setAuthTag(wrapped.subarray(SECRET_BYTES));
    return Buffer.concat([decipher.update(wrapped.subarray(0, SECRET_BYTES)), decipher.final()]);
  } catch {
    return null;
  }
}

function keyFor(shared: Buffer, ephemeral: Buffer, recipient: Buffer, context: string): Buffer {
  const salt = Buffer.concat([ephemeral, recipient]);
  return Buffer.from(hkdfSync('sha256', shared, salt, `${INFO} ${context}`, SECRET_BYTES));
}

function spkiOf(key: KeyObject): Buffer {
  return key.export({ type: 'spki', format: 'der' });
}
