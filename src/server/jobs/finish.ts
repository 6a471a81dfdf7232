import { delay } from '../../base/backoff.ts';
import { verifyWith } from '../../base/identity.ts';
import { canonicalJson } from '../../base/receipts.ts';
import { publicKeyOf } from '../../base/sealed-key.ts';
import { Fault } from '../../model/fault.ts';
import type { InventoryObject } from '../../model/inventory.ts';
import type { JobResult } from '../../model/job.ts';
import type { PackageDescription } from '../../model/machine.ts';
import { joinPath } from '../../model/path.ts';
import { writeReceipt } from '../store/jobs.ts';
import { applyInventory, objectById } from '../store/objects.ts';
import { writeMade } from '../store/undo.ts';
import type { JobContext } from './context.ts';
import { absorb } from './follow.ts';
import { insist } from './insist.ts';
import type { CopyPlan } from './preflight.ts';
import { buildReceipt, compareDisks } from './receipt.ts';
import type { JobRecord } from './record.ts';
import type { SlimResult } from './transfer.ts';
import { cancelEnd } from './undo.ts';
import { asideWork, exportWork, importWork, seedWork } from './work-ids.ts';

const POLL_MILLISECONDS = 2_000;
const SHUTDOWN_MILLISECONDS = 10 * 60_000;
/** A node that is away longer keeps its storage until the job is retried or the node is removed. */
const FORGET_MILLISECONDS = 60_000;

export interface Transferred {
  sent: SlimResult;
  arrived: SlimResult;
}

/** Asks the guest of the source to shut down and waits until the cloud says that it is off. */
export async function shutDownSource({ clouds }: JobContext, plan: CopyPlan, signal: AbortSignal): Promise<void> {
  const { cloud, object, name } = plan.source;
  await clouds.use(cloud, (node) => node.power({ cloud, object, body: { action: 'shutdown' } }, signal));
  for (const begun = performance.now(); ; ) {
    const { machine } = await clouds.use(cloud, (node) => node.getObject({ cloud, object }, signal));
    if (machine?.power === 'off') return;
    if (performance.now() - begun > SHUTDOWN_MILLISECONDS) {
      throw new Fault(
        'machine.running',
        `"${name}" did not shut down within ${SHUTDOWN_MILLISECONDS / 60_000} minutes`,
        {
          remedy: 'Shut it down in the guest, or power it off, then retry.',
        },
      );
    }
    await delay(POLL_MILLISECONDS, signal);
  }
}

/** Compares the roots, has both nodes sign the receipt and stores it. Fault: `transfer.mismatch`, `node.untrusted`. */
export async function proveCopy(
  context: JobContext,
  record: JobRecord,
  plan: CopyPlan,
  { sent, arrived }: Transferred,
  signal: AbortSignal,
): Promise<void> {
  const { nodes, clouds, database } = context;
  const { row } = record;
  const object = objectOf(arrived);
  const disks = compareDisks(
    { ...sent, description: null as never },
    { ...arrived, description: null as never },
    row.title,
  );
  const unsigned = buildReceipt({
    job: row.id,
    transfer: row.id,
    source: {
      cloud: clouds.get(plan.source.cloud).name,
      object: plan.source.object,
      name: plan.source.name,
      version: sent.version ?? '',
    },
    destination: { cloud: clouds.get(plan.destination.cloud).name, object: object.id, name: object.name },
    startedAt: (row.started_at ?? row.created_at).toISOString(),
    endedAt: new Date().toISOString(),
    nodes: { source: signerOf(context, plan.source.node), destination: signerOf(context, plan.destination.node) },
    disks,
  });
  const text = canonicalJson(unsigned);
  const signatures: Record<string, string> = {};
  const keys: Record<string, string> = {};
  for (const [node, work] of [
    [plan.source.node, exportWork(row.id)],
    [plan.destination.node, importWork(row.id)],
  ] as const) {
    const { certificate, name, pin } = nodes.get(node);
    const body = { epoch: row.epoch, receipt: text };
    const answer = await insist(nodes, node, () => nodes.client(node).signReceipt({ work, body }, signal), signal);
    if (answer.pin !== pin || !verifyWith(certificate, text, answer.signature)) {
      throw new Fault('node.untrusted', `the signature of node ${name} under the receipt is not its own`);
    }
    signatures[pin] = answer.signature;
    keys[pin] = publicKeyOf(certificate);
  }
  const receipt = { ...unsigned, signatures, keys };
  await writeReceipt(database, row.owner, row.id, receipt);
  row.receipt = receipt;
}

function signerOf({ nodes }: JobContext, node: string): { pin: string; name: string; version: string } {
  const { pin, name, about } = nodes.get(node);
  return { pin, name, version: about?.version ?? '' };
}

/** From here on the copy is the user's: undo leaves it alone. The job has its result then. */
export async function keepCopy(
  context: JobContext,
  record: JobRecord,
  plan: CopyPlan,
  { arrived }: Transferred,
  signal: AbortSignal,
): Promise<void> {
  const { nodes, clouds } = context;
  const { row } = record;
  const { cloud, node } = plan.destination;
  const question = { work: importWork(row.id), body: { epoch: row.epoch } };
  const state = await insist(nodes, node, () => nodes.client(node).keepWork(question, context.closing), signal);
  await absorb(context, row.id, state);
  const { version, description } = state.result ?? {};
  if (version !== undefined && description !== undefined) {
    await writeMade(context.database, row.owner, row.id, {
      version,
      description: description as PackageDescription,
    });
  }
  // The copy is the user's now: a cancel comes too late.
  const object = objectOf(arrived);
  const path = joinPath([...(await namesAbove(context, plan, object.id, context.closing)), object.name]);
  const result: JobResult = {
    object: { cloud: clouds.get(cloud).name, ...object, path },
    differences: arrived.differences,
    poweredOn: false,
  };
  await record.change({ result });
}

/**
 * Where the new object lies, which is not always the container that was asked for. The inventory follows with seconds of
 * delay, so the object is read fresh and put there; where that fails the container stands for its place.
 */
async function namesAbove(context: JobContext, plan: CopyPlan, object: string, signal: AbortSignal): Promise<string[]> {
  const { clouds, database } = context;
  const { cloud, names } = plan.destination;
  try {
    const seen = await clouds.use(cloud, (node) => node.getObject({ cloud, object }, signal));
    await applyInventory(database, clouds.get(cloud).owner, cloud, { type: 'put', objects: [seen as InventoryObject] });
    const parent = seen.parent === null ? null : await objectById(database, cloud, seen.parent);
    return parent?.names ?? names;
  } catch (error) {
    signal.throwIfAborted();
    context.log.info({ fault: Fault.from(error, object).report() }, 'the new object could not be read');
    return names;
  }
}

export async function powerOnCopy(
  context: JobContext,
  record: JobRecord,
  plan: CopyPlan,
  { arrived }: Transferred,
  signal: AbortSignal,
) {
  const { cloud, node } = plan.destination;
  const { id } = objectOf(arrived);
  const powerOn = () =>
    context.clouds.use(cloud, (client) => client.power({ cloud, object: id, body: { action: 'on' } }, signal));
  await insist(context.nodes, node, powerOn, signal, (fault) => record.say('power-on', fault.message, true));
  if (record.row.result !== null) await record.change({ result: { ...record.row.result, poweredOn: true } });
}

/**
 * Before a further attempt: the source node forgets the export that it finished, because the source may have changed since.
 * Blocks that are still the same do not travel again.
 */
export async function readAgain(context: JobContext, record: JobRecord, plan: CopyPlan): Promise<void> {
  const { nodes, closing } = context;
  if (record.row.attempt <= 1 || record.row.resumed) return;
  const work = exportWork(record.row.id);
  const { node } = plan.source;
  const signal = AbortSignal.any([closing, record.stopped]);
  // It goes on where the undo before gave up.
  if (!(await cancelEnd(context, record.row.epoch, { work, node }, signal))) return;
  await insist(nodes, node, () => nodes.client(node).forgetWork({ work }, signal), signal);
}

/** Frees the transfer storage of both nodes; the log says where that was not possible. */
export async function forgetWorks(context: JobContext, record: JobRecord, plan: CopyPlan): Promise<void> {
  const { nodes } = context;
  const { row } = record;
  for (const [node, work] of [
    [plan.source.node, exportWork(row.id)],
    [plan.destination.node, importWork(row.id)],
    ...(plan.move === undefined ? [] : [[plan.source.node, asideWork(row.id)] as const]),
    ...(plan.seed === undefined ? [] : [[plan.destination.node, seedWork(row.id)] as const]),
  ] as const) {
    try {
      const signal = AbortSignal.any([context.closing, AbortSignal.timeout(FORGET_MILLISECONDS)]);
      await insist(nodes, node, () => nodes.client(node).forgetWork({ work }, signal), signal);
    } catch (error) {
      await record.log('warn', `transfer storage was not freed: ${Fault.from(error, work).message}`);
    }
  }
}

function objectOf(arrived: SlimResult): { id: string; kind: string; name: string } {
  if (arrived.object === undefined) throw new Fault('internal', 'the import ended without saying what it made');
  return arrived.object;
}
