import {
  createHash,
  createPrivateKey,
  createPublicKey,
  type KeyObject,
  sign,
  verify,
  webcrypto,
  X509Certificate,
} from 'node:crypto';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeDurably } from './files.ts';

/** Server and node are known by a key; the certificate around it only carries it. */
export interface Identity {
  /** PEM. */
  readonly key: string;
  /** PEM, self-signed; its dates mean nothing. */
  readonly certificate: string;
  /** SHA-256 of the public key (SPKI, DER), lower-case hex. */
  readonly pin: string;
}

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };

export function pinOfKey(key: KeyObject): string {
  return createHash('sha256')
    .update(key.export({ type: 'spki', format: 'der' }))
    .digest('hex');
}

/** @param certificate PEM or DER. */
export function pinOfCertificate(certificate: string | Buffer): string {
  return pinOfKey(new X509Certificate(certificate).publicKey);
}

/** A new key pair (ECDSA P-256) with a self-signed certificate for `name`. */
export async function createIdentity(name: string, alternativeNames: string[] = []): Promise<Identity> {
  await import('reflect-metadata');
  const x509 = await import('@peculiar/x509');
  x509.cryptoProvider.set(webcrypto as never);
  const keys = (await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify'])) as webcrypto.CryptoKeyPair;
  const names = alternativeNames.map((value) =>
    /^[\d.]+$|:/.test(value) ? { type: 'ip' as const, value } : { type: 'dns' as const, value },
  );
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: Buffer.from(webcrypto.getRandomValues(new Uint8Array(15)))
      .toString('hex')
      .replace(/^/, '01'),
    name: `CN=${name.replace(/[^\w .-]/g, '_')}`,
    notBefore: new Date(Date.now() - 24 * 3600_000),
    notAfter: new Date(Date.now() + (alternativeNames.length > 0 ? 800 : 36_500) * 24 * 3600_000),
    keys: keys as never,
    signingAlgorithm: ALGORITHM,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      ...(names.length > 0 ? [new x509.SubjectAlternativeNameExtension(names)] : []),
    ],
  });
  const key = createPrivateKey({
    key: Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey)),
    format: 'der',
    type: 'pkcs8',
  });
  return {
    key: key.export({ type: 'pkcs8', format: 'pem' }).toString(),
    certificate: certificate.toString('pem'),
    pin: pinOfKey(createPublicKey(key)),
  };
}

/** The identity kept in `folder` (`<file>.key`, mode 0600, and `<file>.crt`), made at the first start. */
export async function loadIdentity(
  folder: string,
  file: string,
  name: string,
  alternativeNames: string[] = [],
): Promise<Identity> {
  const paths = { key: join(folder, `${file}.key`), certificate: join(folder, `${file}.crt`) };
  try {
    const key = await readFile(paths.key, 'utf8');
    const certificate = await readFile(paths.certificate, 'utf8');
    return { key, certificate, pin: pinOfCertificate(certificate) };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const identity = await createIdentity(name, alternativeNames);
  await writeDurably(paths.certificate, identity.certificate, 0o644);
  await writeDurably(paths.key, identity.key, 0o600);
  return identity;
}

/** ECDSA P-256 with SHA-256 over `data`, base64. */
export function signWith(identity: Identity, data: string | Buffer): string {
  return sign('sha256', Buffer.from(data), identity.key).toString('base64');
}

/** @param certificate PEM or DER of the signer, whose pin the caller has checked. */
export function verifyWith(certificate: string | Buffer, data: string | Buffer, signature: string): boolean {
  const key = new X509Certificate(certificate).publicKey;
  return verify('sha256', Buffer.from(data), key, Buffer.from(signature, 'base64'));
}
