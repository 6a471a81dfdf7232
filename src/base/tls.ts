import { performance } from 'node:perf_hooks';
import {
  type ConnectionOptions,
  connect,
  type DetailedPeerCertificate,
  type PeerCertificate,
  type SecureVersion,
  type TLSSocket,
} from 'node:tls';
import { Fault } from '../model/fault.ts';
import type { CertificateAbove, CertificateSeen, Trust } from '../model/option.ts';
import { DialFailure, type DialHow, type DialTarget, dialTcp } from './dial.ts';
import { type Identity, pinOfCertificate } from './identity.ts';

/** Server name with which servers and nodes ask for each other's identity, on ports that also serve browsers. */
export const IDENTITY_SERVER_NAME = 'identity.cloudspan.internal';

const SILENCE_MILLISECONDS = 20_000;

/** What an ESXi host in a lease is known by. */
export type CloudTrust =
  | Trust
  | { kind: 'thumbprint' /** SHA-1 of the certificate, hex with or without colons. */; sha1: string };

export type { DialTarget } from './dial.ts';

/** TLS options of a port on which identities meet: a client certificate is asked for and checked by pin per route. */
export function identityServerOptions(identity: Identity) {
  return {
    key: identity.key,
    cert: identity.certificate,
    minVersion: 'TLSv1.3' as SecureVersion,
    requestCert: true,
    rejectUnauthorized: false,
  };
}

/** The pin of the certificate that the other side showed, or null where it showed none. */
export function pinOfPeer(socket: TLSSocket): string | null {
  const certificate = socket.getPeerX509Certificate();
  return certificate === undefined ? null : pinOfCertificate(certificate.raw);
}

/**
 * Dials a server or node and checks its pin before anything is sent.
 * Faults: `node.unreachable`, `node.untrusted`, those of a proxy; `details.step` says how far it came. Certificate dates
 * and names are not looked at: the key is the identity.
 */
export async function dialIdentity(
  target: DialTarget,
  identity: Identity,
  pin: string,
  signal: AbortSignal,
  how: DialHow = {},
): Promise<TLSSocket> {
  const where = placeOf(target);
  const socket = await dial(target, identityClientOptions(identity), signal, how, ({ message, step, cause }) => {
    return new Fault('node.unreachable', `${where} does not answer: ${message}`, { cause, details: { step } });
  });
  return checkPin(socket, pin, where, { ...how, proxied: proxyOf(target, how) });
}

/** TLS options with which an identity dials another one. */
export function identityClientOptions(identity: Identity): ConnectionOptions {
  return {
    key: identity.key,
    cert: identity.certificate,
    servername: IDENTITY_SERVER_NAME,
    minVersion: 'TLSv1.3',
    rejectUnauthorized: false,
  };
}

/** Gives the socket back when the other side has shown the key; closes it otherwise. Fault: `node.untrusted`. */
export function checkPin(
  socket: TLSSocket,
  pin: string,
  where: string,
  how: { trace?: DialHow['trace']; proxied?: string | undefined } = {},
): TLSSocket {
  const seen = pinOfPeer(socket);
  if (seen === pin) {
    how.trace?.('certificate', 0, `the key is the pinned one, ${pin}`);
    return socket;
  }
  const issuer = nameText(socket.getPeerCertificate().issuer);
  socket.destroy();
  throw new Fault(
    'node.untrusted',
    `${where} shows the key ${seen ?? 'none'}, pinned is ${pin}${meddling(how.proxied, issuer)}`,
    {
      details: { step: 'certificate', seen: seen ?? 'none', wanted: pin },
      ...(how.proxied === undefined ? {} : { remedy: MEDDLING_REMEDY }),
    },
  );
}

/** Dials a cloud by TLS 1.2 or newer and checks its certificate. Faults: `cloud.unreachable`, `cloud.untrusted`, those of a proxy. */
export async function dialCloud(
  target: DialTarget,
  trust: CloudTrust,
  who: string,
  signal: AbortSignal,
  how: DialHow = {},
): Promise<TLSSocket> {
  const where = `${who}: ${placeOf(target)}`;
  const proxied = proxyOf(target, how);
  const options: ConnectionOptions =
    trust.kind === 'ca' ? { ca: trust.pem, rejectUnauthorized: true } : { rejectUnauthorized: false };
  const all = { ...options, minVersion: 'TLSv1.2' as SecureVersion, ...nameFor(target.host) };
  const socket = await dial(target, all, signal, how, ({ message, step, cause }) => {
    const code = (cause as NodeJS.ErrnoException | undefined)?.code ?? '';
    return /CERT|SIGNED|ALTNAME|VERIFY|ISSUER/.test(code)
      ? new Fault(
          'cloud.untrusted',
          `${where} shows a certificate that the given CA does not vouch for: ${message}${meddling(proxied, '')}`,
          { cause, ...(proxied === undefined ? {} : { remedy: MEDDLING_REMEDY }) },
        )
      : new Fault('cloud.unreachable', `${where} cannot be reached: ${message}`, { cause, details: { step } });
  });
  if (trust.kind === 'ca') return socket;
  const certificate = socket.getPeerCertificate();
  const seen = plainHex(trust.kind === 'pin' ? certificate.fingerprint256 : certificate.fingerprint);
  const wanted = plainHex(trust.kind === 'pin' ? trust.sha256 : trust.sha1);
  if (seen === wanted) return socket;
  socket.destroy();
  const text = `${where} shows the certificate ${seen}, confirmed was ${wanted}`;
  const shown = {
    subject: nameText(certificate.subject),
    issuer: nameText(certificate.issuer),
    validFrom: new Date(certificate.valid_from).toISOString(),
    validTo: new Date(certificate.valid_to).toISOString(),
  };
  throw new Fault('cloud.untrusted', `${text}${meddling(proxied, nameText(certificate.issuer))}`, {
    details: { seen, wanted, ...(trust.kind === 'pin' ? { confirmed: true, ...shown } : {}) },
    ...(proxied === undefined ? {} : { remedy: MEDDLING_REMEDY }),
  });
}

/** Looks at the certificate of a server without sending anything. Faults: `cloud.unreachable`, those of a proxy. */
export async function probeCertificate(
  target: DialTarget,
  signal: AbortSignal,
  how: DialHow = {},
): Promise<CertificateSeen> {
  const options = { rejectUnauthorized: false, minVersion: 'TLSv1.2' as SecureVersion, ...nameFor(target.host) };
  const socket = await dial(target, options, signal, how, ({ message, step, cause }) => {
    return new Fault('cloud.unreachable', `${placeOf(target)} cannot be reached: ${message}`, {
      cause,
      details: { step },
    });
  });
  try {
    const certificate = socket.getPeerCertificate();
    return {
      ...target,
      sha256: plainHex(certificate.fingerprint256),
      subject: nameText(certificate.subject),
      issuer: nameText(certificate.issuer),
      validFrom: new Date(certificate.valid_from).toISOString(),
      validTo: new Date(certificate.valid_to).toISOString(),
      names: (certificate.subjectaltname ?? '').split(', ').filter((name) => name !== ''),
      trustedBySystem: socket.authorized,
      chain: chainAbove(socket.getPeerCertificate(true)),
    };
  } finally {
    socket.destroy();
  }
}

/** A chain that is longer, or that leads in a circle, is cut off here. */
const LONGEST_CHAIN = 10;

function chainAbove(leaf: DetailedPeerCertificate): CertificateAbove[] {
  const above: CertificateAbove[] = [];
  for (let below = leaf; above.length < LONGEST_CHAIN; ) {
    // A root is its own issuer.
    const issuer = below.issuerCertificate;
    if (issuer === undefined || issuer.fingerprint256 === below.fingerprint256) break;
    above.push({
      subject: nameText(issuer.subject),
      sha256: plainHex(issuer.fingerprint256),
      validTo: new Date(issuer.valid_to).toISOString(),
    });
    below = issuer;
  }
  return above;
}

const MEDDLING_REMEDY =
  'A proxy that opens TLS stands in between: have this address exempted from TLS inspection, or except it from the proxy.';

/** A key that changed behind a proxy is most likely the proxy's own. */
function meddling(proxied: string | undefined, issuer: string): string {
  if (proxied === undefined) return '';
  return `; proxy ${proxied} seems to open TLS${issuer === '' ? '' : ` (the certificate was issued by ${issuer})`}`;
}

function proxyOf(target: DialTarget, { way }: DialHow): string | undefined {
  const proxy = way?.(target) ?? null;
  return proxy === null ? undefined : placeOf(proxy);
}

function placeOf({ host, port }: DialTarget): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}

/** Lower-case hex without colons or spaces. */
export function plainHex(fingerprint: string): string {
  return fingerprint.replace(/[^0-9a-f]/gi, '').toLowerCase();
}

function nameText(name: PeerCertificate['subject']): string {
  return Object.entries(name ?? {})
    .map(([key, value]) => `${key}=${Array.isArray(value) ? value.join('+') : value}`)
    .join(', ');
}

function nameFor(host: string): ConnectionOptions {
  return /^[\d.]+$|:/.test(host) ? {} : { servername: host };
}

async function dial(
  target: DialTarget,
  options: ConnectionOptions,
  signal: AbortSignal,
  how: DialHow,
  fault: (failure: DialFailure) => Fault,
): Promise<TLSSocket> {
  try {
    const tcp = await dialTcp(target, how, signal);
    const begin = performance.now();
    const socket = await secured(connect({ ...options, socket: tcp }), 'secureConnect', signal);
    how.trace?.('tls', performance.now() - begin, `${socket.getProtocol()}, ${socket.getCipher().name}`);
    return socket;
  } catch (error) {
    throw error instanceof DialFailure ? fault(error) : error;
  }
}

/** Waits for the end of a handshake; silence ends it. Rejects with `DialFailure` or the signal's reason, socket closed. */
export function secured(socket: TLSSocket, event: 'secureConnect' | 'secure', signal: AbortSignal): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const stop = (reason: unknown) => {
      signal.removeEventListener('abort', onAbort);
      socket.destroy();
      reject(reason);
    };
    const fail = (error: Error) => stop(new DialFailure('tls', error));
    const onAbort = () => stop(signal.reason);
    socket.setTimeout(SILENCE_MILLISECONDS, () => fail(new Error(`no answer for ${SILENCE_MILLISECONDS / 1000} s`)));
    const onClose = () => fail(new Error('the connection was closed in the handshake'));
    socket.on('error', fail);
    socket.once('close', onClose);
    socket.once(event, () => {
      signal.removeEventListener('abort', onAbort);
      socket.setTimeout(0);
      socket.removeAllListeners('timeout').removeListener('error', fail).removeListener('close', onClose);
      socket.on('error', () => {});
      resolve(socket);
    });
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
  });
}
