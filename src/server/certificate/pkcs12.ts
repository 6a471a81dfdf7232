import { createDecipheriv, createHash, createHmac, createPrivateKey, pbkdf2Sync, timingSafeEqual } from 'node:crypto';
import { Fault } from '../../model/fault.ts';
import { type Der, integer, objectId, read, readAll, within } from './der.ts';

const DATA = '1.2.840.113549.1.7.1';
const ENCRYPTED = '1.2.840.113549.1.7.6';
const BAG = '1.2.840.113549.1.12.10.1.';
const PBES2 = '1.2.840.113549.1.5.13';
const PBKDF2 = '1.2.840.113549.1.5.12';
const TRIPLE_DES = '1.2.840.113549.1.12.1.3';
const MOST_ITERATIONS = 5_000_000;
const HASHES: Record<string, string> = {
  '1.3.14.3.2.26': 'sha1',
  '2.16.840.1.101.3.4.2.1': 'sha256',
  '2.16.840.1.101.3.4.2.2': 'sha384',
  '2.16.840.1.101.3.4.2.3': 'sha512',
  '1.2.840.113549.2.7': 'sha1',
  '1.2.840.113549.2.9': 'sha256',
  '1.2.840.113549.2.10': 'sha384',
  '1.2.840.113549.2.11': 'sha512',
};
const CIPHERS: Record<string, { name: string; bytes: number }> = {
  '2.16.840.1.101.3.4.1.2': { name: 'aes-128-cbc', bytes: 16 },
  '2.16.840.1.101.3.4.1.22': { name: 'aes-192-cbc', bytes: 24 },
  '2.16.840.1.101.3.4.1.42': { name: 'aes-256-cbc', bytes: 32 },
};

/**
 * Key and certificates of a PKCS#12 file (RFC 7292), as PEM. Its integrity is checked first, so a wrong password is told
 * from a damaged file. Old ciphers (RC2) are named, with the way out. Fault: `certificate.refused`.
 */
export function readPkcs12(file: Buffer, password: string): { keys: string[]; certificates: string[] } {
  try {
    const pfx = read(file);
    if (integer(within(pfx, 0)) !== 3) throw new Error('its version is not 3');
    const content = octets(within(pfx, 1));
    checkIntegrity(readAll(pfx.content)[2], content, password);
    const found = { keys: [] as string[], certificates: [] as string[] };
    for (const safe of readAll(read(content).content)) {
      const plain = objectId(within(safe, 0)) === ENCRYPTED ? openSafe(safe, password) : octets(safe);
      for (const bag of readAll(read(plain).content)) readBag(bag, password, found);
    }
    return found;
  } catch (error) {
    if (error instanceof Fault) throw error;
    throw new Fault('certificate.refused', `the file is not a PKCS#12 that can be read: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

/** The octets of a ContentInfo of the kind `data`. */
function octets(info: Der): Buffer {
  if (objectId(within(info, 0)) !== DATA) throw new Error('a part of it is neither plain nor encrypted by a password');
  return within(info, 1, 0).content;
}

function checkIntegrity(mac: Der | undefined, content: Buffer, password: string): void {
  if (mac === undefined) throw new Error('it has no password of its own (no MAC)');
  const hash = HASHES[objectId(within(mac, 0, 0, 0))];
  if (hash === undefined) throw new Error('its MAC uses an unknown hash');
  const salt = within(mac, 1).content;
  const rounds = readAll(mac.content)[2];
  const iterations = bounded(rounds === undefined ? 1 : integer(rounds));
  const key = deriveKey(hash, 3, password, salt, iterations, createHash(hash).digest().length);
  const seen = createHmac(hash, key).update(content).digest();
  const wanted = within(mac, 0, 1).content;
  if (seen.length === wanted.length && timingSafeEqual(seen, wanted)) return;
  throw new Fault('certificate.refused', 'the password of the PKCS#12 file is wrong, or the file is damaged');
}

function openSafe(safe: Der, password: string): Buffer {
  const info = within(safe, 1, 0, 1);
  return decrypt(within(info, 1), within(info, 2).content, password);
}

function readBag(bag: Der, password: string, found: { keys: string[]; certificates: string[] }): void {
  const kind = objectId(within(bag, 0));
  const value = within(bag, 1, 0);
  if (kind === `${BAG}1`) found.keys.push(keyPem(value.whole));
  else if (kind === `${BAG}2`) found.keys.push(keyPem(decrypt(within(value, 0), within(value, 1).content, password)));
  else if (kind === `${BAG}3`) found.certificates.push(certificatePem(within(value, 1, 0).content));
  else if (kind === `${BAG}6`) for (const inner of readAll(value.content)) readBag(inner, password, found);
}

function decrypt(algorithm: Der, bytes: Buffer, password: string): Buffer {
  const scheme = objectId(within(algorithm, 0));
  if (scheme === PBES2) return decryptPbes2(within(algorithm, 1), bytes, password);
  if (scheme !== TRIPLE_DES) {
    throw new Fault('certificate.refused', `the PKCS#12 file is encrypted in an old way (${scheme})`, {
      remedy: 'Export it with AES-256, or give key and certificates as PEM.',
    });
  }
  const salt = within(algorithm, 1, 0).content;
  const iterations = bounded(integer(within(algorithm, 1, 1)));
  const key = deriveKey('sha1', 1, password, salt, iterations, 24);
  const iv = deriveKey('sha1', 2, password, salt, iterations, 8);
  const decipher = createDecipheriv('des-ede3-cbc', key, iv);
  return Buffer.concat([decipher.update(bytes), decipher.final()]);
}

function decryptPbes2(parameters: Der, bytes: Buffer, password: string): Buffer {
  const derivation = within(parameters, 0);
  if (objectId(within(derivation, 0)) !== PBKDF2) throw new Error('its key is not derived by PBKDF2');
  const [salt, rounds, ...more] = readAll(within(derivation, 1).content);
  if (salt === undefined || rounds === undefined) throw new Error('a part of it is missing');
  const chosen = more.find(({ tag }) => tag === 0x30);
  const hash = chosen === undefined ? 'sha1' : HASHES[objectId(within(chosen, 0))];
  const cipher = CIPHERS[objectId(within(parameters, 1, 0))];
  if (hash === undefined || cipher === undefined) throw new Error('its hash or cipher is unknown');
  const key = pbkdf2Sync(password, salt.content, bounded(integer(rounds)), cipher.bytes, hash);
  const decipher = createDecipheriv(cipher.name, key, within(parameters, 1, 1).content);
  return Buffer.concat([decipher.update(bytes), decipher.final()]);
}

function bounded(iterations: number): number {
  if (iterations < 1 || iterations > MOST_ITERATIONS) throw new Error(`it asks for ${iterations} iterations`);
  return iterations;
}

/** RFC 7292, appendix B.2. @param purpose 1 a key, 2 an initial value, 3 a MAC's key. */
function deriveKey(
  hash: string,
  purpose: number,
  password: string,
  salt: Buffer,
  iterations: number,
  bytes: number,
): Buffer {
  const block = hash === 'sha1' || hash === 'sha256' ? 64 : 128;
  const text = Buffer.alloc(password.length * 2 + 2);
  for (let at = 0; at < password.length; at++) text.writeUInt16BE(password.charCodeAt(at), at * 2);
  const fill = (source: Buffer) =>
    source.length === 0 ? source : Buffer.alloc(Math.ceil(source.length / block) * block, source);
  const mixed = Buffer.concat([fill(salt), fill(text)]);
  const parts: Buffer[] = [];
  for (let length = 0; length < bytes; ) {
    let digest = createHash(hash).update(Buffer.alloc(block, purpose)).update(mixed).digest();
    for (let round = 1; round < iterations; round++) digest = createHash(hash).update(digest).digest();
    parts.push(digest);
    length += digest.length;
    for (let start = 0; start < mixed.length; start += block) {
      let carry = 1;
      for (let at = block - 1; at >= 0; at--) {
        carry += (mixed[start + at] ?? 0) + (digest[at % digest.length] ?? 0);
        mixed[start + at] = carry & 0xff;
        carry >>= 8;
      }
    }
  }
  return Buffer.concat(parts).subarray(0, bytes);
}

function keyPem(der: Buffer): string {
  return createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })
    .export({ type: 'pkcs8', format: 'pem' })
    .toString();
}

function certificatePem(der: Buffer): string {
  return `-----BEGIN CERTIFICATE-----\n${(der.toString('base64').match(/.{1,64}/g) ?? []).join('\n')}\n-----END CERTIFICATE-----\n`;
}
