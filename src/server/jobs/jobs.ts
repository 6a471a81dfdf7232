import { randomUUID } from 'node:crypto';
import type { z } from 'zod';
import { Fault } from '../../model/fault.ts';
import type { JobView, LedgerSchema } from '../../protocol/api/jobs.ts';
import type { UndoRow } from '../../protocol/api/undo.ts';
import type { Hold } from '../hold.ts';
import type { Objects } from '../objects.ts';
import {
  type CopyOrder,
  ENDED,
  insertJob,
  type JobChange,
  type JobFilter,
  type JobRow,
  readJob,
  readJobs,
  readLedger,
  readLines,
  writeJob,
  writeJobAt,
} from '../store/jobs.ts';
import { insertPlaces } from '../store/places.ts';
import { insertQueued, writeWindowPaused } from '../store/queue.ts';
import { raiseEpoch } from '../store/settings.ts';
import { type Admission, createAdmission } from './admission.ts';
import { refuseAgain } from './again.ts';
import { beginRun } from './begin.ts';
import type { JobContext } from './context.ts';
import { copySteps, copyWorkflow, type DurableStep } from './copy.ts';
import { deleteSourceNow } from './delete-source.ts';
import { resolveEndpoints } from './endpoints.ts';
import { type Engine, openEngine } from './engine.ts';
import { newMarker } from './marker.ts';
import { preflightCopy } from './preflight.ts';
import { type JobRecord, viewOfJob } from './record.ts';
import { keepSchedule } from './schedule.ts';
import { slotKeysOf } from './slot-keys.ts';
import { createTakeover } from './takeover.ts';
import { createTenures } from './tenure.ts';
import { cancelEnd, leftoversByLedger } from './undo.ts';
import { endUndo, openUndoing, type Undoing, undoRunOf, undoWorkflow } from './undoing.ts';
import { worksOf } from './work-ids.ts';

export interface Jobs {
  /** @param objects As whoever asks sees them. */
  preflight(
    order: CopyOrder,
    objects: Objects,
    signal: AbortSignal,
  ): Promise<Pick<Awaited<ReturnType<typeof preflightCopy>>, 'checks' | 'totalBytes'>>;
  /** Faults of the paths are thrown here; everything else is the job's own failure. */
  /** @param id Of the job that it becomes; one that is there already is answered instead. */
  /** @param group That it is part of, and in which wave. */
  start(
    order: CopyOrder,
    objects: Objects,
    account: { id: string; name: string },
    id?: string,
    group?: { id: string; wave: number },
  ): Promise<JobView>;
  limits: Admission['limits'];
  setLimits: Admission['setLimits'];
  /** @param ids Only these. */
  list(filter: JobFilter, limit: number, ids?: string[]): Promise<JobView[]>;
  /** By id or number. Fault `object.missing`. */
  get(job: string): Promise<JobView>;
  log(job: string, after: number, limit?: number): ReturnType<typeof readLines>;
  ledger(job: string): Promise<z.input<typeof LedgerSchema>['entries']>;
  /** Faults: `job.state` when it has ended already. */
  cancel(job: string): Promise<JobView>;
  /** Faults: `job.state` when it does not run, or its transfer is over. */
  /** @param byWindow For the end of its window, whose next one resumes it; not for a person. */
  pause(job: string, byWindow?: boolean): Promise<JobView>;
  /** Fault: `job.state` unless it is paused. */
  resume(job: string): Promise<JobView>;
  /** Fault: `job.state` when it has ended already. */
  prioritize(job: string, priority: number): Promise<JobView>;
  /** Fault: `job.state` unless it failed or was cancelled. */
  retry(job: string): Promise<JobView>;
  /** What an undo would do to each row of the ledger. Fault: `job.state` unless it has ended. */
  previewUndo(job: string, signal: AbortSignal): Promise<{ job: number; rows: UndoRow[] }>;
  /** Fault: `job.state` unless it has ended. */
  undo(job: string, user: string): Promise<JobView>;
  /** Fault `job.state` unless it is a move that ended; `source.needed` while the source may be the only good one. */
  deleteSource(job: string, user: string): Promise<JobView>;
  /** Forgets the runs of an ended job that is being removed. */
  forget(job: string, attempts: number, undos: number): Promise<void>;
  /** Resolves when the executor can work. */
  answers(): Promise<void>;
  close(): Promise<void>;
}

/** The run that ends a paused job: it only undoes what the pause had to leave. */
const CANCELLING = { state: 'cancelling', cancel_wanted: true, pause_wanted: false } as const;

const runOf = ({ id, attempt }: Pick<JobRow, 'id' | 'attempt'>) => `${id}.${attempt}`;

/**
 * Takes over what an earlier server left unfinished, then serves. While the server is on hold jobs are only shown, until
 * it is released.
 */
export async function openJobs(context: JobContext, hold: Hold): Promise<Jobs> {
  const { database, clouds, records, owner, fleet, closing, log } = context;
  const tenures = createTenures(database, records, fleet.id, log);
  let opened: Engine | null = null;
  const engineFor = (what: string): Engine => {
    hold.refuse(what);
    if (opened === null) throw new Fault('server.unavailable', `${what}: jobs are being taken over`);
    return opened;
  };
  const workflows = {
    copy: (durable: DurableStep, job: string) => copyWorkflow(context, durable, job),
    undo: (durable: DurableStep, job: string) => undoWorkflow(context, durable, job),
  };
  const admission = createAdmission(context);
  let undoing: Undoing | null = null;
  const undoingFor = (what: string): Undoing => {
    engineFor(what);
    if (undoing === null) throw new Fault('server.unavailable', `${what}: jobs are being taken over`);
    return undoing;
  };
  const begin = async () => {
    const engine = await openEngine(database, workflows, { tenures, admission, executor: fleet.id, closing }, log);
    opened = engine;
    undoing = openUndoing(context, engine);
    const onLost = async ({ id }: { id: string }, undo: boolean) => {
      const row = await find(id);
      const lost = new Fault('internal', 'the undo was lost').report();
      if (undo) await endUndo(context, id, [], lost);
      else if (!ENDED.includes(row.state) && row.state !== 'paused') await failLost(row);
    };
    const takeover = createTakeover({ context, fleet, engine, runOf, onLost });
    await takeover.begin();
    fleet.onBeat(() => takeover.look());
  };
  fleet.onBeat(() => tenures.check());
  let begun: Promise<void> | null = null;
  const find = async (job: string): Promise<JobRow> => {
    const row = await readJob(database, job);
    if (row === null) throw new Fault('object.missing', `there is no job ${job}`);
    return row;
  };
  if (hold.note === null) await begin();
  else {
    begun = hold.released(closing).then(begin);
    begun.catch((error: unknown) => {
      if (!closing.aborted) log.error({ err: error }, 'jobs were not taken over');
    });
  }

  async function failLost(row: JobRow): Promise<void> {
    const fault = new Fault('internal', `job ${row.number} was lost in the middle`);
    log.error({ job: row.id }, 'a job has no run any more');
    const leftovers: string[] = [];
    for (const cloud of row.clouds.filter((id) => clouds.nameOf(id) !== null)) {
      leftovers.push(...(await leftoversByLedger(context, row.id, cloud, fault.message)));
      const { node } = context.clouds.get(cloud);
      for (const work of worksOf(row.id)) {
        void cancelEnd(context, row.epoch, { work, node }, closing).catch(() => {});
      }
    }
    const failure = { ...fault.report(), leftovers };
    await writeJob(database, row.id, { state: 'failed', failure, ended_at: new Date() }, row.epoch);
  }

  /** A further run of the workflow; what nodes and clouds know of the one before belongs to it from then on. */
  const again = async (row: JobRow, change: JobChange): Promise<JobView> => {
    const engine = engineFor(`job ${row.number}`);
    const old = records.running(row.id);
    const next = { ...change, attempt: row.attempt + 1, epoch: await raiseEpoch(database), server: fleet.id };
    if (!(await writeJobAt(database, row.id, row.attempt, [row.state], next))) {
      throw new Fault('job.state', `job ${row.number} is not ${row.state} any more`);
    }
    if (old !== null) records.close(old);
    await beginRun(context, engine, { id: row.id, epoch: next.epoch }, runOf({ id: row.id, attempt: next.attempt }));
    const record = await records.open(row.id);
    return record.view();
  };
  const viewOf = (row: JobRow) =>
    (row.server === fleet.id ? records.running(row.id)?.view() : undefined) ?? viewOfJob(row);
  /** The server on which the job runs is told where it is another one. */
  const wish = async ({ id, server }: JobRow, make: (record: JobRecord) => Promise<void>): Promise<JobView> => {
    const record = await records.open(id);
    try {
      await make(record);
      return record.view();
    } finally {
      if (server !== fleet.id) {
        records.close(record);
        context.tellServers({ type: 'wish', id });
      }
    }
  };

  const jobs: Jobs = {
    async preflight(order, objects, signal) {
      const { checks, totalBytes } = await preflightCopy({ ...context, objects }, order, signal);
      return { checks, totalBytes };
    },
    limits: admission.limits,
    setLimits: admission.setLimits,
    async start(order, objects, account, id = randomUUID(), group = undefined) {
      const engine = engineFor('no job is started');
      const known = await readJob(database, id);
      if (known !== null) {
        if (!ENDED.includes(known.state)) await engine.start(runOf(known), id);
        return viewOf(known);
      }
      const ends = await resolveEndpoints(objects, order);
      await insertJob(database, clouds.get(ends.sourceCloud).owner, {
        id,
        kind: order.kind,
        account: account.name,
        title: `${order.kind === 'move' ? 'Move' : 'Copy'} ${ends.source.kind} "${ends.source.name}" to ${order.destination}`,
        request: order,
        clouds: [...new Set([ends.sourceCloud, ends.destinationCloud])],
        marker: newMarker(owner),
        epoch: await raiseEpoch(database),
        server: fleet.id,
        steps: copySteps(order),
      });
      await insertQueued(database, owner, id, {
        keys: slotKeysOf(clouds, ends),
        group: group?.id ?? null,
        wave: group?.wave ?? 1,
      });
      await insertPlaces(database, id, {
        account: account.id,
        runner: account.id,
        source_cloud: ends.sourceCloud,
        source: ends.source.ids,
        destination_cloud: ends.destinationCloud,
        destination: ends.container.ids,
      });
      const record = await records.open(id);
      log.info({ job: id, number: record.row.number, account, title: record.row.title }, 'a job was asked for');
      await beginRun(context, engine, record.row, runOf(record.row));
      return record.view();
    },
    list: async (filter, limit, ids) => (await readJobs(database, filter, limit, ids)).map(viewOf),
    get: async (job) => viewOf(await find(job)),
    log: async (job, after, limit) => readLines(database, (await find(job)).id, after, limit),
    async ledger(job) {
      const entries = await readLedger(database, (await find(job)).id);
      return entries.map((entry) => ({ ...entry, cloud: clouds.nameOf(entry.cloud) ?? entry.cloud }));
    },
    async cancel(job) {
      const row = await find(job);
      engineFor(`job ${row.number}`);
      if (ENDED.includes(row.state)) throw new Fault('job.state', `job ${row.number} has ended as ${row.state}`);
      if (row.state === 'paused') return again(row, CANCELLING);
      return wish(row, (record) => record.cancel());
    },
    async pause(job, byWindow = false) {
      const row = await find(job);
      engineFor(`job ${row.number}`);
      const { steps, state } = records.running(row.id)?.row ?? row;
      if (state !== 'queued' && steps.some((step) => step.name === 'transfer' && step.state === 'done')) {
        throw new Fault('job.state', `job ${row.number} has moved everything already: it ends in a moment`);
      }
      if (byWindow) await writeWindowPaused(database, row.id, true);
      const view = await wish(row, (record) => record.pause());
      if (!byWindow) await writeWindowPaused(database, row.id, false);
      return view;
    },
    async resume(job) {
      const row = await find(job);
      refuseAgain.resume(row);
      const change = { pause_wanted: false, resumed: true, steps: copySteps(row.request) };
      const view = await again(row, { state: 'queued', ...change });
      await writeWindowPaused(database, row.id, false);
      return view;
    },
    async prioritize(job, priority) {
      const row = await find(job);
      engineFor(`job ${row.number}`);
      if (ENDED.includes(row.state)) throw new Fault('job.state', `job ${row.number} has ended as ${row.state}`);
      return wish(row, (record) => record.prioritize(priority));
    },
    async retry(job) {
      const row = await find(job);
      refuseAgain.retry(row);
      return again(row, {
        state: 'queued',
        cancel_wanted: false,
        pause_wanted: false,
        resumed: false,
        steps: copySteps(row.request),
        checks: [],
        progress: null,
        failure: null,
        ended_at: null,
      });
    },
    async previewUndo(job, signal) {
      const row = await find(job);
      return { job: row.number, rows: await undoingFor('nothing is undone').preview(row, signal) };
    },
    undo: async (job, user) => undoingFor('nothing is undone').start(await find(job), user),
    async deleteSource(job, user) {
      const row = await find(job);
      engineFor(`the source of job ${row.number} stays`);
      return deleteSourceNow(context, row, user, viewOf);
    },
    forget: (id, attempts, undos) =>
      engineFor('no job is removed').forget([
        ...Array.from({ length: attempts }, (_, index) => runOf({ id, attempt: index + 1 })),
        ...Array.from({ length: undos }, (_, index) => undoRunOf(id, index + 1)),
      ]),
    answers: async () => void (hold.note === null && (await engineFor('jobs').answers())),
    async close() {
      await begun?.catch(() => {});
      await opened?.close();
    },
  };
  keepSchedule(context, jobs, () => opened !== null && fleet.steward);
  return jobs;
}
