import { delay } from '../../base/backoff.ts';
import { Fault, type FaultReport } from '../../model/fault.ts';
import type { WorkOrder, WorkState } from '../../protocol/work.ts';
import { addLines, putLedger } from '../store/jobs.ts';
import type { JobContext } from './context.ts';
import { mayBeMended } from './insist.ts';

const POLL_SECONDS = 20;
/** Between two polls, also when the node always has something newer. */
const PAUSE_MILLISECONDS = 250;
const SIGN_IN_AGAIN_MILLISECONDS = 5_000;

export interface Followed {
  work: string;
  node: string;
  /** As it is now: its ticket may be renewed meanwhile. */
  order: () => WorkOrder;
  /** Told each new state. */
  onState?: (state: WorkState) => void;
  /** Told what is waited for, or null when it goes on. */
  onWait?: (fault: Fault | null) => void;
}

/**
 * Starts the work or finds it, and waits for its end however long it takes: a node that is away or that restarts is
 * waited for. Ledger and log of the work are copied all the while. An end with `failed` or `cancelled` is thrown.
 */
export async function runWork(context: JobContext, followed: Followed, signal: AbortSignal): Promise<WorkState> {
  const { nodes } = context;
  const { work, node, onWait } = followed;
  const { job, cloud } = followed.order();
  let known = null as { revision: number; line: number } | null;
  let signedIn = Number.NEGATIVE_INFINITY;
  for (;;) {
    signal.throwIfAborted();
    try {
      const state: WorkState =
        known === null
          ? await nodes.client(node).startWork({ work, body: followed.order() }, signal)
          : await nodes
              .client(node)
              .getWork({ work, query: { revision: known.revision, log: known.line, seconds: POLL_SECONDS } }, signal);
      await absorb(context, job, state);
      known = { revision: state.revision, line: state.log.at(-1)?.number ?? known?.line ?? -1 };
      followed.onState?.(state);
      if (state.phase === 'done') return state;
      if (state.phase === 'failed' || state.phase === 'cancelled') throw new Ended(faultOf(state));
      onWait?.(state.phase === 'waiting' ? faultOf(state) : null);
      if (state.fault?.code === 'session.missing' && performance.now() - signedIn > SIGN_IN_AGAIN_MILLISECONDS) {
        signedIn = performance.now();
        await context.clouds.reopen(cloud).catch((error: unknown) => onWait?.(Fault.from(error, cloud)));
      }
      await delay(PAUSE_MILLISECONDS, signal);
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof Ended) throw error.fault;
      const fault = Fault.from(error, work);
      if (fault.code === 'work.unknown') known = null;
      else if (!mayBeMended(fault)) throw fault;
      onWait?.(fault);
      if (fault.code === 'session.missing') await context.clouds.reopen(cloud).catch(() => {});
      await delay(1_000, signal);
      if (fault.code === 'node.unreachable') await nodes.untilLinked(node, signal);
    }
  }
}

/** An end of the work, as opposed to a fault of asking for it. */
class Ended extends Error {
  readonly fault: Fault;
  constructor(fault: Fault) {
    super(fault.message);
    this.fault = fault;
  }
}

/** Copies what the node wrote down about the work; the lines of every work are numbered by itself. */
export async function absorb({ database }: JobContext, job: string, state: WorkState): Promise<void> {
  await putLedger(database, job, state.ledger as never);
  await addLines(database, job, sourceOfLines(job, state.id), state.log);
}

/** `export`, `import`, `import.undo-1`: the work's id without its job. */
export function sourceOfLines(job: string, work: string): string {
  return work.startsWith(`${job}.`) ? work.slice(job.length + 1) : work;
}

function faultOf(state: WorkState): Fault {
  if (state.fault !== undefined) return Fault.fromReport(state.fault as FaultReport);
  if (state.phase === 'cancelled') return new Fault('job.cancelled', `the ${state.kind} was cancelled`);
  return new Fault('internal', `the ${state.kind} ended as ${state.phase} without a reason`);
}
