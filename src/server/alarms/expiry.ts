import { X509Certificate } from 'node:crypto';
import type { Trust } from '../../model/option.ts';
import type { Clouds } from '../clouds.ts';
import { readChannels } from '../store/channels.ts';
import { readCloudCertificates } from '../store/cloud-certificates.ts';
import type { Database } from '../store/database.ts';
import { readProvider } from '../store/provider.ts';
import { readTokens } from '../store/tokens.ts';
import type { Seen } from './look.ts';

const DAY_MILLISECONDS = 24 * 3_600_000;
/** So long after its end a token is still worth a word. */
const OVER_DAYS = 7;

interface Ending {
  key: string;
  kind: 'certificate-expiry' | 'token-expiry';
  where: string;
  /** Begins a sentence. */
  whose: string;
  at: number;
  remedy: string;
}

/** Everything that ends within `days`, or has ended: certificates, certificate authorities, API tokens. */
export async function lookAtExpiry(
  { database, clouds, certificate }: { database: Database; clouds: Clouds; certificate: () => string },
  days: number,
): Promise<Seen[]> {
  const confirmed = new Map((await readCloudCertificates(database)).map((one) => [one.cloud, one.confirmed]));
  const endings: Ending[] = [];
  for (const [index, pem] of pemsOf(certificate()).entries()) {
    const whose = index === 0 ? 'The certificate of the UI' : 'An issuer in the chain of the certificate of the UI';
    const remedy = 'Replace it before that day: cloudspan certificates request, then upload.';
    endings.push(
      ...certificateEnding(index === 0 ? 'certificate:ui' : `certificate:ui:${index}`, 'server', whose, pem, remedy),
    );
  }
  for (const { id, name, trust } of clouds.list()) {
    endings.push(...caEndings(`certificate:${id}`, `cloud ${name}`, trust));
    const pinned = confirmed.get(id);
    if (trust.kind !== 'pin' || pinned == null || pinned.sha256 !== trust.sha256) continue;
    endings.push({
      key: `certificate:${id}`,
      kind: 'certificate-expiry',
      where: `cloud ${name}`,
      whose: 'Its certificate, which was confirmed here,',
      at: Date.parse(pinned.validTo),
      remedy: `When its owner has replaced it, what uses the cloud waits for a yes: cloudspan clouds trust ${name}.`,
    });
  }
  for (const { id, name, target } of await readChannels(database)) {
    if (target.trust !== undefined) endings.push(...caEndings(`certificate:${id}`, `channel ${name}`, target.trust));
  }
  const provider = await readProvider(database);
  if (provider?.ca !== undefined) {
    endings.push(...caEndings('certificate:provider', 'OpenID provider', { kind: 'ca', pem: provider.ca }));
  }
  const certificates = endings.filter(({ at }) => at - Date.now() <= days * DAY_MILLISECONDS);
  return [...certificates, ...(await tokenEndings(database, days))].map(seenOf);
}

/** A token that was made for a week is no alarm from its first day on: its last third counts. */
async function tokenEndings(database: Database, days: number): Promise<Ending[]> {
  return (await readTokens(database, {})).flatMap(({ id, name, account_name, created_at, expires }) => {
    const at = expires.getTime();
    const notice = Math.min(days * DAY_MILLISECONDS, (at - created_at.getTime()) / 3);
    const left = at - Date.now();
    if (left > notice || left < -OVER_DAYS * DAY_MILLISECONDS) return [];
    const remedy = `Make a new one for who uses it, then revoke it: cloudspan tokens create.`;
    const whose = `The API token "${name}"`;
    return [{ key: `token:${id}`, kind: 'token-expiry' as const, where: `account ${account_name}`, whose, at, remedy }];
  });
}

function caEndings(key: string, where: string, trust: Trust): Ending[] {
  if (trust.kind !== 'ca') return [];
  return pemsOf(trust.pem).flatMap((pem, index) =>
    certificateEnding(
      `${key}:${index}`,
      where,
      'A certificate authority that is trusted for it',
      pem,
      'Replace it before that day.',
    ),
  );
}

/** Nothing for what is no certificate: whoever dials with it says so, and it is no trouble of the clock. */
function certificateEnding(key: string, where: string, whose: string, pem: string, remedy: string): Ending[] {
  try {
    const at = Date.parse(new X509Certificate(pem).validTo);
    return [{ key, kind: 'certificate-expiry', where, whose, at, remedy }];
  } catch {
    return [];
  }
}

function seenOf({ key, kind, where, whose, at, remedy }: Ending): Seen {
  const over = at < Date.now();
  const what = `${whose} ${over ? 'expired' : 'expires'} on ${new Date(at).toISOString()}.`;
  return { key, kind, severity: over ? 'critical' : 'warning', what, where, remedy, afterSeconds: 0 };
}

function pemsOf(pem: string): string[] {
  return pem.match(/-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g) ?? [];
}
