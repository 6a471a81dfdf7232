import { Fault } from '../model/fault.ts';
import type { CloudCheck } from '../protocol/cloud-check.ts';
import type { SessionRequest } from '../protocol/link.ts';
import type { NodeClient } from './link/node-client.ts';

type ToCheck = Omit<SessionRequest, 'owner' | 'trust'> & { trust?: SessionRequest['trust'] | undefined };

/** The node's walk to a cloud; null where the node is too old to know it. */
export async function walkToCloud(
  node: NodeClient,
  { driver, label, options, trust }: ToCheck,
  signal: AbortSignal,
): Promise<CloudCheck | null> {
  try {
    const body = { driver, label, options, ...(trust === undefined ? {} : { trust }) };
    return await node.checkCloud({ body }, signal);
  } catch (error) {
    signal.throwIfAborted();
    // What an older node says to a question that it has not; drivers never say it of a check.
    if (error instanceof Fault && error.code === 'object.missing') return null;
    throw error;
  }
}

/** Throws the fault of the step at which the walk ended; `details.steps` are all that were taken. */
export function refuseFailedWalk(check: CloudCheck): void {
  if (check.fault === undefined) return;
  const { code, message, remedy, retry, retryAfterSeconds, details } = check.fault;
  const failed = check.checks.find(({ outcome }) => outcome === 'fail');
  throw new Fault(code, message, {
    remedy: failed?.remedy ?? remedy,
    retry,
    ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }),
    details: { ...details, steps: check.checks.map(({ name, outcome, found }) => `${outcome} ${name}: ${found}`) },
  });
}

export function tooOld(name: string): Fault {
  return new Fault('cloud.unsupported', `node ${name} is too old to check a cloud step by step`, {
    remedy: 'Update the node; until then `cloudspan clouds test` signs in.',
  });
}
