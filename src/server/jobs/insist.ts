import { delay } from '../../base/backoff.ts';
import { changedCertificate } from '../../model/changed-certificate.ts';
import { Fault } from '../../model/fault.ts';
import type { Nodes } from '../nodes.ts';

const FIRST_WAIT_MILLISECONDS = 500;
const LONGEST_WAIT_MILLISECONDS = 10_000;
/** A cloud that restarts is waited for that long between two steps; a node as long as it takes. */
export const CLOUD_PATIENCE_MILLISECONDS = 5 * 60_000;

/**
 * A node whose disk is full answers as before as soon as there is space, and a cloud whose certificate changed as soon as
 * somebody has confirmed the new one: what moves meanwhile waits on its own.
 */
export function mayBeMended(fault: Fault): boolean {
  return fault.retry === 'soon' || waitsForPeople(fault);
}

/** Somebody has to free space, to sign in to the cloud again, or to confirm its certificate. */
function waitsForPeople(fault: Fault): boolean {
  return fault.code === 'storage.full' || fault.code === 'cloud.signed-out' || changedCertificate(fault) !== null;
}

/**
 * Asks again while the fault says that waiting helps: a node without a link, and what only people mend, are waited for without end,
 * everything else for `CLOUD_PATIENCE_MILLISECONDS`. `call` must be idempotent.
 */
export async function insist<T>(
  nodes: Pick<Nodes, 'untilLinked'>,
  node: string,
  call: () => Promise<T>,
  signal: AbortSignal,
  onWait: (fault: Fault) => void = () => {},
): Promise<T> {
  const begun = performance.now();
  for (let attempt = 0; ; attempt++) {
    signal.throwIfAborted();
    try {
      return await call();
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof Fault) || !mayBeMended(error)) throw error;
      const away = error.code === 'node.unreachable';
      const endless = away || waitsForPeople(error);
      if (!endless && performance.now() - begun > CLOUD_PATIENCE_MILLISECONDS) throw error;
      onWait(error);
      const wait = Math.min(FIRST_WAIT_MILLISECONDS * 2 ** Math.min(attempt, 8), LONGEST_WAIT_MILLISECONDS);
      await delay(Math.max(wait, (error.retryAfterSeconds ?? 0) * 1000), signal);
      if (away) await nodes.untilLinked(node, signal);
    }
  }
}
