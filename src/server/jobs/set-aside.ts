import { Fault } from '../../model/fault.ts';
import { nameOfMoved } from '../../model/setting.ts';
import { writeMove } from '../store/moves.ts';
import type { JobContext } from './context.ts';
import type { Transferred } from './finish.ts';
import { runWork } from './follow.ts';
import type { CopyPlan } from './preflight.ts';
import type { JobRecord } from './record.ts';
import { asideWork } from './work-ids.ts';

/**
 * Sets the source of a move aside, and writes down which version of it that left: by it an undo and a deletion know later
 * that nobody touched it since.
 */
export async function setAside(
  context: JobContext,
  record: JobRecord,
  { source }: CopyPlan,
  { sent }: Pick<Transferred, 'sent'>,
  signal: AbortSignal,
): Promise<void> {
  const { database } = context;
  const { row } = record;
  const { owner } = row;
  if (sent.version === undefined)
    throw new Fault('internal', `job ${row.number}: the node told no version that it read`);
  const order = {
    kind: 'set-aside' as const,
    epoch: row.epoch,
    owner,
    job: row.id,
    cloud: source.cloud,
    marker: row.marker,
    object: source.object,
    name: nameOfMoved(source.name, row.number),
    version: sent.version,
  };
  const state = await runWork(
    context,
    {
      work: asideWork(row.id),
      node: source.node,
      order: () => order,
      onState: ({ text }) => record.say('set-aside', text, false),
      onWait: (fault) => record.say('set-aside', fault?.message ?? 'Setting the source aside', fault !== null),
    },
    signal,
  );
  const version = state.result?.version;
  if (version === undefined) throw new Fault('internal', `job ${row.number}: the node told no version of the source`);
  const days = row.request.deleteSourceAfterDays ?? null;
  await writeMove(database, owner, row.id, row.epoch, { object: source.object, version, days });
}
