import type { TLSSocket } from 'node:tls';
import { parseAddress } from '../../base/address.ts';
import { delay } from '../../base/backoff.ts';
import { type DialTrace, dialFirst } from '../../base/dial.ts';
import { askConnect } from '../../base/proxy.ts';
import { dialIdentity } from '../../base/tls.ts';
import { Fault } from '../../model/fault.ts';
import { TICKET_HEADER } from '../../protocol/peer.ts';
import { RELAY_AUTHORITY, readRelayAnswer } from '../../protocol/relay.ts';
import type { Outward } from '../outward.ts';
import type { CheckedTicket } from '../tickets.ts';
import { secureAsDialled } from './inside.ts';

/** Longer than a relay lets wait. */
const MEETING_MILLISECONDS = 40_000;

/**
 * Goes to the relay of the ticket and waits until the other node has come too; what follows on the socket is said to
 * that node. Faults: `node.unreachable`, `node.untrusted`, those of a proxy, those of the relay (`transfer.lost`: the
 * other node did not come).
 */
export async function dialRelay(
  checked: CheckedTicket,
  outward: Outward,
  signal: AbortSignal,
  trace?: DialTrace,
): Promise<TLSSocket> {
  const { pin, targets, way } = relayOf(checked, outward);
  const how = { way, ...(trace === undefined ? {} : { trace }) };
  const dial = (target: (typeof targets)[number], until: AbortSignal) =>
    dialIdentity(target, outward.identity, pin, until, how);
  const socket = await dialFirst(targets, dial, signal);
  const who = `relay ${targets.map(({ host, port }) => `${host}:${port}`).join(', ')}`;
  try {
    const headers = { host: 'relay', [TICKET_HEADER]: checked.text };
    readRelayAnswer(await askConnect(socket, RELAY_AUTHORITY, headers, MEETING_MILLISECONDS, signal), who);
    return socket;
  } catch (error) {
    socket.destroy();
    signal.throwIfAborted();
    if (error instanceof Fault) throw error;
    throw new Fault('node.unreachable', `${who} does not answer: ${(error as Error).message}`, { cause: error });
  }
}

/** Where the relay of a ticket is dialled from here, and by which way out. */
export function relayOf({ ticket, server }: CheckedTicket, { ways }: Outward) {
  const { relay } = ticket;
  if (relay === undefined) throw new Fault('input.invalid', `the ticket of transfer ${ticket.transfer} has no relay`);
  const own = relay.addresses.length === 0;
  return {
    pin: relay.pin,
    targets: (own ? [server.address] : relay.addresses).map(parseAddress),
    way: relay.pin === server.pin ? ways.server : ways.peer,
  };
}

/** Waits at the relay for the dialer of the ticket, once, and does the TLS inside as the one that is dialled. */
export async function waitAtRelay(
  checked: CheckedTicket,
  outward: Outward,
  signal: AbortSignal,
  trace?: DialTrace,
): Promise<TLSSocket> {
  const outer = await dialRelay(checked, outward, signal, trace);
  return secureAsDialled(outer, outward.identity, checked.ticket[checked.ticket.dialer], signal);
}

/**
 * Keeps waiting at the relay, once per call at a time, and hands over whoever comes; until the abort. Rejects with a
 * fault that waiting cannot mend.
 */
export async function keepWaiting(
  check: () => CheckedTicket,
  outward: Outward,
  accept: (socket: TLSSocket) => void,
  trouble: (fault: Fault | null) => void,
  signal: AbortSignal,
): Promise<void> {
  for (let failures = 0; !signal.aborted; ) {
    try {
      accept(await waitAtRelay(check(), outward, signal));
      trouble(null);
      failures = 0;
    } catch (error) {
      if (signal.aborted) return;
      const fault = Fault.from(error, 'waiting at the relay');
      if (fault.retry === 'never') throw fault;
      if (fault.code === 'transfer.lost') trouble(null);
      else {
        failures++;
        trouble(fault);
      }
    }
    if (failures > 0) await delay(100 * 2 ** Math.min(failures, 5) * (0.5 + Math.random()), signal).catch(() => {});
  }
}
