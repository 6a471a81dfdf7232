import { delay } from '../../base/backoff.ts';
import { Fault } from '../../model/fault.ts';
import type { WorkState } from '../../protocol/work.ts';
import { readLedger } from '../store/jobs.ts';
import { writeBack } from '../store/moves.ts';
import type { JobContext } from './context.ts';
import { absorb, runWork } from './follow.ts';
import { mayBeMended } from './insist.ts';
import type { CopyPlan } from './preflight.ts';
import type { JobRecord } from './record.ts';
import { asideWork, exportWork, importWork, seedWork } from './work-ids.ts';

/** How long a node that is away is waited for before its leftovers are named instead. */
const PATIENCE_MILLISECONDS = 10 * 60_000;

/**
 * Cancels the works and removes what they made, by the ledger of the nodes. Works and what arrived stay on the nodes, so
 * that a retry goes on with it; of a `paused` job they are kept even where others need the room. Answers what could not be undone, one sentence each; never throws for a node's sake.
 */
export async function undoCopy(
  context: JobContext,
  record: JobRecord,
  plan: CopyPlan,
  step: string,
  paused = false,
): Promise<string[]> {
  const { row } = record;
  const ends = [
    { work: exportWork(row.id), ...plan.source },
    { work: importWork(row.id), ...plan.destination },
    ...(plan.move === undefined ? [] : [{ work: asideWork(row.id), ...plan.source }]),
    ...(plan.seed === undefined ? [] : [{ work: seedWork(row.id), ...plan.destination }]),
  ];
  const leftovers = await Promise.all(ends.map((end) => undoEnd(context, record, { ...end, paused }, step)));
  if (plan.move !== undefined && leftovers.flat().length === 0) await writeBack(context.database, row.id, row.epoch);
  return leftovers.flat();
}

async function undoEnd(
  context: JobContext,
  record: JobRecord,
  end: { work: string; node: string; cloud: string; paused: boolean },
  step: string,
): Promise<string[]> {
  const { row } = record;
  const patience = AbortSignal.timeout(PATIENCE_MILLISECONDS);
  const signal = AbortSignal.any([patience, context.closing]);
  try {
    if (!(await cancelEnd(context, row.epoch, end, signal))) return [];
    const base = { epoch: row.epoch, owner: row.owner, job: row.id, cloud: end.cloud, marker: row.marker };
    const undone = await runWork(
      context,
      {
        work: `${end.work}.undo-${row.attempt}`,
        node: end.node,
        order: () => ({ kind: 'undo', ...base, works: [end.work] }),
        onState: (state) => record.say(step, state.text, false),
        onWait: (fault) => record.say(step, fault?.message ?? (end.paused ? 'Giving back' : 'Undoing'), false),
      },
      signal,
    );
    const client = context.nodes.client(end.node);
    const last = await client.getWork({ work: end.work }, signal);
    await absorb(context, row.id, last);
    await client.forgetWork({ work: undone.id }, signal).catch(() => {});
    return undone.result?.leftovers ?? [];
  } catch (error) {
    context.closing.throwIfAborted();
    if (error instanceof Fault && error.code === 'epoch.stale') throw error;
    // A node that comes back later must not go on with what nobody wants any more.
    if (patience.aborted) void cancelEnd(context, row.epoch, end, context.closing).catch(() => {});
    const name = context.nodes.get(end.node).name;
    const why = patience.aborted ? `node ${name} is away` : Fault.from(error, `node ${name}`).message;
    return leftoversByLedger(context, row.id, end.cloud, why);
  }
}

/** Resolves when the work has ended; false where the node never heard of it. Waits for a node that is away. */
export async function cancelEnd(
  { nodes }: JobContext,
  epoch: number,
  { work, node, paused = false }: { work: string; node: string; paused?: boolean },
  signal: AbortSignal,
): Promise<boolean> {
  const ended = ({ phase }: WorkState) => phase !== 'running' && phase !== 'waiting';
  for (;;) {
    try {
      let state = await nodes.client(node).cancelWork({ work, body: { epoch, paused } }, signal);
      while (!ended(state)) {
        await delay(200, signal);
        state = await nodes.client(node).getWork({ work, query: { revision: state.revision, seconds: 10 } }, signal);
      }
      return true;
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof Fault)) throw error;
      if (error.code === 'work.unknown') return false;
      if (!mayBeMended(error)) throw error;
      await delay(500, signal);
      await nodes.untilLinked(node, signal);
    }
  }
}

/** What may still be in a cloud as far as the server's own copy of the ledger knows. */
export async function leftoversByLedger({ database, clouds }: JobContext, job: string, cloud: string, why: string) {
  const rows = (await readLedger(database, job)).filter((row) => row.cloud === cloud);
  const open = rows.filter(({ state }) => state === 'intent' || state === 'made');
  const name = clouds.get(cloud).name;
  if (open.length === 0) return [`${name}: nothing is known to be left, but it could not be looked after: ${why}.`];
  return open.map(({ action, kind, name: object, objectId, marker, role, before }) => {
    if (action === 'change') return `${name}: ${role} of ${kind} "${object}" may not be set back to ${before}: ${why}.`;
    const id = objectId === undefined ? `marked ${marker}` : objectId;
    return `${name}: ${kind} "${object}" (${id}) may still be there: ${why}.`;
  });
}
