import type { z } from 'zod';
import { inJob, type Log } from '../../base/log.ts';
import { Fault } from '../../model/fault.ts';
import type { JobStep, TransferProgress } from '../../model/job.ts';
import type { JobSchema, JobView } from '../../protocol/api/jobs.ts';
import type { Events } from '../events.ts';
import type { Database } from '../store/database.ts';
import {
  addLines,
  ENDED,
  type JobChange,
  type JobRow,
  readJob,
  wantCancel,
  wantPause,
  writeJob,
  writePriority,
} from '../store/jobs.ts';
import { viewOfMove } from '../store/moves.ts';
import { createRate, type Rate } from './rate.ts';

/** Pages hear of progress at most this often; the row is written less often still. */
const TELL_MILLISECONDS = 400;
const WRITE_MILLISECONDS = 5_000;

/** One running job in memory: the row, its live progress, and the wish to cancel it. */
export interface JobRecord {
  readonly row: JobRow;
  /** Aborted with `job.cancelled`, or `job.paused`, when somebody wants it to stop. */
  readonly stopped: AbortSignal;
  /** Fault `job.state` when it has ended. */
  cancel(): Promise<void>;
  /** Fault `job.state` when it does not run any more. */
  pause(): Promise<void>;
  prioritize(priority: number): Promise<void>;
  /** Told of another priority, until it is disposed of. */
  onPriority(listener: () => void): Disposable;
  /** Stops it, since another server has the job. */
  lose(fault: Fault): void;
  /** Looks whether somebody asked another server to cancel, pause or hurry it. */
  readWishes(): Promise<void>;
  /** Durable; pages are told. Fault `epoch.stale` where another server has the job. */
  change(change: JobChange): Promise<void>;
  /** The step's state; the text says what it does right now. */
  step(name: string, state: JobStep['state'], text?: string): Promise<void>;
  /** In memory: the text of a running step, and whether the job waits for something. */
  say(name: string, text: string, waiting: boolean): void;
  progress(progress: TransferProgress): void;
  /** In memory: why it is still queued. */
  wait(reason: string): void;
  log(level: 'info' | 'warn' | 'error', text: string): Promise<void>;
  view(): JobView;
}

export interface Records {
  open(job: string): Promise<JobRecord>;
  /** Of a job that runs here, else null. */
  running(job: string): JobRecord | null;
  all(): JobRecord[];
  /** Forgets this record; one that took its place after a retry stays. */
  close(record: JobRecord): void;
}

export function createRecords(database: Database, events: Events, log: Log): Records {
  const records = new Map<string, JobRecord>();
  return {
    async open(job) {
      const known = records.get(job);
      if (known !== undefined) return known;
      const row = await readJob(database, job);
      if (row === null) throw new Fault('internal', `there is no job ${job}`);
      const record = records.get(job) ?? createRecord(database, events, row, log);
      records.set(job, record);
      return record;
    },
    running: (job) => records.get(job) ?? null,
    all: () => [...records.values()],
    close(record) {
      if (records.get(record.row.id) === record) records.delete(record.row.id);
    },
  };
}

function createRecord(database: Database, events: Events, row: JobRow, processLog: Log): JobRecord {
  const control = new AbortController();
  const measure = createRate();
  let rate: Rate = {};
  let told = Number.NEGATIVE_INFINITY;
  let written = performance.now();
  const listeners = new Set<() => void>();
  const stop = () => {
    if (row.cancel_wanted) control.abort(new Fault('job.cancelled', `job ${row.number} was cancelled`));
    else if (row.pause_wanted) control.abort(new Fault('job.paused', `job ${row.number} was paused`));
  };
  stop();

  const tell = (eager: boolean) => {
    if (!eager && performance.now() - told < TELL_MILLISECONDS) return;
    told = performance.now();
    events.publish({ type: 'job', job: record.view() });
  };

  const record: JobRecord = {
    row,
    stopped: control.signal,
    async cancel() {
      if (!(await wantCancel(database, row.id))) {
        throw new Fault('job.state', `job ${row.number} has ended already`);
      }
      Object.assign(row, { cancel_wanted: true, state: 'cancelling' });
      stop();
      tell(true);
    },
    async pause() {
      if (!(await wantPause(database, row.id))) {
        throw new Fault('job.state', `job ${row.number} is ${row.state}: only a job that runs can be paused`);
      }
      Object.assign(row, { pause_wanted: true, state: 'pausing' });
      stop();
      tell(true);
    },
    async prioritize(priority) {
      await writePriority(database, row.id, priority);
      row.request = { ...row.request, priority };
      for (const listener of [...listeners]) listener();
      tell(true);
    },
    onPriority(listener) {
      listeners.add(listener);
      return { [Symbol.dispose]: () => void listeners.delete(listener) };
    },
    lose: (fault) => control.abort(fault),
    async readWishes() {
      const now = await readJob(database, row.id);
      if (now === null || now.epoch !== row.epoch || control.signal.aborted) return;
      const { cancel_wanted, pause_wanted, state } = now;
      const hurried = now.request.priority !== row.request.priority;
      const wanted = cancel_wanted !== row.cancel_wanted || pause_wanted !== row.pause_wanted;
      if (!hurried && !wanted) return;
      row.request = { ...row.request, priority: now.request.priority };
      if (wanted) Object.assign(row, { cancel_wanted, pause_wanted, state });
      stop();
      if (hurried) for (const listener of [...listeners]) listener();
      tell(true);
    },
    async change(change) {
      if (!(await writeJob(database, row.id, change, row.epoch))) {
        throw new Fault('epoch.stale', `another server has taken job ${row.number} over`);
      }
      Object.assign(row, change);
      tell(true);
    },
    async step(name, state, text) {
      const now = new Date().toISOString();
      const known = row.steps.find((step) => step.name === name) ?? { name, state: 'pending' as const };
      const next: JobStep = {
        name,
        state,
        ...(state === 'pending' || state === 'skipped' ? {} : { startedAt: known.startedAt ?? now }),
        ...(state === 'done' || state === 'failed' ? { endedAt: now } : {}),
        ...(text === undefined ? {} : { text }),
      };
      const steps = row.steps.includes(known)
        ? row.steps.map((step) => (step === known ? next : step))
        : [...row.steps, next];
      await record.change({ steps, ...(row.progress === null ? {} : { progress: row.progress }) });
    },
    say(name, text, waiting) {
      row.steps = row.steps.map((step) => (step.name === name ? { ...step, text } : step));
      if (row.state === 'running' || row.state === 'waiting') {
        const state = waiting ? 'waiting' : 'running';
        if (state !== row.state) void writeJob(database, row.id, { state }, row.epoch).catch(() => {});
        row.state = state;
      }
      tell(false);
    },
    progress(progress) {
      row.progress = progress;
      rate = measure(progress.doneBytes, progress.totalBytes);
      tell(false);
      if (performance.now() - written < WRITE_MILLISECONDS) return;
      written = performance.now();
      void writeJob(database, row.id, { progress, steps: row.steps }, row.epoch).catch(() => {});
    },
    wait(reason) {
      if (row.waits_for === reason) return;
      row.waits_for = reason;
      tell(true);
    },
    async log(level, text) {
      inJob(row.id, () => processLog[level]({ number: row.number, attempt: row.attempt }, text));
      await addLines(database, row.id, 'server', [{ at: new Date().toISOString(), level, text }]);
    },
    view: () => viewOfJob(row, rate),
  };
  return record;
}

export function viewOfJob(row: JobRow, rate: Rate = {}): JobView {
  const view: z.input<typeof JobSchema> = {
    id: row.id,
    number: row.number,
    kind: row.kind,
    title: row.title,
    source: row.request.source,
    destination: row.request.destination,
    state: row.state,
    priority: row.request.priority ?? 1,
    createdAt: row.created_at.toISOString(),
    ...(row.started_at === null ? {} : { startedAt: row.started_at.toISOString() }),
    ...(row.ended_at === null ? {} : { endedAt: row.ended_at.toISOString() }),
    user: row.account,
    steps: row.steps,
    ...(row.progress === null ? {} : { progress: row.progress }),
    ...(ENDED.includes(row.state) || row.state === 'paused' ? {} : rate),
    checks: row.checks,
    ...(row.result === null ? {} : { result: row.result }),
    ...(row.failure === null ? {} : { failure: row.failure }),
    ...(row.receipt === null ? {} : { receipt: row.receipt }),
    ...(row.undo === null ? {} : { undo: row.undo }),
    ...(row.move === null ? {} : { movedSource: viewOfMove(row.move) }),
    ...(row.group === null ? {} : { group: row.group }),
    ...(row.state === 'queued' && row.waits_for !== undefined ? { waitsFor: row.waits_for } : {}),
  };
  return view;
}
