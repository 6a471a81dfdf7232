import { delay } from '../../base/backoff.ts';
import { changedCertificate } from '../../model/changed-certificate.ts';
import { Fault } from '../../model/fault.ts';
import type { Sessions } from '../sessions.ts';
import type { Work } from './work.ts';

/** How long a work goes on by itself. */
export interface Patience {
  /** Faults that seconds can mend: given up after so long without any byte that moved. */
  standstillSeconds: number;
  /** A full disk under the transfer storage is never given up: somebody has to free space. Tried again every so often. */
  storageEverySeconds: number;
  longestWaitSeconds: number;
}

export const PATIENCE: Patience = {
  standstillSeconds: 600,
  storageEverySeconds: 5,
  longestWaitSeconds: 15,
};

const FIRST_WAIT_SECONDS = 0.25;
/** Bytes move in each attempt at a disk that is too short, but waiting makes it no longer. */
const TRUNCATED_ATTEMPTS = 5;

/**
 * Runs `attempt` until it succeeds, its fault cannot be mended by waiting, or patience is over. Without a session, which
 * the server opens (with the certificate that people confirm, and also after the cloud refused to renew one), and while a disk is
 * full, which people mend, it waits for as long as it takes. Rejects with the
 * signal's reason, or the fault.
 */
export async function persist<T>(
  work: Work,
  sessions: Sessions,
  patience: Patience,
  signal: AbortSignal,
  attempt: () => Promise<T>,
): Promise<T> {
  let failures = 0;
  let truncated = 0;
  let moved = work.movedAt;
  for (;;) {
    signal.throwIfAborted();
    try {
      return await attempt();
    } catch (error) {
      signal.throwIfAborted();
      const fault = Fault.from(error, `work ${work.row.id}`);
      if (fault.code === 'internal') work.log.warn(fault.message, { err: error });
      if (fault.code === 'vmdk.truncated' && ++truncated === TRUNCATED_ATTEMPTS) throw endOfTruncated(fault);
      // The server has what somebody may sign in with next; a login that was refused is never repeated here.
      if (fault.code === 'auth.refused') sessions.close(work.row.server, work.row.order.cloud);
      const changed = changedCertificate(fault);
      if (changed !== null) sessions.distrust(work.row.server, work.row.order.cloud, changed.wanted);
      if (changed !== null || fault.code === 'session.missing' || fault.code === 'auth.refused') {
        work.trouble('attempt', fault.code === 'auth.refused' ? signedOut(fault) : fault);
        await sessions.opened(work.row.server, work.row.order.cloud, signal);
        work.movedAt = performance.now();
      } else if (fault.code === 'storage.full') {
        work.trouble('attempt', fault);
        await delay(patience.storageEverySeconds * 1000, signal);
        work.movedAt = performance.now();
      } else {
        if (work.movedAt > moved) failures = 0;
        moved = work.movedAt;
        const wait = waitSeconds(fault, patience, ++failures);
        const stillSeconds = (performance.now() - work.movedAt) / 1000;
        const most = Math.max(patience.standstillSeconds, (fault.retryAfterSeconds ?? 0) * 2);
        if (wait === null || stillSeconds + wait > most) throw fault;
        work.trouble('attempt', fault);
        await delay(wait * 1000, signal);
      }
      work.trouble('attempt', null);
    }
  }
}

function signedOut(fault: Fault): Fault {
  return new Fault('session.missing', fault.message, { cause: fault });
}

function endOfTruncated(fault: Fault): Fault {
  return new Fault(fault.code, `${fault.message} (${TRUNCATED_ATTEMPTS} times)`, {
    cause: fault,
    retry: 'later',
    remedy: 'Check the disk with its own product, then retry.',
  });
}

/** Null when waiting does not help. */
function waitSeconds(fault: Fault, patience: Patience, failures: number): number | null {
  if (fault.retry !== 'soon') return null;
  const longest = Math.min(patience.longestWaitSeconds, FIRST_WAIT_SECONDS * 2 ** Math.min(failures, 12));
  return Math.max(longest * (0.5 + Math.random() / 2), fault.retryAfterSeconds ?? 0);
}
