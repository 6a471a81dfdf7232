import type { Receipt } from '../../model/receipt.ts';
import type { SeenObject } from '../../model/seen-object.ts';

/** A copy that its own cloud gives up sooner than this is no reason to delete the source. */
const LEASE_DAYS = 30;
const DAY_MILLISECONDS = 24 * 3600_000;

/** Why the source of a move may be needed yet. */
export interface Refusal {
  why: string;
  remedy: string;
}

/** The receipt has to say what the destination holds, of every disk. */
export function weakProof(receipt: Pick<Receipt, 'disks'> | null): Refusal | undefined {
  const remedy = 'Compare both by cloudspan verify, then delete the source in its cloud.';
  if (receipt === null) return { why: 'the job has no receipt', remedy };
  const weak = receipt.disks.find(({ level }) => level === 'sent');
  if (weak === undefined) return undefined;
  return { why: `the receipt of ${weak.label} says only what was sent, not what the destination holds`, remedy };
}

/** The copy has to be there: its id, the marker, its final name, and no end of a lease near. */
export function weakResult(
  seen: { marker: string | null; finished: boolean; leaseEnds?: SeenObject['leaseEnds'] | undefined } | null,
  marker: string,
  what: string,
  now: number,
): Refusal | undefined {
  if (seen === null) {
    return { why: `${what} is not there any more`, remedy: 'The source may be the last one: undo the move.' };
  }
  if (seen.marker !== marker || !seen.finished) {
    return {
      why: `${what} no longer carries the marker of the job`,
      remedy: 'See what became of it in its cloud.',
    };
  }
  const ends = seen.leaseEnds === undefined ? Number.POSITIVE_INFINITY : Date.parse(seen.leaseEnds);
  if (ends - now > LEASE_DAYS * DAY_MILLISECONDS) return undefined;
  return {
    why: `the storage lease of ${what} ends at ${seen.leaseEnds}, and its cloud may delete it then`,
    remedy: `Renew the lease in its cloud, to more than ${LEASE_DAYS} days or to no end.`,
  };
}
