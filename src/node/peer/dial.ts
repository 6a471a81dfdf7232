import type { TLSSocket } from 'node:tls';
import { parseAddress } from '../../base/address.ts';
import { type DialTarget, type DialTrace, dialFirst } from '../../base/dial.ts';
import { dialIdentity } from '../../base/tls.ts';
import { Fault } from '../../model/fault.ts';
import { PEER_PATH, PEER_UPGRADE, TICKET_HEADER } from '../../protocol/peer.ts';
import type { Outward } from '../outward.ts';
import { type CheckedTicket, otherSide } from '../tickets.ts';
import { askUpgrade } from '../upgrade.ts';
import { secureAsDialer } from './inside.ts';
import { dialRelay } from './relay.ts';

/** The other node as the ticket leads to it, its key checked; what follows is the hello. */
export async function dialPeer(checked: CheckedTicket, outward: Outward, signal: AbortSignal): Promise<TLSSocket> {
  const { ticket } = checked;
  if (ticket.relay !== undefined) {
    const outer = await dialRelay(checked, outward, signal);
    return secureAsDialer(outer, outward.identity, ticket[otherSide(ticket.dialer)], signal);
  }
  return dialFirst(targetsOf(checked), (target, until) => dialAt(target, checked, outward, until), signal);
}

export function targetsOf({ ticket }: CheckedTicket): DialTarget[] {
  if (ticket.address === undefined) {
    throw new Fault('input.invalid', `the ticket of transfer ${ticket.transfer} has no address to dial`);
  }
  return [ticket.address, ...(ticket.addresses ?? [])].map(parseAddress);
}

export function dialAt(
  target: DialTarget,
  { ticket }: CheckedTicket,
  { identity, ways }: Outward,
  signal: AbortSignal,
  trace?: DialTrace,
): Promise<TLSSocket> {
  const how = { way: ways.peer, ...(trace === undefined ? {} : { trace }) };
  return dialIdentity(target, identity, ticket[otherSide(ticket.dialer)], signal, how);
}

/** The hello of the peer protocol. Faults: as `protocol/peer.ts` says. */
export function helloPeer(socket: TLSSocket, checked: CheckedTicket, signal: AbortSignal) {
  const { ticket, text } = checked;
  const who =
    ticket.address === undefined
      ? `the ${otherSide(ticket.dialer)} of transfer ${ticket.transfer}`
      : `node ${ticket.address}`;
  return askUpgrade(
    socket,
    { path: PEER_PATH, upgrade: PEER_UPGRADE, who, headers: { [TICKET_HEADER]: text } },
    signal,
  );
}
