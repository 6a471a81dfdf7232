import { execFile } from 'node:child_process';
import { webcrypto } from 'node:crypto';
import { promisify } from 'node:util';

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const DAY = 24 * 3_600_000;
/** Fresh ones are not the same from one moment to the next. */
let serial = 1000;

async function library() {
  await import('reflect-metadata');
  const x509 = await import('@peculiar/x509');
  x509.cryptoProvider.set(webcrypto as never);
  return x509;
}

export interface PaperCertificate {
  pem: string;
  keys: webcrypto.CryptoKeyPair;
  name: string;
}

export interface Wish {
  ca?: boolean;
  names?: string[];
  /** Days from now. */
  from?: number;
  days?: number;
  keys?: webcrypto.CryptoKeyPair;
}

/** A certificate of a CA made up for a test; signed by itself where there is no issuer. */
export async function issue(name: string, issuer: PaperCertificate | null, wish: Wish = {}): Promise<PaperCertificate> {
  const x509 = await library();
  const keys =
    wish.keys ?? ((await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify'])) as webcrypto.CryptoKeyPair);
  const made = await x509.X509CertificateGenerator.create({
    serialNumber: (serial++).toString(16).padStart(6, '0'),
    subject: `CN=${name}`,
    issuer: `CN=${issuer?.name ?? name}`,
    notBefore: new Date(Date.now() + (wish.from ?? -1) * DAY),
    notAfter: new Date(Date.now() + (wish.days ?? 90) * DAY),
    publicKey: keys.publicKey as never,
    signingKey: (issuer?.keys ?? keys).privateKey as never,
    signingAlgorithm: ALGORITHM,
    extensions: [
      new x509.BasicConstraintsExtension(wish.ca === true, undefined, true),
      ...(wish.names === undefined
        ? []
        : [
            new x509.SubjectAlternativeNameExtension(
              wish.names.map((value) =>
                /^[\d.]+$/.test(value) ? { type: 'ip' as const, value } : { type: 'dns' as const, value },
              ),
            ),
          ]),
    ],
  });
  return { pem: `${made.toString('pem')}\n`, keys, name };
}

/** What a CA makes of a request: the names are the request's. */
export async function signRequest(request: string, issuer: PaperCertificate): Promise<string> {
  const x509 = await library();
  const asked = new x509.Pkcs10CertificateRequest(request);
  if (!(await asked.verify())) throw new Error('the request is not signed by its own key');
  const names = asked.extensions.find(({ type }) => type === '2.5.29.17') ?? null;
  const made = await x509.X509CertificateGenerator.create({
    serialNumber: (serial++).toString(16).padStart(6, '0'),
    subject: asked.subject,
    issuer: `CN=${issuer.name}`,
    notBefore: new Date(Date.now() - DAY),
    notAfter: new Date(Date.now() + 90 * DAY),
    publicKey: await asked.publicKey.export(),
    signingKey: issuer.keys.privateKey as never,
    signingAlgorithm: ALGORITHM,
    extensions: [new x509.BasicConstraintsExtension(false, undefined, true), ...(names === null ? [] : [names])],
  });
  return `${made.toString('pem')}\n`;
}

export async function keyOf({ keys }: PaperCertificate): Promise<string> {
  const der = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey)).toString('base64');
  return `-----BEGIN PRIVATE KEY-----\n${(der.match(/.{1,64}/g) ?? []).join('\n')}\n-----END PRIVATE KEY-----\n`;
}

/** Runs openssl; null where the machine has none, which in CI is a failure. */
export async function openssl(words: string[]): Promise<string | null> {
  try {
    return (await promisify(execFile)('openssl', words)).stdout;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || process.env.CI !== undefined) throw error;
    process.emitWarning('SKIPPED: there is no openssl here, PKCS#12 files of others are not tried');
    return null;
  }
}
