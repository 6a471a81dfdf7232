import { performance } from 'node:perf_hooks';
import { parseAddress, writeAddress } from '../base/address.ts';
import type { DialTrace } from '../base/dial.ts';
import { dialIdentity } from '../base/tls.ts';
import { Fault } from '../model/fault.ts';
import type { ReachAttempt } from '../protocol/reach.ts';
import type { Outward } from './outward.ts';
import { dialAt, helloPeer, targetsOf } from './peer/dial.ts';
import { secureAsDialer } from './peer/inside.ts';
import { dialRelay, relayOf, waitAtRelay } from './peer/relay.ts';
import { type CheckedTicket, checkTicket, otherSide, type TransferSide } from './tickets.ts';

export interface Reached {
  reachable: boolean;
  fault?: ReturnType<Fault['report']>;
  attempts?: ReachAttempt[];
}

/** A firewall that drops packets is not waited for any longer. */
const LONGEST_MILLISECONDS = 8000;

/** What a peer answers to a ticket that it has read and believed, of a transfer that it knows nothing of. */
const TICKET_READ = new Set(['transfer.unknown', 'transfer.lost']);

/** Whether another node answers at this address with its pinned key. Never throws for the way itself. */
export async function tryAddress(
  outward: Outward,
  address: string,
  pin: string,
  signal: AbortSignal,
): Promise<Reached> {
  const target = parseAddress(address);
  try {
    const socket = await dialIdentity(target, outward.identity, pin, signal, { way: outward.ways.peer });
    socket.destroy();
    return { reachable: true };
  } catch (error) {
    signal.throwIfAborted();
    return { reachable: false, fault: Fault.from(error, address).report() };
  }
}

/**
 * Goes the whole way of a ticket, until the peer has read it: every address of it at the same time, or the relay, at
 * which the dialled side waits. `take` gets the socket of the dialled side. Never throws for the way itself.
 */
export async function tryTicket(
  outward: Outward,
  text: string,
  take: (socket: Awaited<ReturnType<typeof waitAtRelay>>) => void,
  signal: AbortSignal,
): Promise<Reached> {
  const { checked, side } = readSide(outward, text);
  const attempts =
    checked.ticket.relay === undefined
      ? await Promise.all(targetsOf(checked).map((target) => tryDirect(outward, checked, target, signal)))
      : [await tryRelay(outward, checked, side, take, signal)];
  signal.throwIfAborted();
  const fault = attempts[0]?.fault;
  const reachable = attempts.some((attempt) => attempt.fault === undefined);
  return { reachable, ...(reachable || fault === undefined ? {} : { fault }), attempts };
}

function readSide({ identity, membership }: Outward, text: string): { checked: CheckedTicket; side: TransferSide } {
  try {
    return { checked: checkTicket(text, 'source', identity, membership), side: 'source' };
  } catch (error) {
    if (error instanceof Fault && error.retry === 'soon') throw error;
    return { checked: checkTicket(text, 'destination', identity, membership), side: 'destination' };
  }
}

function tryDirect(
  outward: Outward,
  checked: CheckedTicket,
  target: ReturnType<typeof targetsOf>[number],
  signal: AbortSignal,
): Promise<ReachAttempt> {
  return attempt(writeAddress(target), outward.ways.peer(target), signal, async (trace, until) => {
    await readTicketAt(await dialAt(target, checked, outward, until, trace), checked, trace, until);
  });
}

function tryRelay(
  outward: Outward,
  checked: CheckedTicket,
  side: TransferSide,
  take: Parameters<typeof tryTicket>[2],
  signal: AbortSignal,
): Promise<ReachAttempt> {
  const { targets, way } = relayOf(checked, outward);
  const first = targets[0];
  const proxy = first === undefined ? null : way(first);
  return attempt(targets.map(writeAddress).join(', '), proxy, signal, async (trace, until) => {
    const begin = performance.now();
    const met = () => trace('relay', performance.now() - begin, 'met the other node at the relay');
    if (checked.ticket.dialer !== side) {
      const socket = await waitAtRelay(checked, outward, until, trace);
      met();
      return take(socket);
    }
    const outer = await dialRelay(checked, outward, until, trace);
    met();
    const inner = await secureAsDialer(outer, outward.identity, checked.ticket[otherSide(side)], until);
    await readTicketAt(inner, checked, trace, until);
  });
}

type Trace = (step: Parameters<DialTrace>[0] | 'relay' | 'ticket', milliseconds: number, found: string) => void;

async function readTicketAt(
  socket: Parameters<typeof helloPeer>[0],
  checked: CheckedTicket,
  trace: Trace,
  signal: AbortSignal,
): Promise<void> {
  const begin = performance.now();
  try {
    (await helloPeer(socket, checked, signal)).destroy();
  } catch (error) {
    signal.throwIfAborted();
    const fault = Fault.from(error, 'the hello');
    if (!TICKET_READ.has(fault.code)) {
      const { code, message, remedy, retry } = fault;
      const step = code === 'auth.forbidden' ? (retry === 'soon' ? 'clock' : 'ticket') : 'hello';
      throw new Fault(code, message, { cause: error, remedy, retry, details: { ...fault.details, step } });
    }
  }
  trace('ticket', performance.now() - begin, 'the other node has read and believed the ticket');
}

async function attempt(
  address: string,
  proxy: { host: string; port: number } | null,
  outer: AbortSignal,
  go: (trace: Trace, signal: AbortSignal) => Promise<void>,
): Promise<ReachAttempt> {
  const steps: ReachAttempt['steps'] = [];
  const tried = { address, ...(proxy === null ? {} : { proxy: writeAddress(proxy) }), steps };
  const limit = AbortSignal.timeout(LONGEST_MILLISECONDS);
  try {
    const trace: Trace = (step, milliseconds, found) => void steps.push({ step, milliseconds, found });
    await go(trace, AbortSignal.any([outer, limit]));
    return tried;
  } catch (error) {
    outer.throwIfAborted();
    return { ...tried, fault: (limit.aborted ? silence(tried) : Fault.from(error, address)).report() };
  }
}

function silence({ address, proxy, steps }: ReachAttempt): Fault {
  const next = { dns: 'tcp', tcp: proxy === undefined ? 'tls' : 'proxy', proxy: 'tls', tls: 'certificate' };
  const last = steps.at(-1)?.step ?? 'dns';
  const step = next[last as keyof typeof next] ?? 'ticket';
  return new Fault('node.unreachable', `${address} does not answer: silence for ${LONGEST_MILLISECONDS / 1000} s`, {
    details: { step },
  });
}
