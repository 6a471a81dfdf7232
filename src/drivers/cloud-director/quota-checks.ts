import type { Check } from '../../model/check.ts';
import type { PackageDescription } from '../../model/machine.ts';
import type { Destination } from './destination.ts';
import type { Placement } from './placement.ts';
import { query } from './query.ts';
import type { Session } from './session.ts';
import { numberAt } from './xml.ts';

/**
 * How many machines the VDC may still hold; nothing where it has no quota. The quota counts those in templates too, and
 * the temporary template lies in the VDC whose storage policy its upload names.
 */
export async function quotaChecks(
  session: Session,
  { machines }: PackageDescription,
  { element, href, name }: Destination,
  { policy }: Placement,
  signal: AbortSignal,
): Promise<Check[]> {
  const quota = numberAt(element, 'VmQuota') ?? 0;
  if (quota === 0) return [];
  const held = (await query(session, 'vm', signal, { vdc: href })).length;
  const twice = policy !== undefined;
  const coming = twice ? machines.length * 2 : machines.length;
  const found = `VDC "${name}" holds ${held} of ${quota} machines; ${coming} come${twice ? ', those of the temporary template counted' : ''}.`;
  if (held + coming <= quota) return [{ name: 'quota', outcome: 'pass', found }];
  const remedy = 'Remove machines there, have the quota raised, or choose another VDC.';
  return [{ name: 'quota', outcome: 'fail', found, remedy }];
}

/** What the chosen leases will do to the copy; those of the organization apply where none is chosen. */
export function leaseChecks({ runtimeLeaseSeconds, storageLeaseSeconds }: Placement): Check[] {
  const ends = [
    ...(runtimeLeaseSeconds ? [`it is stopped ${days(runtimeLeaseSeconds)} after its start`] : []),
    ...(storageLeaseSeconds ? [`its storage is given up ${days(storageLeaseSeconds)} after it was stopped`] : []),
  ];
  if (ends.length === 0) return [];
  const found = `By the leases that were chosen ${ends.join(', and ')}.`;
  return [{ name: 'lease', outcome: 'warn', found, remedy: 'Renew the leases in time, or choose 0 for none.' }];
}

function days(seconds: number): string {
  return seconds < 86_400 ? `${Math.round(seconds / 3600)} hours` : `${Math.round(seconds / 86_400)} days`;
}
