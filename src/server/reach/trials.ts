import { randomUUID } from 'node:crypto';
import type { Identity } from '../../base/identity.ts';
import { Fault, type FaultReport } from '../../model/fault.ts';
import type { ReachAttempt } from '../../protocol/reach.ts';
import { createTicket, type PeerRoute } from '../jobs/ticket.ts';
import type { Nodes } from '../nodes.ts';
import type { NodeRow } from '../store/nodes.ts';

/** What came of one way between two nodes that was tried in full. */
export interface Trial {
  route: PeerRoute;
  /** Name of the relay, where there is one. */
  relay?: string;
  reachable: boolean;
  /** By each node that had to go out, the dialer first. */
  legs: { node: string; attempts: ReachAttempt[]; fault?: FaultReport }[];
  milliseconds: number;
}

export interface Ends {
  source: NodeRow;
  destination: NodeRow;
}

/** Where others may dial a node: only a public one, as it says itself and as it joined. */
export function dialable(node: NodeRow): string[] {
  if (!node.public) return [];
  const told = node.about?.reach?.addresses ?? [];
  return [...new Set([...told, ...(node.address === null ? [] : [node.address])])];
}

/** The one dials the other at all its addresses; those that do not answer are left out of the route afterwards. */
export async function tryDirect(
  { nodes, identity, owner }: { nodes: Nodes; identity: Identity; owner: string },
  ends: Ends,
  dialer: PeerRoute['dialer'],
  signal: AbortSignal,
): Promise<Trial> {
  const [from, to] = dialer === 'source' ? [ends.source, ends.destination] : [ends.destination, ends.source];
  const [address = '', ...addresses] = dialable(to);
  const route = { dialer, address, ...(addresses.length === 0 ? {} : { addresses }) };
  const begin = performance.now();
  const leg = await goOut(nodes, from, to.pin, probeTicket(identity, owner, ends, route), address, signal);
  const good = leg.attempts.filter(({ fault }) => fault === undefined).map((attempt) => attempt.address);
  const [first, ...rest] = good;
  return {
    route: first === undefined ? route : { dialer, address: first, ...(rest.length === 0 ? {} : { addresses: rest }) },
    reachable: leg.fault === undefined,
    legs: [leg],
    milliseconds: Math.round(performance.now() - begin),
  };
}

/** Both go to the relay and speak to each other there. */
export async function tryRelay(
  { nodes, identity, owner }: { nodes: Nodes; identity: Identity; owner: string },
  ends: Ends,
  relay: { name: string; pin: string; addresses: string[] },
  signal: AbortSignal,
): Promise<Trial> {
  const { name, ...where } = relay;
  const route: PeerRoute = { dialer: 'destination', relay: where };
  const ticket = probeTicket(identity, owner, ends, route);
  const begin = performance.now();
  const legs = await Promise.all([
    goOut(nodes, ends.destination, ends.source.pin, ticket, '', signal),
    goOut(nodes, ends.source, ends.destination.pin, ticket, '', signal),
  ]);
  const reachable = legs.every(({ fault }) => fault === undefined);
  return { route, relay: name, reachable, legs, milliseconds: Math.round(performance.now() - begin) };
}

/** Of a transfer that nobody will ever begin; otherwise like that of a real one. */
function probeTicket(identity: Identity, owner: string, ends: Ends, route: PeerRoute): string {
  return createTicket(identity, { id: `probe-${randomUUID()}`, owner, ...ends, route });
}

/** Fault `node.unreachable` where the node has no link; what blocks its way out is in the answer. */
async function goOut(
  nodes: Nodes,
  from: NodeRow,
  pin: string,
  ticket: string,
  address: string,
  signal: AbortSignal,
): Promise<Trial['legs'][number]> {
  const answer = await nodes.client(from.id).reach({ body: { address, pin, ticket } }, signal);
  const attempts =
    answer.attempts ??
    (answer.reachable ? [{ address, steps: [] }] : [{ address, steps: [], fault: answer.fault ?? silent(address) }]);
  const fault = answer.reachable ? undefined : (answer.fault ?? silent(address));
  return { node: from.name, attempts, ...(fault === undefined ? {} : { fault: fault as FaultReport }) } as never;
}

function silent(address: string): FaultReport {
  return new Fault('node.unreachable', `${address} does not answer`).report();
}
