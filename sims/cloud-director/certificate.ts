import { createHash, X509Certificate } from 'node:crypto';
import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

export interface Certificate {
  key: string;
  cert: string;
  /** SHA-256 of the DER form, lower-case hex without separators. */
  fingerprint: string;
}

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };

/** The lab's self-signed certificate, made at the first start and kept in the data folder. */
export async function loadCertificate(folder: string): Promise<Certificate> {
  const file = join(folder, 'certificate.json');
  const kept = await readFile(file, 'utf8').catch(() => undefined);
  const pair = kept === undefined ? await makeCertificate() : (JSON.parse(kept) as { key: string; cert: string });
  if (kept === undefined) {
    await writeFile(`${file}.part`, JSON.stringify(pair), { mode: 0o600, flush: true });
    await rename(`${file}.part`, file);
  }
  const fingerprint = createHash('sha256').update(new X509Certificate(pair.cert).raw).digest('hex');
  return { ...pair, fingerprint };
}

async function makeCertificate(): Promise<{ key: string; cert: string }> {
  // The X.509 library needs the reflection polyfill in place before it is loaded.
  await import('reflect-metadata');
  const x509 = await import('@peculiar/x509');
  const keys = await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: Date.now().toString(16),
    name: 'CN=cloud-director.lab',
    notBefore: new Date(Date.now() - 86_400_000),
    notAfter: new Date(Date.now() + 3650 * 86_400_000),
    signingAlgorithm: algorithm,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.SubjectAlternativeNameExtension([
        { type: 'dns', value: 'localhost' },
        { type: 'dns', value: 'cloud-director.lab' },
        { type: 'ip', value: '127.0.0.1' },
      ]),
    ],
  });
  const pkcs8 = Buffer.from(await crypto.subtle.exportKey('pkcs8', keys.privateKey)).toString('base64');
  const lines = pkcs8.match(/.{1,64}/g)?.join('\n') ?? '';
  return {
    key: `-----BEGIN PRIVATE KEY-----\n${lines}\n-----END PRIVATE KEY-----\n`,
    cert: certificate.toString('pem'),
  };
}
