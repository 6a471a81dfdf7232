import { delay } from '../base/backoff.ts';
import type { Log } from '../base/log.ts';
import { plainHex } from '../base/tls.ts';
import { changedCertificate } from '../model/changed-certificate.ts';
import { Fault } from '../model/fault.ts';
import type { CertificateSeen, Trust } from '../model/option.ts';
import type { CloudCertificateView } from '../protocol/api/cloud-certificates.ts';
import { CertificateSeenSchema } from '../protocol/nouns.ts';
import type { Clouds } from './clouds.ts';
import type { Nodes } from './nodes.ts';
import { readCloudCertificates, writeCloudCertificate } from './store/cloud-certificates.ts';
import type { CloudRow } from './store/clouds.ts';
import type { Database } from './store/database.ts';

const EVERY_MILLISECONDS = 15_000;
const AGAIN_MILLISECONDS = 12 * 3_600_000;
const PROBE_MILLISECONDS = 30_000;

export interface CloudCertificates {
  /** Asks the cloud through its node. Faults: `object.missing`, `node.unreachable`, `cloud.unreachable`. */
  look(cloud: string, signal: AbortSignal): Promise<CloudCertificateView>;
  /**
   * Refuses a certificate that the cloud does not show, so that nobody confirms what they did not see. Faults: those of
   * `look`, `cloud.untrusted`.
   */
  expect(cloud: string, trust: Trust, signal: AbortSignal): Promise<void>;
}

/**
 * What certificates clouds show: looked at when a cloud is connected, twice a day, and when one says that it changed. So
 * the old one can be shown beside the new, and both their ends are known.
 */
export function keepCloudCertificates(options: {
  database: Database;
  nodes: Nodes;
  clouds: Clouds;
  closing: AbortSignal;
  log: Log;
}): CloudCertificates {
  const { database, nodes, clouds, closing, log } = options;
  /** Which pin was looked at, and when. */
  const looked = new Map<string, { sha256: string; changed: string; at: number }>();

  const probe = async (row: CloudRow, signal: AbortSignal): Promise<CertificateSeen | null> => {
    const limited = AbortSignal.any([signal, AbortSignal.timeout(PROBE_MILLISECONDS)]);
    const body = { driver: row.driver, options: row.options };
    const answer = await nodes.client(row.node).probe({ body }, limited);
    if (answer.certificate === null) return null;
    const seen = CertificateSeenSchema.parse(answer.certificate);
    const same = row.trust.kind === 'pin' && plainHex(row.trust.sha256) === seen.sha256;
    await writeCloudCertificate(database, row.id, seen, same ? seen : null);
    return seen;
  };

  const lookAround = async (): Promise<void> => {
    for (const { id, state, fault, trust } of clouds.list()) {
      if (trust.kind !== 'pin') continue;
      const changed = (fault === undefined ? null : changedCertificate(fault))?.seen ?? '';
      if (state !== 'connected' && changed === '') continue;
      const last = looked.get(id);
      const known = last?.sha256 === trust.sha256 && last.changed === changed;
      if (known && Date.now() - last.at < AGAIN_MILLISECONDS) continue;
      try {
        await probe(clouds.get(id), closing);
        looked.set(id, { sha256: trust.sha256, changed, at: Date.now() });
      } catch (error) {
        closing.throwIfAborted();
        log.debug({ cloud: id, fault: Fault.from(error, id).report() }, 'its certificate was not looked at');
      }
    }
  };
  const keepLooking = async () => {
    for (;;) {
      await lookAround().catch((error: unknown) => {
        if (!closing.aborted) log.warn({ err: error }, 'certificates of clouds were not looked at');
      });
      await delay(EVERY_MILLISECONDS, closing);
    }
  };
  keepLooking().catch(() => {});

  return {
    async look(cloud, signal) {
      const row = clouds.get(cloud);
      const seen = await probe(row, signal);
      const known = (await readCloudCertificates(database)).find((one) => one.cloud === row.id);
      const pinned = row.trust.kind === 'pin' ? plainHex(row.trust.sha256) : null;
      const confirmed = known?.confirmed?.sha256 === pinned ? known?.confirmed : null;
      return {
        trust: row.trust,
        ...(confirmed == null ? {} : { confirmed }),
        ...(seen === null ? {} : { seen }),
        changed: pinned !== null && seen !== null && seen.sha256 !== pinned,
      };
    },
    async expect(cloud, trust, signal) {
      if (trust.kind !== 'pin') return;
      const row = clouds.get(cloud);
      const seen = await probe(row, signal);
      if (seen === null || seen.sha256 === plainHex(trust.sha256)) return;
      const text = `${row.name} shows the certificate ${seen.sha256}, and ${plainHex(trust.sha256)} was to be confirmed`;
      throw new Fault('cloud.untrusted', text, { details: { seen: seen.sha256, wanted: plainHex(trust.sha256) } });
    },
  };
}
