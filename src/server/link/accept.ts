import { type IncomingMessage, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { TLSSocket } from 'node:tls';
import type { Log } from '../../base/log.ts';
import { pinOfPeer } from '../../base/tls.ts';
import { Fault } from '../../model/fault.ts';
import { LINK_PATH, LINK_UPGRADE } from '../../protocol/link.ts';
import { chooseProtocol, PROTOCOL_HEADER } from '../../protocol/version.ts';
import type { NodeRow } from '../store/nodes.ts';

export interface Doorman {
  /** The node with this pin, or null. */
  byPin(pin: string): NodeRow | null;
  /** Takes the socket over: it speaks HTTP/2 from now on. */
  linked(node: NodeRow, socket: Duplex): void;
}

/** Answers the upgrade of a node that dials home; everything else is refused with its fault and closed. */
export function acceptLink(doorman: Doorman, log: Log) {
  return (message: IncomingMessage, socket: Duplex, head: Buffer): void => {
    socket.on('error', () => {});
    try {
      const path = (message.url ?? '').split('?')[0];
      if (path !== LINK_PATH || message.headers.upgrade !== LINK_UPGRADE) {
        throw new Fault('object.missing', `nothing is offered for an upgrade at ${path}`);
      }
      const node = knownNode(doorman, socket);
      const offered = message.headers[PROTOCOL_HEADER];
      const chosen = chooseProtocol(Array.isArray(offered) ? offered[0] : offered, `node ${node.name}`);
      const lines = ['HTTP/1.1 101 Switching Protocols', 'Connection: Upgrade', `Upgrade: ${LINK_UPGRADE}`];
      if (head.length > 0) socket.unshift(head);
      (socket as TLSSocket).setTimeout(0);
      (socket as TLSSocket).setNoDelay(true);
      // HTTP/2 takes over the socket's handle: Node aborts when a write from before is still on its way.
      socket.write(`${[...lines, `${PROTOCOL_HEADER}: ${chosen}`].join('\r\n')}\r\n\r\n`, (error) => {
        if (!error && !socket.destroyed) doorman.linked(node, socket);
      });
    } catch (error) {
      const fault = Fault.from(error, 'link');
      log.warn({ fault: fault.report(), from: message.socket.remoteAddress }, 'refused a link');
      refuse(socket, fault);
    }
  };
}

function knownNode(doorman: Doorman, socket: Duplex): NodeRow {
  const pin = socket instanceof TLSSocket ? pinOfPeer(socket) : null;
  const node = pin === null ? null : doorman.byPin(pin);
  if (node !== null) return node;
  throw new Fault('node.untrusted', `no node with the key ${pin ?? 'none'} has joined this server`, {
    remedy: 'Join the node with a new token.',
  });
}

function refuse(socket: Duplex, fault: Fault): void {
  const body = JSON.stringify(fault.report());
  const head = [
    `HTTP/1.1 ${fault.status} ${STATUS_CODES[fault.status] ?? 'Refused'}`,
    'Content-Type: application/json',
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Connection: close',
  ];
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`, () => socket.destroy());
}
