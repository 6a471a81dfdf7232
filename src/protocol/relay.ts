/**
 * Two nodes of which neither can be dialled meet at a relay: the server, or a public node. Each makes a TLS 1.3
 * connection with both pins checked and asks by HTTP/1.1 `CONNECT peer.cloudspan.internal:443` with the ticket of the
 * transfer, whose `relay` names the relay's pin. The relay never dials anybody: it answers `200` when the other node of
 * the same ticket has come too, and carries their bytes from then on. The two nodes do TLS 1.3 inside, pins checked, and
 * speak the peer protocol there, so that the relay sees ciphertext only. A refusal carries a `FaultReport` in a header;
 * `transfer.lost` means that the other node has not come yet: ask again.
 */
import { Fault, type FaultReport } from '../model/fault.ts';
import { FaultReportSchema } from './nouns.ts';
import { readTicket } from './peer.ts';
import type { Ticket } from './work.ts';

/** The only thing that a relay leads to. */
export const RELAY_AUTHORITY = 'peer.cloudspan.internal:443';
/** Base64url of a FaultReport. */
const FAULT_HEADER = 'cloudspan-fault';

export interface RelayVisit {
  ticket: Ticket;
  side: 'source' | 'destination';
}

/**
 * Whom a caller wants to meet. Fault `auth.forbidden`: another target, a ticket that nobody known signed, that names
 * another relay or other nodes, or whose time is over.
 * @param relay the pin of this relay. @param caller the pin of the node that brings the ticket.
 */
export function readVisit(
  visit: { authority: string | undefined; ticket: string | string[] | undefined; caller: string | null; relay: string },
  verify: (json: string, signature: string) => boolean,
): RelayVisit {
  if (visit.authority !== RELAY_AUTHORITY) throw new Fault('auth.forbidden', 'the relay dials nobody');
  if (typeof visit.ticket !== 'string')
    throw new Fault('auth.forbidden', 'who comes to the relay has to bring a ticket');
  const { ticket, json, signature } = readTicket(visit.ticket);
  const refuse = (why: string, more: { retry?: 'soon'; remedy?: string } = {}) =>
    new Fault('auth.forbidden', `the ticket of transfer ${ticket.transfer} ${why}`, more);
  if (!verify(json, signature)) throw refuse('is not signed by a server of this relay');
  if (ticket.relay?.pin !== visit.relay) throw refuse('is for another relay');
  if (ticket.source === ticket.destination) throw refuse('joins a node with itself');
  if (!(Date.parse(ticket.expires) > Date.now())) {
    throw refuse(`expired at ${ticket.expires}`, {
      retry: 'soon',
      remedy: 'The server gives a new ticket by itself; compare the clocks of server and nodes if it does not.',
    });
  }
  if (visit.caller === ticket.source) return { ticket, side: 'source' };
  if (visit.caller === ticket.destination) return { ticket, side: 'destination' };
  throw refuse('is not for the node that brings it');
}

/** The head of the answer to a CONNECT; null: the other node is there. */
export function relayAnswer(fault: Fault | null): string {
  if (fault === null) return 'HTTP/1.1 200 Joined\r\n\r\n';
  const report = Buffer.from(JSON.stringify(fault.report())).toString('base64url');
  return `HTTP/1.1 ${fault.status} Refused\r\n${FAULT_HEADER}: ${report}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n`;
}

/** Fault: what the relay refused with; `node.unreachable` where it is no relay at all. */
export function readRelayAnswer(
  answer: { status: number; headers: NodeJS.Dict<string | string[]> },
  who: string,
): void {
  if (answer.status === 200) return;
  const text = answer.headers[FAULT_HEADER];
  if (typeof text === 'string') {
    const parsed = FaultReportSchema.safeParse(parse(Buffer.from(text, 'base64url').toString('utf8')));
    if (parsed.success) throw Fault.fromReport(parsed.data as FaultReport);
  }
  throw new Fault('node.unreachable', `${who} is no relay: it answered ${answer.status}`);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
