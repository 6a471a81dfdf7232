import { Fault } from '../../model/fault.ts';
import type { JobContext } from './context.ts';
import { runWork } from './follow.ts';
import type { CopyPlan } from './preflight.ts';
import type { JobRecord } from './record.ts';
import { lineageOf } from './transfer.ts';
import { seedWork } from './work-ids.ts';

/**
 * Has the node at the destination read an earlier copy, unless it holds it still: what comes is then compared with it.
 * Saves bytes only: a failure is told in the log, and everything travels. Throws only when the job is to stop.
 */
export async function readSeed(
  context: JobContext,
  record: JobRecord,
  plan: CopyPlan,
  seed: NonNullable<CopyPlan['seed']>,
  signal: AbortSignal,
): Promise<void> {
  const { row } = record;
  const { cloud, node } = plan.destination;
  const say = (text: string, waits: boolean) => record.say('seed', text, waits);
  const order = () => ({
    kind: 'read' as const,
    epoch: row.epoch,
    owner: row.owner,
    job: row.id,
    cloud,
    marker: row.marker,
    object: seed.object,
    remember: { lineage: lineageOf(plan), disks: seed.disks },
  });
  try {
    await runWork(
      context,
      {
        work: seedWork(row.id),
        node,
        order,
        onState: ({ text }) => say(`"${seed.name}": ${text}`, false),
        onWait: (fault) => fault !== null && say(fault.message, true),
      },
      signal,
    );
  } catch (error) {
    signal.throwIfAborted();
    const why = Fault.from(error, `"${seed.name}"`).message;
    await record.log('warn', `what the node does not hold travels whole: "${seed.name}" could not be read: ${why}`);
  }
}
