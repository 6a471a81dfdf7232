import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import { getCACertificates } from 'node:tls';
import { Fault } from '../../model/fault.ts';

const LONGEST = 12;
const LITTLE_RSA_BITS = 2048;

export interface Fitting {
  /** PEM: the server's own first, then each one's issuer; without the root. */
  chain: string[];
  leaf: X509Certificate;
  /** Whether it ends at a root that this machine knows. */
  complete: boolean;
  /** Name of the issuer that is not here, where it is not complete. */
  missing?: string;
}

const refuse = (message: string, remedy?: string) =>
  new Fault('certificate.refused', message, remedy === undefined ? {} : { remedy });

/** Every certificate of a PEM text. Fault `certificate.refused`: one of them cannot be read. */
export function readCertificates(pem: string): X509Certificate[] {
  const blocks = pem.match(/-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----[\s\S]+?-----END [^-]+-----/g) ?? [];
  return blocks.map((block, index) => {
    try {
      return new X509Certificate(block);
    } catch (error) {
      throw refuse(`certificate ${index + 1} of the file cannot be read: ${(error as Error).message}`);
    }
  });
}

/** The private key of a PEM text, or null. Faults `certificate.refused`. */
export function readKey(pem: string, passphrase: string | undefined): KeyObject | null {
  const blocks = pem.match(/-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----[\s\S]+?-----END [^-]+-----/g) ?? [];
  if (blocks.length > 1) throw refuse('the file holds more than one private key');
  const [block] = blocks;
  if (block === undefined) return null;
  const closed = block.includes('ENCRYPTED');
  if (closed && passphrase === undefined) {
    throw refuse('the private key is encrypted', 'Give its passphrase: --password-file FILE.');
  }
  try {
    return createPrivateKey({ key: block, ...(passphrase === undefined ? {} : { passphrase }) });
  } catch (error) {
    throw refuse(
      closed ? 'the passphrase of the private key is wrong' : `the key cannot be read: ${(error as Error).message}`,
    );
  }
}

/**
 * Puts certificates into the order in which a server shows them. The own one is whose key this is; an issuer is whose
 * signature verifies. Issuers are taken from what is given, then from `known`. Faults `certificate.refused` say what does
 * not fit: key, chain, name, dates.
 */
export function fitCertificate(options: {
  given: X509Certificate[];
  keys: KeyObject[];
  known: X509Certificate[];
  /** Every one has to be in the certificate. */
  names: string[];
  now?: number;
}): Fitting & { key: KeyObject } {
  const { given, keys, known, names, now = Date.now() } = options;
  if (given.length === 0) throw refuse('there is no certificate in the file');
  const own = given.flatMap((leaf) => keys.filter((key) => leaf.checkPrivateKey(key)).map((key) => ({ leaf, key })))[0];
  if (own === undefined) {
    const subjects = given.map(({ subject }) => line(subject)).join('; ');
    throw refuse(
      `none of the certificates belongs to the key: ${subjects}`,
      'Give the key it was made with, or the certificate for the last request (`cloudspan certificates request`).',
    );
  }
  const { leaf, key } = own;
  refuseKey(leaf, key);
  refuseNames(leaf, names);
  const { chain, used, complete, missing } = followIssuers(
    leaf,
    given,
    known.filter(({ validTo }) => Date.parse(validTo) > now),
  );
  const strange = given.find(({ fingerprint256 }) => !used.has(fingerprint256));
  if (strange !== undefined) {
    throw refuse(`"${line(strange.subject)}" is in the file and has signed nothing of the chain`, 'Leave it out.');
  }
  for (const one of chain) refuseDates(one, now);
  return { key, leaf, chain: chain.map(String), complete, ...(missing === undefined ? {} : { missing }) };
}

/** From the own certificate up to the last issuer below the root. Fault `certificate.refused`: one of them is no CA. */
export function followIssuers(leaf: X509Certificate, given: X509Certificate[], known: X509Certificate[]) {
  const chain = [leaf];
  const used = new Set([leaf.fingerprint256]);
  const end = (complete: boolean) => {
    const missing = line(chain.at(-1)?.issuer ?? '');
    return { chain, used, complete, ...(complete ? {} : { missing }) };
  };
  if (isRoot(leaf)) return end(true);
  for (let last = leaf; chain.length < LONGEST; last = chain.at(-1) ?? leaf) {
    const issuer = [...given, ...known].find((one) => !used.has(one.fingerprint256) && issued(last, one));
    if (issuer === undefined) return end(certificatesOfMachine().some((root) => issued(last, root)));
    if (!issuer.ca) throw refuse(`"${line(issuer.subject)}" signed the certificate, and is no CA`);
    used.add(issuer.fingerprint256);
    // A root is not sent: who does not have it does not believe it either.
    if (isRoot(issuer)) return end(true);
    chain.push(issuer);
  }
  return end(false);
}

function issued(certificate: X509Certificate, issuer: X509Certificate): boolean {
  return certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);
}

function isRoot(certificate: X509Certificate): boolean {
  return issued(certificate, certificate);
}

let machine: X509Certificate[] | undefined;
function certificatesOfMachine(): X509Certificate[] {
  machine ??= [...new Set([...getCACertificates('default'), ...getCACertificates('system')])].flatMap((pem) => {
    try {
      return [new X509Certificate(pem)];
    } catch {
      return [];
    }
  });
  return machine;
}

function refuseKey(leaf: X509Certificate, key: KeyObject): void {
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = key;
  if (leaf.ca && !isRoot(leaf)) throw refuse(`"${line(leaf.subject)}" is the certificate of a CA, not of a server`);
  if (type === 'rsa' && (details?.modulusLength ?? 0) < LITTLE_RSA_BITS) {
    throw refuse(`the RSA key has ${details?.modulusLength} bits`, `Use ${LITTLE_RSA_BITS} bits or more.`);
  }
  if (type !== 'rsa' && type !== 'ec')
    throw refuse(`browsers do not take a key of the kind ${type}`, 'Use RSA or ECDSA.');
}

function refuseNames(leaf: X509Certificate, names: string[]): void {
  const has = leaf.subjectAltName;
  if (has === undefined) {
    throw refuse(
      'the certificate names no host (no subject alternative name): browsers refuse it',
      'Have the names put into it.',
    );
  }
  for (const name of names) {
    if ((isIP(name) === 0 ? leaf.checkHost(name, { subject: 'never' }) : leaf.checkIP(name)) !== undefined) continue;
    throw refuse(
      `the certificate is not for "${name}", but for ${has}`,
      'Name how people reach the server, if it is by another name: --name NAME.',
    );
  }
}

function refuseDates(certificate: X509Certificate, now: number): void {
  const { subject, validFrom, validTo } = certificate;
  if (Date.parse(validTo) < now) throw refuse(`"${line(subject)}" expired on ${new Date(validTo).toISOString()}`);
  if (Date.parse(validFrom) > now) {
    throw refuse(
      `"${line(subject)}" is valid from ${new Date(validFrom).toISOString()} on, and it is ${new Date(now).toISOString()} here`,
      "Check the clock of the server's machine, or wait.",
    );
  }
}

/** A name on one line. */
export function line(name: string): string {
  return name.replaceAll('\n', ', ');
}
