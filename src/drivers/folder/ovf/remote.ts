import { getCACertificates } from 'node:tls';
import { delay } from '../../../base/backoff.ts';
import { CloudHttp, type CloudResponse } from '../../../base/http.ts';
import type { CloudTrust } from '../../../base/tls.ts';
import { Fault } from '../../../model/fault.ts';
import type { ByteSource } from './source.ts';

/** Attempts without any byte more. */
const ATTEMPTS = 6;
const REDIRECTS = 5;

/** An OVA or OVF behind an address, and what lies beside it. */
export interface Remote {
  /** Last name of the address. */
  readonly name: string;
  /** The package itself, or a file beside it. Null when the server has none. Faults: `cloud.unreachable`, `cloud.untrusted`. */
  source(beside: string | undefined, who: string, signal: AbortSignal): Promise<ByteSource | null>;
  close(): Promise<void>;
}

/**
 * Opens an https address. Its certificate is checked by the CAs of this machine, or by the fingerprint (SHA-256, hex)
 * that a person gave. Fault: `input.invalid` for any other kind of address.
 */
export function openRemote(
  address: string,
  fingerprint: string | undefined,
  who: string,
  stallSeconds: number,
): Remote {
  const url = URL.canParse(address) ? new URL(address) : null;
  if (url?.protocol !== 'https:') {
    throw new Fault('input.invalid', `${who}: ${address} is no https address`, {
      remedy: 'Without TLS nothing says whose package it is: get it yourself, compare its digest, import the file.',
    });
  }
  const trust: CloudTrust =
    fingerprint === undefined
      ? { kind: 'ca', pem: [...getCACertificates('default'), ...getCACertificates('system')].join('\n') }
      : { kind: 'pin', sha256: fingerprint };
  const http = new CloudHttp({ trust, who, stallSeconds });
  return {
    name: decodeURIComponent(url.pathname.split('/').at(-1) ?? ''),
    source: (beside, label, signal) =>
      remoteSource(http, beside === undefined ? url : besideOf(url, beside), label, signal),
    close: () => http.close(),
  };
}

/** The way of a descriptor's reference: the query, which may be a signature, belongs to the descriptor alone. */
function besideOf(url: URL, path: string): URL {
  return new URL(path.split('/').map(encodeURIComponent).join('/'), new URL(url.pathname, url.origin));
}

async function remoteSource(http: CloudHttp, url: URL, who: string, signal: AbortSignal): Promise<ByteSource | null> {
  const first = await ask(http, url, 'bytes=0-0', who, signal);
  first.response.body.destroy();
  const { status, headers } = first.response;
  if (status === 404 || status === 410) return null;
  const size = status === 206 ? Number(/\/(\d+)$/.exec(headers['content-range'] ?? '')?.[1]) : Number.NaN;
  if (!Number.isSafeInteger(size)) {
    throw new Fault('cloud.unsupported', `${who}: ${url.host} gives no parts of a file (it answered ${status})`, {
      remedy: 'Get the file yourself and import it from the disk.',
    });
  }
  const version = `${size} ${headers.etag ?? headers['last-modified'] ?? ''}`;
  return {
    sizeBytes: size,
    version,
    async *read(from, to, readSignal) {
      for (let at = from, failures = 0; at < to; ) {
        try {
          const { response, at: place } = await ask(http, first.at, `bytes=${at}-${to - 1}`, who, readSignal);
          const now = `${/\/(\d+)$/.exec(response.headers['content-range'] ?? '')?.[1]} ${response.headers.etag ?? response.headers['last-modified'] ?? ''}`;
          if (response.status !== 206 || now !== version) {
            response.body.destroy();
            throw new Fault('disk.changed', `${who}: what ${url.host} has is not what it had at the beginning`);
          }
          for await (const chunk of http.chunks(response, place, readSignal)) {
            at += chunk.length;
            failures = 0;
            yield chunk;
          }
          if (at < to) throw new Fault('cloud.unreachable', `${who}: ${url.host} ended at byte ${at} of ${to}`);
        } catch (error) {
          readSignal.throwIfAborted();
          const mended = error instanceof Fault && error.code === 'cloud.unreachable';
          if (!mended || ++failures >= ATTEMPTS) throw error;
          await delay(250 * 2 ** failures, readSignal);
        }
      }
    },
  };
}

/** Follows redirections, to https only. */
async function ask(
  http: CloudHttp,
  url: URL,
  range: string,
  who: string,
  signal: AbortSignal,
): Promise<{ response: CloudResponse; at: URL }> {
  let at = url;
  for (let count = 0; ; count++) {
    const response = await http.request({ method: 'GET', url: at, headers: { range }, signal });
    const { location } = response.headers;
    if (response.status < 300 || response.status >= 400 || location === undefined) {
      if (response.status < 400 || response.status === 404 || response.status === 410) return { response, at };
      response.body.destroy();
      const code = response.status === 401 || response.status === 403 ? 'auth.forbidden' : 'cloud.unreachable';
      throw new Fault(code, `${who}: ${at.host} answered ${response.status}`);
    }
    response.body.destroy();
    if (count >= REDIRECTS) throw new Fault('cloud.protocol', `${who}: ${url.host} sends from address to address`);
    at = new URL(location, at);
  }
}
