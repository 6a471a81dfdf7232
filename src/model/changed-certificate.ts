import type { Fault, FaultReport } from './fault.ts';

/** What the details of `cloud.untrusted` hold where a confirmed certificate was replaced by another one. */
export interface ChangedCertificate {
  /** SHA-256 that the cloud shows, and the one that was confirmed. */
  seen: string;
  wanted: string;
}

/**
 * The cloud shows another certificate than the confirmed one: nothing is wrong with a job that meets this, it waits until
 * somebody has looked. Null for every other fault, also for the certificate of a host that a cloud itself vouched for.
 */
export function changedCertificate({ code, details }: Fault | FaultReport): ChangedCertificate | null {
  if (code !== 'cloud.untrusted' || details?.confirmed !== true) return null;
  return { seen: String(details.seen), wanted: String(details.wanted) };
}
