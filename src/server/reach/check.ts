import type { Check } from '../../model/check.ts';
import { Fault, type FaultReport } from '../../model/fault.ts';
import type { NodesCheck } from '../../protocol/reach.ts';
import type { Nodes } from '../nodes.ts';
import type { NodeRow } from '../store/nodes.ts';
import type { Paths } from './paths.ts';
import { dialable, type Ends, type Trial } from './trials.ts';

type CheckedNode = NodesCheck['nodes'][number];

const ASK_MILLISECONDS = 10_000;
/** Tickets are good for days; more than this is worth a word. */
const CLOCK_WARN_SECONDS = 60;
/** A node whose clock is this far ahead believes no ticket. */
const CLOCK_FAIL_SECONDS = 7 * 24 * 3600;

/** Asks both nodes, tries every way between them and says what is open and what blocks. Touches nothing. */
export async function checkNodes(
  { nodes, paths }: { nodes: Nodes; paths: Paths },
  ends: Ends,
  signal: AbortSignal,
): Promise<NodesCheck> {
  const { source, destination } = ends;
  const both = source.id === destination.id ? [source] : [source, destination];
  const asked = await Promise.all(both.map((node) => askNode(nodes, node, signal)));
  const linked = asked.every(({ fault }) => fault === undefined);
  const trials = linked && both.length === 2 ? await paths.explore(ends, signal) : [];
  const ways = trials.map((trial) => wayOf(trial, ends));
  const open = linked && (both.length === 1 || ways.some((way) => way.open));
  return { open, nodes: asked, ways, findings: [...asked.flatMap(ofNode), ...ofWays(ends, ways, linked)] };
}

async function askNode(nodes: Nodes, node: NodeRow, signal: AbortSignal): Promise<CheckedNode> {
  const { id, name, pin, link, public: open } = node;
  const known = {
    id,
    name,
    pin,
    link,
    public: open,
    addresses: dialable(node),
    proxies: node.about?.reach?.proxies ?? {},
  };
  const begin = performance.now();
  const began = Date.now();
  const limit = AbortSignal.timeout(ASK_MILLISECONDS);
  try {
    const { time } = await nodes.client(id).about({}, AbortSignal.any([signal, limit]));
    const milliseconds = performance.now() - begin;
    const seconds = (Date.parse(time) - began - milliseconds / 2) / 1000;
    return { ...known, linkMilliseconds: Math.round(milliseconds), clockSeconds: Math.round(seconds * 1000) / 1000 };
  } catch (error) {
    signal.throwIfAborted();
    const silent = new Fault('node.unreachable', `node ${name} does not answer the server`);
    return { ...known, fault: (limit.aborted ? silent : Fault.from(error, name)).report() };
  }
}

function ofNode({ name, fault, clockSeconds = 0 }: CheckedNode): Check[] {
  if (fault !== undefined) return [{ name: 'link', outcome: 'fail', found: fault.message, remedy: fault.remedy }];
  const off = Math.abs(clockSeconds);
  const found = `The clock of node ${name} is ${off.toFixed(1)} s ${clockSeconds < 0 ? 'behind' : 'ahead of'} the server's.`;
  const remedy = 'Set the clocks of server and nodes by NTP.';
  const outcome = clockSeconds > CLOCK_FAIL_SECONDS ? 'fail' : off > CLOCK_WARN_SECONDS ? 'warn' : 'pass';
  return [{ name: 'clock', outcome, found, ...(outcome === 'pass' ? {} : { remedy }) }];
}

function wayOf({ route, relay, reachable, legs, milliseconds }: Trial, ends: Ends): NodesCheck['ways'][number] {
  const dialled = route.dialer === 'source' ? 'destination' : 'source';
  return {
    dialer: ends[route.dialer].name,
    dialled: ends[dialled].name,
    open: reachable,
    milliseconds,
    ...(relay === undefined ? {} : { relay }),
    legs: legs.map(({ node, attempts, fault }) => ({
      node,
      attempts: attempts.map((attempt) => ({ ...attempt, steps: attempt.steps.map(rounded) })),
      ...(fault === undefined ? {} : { fault }),
    })),
  };
}

function rounded(step: { step: string; milliseconds: number; found: string }) {
  return { ...step, milliseconds: Math.round(step.milliseconds * 10) / 10 };
}

function ofWays({ source, destination }: Ends, ways: NodesCheck['ways'], linked: boolean): Check[] {
  const open = ways.find((way) => way.open);
  const blocks = ways.flatMap((way) =>
    way.legs.flatMap((leg) =>
      leg.attempts.flatMap(({ address, fault }) => blocked(leg.node, address, fault, open !== undefined)),
    ),
  );
  if (open !== undefined) {
    const over = open.relay === undefined ? `${open.dialer} dials ${open.dialled}` : `both meet at ${open.relay}`;
    return [...blocks, { name: 'way', outcome: 'pass', found: `A way is open: ${over}.` }];
  }
  if (!linked || source.id === destination.id || blocks.length > 0) return blocks;
  const found = `Neither node ${source.name} nor node ${destination.name} can be dialled, and there is no relay for them.`;
  const remedy =
    'Join one of them with --public --listen, or let the server be the relay (no --no-relay, nodes up to date).';
  return [{ name: 'way', outcome: 'fail', found, remedy }];
}

function blocked(node: string, address: string, fault: FaultReport | undefined, otherwise: boolean): Check[] {
  if (fault === undefined) return [];
  const name = String(fault.details?.step ?? 'way');
  const where = fault.message.includes(address) ? '' : ` to ${address}`;
  const found = `From node ${node}${where}: ${fault.message}`;
  return [{ name, outcome: otherwise ? 'warn' : 'fail', found, remedy: REMEDIES[name] ?? fault.remedy }];
}

/** Where the fault's own remedy is too general for the step. */
const REMEDIES: Record<string, string> = {
  dns: 'Let the name be found by the DNS of the node that dials, or advertise an address with --address.',
  tcp: 'Open this port between the two in firewalls and security groups, and check that the other node listens there.',
  tls: 'Something other than a node answers there, or a middlebox breaks TLS 1.3: check the address and what lies between.',
};
