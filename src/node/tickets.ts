import type { Identity } from '../base/identity.ts';
import { Fault } from '../model/fault.ts';
import { readTicket } from '../protocol/peer.ts';
import type { Ticket } from '../protocol/work.ts';
import type { JoinedServer, Membership } from './membership.ts';

export type TransferSide = 'source' | 'destination';

export interface CheckedTicket {
  ticket: Ticket;
  /** As it travels. */
  text: string;
  /** The joined server that signed it. */
  server: JoinedServer;
}

/**
 * Believes a ticket when a joined server signed it, it names this node on `side`, and its time is not over.
 * Fault: `auth.forbidden`; of a ticket that was good once, with retry `soon`: the server gives a new one.
 */
export function checkTicket(
  text: string,
  side: TransferSide,
  identity: Identity,
  membership: Membership,
): CheckedTicket {
  const { ticket, json, signature } = readTicket(text);
  const server = membership.signer(json, signature);
  if (server === undefined) {
    throw new Fault(
      'auth.forbidden',
      `the ticket of transfer ${ticket.transfer} is not signed by a server of this node`,
    );
  }
  if (ticket[side] !== identity.pin) {
    throw new Fault(
      'auth.forbidden',
      `the ticket of transfer ${ticket.transfer} is for another ${side} than this node`,
    );
  }
  if (!(Date.parse(ticket.expires) > Date.now())) {
    throw new Fault('auth.forbidden', `the ticket of transfer ${ticket.transfer} expired at ${ticket.expires}`, {
      retry: 'soon',
      remedy: 'The server gives a new ticket by itself; compare the clocks of server and nodes if it does not.',
    });
  }
  return { ticket, text, server };
}

export function otherSide(side: TransferSide): TransferSide {
  return side === 'source' ? 'destination' : 'source';
}
