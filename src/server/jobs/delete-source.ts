import { Fault } from '../../model/fault.ts';
import type { JobView } from '../../protocol/api/jobs.ts';
import { type JobRow, readJob } from '../store/jobs.ts';
import { beginDeletion, endDeletion, readDueDeletions } from '../store/moves.ts';
import type { JobContext } from './context.ts';
import { holderOf } from './holders.ts';
import { type Refusal, weakProof, weakResult } from './source-needed.ts';

/** What could not be deleted when it was due is tried again so much later. */
const AGAIN_HOURS = 6;

/**
 * Deletes what a move set aside, for good. Demands a receipt that says the destination holds the bytes (`checksum` or
 * `readback`), the copy still there under its id with the marker and no lease about to end it, and the source as it was
 * left. Faults: `job.state`, `source.needed`, `object.in-use`, `object.changed` and those of the clouds.
 */
export async function deleteSource(context: JobContext, row: JobRow, user: string): Promise<void> {
  const { database, clouds, records, fleet, closing } = context;
  const { number, move, result, receipt } = row;
  if (row.kind !== 'move' || move === null || result === null) {
    throw new Fault('job.state', `job ${number} is no move that has set its source aside`);
  }
  if (move.back) throw new Fault('job.state', `the source of job ${number} is back in use: it was undone`);
  if (move.deleted_at !== null) throw new Fault('job.state', `the source of job ${number} was deleted already`);
  if (!(await beginDeletion(database, row.id, fleet.id))) {
    throw new Fault('job.state', `job ${number} is not over, or is being undone, or its source is being deleted`);
  }
  try {
    const refuse = (refusal: Refusal | undefined) => {
      if (refusal === undefined) return;
      throw new Fault('source.needed', `the source of job ${number} stays: ${refusal.why}`, { remedy: refusal.remedy });
    };
    refuse(weakProof(receipt));
    const { cloud: named, id: object, name } = result.object;
    const { seen } = await clouds.use(row.clouds.at(-1) ?? '', (node, cloud) =>
      node.lookAt({ cloud, object }, closing),
    );
    refuse(weakResult(seen, row.marker, `"${name}" (${object}) in ${named}`, Date.now()));
    const source = row.clouds[0] ?? '';
    const holder = await holderOf(context, source, move.object);
    if (holder !== undefined) throw new Fault('object.in-use', `the source of job ${number} stays: ${holder} needs it`);
    const body = { version: move.version };
    await clouds.use(source, (node, cloud) => node.discardSource({ cloud, object: move.object, body }, closing));
  } catch (error) {
    closing.throwIfAborted();
    const fault = Fault.from(error, 'delete-source');
    await endDeletion(database, row.id, fleet.id, fault.message);
    throw fault;
  }
  await endDeletion(database, row.id, fleet.id, null);
  const record = await records.open(row.id);
  await record.log('info', `the source was deleted, asked for by ${user}`);
  records.close(record);
}

/** Deletes what is due. A refusal is in the log of its job, and tried again later. */
export async function deleteDueSources(context: JobContext): Promise<void> {
  for (const job of await readDueDeletions(context.database, AGAIN_HOURS)) {
    const row = await readJob(context.database, job);
    if (row === null) continue;
    try {
      await deleteSource(context, row, 'the move itself');
    } catch (error) {
      context.closing.throwIfAborted();
      const record = await context.records.open(job);
      await record.log('warn', `the source was not deleted: ${Fault.from(error, job).message}`);
      context.records.close(record);
    }
  }
}

/** @returns The view after it. */
export async function deleteSourceNow(
  context: JobContext,
  row: JobRow,
  user: string,
  viewOf: (row: JobRow) => JobView,
): Promise<JobView> {
  await deleteSource(context, row, user);
  return viewOf((await readJob(context.database, row.id)) ?? row);
}
