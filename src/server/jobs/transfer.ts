import { Fault } from '../../model/fault.ts';
import type { WorkOrder, WorkResult, WorkState } from '../../protocol/work.ts';
import type { JobContext } from './context.ts';
import { type Followed, runWork } from './follow.ts';
import { insist } from './insist.ts';
import type { CopyPlan } from './preflight.ts';
import type { JobRecord } from './record.ts';
import { openTickets } from './route.ts';
import { exportWork, importWork } from './work-ids.ts';

/** The same for every version of the source. */
export const lineageOf = ({ source }: Pick<CopyPlan, 'source'>) => `${source.cloud}/${source.object}`;

/**
 * Runs export and import side by side until both are done. Idempotent: works have the same ids every time and go on on
 * their nodes while the server is away. The first failure is thrown; the other end is left for the undo.
 */
export async function transfer(context: JobContext, record: JobRecord, plan: CopyPlan, step: string) {
  const { row } = record;
  const { source, destination, order, networkNames } = plan;
  const told = createTeller(record, step);
  const nodeName = (node: string) => context.nodes.get(node).name;
  const other = new AbortController();
  const over = new AbortController();
  const signal = AbortSignal.any([record.stopped, context.closing, other.signal, over.signal]);
  const ends = { source: source.node, destination: destination.node };
  const tickets = await openTickets(context, record, ends, renew, signal, told.end('route').onWait);
  const base = () => ({
    epoch: row.epoch,
    owner: row.owner,
    job: row.id,
    marker: row.marker,
    ticket: tickets.current,
    priority: row.request.priority ?? 1,
  });
  const sending = (): WorkOrder => ({ kind: 'export', ...base(), cloud: source.cloud, object: source.object });
  const receiving = (): WorkOrder => ({
    kind: 'import',
    ...base(),
    cloud: destination.cloud,
    order,
    networkNames,
    lineage: lineageOf(plan),
  });

  async function renew(): Promise<void> {
    await Promise.all([
      context.nodes.client(source.node).startWork({ work: exportWork(row.id), body: sending() }, signal),
      context.nodes.client(destination.node).startWork({ work: importWork(row.id), body: receiving() }, signal),
    ]);
  }
  const run = async (followed: Followed): Promise<WorkState> => {
    try {
      const onState = (state: WorkState) => {
        tickets.watch(state);
        followed.onState?.(state);
      };
      return await runWork(context, { ...followed, onState }, signal);
    } catch (error) {
      other.abort(error);
      throw error;
    }
  };
  using _priority = record.onPriority(() => {
    insist(context.nodes, source.node, renew, signal).catch((error) => {
      if (!signal.aborted)
        context.log.warn({ job: row.id, fault: Fault.from(error, row.id).report() }, 'not prioritized');
    });
  });
  // What is told later would start works anew.
  using _over = { [Symbol.dispose]: () => over.abort(new Fault('job.state', 'the transfer is over')) };
  const outcomes = await Promise.allSettled([
    run({ work: exportWork(row.id), node: source.node, order: sending, ...told.end('export', nodeName(source.node)) }),
    run({
      work: importWork(row.id),
      node: destination.node,
      order: receiving,
      ...told.end('import', nodeName(destination.node)),
    }),
  ]);
  record.stopped.throwIfAborted();
  if (other.signal.aborted) throw other.signal.reason;
  const [sent, arrived] = outcomes.map((end) => (end.status === 'fulfilled' ? end.value.result : undefined));
  if (sent === undefined || arrived === undefined) {
    throw new Fault('internal', `job ${row.number}: a work ended without a result`);
  }
  return { sent: slim(sent), arrived: slim(arrived) };
}

/** The descriptions stay on the nodes: what a durable step answers is small. */
function slim(result: WorkResult): Omit<WorkResult, 'description'> {
  const { description: _, ...rest } = result;
  return rest;
}
export type SlimResult = Omit<WorkResult, 'description'>;

/** Puts the two ends together into the one line and the one progress of the job. */
function createTeller(record: JobRecord, step: string) {
  const texts: Record<string, string> = {};
  const waits: Record<string, Fault | null> = {};
  const say = () => {
    const faults = Object.values(waits).filter((fault) => fault !== null);
    // One end's trouble makes the other end miss its peer: the cause is told, not that.
    const waiting = faults.find(({ code }) => !code.startsWith('transfer.')) ?? faults[0];
    const text = waiting?.message ?? [texts.export, texts.import].filter((part) => part !== undefined).join('; ');
    record.say(step, text, waiting !== undefined);
  };
  return {
    /** @param node Its name, for what is wrong with it itself. */
    end(kind: 'route' | 'export' | 'import', node = '') {
      return {
        onState: (state: WorkState) => {
          texts[kind] = state.text;
          if (kind === 'import' && state.progress !== undefined) record.progress(state.progress);
          say();
        },
        onWait: (fault: Fault | null) => {
          waits[kind] = fault === null ? null : withNode(fault, node);
          say();
        },
      };
    },
  };
}

/** A node does not say its own name where only its storage is meant. */
function withNode(fault: Fault, node: string): Fault {
  if (fault.code !== 'storage.full' || node === '') return fault;
  return Fault.fromReport({ ...fault.report(), message: `node ${node}: ${fault.message}` });
}
