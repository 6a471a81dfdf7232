import { createPrivateKey, X509Certificate } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { readIfThere, writeDurably } from '../../base/files.ts';
import { type Identity, loadIdentity } from '../../base/identity.ts';
import { plainHex } from '../../base/tls.ts';
import { Fault } from '../../model/fault.ts';
import type { CertificateView, UploadCertificate } from '../../protocol/api/certificate.ts';
import { fitCertificate, followIssuers, line, readCertificates, readKey } from './chain.ts';
import { readPkcs12 } from './pkcs12.ts';
import { createRequest, type KeyType } from './request.ts';

/** Key and chain of an uploaded certificate in one file, so that they are replaced together. */
const UPLOADED = 'ui.pem';
/** Key and request of a certificate that somebody is asked for. */
const PENDING = 'ui-request.pem';
/** Every issuer that was ever uploaded: a later certificate may come without. */
const ISSUERS = 'ui-issuers.pem';

export interface KeyAndChain {
  /** PEM. */
  key: string;
  certificate: string;
}

/** The certificate that browsers and the command line meet. Nodes never see it: they know the server by its key. */
export interface UiCertificate {
  readonly current: KeyAndChain;
  /** SHA-256 of the own certificate, hex. */
  readonly fingerprint: string;
  view(): Promise<CertificateView>;
  /** A new key, which stays here, and the request around it; replaces an earlier one. */
  request(names: string[], type: KeyType): Promise<string>;
  /** Checks, keeps and shows it from the next connection on. Fault `certificate.refused`. */
  upload(upload: UploadCertificate, reachedAs: string): Promise<CertificateView>;
  /** Told each new one. */
  onChange(listener: (next: KeyAndChain) => void): void;
}

/** Made where there is none yet; it is shown until another one is uploaded. */
export function loadSelfSigned(folder: string): Promise<Identity> {
  return loadIdentity(folder, 'ui', hostname(), [...new Set(['localhost', '127.0.0.1', '::1', hostname()])]);
}

export async function openUiCertificate(folder: string): Promise<UiCertificate> {
  const path = (name: string) => join(folder, name);
  const listeners: ((next: KeyAndChain) => void)[] = [];
  const uploaded = await readIfThere(path(UPLOADED));
  let current: KeyAndChain = uploaded === null ? await loadSelfSigned(folder) : split(uploaded, path(UPLOADED));
  let source: CertificateView['source'] = uploaded === null ? 'self-signed' : 'uploaded';
  /** Requests and uploads come one after the other: an upload ends the request that it answers, and no later one. */
  let turn: Promise<unknown> = Promise.resolve();
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const mine = turn.then(work);
    turn = mine.catch(() => {});
    return mine;
  };

  const known = async () => readCertificates(`${current.certificate}\n${(await readIfThere(path(ISSUERS))) ?? ''}`);
  const leafOf = ({ certificate }: KeyAndChain) => new X509Certificate(certificate);

  const view = async (): Promise<CertificateView> => {
    const [leaf, ...issuers] = readCertificates(current.certificate);
    if (leaf === undefined) throw new Fault('internal', 'the server has no certificate');
    const pending = await readIfThere(path(PENDING));
    const fitting = followIssuers(leaf, issuers, await known());
    return {
      ...described(leaf),
      names: (leaf.subjectAltName ?? '').split(', ').filter((name) => name !== ''),
      source,
      issuers: issuers.map(described),
      complete: fitting.complete,
      ...(fitting.missing === undefined ? {} : { missing: fitting.missing }),
      ...(pending === null ? {} : { request: requestOf(pending) }),
    };
  };

  const take = async (upload: UploadCertificate, reachedAs: string): Promise<CertificateView> => {
    const { given, keys } = await readUpload(upload);
    const pending = await readIfThere(path(PENDING));
    const own =
      keys.length > 0
        ? keys
        : [...(pending === null ? [] : [createPrivateKey(keyOf(pending))]), createPrivateKey(current.key)];
    const wanted = upload.names ?? [reachedAs];
    const fitting = fitCertificate({ given, keys: own, known: await known(), names: wanted });
    const next = {
      key: fitting.key.export({ type: 'pkcs8', format: 'pem' }).toString(),
      certificate: fitting.chain
        .map((pem) => pem.trim())
        .join('\n')
        .concat('\n'),
    };
    const issuers = new Map((await known()).filter(({ ca }) => ca).map((one) => [one.fingerprint256, one.toString()]));
    for (const one of given) if (one.ca && one !== fitting.leaf) issuers.set(one.fingerprint256, one.toString());
    if (issuers.size > 0) await writeDurably(path(ISSUERS), [...issuers.values()].join('\n'), 0o644);
    await writeDurably(path(UPLOADED), `${next.key}${next.certificate}`, 0o600);
    current = next;
    source = 'uploaded';
    const asked = pending !== null && fitting.leaf.checkPrivateKey(createPrivateKey(keyOf(pending)));
    if (asked) await rm(path(PENDING), { force: true });
    for (const listener of listeners) listener(next);
    return view();
  };

  return {
    get current() {
      return current;
    },
    get fingerprint() {
      return plainHex(leafOf(current).fingerprint256);
    },
    view,
    request: (wanted, type) =>
      inTurn(async () => {
        const { key, request } = await createRequest(wanted, type);
        await writeDurably(path(PENDING), `${key}${request}`, 0o600);
        return request;
      }),
    upload: (upload, reachedAs) => inTurn(() => take(upload, reachedAs)),
    onChange: (listener) => void listeners.push(listener),
  };
}

async function readUpload({ pem, pkcs12, password }: UploadCertificate) {
  if ((pem === undefined) === (pkcs12 === undefined)) {
    throw new Fault('input.invalid', 'a certificate comes as PEM or as PKCS#12, one of both');
  }
  if (pkcs12 !== undefined) {
    const { keys, certificates } = readPkcs12(Buffer.from(pkcs12, 'base64'), password ?? '');
    return { given: readCertificates(certificates.join('\n')), keys: keys.map((key) => createPrivateKey(key)) };
  }
  const key = readKey(pem ?? '', password);
  return { given: unique(readCertificates(pem ?? '')), keys: key === null ? [] : [key] };
}

function unique(certificates: X509Certificate[]): X509Certificate[] {
  return [...new Map(certificates.map((one) => [one.fingerprint256, one])).values()];
}

function described({ subject, issuer, validFrom, validTo, fingerprint256 }: X509Certificate) {
  return {
    subject: line(subject),
    issuer: line(issuer),
    validFrom: new Date(validFrom).toISOString(),
    validTo: new Date(validTo).toISOString(),
    sha256: plainHex(fingerprint256),
  };
}

function split(text: string, path: string): KeyAndChain {
  const at = text.indexOf('-----BEGIN CERTIFICATE-----');
  if (at > 0) return { key: text.slice(0, at), certificate: text.slice(at) };
  throw new Fault('server.unavailable', `${path} does not hold a key and a certificate`, {
    remedy: 'Restore it, or remove it: then the server shows its self-signed certificate.',
  });
}

const REQUEST = '-----BEGIN CERTIFICATE REQUEST-----';
const keyOf = (pending: string) => pending.slice(0, pending.indexOf(REQUEST));
const requestOf = (pending: string) => pending.slice(pending.indexOf(REQUEST));
