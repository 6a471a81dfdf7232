import { Fault, type FaultReport } from '../../model/fault.ts';
import { settingOf } from '../../model/setting.ts';
import type { JobView } from '../../protocol/api/jobs.ts';
import type { UndoRow, UndoView } from '../../protocol/api/undo.ts';
import { ENDED, type JobRow } from '../store/jobs.ts';
import { writeBack } from '../store/moves.ts';
import { raiseEpoch } from '../store/settings.ts';
import { beginUndo } from '../store/undo.ts';
import { beginRun } from './begin.ts';
import type { JobContext } from './context.ts';
import type { DurableStep } from './copy.ts';
import type { Engine } from './engine.ts';
import { runWork } from './follow.ts';
import { type CloudRemoval, completed, planRemoval, previewRemoval, undoRows } from './removal.ts';
import { cancelEnd } from './undo.ts';
import { worksOf } from './work-ids.ts';

/** How long a node that is away is waited for before its rows are named instead. */
const PATIENCE_MILLISECONDS = 10 * 60_000;

export const undoRunOf = (job: string, run: number) => `${job}.undo-${run}`;

/** Undoing ended jobs on request; what was begun goes on after a restart (`takeover.ts`). */
export interface Undoing {
  /** What would happen; touches nothing. Fault `job.state` while the job runs. */
  preview(row: JobRow, signal: AbortSignal): Promise<UndoRow[]>;
  /** Fault `job.state` while the job runs. One that is being undone goes on. */
  start(row: JobRow, user: string): Promise<JobView>;
}

export function openUndoing(context: JobContext, engine: Pick<Engine, 'start'>): Undoing {
  const { database, records, fleet } = context;
  const refuseUnended = ({ number, state }: JobRow) => {
    if (ENDED.includes(state)) return;
    throw new Fault('job.state', `job ${number} is ${state}: only ended jobs are undone`, {
      remedy: 'Cancel it: that undoes what it made so far.',
    });
  };
  return {
    async preview(row, signal) {
      refuseUnended(row);
      return previewRemoval(context, row, signal);
    },
    async start(row, user) {
      refuseUnended(row);
      const run = (row.undo?.run ?? 0) + 1;
      const undo: UndoView = { run, state: 'running', user, startedAt: new Date().toISOString(), rows: [] };
      const epoch = await raiseEpoch(database);
      if (await beginUndo(database, row.id, { epoch, server: fleet.id }, undo)) {
        // A record of the last run may still have the row as it was.
        const old = records.running(row.id);
        if (old !== null) records.close(old);
        await beginRun(context, engine, { id: row.id, epoch }, undoRunOf(row.id, run), 'undo');
      }
      const record = await records.open(row.id);
      return record.view();
    },
  };
}

/**
 * The workflow of an undo: it plans once, then has the node of each cloud remove what may go. Every step can be run again
 * after a crash in its middle; the ledger says what is gone.
 */
export async function undoWorkflow(context: JobContext, durable: DurableStep, job: string): Promise<void> {
  const rows: UndoRow[] = [];
  let fault: FaultReport | undefined;
  try {
    const removals = await durable('plan-undo', async () => {
      const record = await context.records.open(job);
      await record.log('info', `undo: asked for by ${record.row.undo?.user}`);
      return planRemoval(context, record.row, context.closing);
    });
    for (const removal of removals) {
      const held = unrestored(rows);
      rows.push(...(await durable(`remove-${removal.cloud}`, () => removeIn(context, job, withHeld(removal, held)))));
    }
  } catch (error) {
    fault = Fault.from(error, 'undo').report();
  }
  await durable('end-undo', () => endUndo(context, job, rows, fault));
}

/** Why a setting of a source that moved is not as it was before: then the result of the move stays. */
function unrestored(rows: readonly UndoRow[]): string | undefined {
  const left = rows.find(({ outcome, role }) => settingOf(role) !== undefined && outcome === 'left');
  return left === undefined ? undefined : `the source of the move stays as it is: ${left.reason}`;
}

function withHeld(removal: CloudRemoval, held: string | undefined): CloudRemoval {
  if (held === undefined) return removal;
  const rows = removal.rows.map((row) =>
    row.entry.state === 'kept' && row.held === undefined ? { ...row, held } : row,
  );
  return { ...removal, rows };
}

async function removeIn(context: JobContext, job: string, removal: CloudRemoval): Promise<UndoRow[]> {
  const { row } = await context.records.open(job);
  const patience = AbortSignal.timeout(PATIENCE_MILLISECONDS);
  const signal = AbortSignal.any([patience, context.closing]);
  const work = `${undoRunOf(job, row.undo?.run ?? 0)}.${removal.cloud}`;
  try {
    const { node } = context.clouds.get(removal.cloud);
    const rows = await completed(context, row, removal);
    const base = { epoch: row.epoch, owner: row.owner, job, cloud: removal.cloud, marker: row.marker };
    const order = () => ({ kind: 'remove' as const, ...base, works: worksOf(job), rows });
    const done = await runWork(context, { work, node, order }, signal);
    await context.nodes
      .client(node)
      .forgetWork({ work }, signal)
      .catch(() => {});
    return undoRows(context, removal, done.result?.removals ?? []);
  } catch (error) {
    context.closing.throwIfAborted();
    if (error instanceof Fault && error.code === 'epoch.stale') throw error;
    // A node that comes back later must not remove what was told to be left alone.
    if (patience.aborted) {
      const { node } = context.clouds.get(removal.cloud);
      void cancelEnd(context, row.epoch, { work, node }, context.closing).catch(() => {});
    }
    const why = patience.aborted ? 'its node was away too long' : Fault.from(error, 'undo').message;
    return undoRows(context, removal, [], 'left', why);
  }
}

export async function endUndo(
  context: JobContext,
  job: string,
  rows: UndoRow[],
  fault: FaultReport | undefined,
): Promise<void> {
  const { records } = context;
  const record = await records.open(job);
  const { undo } = record.row;
  if (undo === null) return;
  for (const { cloud, kind, name, object = 'no id', outcome, reason } of rows) {
    const text = `undo: ${cloud}: ${kind} "${name}" (${object}): ${outcome}: ${reason}`;
    await record.log(outcome === 'left' ? 'warn' : 'info', text);
  }
  if (rows.some(({ outcome }) => outcome === 'restored')) {
    await writeBack(context.database, job, record.row.epoch);
    if (record.row.move !== null) Object.assign(record.row.move, { back: true, delete_at: null });
  }
  await record.change({
    undo: {
      ...undo,
      state: fault === undefined ? 'done' : 'failed',
      endedAt: new Date().toISOString(),
      rows,
      ...(fault === undefined ? {} : { fault }),
    },
  });
  records.close(record);
}
