import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { TLSSocket } from 'node:tls';
import { type Identity, verifyWith } from '../../base/identity.ts';
import type { Log } from '../../base/log.ts';
import type { Relay } from '../../base/relay.ts';
import { pinOfPeer } from '../../base/tls.ts';
import { Fault } from '../../model/fault.ts';
import { TICKET_HEADER } from '../../protocol/peer.ts';
import { readVisit, relayAnswer } from '../../protocol/relay.ts';
import type { NodeRow } from '../store/nodes.ts';

/** Lets two joined nodes that bring the same ticket of this server meet on its port; dials nobody. */
export function relayDoor(options: {
  relay: Relay;
  identity: Identity;
  byPin: (pin: string) => NodeRow | null;
  log: Log;
}) {
  const { relay, identity, byPin, log } = options;
  const admit = (message: IncomingMessage, socket: Duplex) => {
    const caller = socket instanceof TLSSocket ? pinOfPeer(socket) : null;
    if (caller === null || byPin(caller) === null) {
      throw new Fault('node.untrusted', `no node with the key ${caller ?? 'none'} has joined this server`);
    }
    return readVisit(
      { authority: message.url, ticket: message.headers[TICKET_HEADER], caller, relay: identity.pin },
      (json, signature) => verifyWith(identity.certificate, json, signature),
    );
  };
  return async (message: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> => {
    socket.on('error', () => {});
    try {
      const { ticket, side } = admit(message, socket);
      if (head.length > 0) throw new Fault('input.invalid', 'bytes came before the relay had answered');
      const { owner, transfer } = ticket;
      const greet = () => socket.write(relayAnswer(null));
      const caller = { owner, meeting: transfer, side, pin: ticket[side], socket: socket as TLSSocket, greet };
      caller.socket.setTimeout(0);
      await relay.meet(caller);
    } catch (error) {
      const fault = Fault.from(error, 'relay');
      if (fault.code !== 'transfer.lost') {
        log.warn({ fault: fault.report(), from: message.socket.remoteAddress }, 'refused a caller of the relay');
      }
      socket.end(relayAnswer(fault), () => socket.destroy());
    }
  };
}
