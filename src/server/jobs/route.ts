import { delay } from '../../base/backoff.ts';
import { Fault } from '../../model/fault.ts';
import type { WorkState } from '../../protocol/work.ts';
import type { JobContext } from './context.ts';
import type { JobRecord } from './record.ts';
import { createTicket, likelyRoute, type PeerRoute } from './ticket.ts';

const AGAIN_MILLISECONDS = 5_000;
/** Without any way between the nodes the job waits for so long. */
const PATIENCE_MILLISECONDS = 10 * 60_000;

export interface Tickets {
  /** For both nodes. */
  readonly current: string;
  /** Told each state of a work: one that waits for its peer makes the way be looked for anew, and both be told. */
  watch(state: WorkState): void;
}

/**
 * The ticket of a job's transfer, by the way that is open now. While no way is found that which the public flag makes
 * likely is used, for the nodes go on trying; without one the job waits. Fault: as `Paths.between`, after 10 minutes.
 * @param tell gives both nodes the new ticket.
 */
export async function openTickets(
  context: JobContext,
  record: JobRecord,
  nodes: { source: string; destination: string },
  tell: () => Promise<void>,
  signal: AbortSignal,
  onWait: (fault: Fault | null) => void,
): Promise<Tickets> {
  const { identity, paths } = context;
  const { id, owner } = record.row;
  const ends = () => ({ source: context.nodes.get(nodes.source), destination: context.nodes.get(nodes.destination) });
  const ticketOf = (way: PeerRoute) => createTicket(identity, { id, owner, ...ends(), route: way });
  let route = await firstRoute();
  let current = ticketOf(route);
  let looking = false;
  let looked = performance.now();

  async function firstRoute(): Promise<PeerRoute> {
    const begun = performance.now();
    for (;;) {
      try {
        const found = await paths.between(ends(), signal);
        onWait(null);
        return found;
      } catch (error) {
        signal.throwIfAborted();
        const fault = Fault.from(error, 'the way between the nodes');
        if (fault.code === 'internal' || fault.retry === 'never') throw fault;
        const { source, destination } = ends();
        const likely = likelyRoute(source, destination);
        if (likely !== null) return likely;
        if (fault.retry !== 'soon' && performance.now() - begun > PATIENCE_MILLISECONDS) throw fault;
        onWait(fault);
        await delay(AGAIN_MILLISECONDS, signal);
        for (const node of [nodes.source, nodes.destination]) await context.nodes.untilLinked(node, signal);
      }
    }
  }

  async function look(): Promise<void> {
    paths.forget(ends());
    const found = await paths.between(ends(), signal);
    if (JSON.stringify(found) === JSON.stringify(route)) return;
    route = found;
    current = ticketOf(found);
    await record.log('info', `the nodes go another way: ${describeRoute(found)}`);
    await tell();
  }

  return {
    get current() {
      return current;
    },
    watch(state) {
      const stuck = state.phase === 'waiting' && /^(node|proxy)\./.test(state.fault?.code ?? '');
      if (!stuck || looking || performance.now() - looked < AGAIN_MILLISECONDS) return;
      looking = true;
      look()
        .catch((error: unknown) => context.log.info({ fault: Fault.from(error, 'route').report() }, 'no other way'))
        .finally(() => {
          looking = false;
          looked = performance.now();
        });
    },
  };
}

export function describeRoute({ dialer, address, addresses = [], relay }: PeerRoute): string {
  if (relay !== undefined) {
    return relay.addresses.length === 0 ? 'over this server as relay' : `over the relay ${relay.addresses.join(', ')}`;
  }
  return address === undefined ? 'inside one node' : `the ${dialer} dials ${[address, ...addresses].join(', ')}`;
}
