import { createHash, webcrypto, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { writeDurably } from './durable-file.ts';

export type Identity = { key: string; certificate: string; sha256: string; thumbprint: string };

/** The key and self-signed certificate of a listener, kept in the data folder so that a pin survives a restart. */
export async function identity(folder: string, name: string): Promise<Identity> {
  const file = path.join(folder, `${name}.pem.json`);
  const known = await readFile(file, 'utf8').catch(() => undefined);
  const pair = known ? (JSON.parse(known) as { key: string; certificate: string }) : await make(name);
  if (!known) await writeDurably(file, JSON.stringify(pair), 0o600);
  const { raw } = new X509Certificate(pair.certificate);
  const sha1 = createHash('sha1').update(raw).digest('hex').toUpperCase();
  return {
    ...pair,
    sha256: createHash('sha256').update(raw).digest('hex'),
    thumbprint: (sha1.match(/../g) ?? []).join(':'),
  };
}

async function make(name: string): Promise<{ key: string; certificate: string }> {
  // The library registers its parts through reflection metadata, which must be there first.
  await import('reflect-metadata');
  const x509 = await import('@peculiar/x509');
  x509.cryptoProvider.set(webcrypto as unknown as typeof globalThis.crypto);
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
  const keys = (await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])) as webcrypto.CryptoKeyPair;
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: createHash('sha256').update(crypto.randomUUID()).digest('hex').slice(0, 16).replace(/^./, '1'),
    name: `CN=${name}, O=Cloudspan lab`,
    notBefore: new Date('2020-01-01'),
    notAfter: new Date('2049-12-31'),
    signingAlgorithm: algorithm,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.SubjectAlternativeNameExtension([
        { type: 'dns', value: 'localhost' },
        { type: 'ip', value: '127.0.0.1' },
      ]),
    ],
  });
  const pkcs8 = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey)).toString('base64');
  const key = `-----BEGIN PRIVATE KEY-----\n${(pkcs8.match(/.{1,64}/g) ?? []).join('\n')}\n-----END PRIVATE KEY-----\n`;
  return { key, certificate: certificate.toString('pem') };
}
