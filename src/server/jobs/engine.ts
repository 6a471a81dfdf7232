import { DBOS, type DLogger } from '@dbos-inc/dbos-sdk';
import pg from 'pg';
import { delay } from '../../base/backoff.ts';
import { inJob, type Log } from '../../base/log.ts';
import { Fault, type FaultReport } from '../../model/fault.ts';
import { isDatabaseAway } from '../store/away.ts';
import { type Database, watchPool } from '../store/database.ts';
import type { Admission } from './admission.ts';
import type { DurableStep } from './copy.ts';
import type { Tenure, Tenures } from './tenure.ts';

/** Ours on purpose: workflows of an older build go on under a newer one as long as their steps stay as they are. */
const APPLICATION_VERSION = 'cloudspan-jobs-1';
/** Earlier builds put their jobs in it: DBOS polls it by the wall clock, and not at all for as long as that is set back. */
const QUEUE = 'jobs';
/** Of the queue of earlier builds. */
const JOBS_AT_A_TIME = 16;
/** Times that a step is run again while the database is away, up to 10 s apart. */
const DATABASE_ATTEMPTS = 60;
/** A job survives that many deaths of its server. */
const RECOVERIES = 100_000;

export interface Engine {
  /** Runs a workflow (default: `copy`) once; the same id a second time is the same run. */
  start(id: string, job: string, workflow?: keyof Workflows): Promise<void>;
  /** Has an open run go on from its last step, on any server of this version. */
  resume(id: string): Promise<void>;
  /** Where the run stands, or null when it was never started. */
  status(id: string): Promise<'open' | 'ended' | null>;
  /** Forgets ended runs. */
  forget(ids: string[]): Promise<void>;
  /** Resolves when its own way to the database is open. */
  answers(): Promise<void>;
  close(): Promise<void>;
}

export interface Workflows {
  copy: Workflow;
  /** Waits for no place: it moves nothing. */
  undo: Workflow;
}
type Workflow = (durable: DurableStep, job: string) => Promise<void>;

export interface EngineOptions {
  tenures: Tenures;
  admission: Pick<Admission, 'take'>;
  /** Of this server: the runs that it begins are its own. */
  executor: string;
  closing: AbortSignal;
}

type Outcome<T> = { value: T } | { fault: FaultReport };

/**
 * Durable workflows (DBOS) in the server's database; unfinished ones go on from their last step as soon as this
 * resolves. One engine per process. While `closing` is aborted a step neither succeeds nor fails: it is run again at
 * the next start.
 */
export async function openEngine(
  database: Database,
  workflows: Workflows,
  { tenures, admission, executor, closing }: EngineOptions,
  log: Log,
): Promise<Engine> {
  const pool = new pg.Pool({ ...database.connection, max: 12 });
  watchPool(pool, log);
  const copy = heldBy(tenures, closing, async (durable, job, lost) => {
    const slots = await admission.take(job, lost);
    if (lost.aborted) return;
    try {
      await inJob(job, () => workflows.copy(durable, job));
    } finally {
      // They belong to the job: where another server has it, it has these too.
      if (!lost.aborted) await slots.give();
    }
  });
  const undo = heldBy(tenures, closing, (durable, job) => inJob(job, () => workflows.undo(durable, job)));
  const register = (name: keyof Workflows, run: (job: string) => Promise<void>) =>
    DBOS.registerWorkflow(run, { name, maxRecoveryAttempts: RECOVERIES });
  const runs = {
    copy: register('copy', copy),
    undo: register('undo', undo),
  };
  DBOS.setConfig(configOf(pool, executor, log, closing));
  await DBOS.launch();
  await DBOS.registerQueue(QUEUE, {
    globalConcurrency: JOBS_AT_A_TIME,
    minPollingIntervalMs: 250,
    onConflict: 'always_update',
  });
  return {
    async start(id, job, workflow = 'copy') {
      await DBOS.startWorkflow(runs[workflow], { workflowID: id })(job);
    },
    async resume(id) {
      await DBOS.resumeWorkflow(id);
    },
    async status(id) {
      const status = await DBOS.getWorkflowStatus(id);
      if (status === null) return null;
      return ['PENDING', 'ENQUEUED', 'DELAYED'].includes(status.status) ? 'open' : 'ended';
    },
    forget: (ids) => DBOS.deleteWorkflows(ids),
    async answers() {
      await pool.query('SELECT 1');
    },
    async close() {
      await DBOS.shutdown({ deregister: true });
      await pool.end();
    },
  };
}

/**
 * A run of a workflow that has the job for itself. Where another server takes the job over, it stands still for ever: it
 * neither ends nor fails, and no further step of it begins.
 */
function heldBy(
  tenures: Tenures,
  closing: AbortSignal,
  run: (durable: DurableStep, job: string, lost: AbortSignal) => Promise<void>,
): (job: string) => Promise<void> {
  return async (job) => {
    using tenure = await beginInsistently(tenures, job, closing);
    const { lost } = tenure;
    const durable: DurableStep = async <T>(name: string, work: () => Promise<T>) => {
      if (lost.aborted) return never<T>();
      const outcome = await DBOS.runStep(() => outcomeOf(name, work, AbortSignal.any([closing, lost])), { name });
      if ('fault' in outcome) throw Fault.fromReport(outcome.fault);
      return outcome.value as T;
    };
    await run(durable, job, lost);
    if (lost.aborted) await never();
  };
}

async function beginInsistently(tenures: Tenures, job: string, closing: AbortSignal): Promise<Tenure> {
  for (let attempt = 0; ; attempt++) {
    if (closing.aborted) return never();
    try {
      return await tenures.begin(job);
    } catch (error) {
      if (!isDatabaseAway(error)) throw error;
      await delay(Math.min(250 * 2 ** attempt, 5_000));
    }
  }
}

function configOf(
  pool: pg.Pool,
  executorID: string,
  log: Log,
  closing: AbortSignal,
): Parameters<typeof DBOS.setConfig>[0] {
  return {
    name: 'cloudspan',
    systemDatabasePool: pool,
    systemDatabaseSchemaName: 'dbos',
    applicationVersion: APPLICATION_VERSION,
    executorID,
    enableOTLP: false,
    logger: loggerOf(log, closing),
  };
}

/** Makes the tables of the executor and runs nothing, so that what it kept can be put back. */
export async function prepareEngine(database: Database, log: Log): Promise<void> {
  const pool = new pg.Pool({ ...database.connection, max: 4 });
  watchPool(pool, log);
  try {
    DBOS.setConfig(configOf(pool, 'restore', log, AbortSignal.abort()));
    await DBOS.launch();
    await DBOS.shutdown({ deregister: true });
  } finally {
    await pool.end();
  }
}

/** Every step may be run again: while the database is away it is, for about ten minutes. */
async function outcomeOf<T>(name: string, work: () => Promise<T>, closing: AbortSignal): Promise<Outcome<T>> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await outcomeOnce(name, work, closing);
    } catch (error) {
      if (attempt === DATABASE_ATTEMPTS) return { fault: Fault.from(error, name).report() };
      await delay(Math.min(500 * 2 ** attempt, 10_000));
      if (closing.aborted) return await never();
    }
  }
}

async function outcomeOnce<T>(name: string, work: () => Promise<T>, closing: AbortSignal): Promise<Outcome<T>> {
  try {
    const value = await work();
    if (closing.aborted) return await never();
    return { value };
  } catch (error) {
    if (!closing.aborted && isDatabaseAway(error)) throw error;
    const fault = Fault.from(error, name);
    if (closing.aborted || fault.code === 'epoch.stale') return await never();
    return { fault: fault.report() };
  }
}

/** Leaves the step open: this server has no more say in the job. */
function never<T>(): Promise<T> {
  return new Promise(() => {});
}

/** While the server closes, broken connections are no news. */
function loggerOf(log: Log, closing: AbortSignal): DLogger {
  return {
    debug: (entry) => log.trace(String(entry)),
    info: (entry) => log.debug(String(entry)),
    warn: (entry) => log[closing.aborted ? 'debug' : 'warn'](String(entry)),
    error: (entry, metadata) => log[closing.aborted ? 'debug' : 'error']({ stack: metadata?.stack }, String(entry)),
  };
}
