import type { Identity } from '../../base/identity.ts';
import type { Relay } from '../../base/relay.ts';
import { Fault } from '../../model/fault.ts';
import { readTicket, TICKET_HEADER } from '../../protocol/peer.ts';
import { readVisit, relayAnswer } from '../../protocol/relay.ts';
import type { Membership } from '../membership.ts';
import type { Caller } from '../port.ts';

/** A public node joins two nodes of a server of its own that bring the same ticket, and nobody else. */
export function relayDoor(relay: Relay, identity: Identity, membership: Membership) {
  return async ({ message, socket, head, pin }: Caller): Promise<void> => {
    const text = message.headers[TICKET_HEADER];
    const visit = { authority: message.url, ticket: text, caller: pin, relay: identity.pin };
    const { ticket, side } = readVisit(visit, (json, signature) => membership.signer(json, signature) !== undefined);
    const { json, signature } = readTicket(String(text));
    const owner = `${membership.signer(json, signature)?.id}/${ticket.owner}`;
    if (head.length > 0) throw new Fault('input.invalid', 'bytes came before the relay had answered');
    const greet = () => socket.write(relayAnswer(null));
    await relay.meet({ owner, meeting: ticket.transfer, side, pin: pin ?? '', socket, greet });
  };
}
