import { Fault, type FaultReport } from '../../model/fault.ts';
import type { JobState, JobStep } from '../../model/job.ts';
import { type CopyOrder, type JobRow, writePaused } from '../store/jobs.ts';
import type { JobContext } from './context.ts';
import {
  forgetWorks,
  keepCopy,
  powerOnCopy,
  proveCopy,
  readAgain,
  shutDownSource,
  type Transferred,
} from './finish.ts';
import { insist } from './insist.ts';
import { type CopyPlan, POWERED_OFF, preflightCopy, refuseFailed } from './preflight.ts';
import type { JobRecord } from './record.ts';
import { readSeed } from './seed.ts';
import { setAside } from './set-aside.ts';
import { transfer } from './transfer.ts';
import { undoCopy } from './undo.ts';

/** Runs `work` once and remembers its outcome; after a crash a step that has an outcome is not run again. */
export type DurableStep = <T>(name: string, work: () => Promise<T>) => Promise<T>;

/** The steps that a copy will have, as a page shows them before they begin. */
export function copySteps(order: Pick<CopyOrder, 'kind' | 'powerOn' | 'powerOffSource' | 'seed'>): JobStep[] {
  const names = [
    'preflight',
    ...(order.powerOffSource ? ['shut-down-source'] : []),
    ...(order.seed === undefined ? [] : ['seed']),
    'transfer',
    'proof',
    ...(order.kind === 'move' ? ['set-aside'] : []),
    'keep',
    ...(order.powerOn ? ['power-on'] : []),
  ];
  return names.map((name) => ({ name, state: 'pending' }));
}

/**
 * The workflow of a copy. Its body does nothing but call durable steps, each of which can be run again after a crash in
 * its middle. A failure before `keep` is undone; after it the copy is complete and stays.
 */
export async function copyWorkflow(context: JobContext, durable: DurableStep, job: string): Promise<void> {
  let plan: CopyPlan | null = null;
  let kept = false;
  const step = <T>(name: string, work: (record: JobRecord) => Promise<T>) =>
    durable(name, () => runStep(context, job, name, work));
  try {
    const planned: CopyPlan = await step('preflight', (record) => planCopy(context, record));
    plan = planned;
    if (planned.shutDown) {
      await step('shut-down-source', (record) => shutDown(context, record, planned));
    }
    await durable('read-again', async () => readAgain(context, await context.records.open(job), planned));
    const { seed } = planned;
    if (seed !== undefined) {
      await step('seed', (record) => readSeed(context, record, planned, seed, until(context, record)));
    }
    const ends: Transferred = await step('transfer', (record) => transfer(context, record, planned, 'transfer'));
    await step('proof', (record) => proveCopy(context, record, planned, ends, until(context, record)));
    if (planned.move === true) {
      await step('set-aside', (record) => setAside(context, record, planned, ends, until(context, record)));
    }
    await step('keep', (record) => keepCopy(context, record, planned, ends, until(context, record)));
    kept = true;
    await durable('forget', async () => forgetWorks(context, await context.records.open(job), planned));
    const { powerOn } = (await context.records.open(job)).row.request;
    if (powerOn) await step('power-on', (record) => powerOnCopy(context, record, planned, ends, context.closing));
    await durable('end', () => endJob(context, job, null, []));
  } catch (error) {
    const fault = Fault.from(error, 'the job').report();
    // A pause of an earlier attempt may have had to leave something.
    const undoable = kept ? null : (plan ?? (await context.records.open(job)).row.plan);
    const paused = fault.code === 'job.paused' && !kept;
    const name = paused ? 'give-back' : 'undo';
    const leftovers =
      undoable === null ? [] : await step(name, (record) => undo(context, record, undoable, fault)).catch(notUndone);
    await durable('end', async () => {
      if (!paused || !(await pauseJob(context, job, undoable))) await endJob(context, job, fault, leftovers);
    });
  }
}

/** The job has to end in any case. */
function notUndone(error: unknown): string[] {
  return [`What the job made could not be looked after: ${Fault.from(error, 'undo').message}`];
}

/** Until the job is cancelled or paused, or this server stops. */
function until(context: JobContext, record: JobRecord): AbortSignal {
  return AbortSignal.any([context.closing, record.stopped]);
}

async function runStep<T>(context: JobContext, job: string, name: string, work: (record: JobRecord) => Promise<T>) {
  const record = await context.records.open(job);
  const undoing = name === 'undo' || name === 'give-back';
  if (!undoing && name !== 'power-on') record.stopped.throwIfAborted();
  await record.change({
    state: undoing ? stateOfUndo(record.row) : 'running',
    ...(record.row.started_at === null ? { started_at: new Date() } : {}),
  });
  await record.step(name, 'running');
  try {
    const outcome = await work(record);
    await record.step(name, 'done');
    await record.log('info', `${name}: done`);
    return outcome;
  } catch (error) {
    context.closing.throwIfAborted();
    const fault = Fault.from(error, name);
    const wanted = fault.code === 'job.cancelled' || fault.code === 'job.paused';
    await record.step(name, fault.code === 'job.paused' ? 'pending' : 'failed', fault.message);
    await record.log(wanted ? 'info' : 'error', `${name}: ${fault.message}`);
    throw fault;
  }
}

function stateOfUndo({ cancel_wanted, pause_wanted }: JobRow): JobState {
  return cancel_wanted ? 'cancelling' : pause_wanted ? 'pausing' : 'running';
}

async function planCopy(context: JobContext, record: JobRecord): Promise<CopyPlan> {
  const { request, clouds } = record.row;
  const signal = AbortSignal.any([context.closing, record.stopped]);
  for (const cloud of clouds) {
    const { node } = context.clouds.get(cloud);
    if (context.nodes.connected(node)) continue;
    record.say('preflight', `Waiting for node ${context.nodes.get(node).name}`, true);
    await context.nodes.untilLinked(node, signal);
  }
  record.say('preflight', 'Checking', false);
  const node = context.clouds.get(clouds[0] ?? '').node;
  const look = async () =>
    preflightCopy({ ...context, objects: await context.objectsFor(record.row.id) }, request, signal);
  const wait = (fault: Fault) => record.say('preflight', fault.message, true);
  const { checks, plan } = await insist(context.nodes, node, look, signal, wait);
  await record.change({ checks });
  refuseFailed(checks);
  return plan;
}

async function shutDown(context: JobContext, record: JobRecord, plan: CopyPlan): Promise<void> {
  const signal = AbortSignal.any([context.closing, record.stopped]);
  const { cloud, object } = plan.source;
  const wait = (fault: Fault) => record.say('shut-down-source', fault.message, true);
  const look = async () => {
    await shutDownSource(context, plan, signal);
    return context.clouds.use(cloud, (node) => node.checkExport({ cloud, object }, signal));
  };
  const checks = await insist(context.nodes, plan.source.node, look, signal, wait);
  refuseFailed(checks.filter(({ name }) => name === POWERED_OFF) as never);
}

async function undo(context: JobContext, record: JobRecord, plan: CopyPlan, fault: FaultReport): Promise<string[]> {
  const paused = fault.code === 'job.paused';
  const what = paused ? 'giving back what is held in the clouds' : 'undoing what was made';
  await record.log('info', `${what}, because: ${fault.message}`);
  const leftovers = await undoCopy(context, record, plan, paused ? 'give-back' : 'undo', paused);
  if (plan.shutDown && !paused)
    leftovers.push(`The source "${plan.source.name}" was shut down on request and stays off.`);
  for (const leftover of leftovers) await record.log('warn', leftover);
  return leftovers;
}

/** Leaves the job until somebody resumes or cancels it. False where it is to be cancelled. */
async function pauseJob(context: JobContext, job: string, plan: CopyPlan | null): Promise<boolean> {
  const record = await context.records.open(job);
  if (!(await writePaused(context.database, job, record.row.epoch, plan, record.row.progress))) return false;
  Object.assign(record.row, { state: 'paused', plan });
  await record.change({});
  await record.log('info', 'paused: what arrived is kept until it is resumed or cancelled');
  context.records.close(record);
  return true;
}

async function endJob(context: JobContext, job: string, fault: FaultReport | null, leftovers: string[]): Promise<void> {
  const record = await context.records.open(job);
  const steps = record.row.steps.map((step) =>
    step.state === 'pending' ? { ...step, state: 'skipped' as const } : step,
  );
  const { result, cancel_wanted } = record.row;
  const end = cancel_wanted && fault?.code === 'job.paused' ? cancelled(record.row) : fault;
  if (fault !== null && result !== null) leftovers.push(`The copy itself is complete: ${result.object.path}.`);
  await record.change({
    state: end === null ? 'succeeded' : end.code === 'job.cancelled' ? 'cancelled' : 'failed',
    failure: end === null ? null : { ...end, leftovers },
    steps,
    progress: record.row.progress,
    ended_at: new Date(),
  });
  await record.log(end === null ? 'info' : 'error', end === null ? 'succeeded' : `ended: ${end.message}`);
  context.records.close(record);
}

function cancelled({ number }: JobRow): FaultReport {
  return new Fault('job.cancelled', `job ${number} was cancelled`).report();
}
