import type { IncomingMessage } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import type { Identity } from '../base/identity.ts';
import type { Log } from '../base/log.ts';
import { type DialTarget, identityServerOptions, pinOfPeer } from '../base/tls.ts';
import { Fault } from '../model/fault.ts';
import { relayAnswer } from '../protocol/relay.ts';
import { refuseUpgrade } from './upgrade.ts';

const HANDSHAKE_MILLISECONDS = 20_000;

export interface Caller {
  message: IncomingMessage;
  socket: TLSSocket;
  head: Buffer;
  /** Of the certificate that the caller showed; null where it showed none. */
  pin: string | null;
}

/** Takes the socket over (`acceptUpgrade`), or throws: the fault is answered and the socket closed. */
export type Door = (caller: Caller) => void | Promise<void>;

export interface OpenPort {
  /** Null where nobody can dial this node. */
  readonly address: DialTarget | null;
  /** Serves a socket that came by another way (a relay) as if it had been dialled here. */
  take(socket: TLSSocket): void;
  close(): Promise<void>;
}

/**
 * The node's one TCP port: TLS 1.3, nothing but upgrades. `doors` by path, each with the one upgrade it offers; `relay`
 * answers CONNECT. Without `listen` only sockets that are handed over are served.
 */
export async function openPort(options: {
  identity: Identity;
  listen: DialTarget | undefined;
  doors: Record<string, { upgrade: string; open: Door }>;
  relay: Door;
  log: Log;
}): Promise<OpenPort> {
  const { doors, listen, log } = options;
  const sockets = new Set<Duplex>();
  const track = (socket: Duplex) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.once('close', () => sockets.delete(socket));
  };
  const tls = { ...identityServerOptions(options.identity), handshakeTimeout: HANDSHAKE_MILLISECONDS };
  const server = createServer(tls, (_request, response) => {
    const fault = new Fault('object.missing', 'there is nothing to read here');
    response.writeHead(fault.status, { 'content-type': 'application/json', connection: 'close' });
    response.end(JSON.stringify(fault.report()));
  });
  server.on('connection', track).on('secureConnection', track);
  server.on('upgrade', async (message: IncomingMessage, socket: Duplex, head: Buffer) => {
    const path = (message.url ?? '').split('?')[0] ?? '';
    try {
      const door = doors[path];
      if (door === undefined || message.headers.upgrade !== door.upgrade) {
        throw new Fault('object.missing', `no ${message.headers.upgrade} is offered at ${path}`);
      }
      const caller = socket as TLSSocket;
      caller.setNoDelay(true);
      caller.setTimeout(0);
      await door.open({ message, socket: caller, head, pin: pinOfPeer(caller) });
    } catch (error) {
      const fault = Fault.from(error, path);
      log.warn({ path, from: message.socket.remoteAddress, fault: fault.report() }, 'refused a connection');
      refuseUpgrade(socket, fault);
    }
  });
  server.on('connect', async (message: IncomingMessage, socket: Duplex, head: Buffer) => {
    try {
      const caller = socket as TLSSocket;
      caller.setTimeout(0);
      await options.relay({ message, socket: caller, head, pin: pinOfPeer(caller) });
    } catch (error) {
      const fault = Fault.from(error, 'relay');
      if (fault.code !== 'transfer.lost') {
        log.warn({ from: message.socket.remoteAddress, fault: fault.report() }, 'refused a caller of the relay');
      }
      socket.end(relayAnswer(fault), () => socket.destroy());
    }
  });
  if (listen !== undefined) await listening(server, listen);
  const bound = server.address() as AddressInfo | null;
  return {
    address: bound === null ? null : { host: bound.address, port: bound.port },
    take: (socket) => void server.emit('secureConnection', socket),
    async close() {
      const closed = bound === null ? null : new Promise((resolve) => server.close(resolve));
      for (const socket of sockets) socket.destroy();
      server.closeAllConnections();
      await closed;
    },
  };
}

function listening(server: Server, listen: DialTarget): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error) => {
      const where = `${listen.host}:${listen.port}`;
      reject(new Fault('input.invalid', `the node cannot listen on ${where}: ${error.message}`, { cause: error }));
    });
    server.listen(listen.port, listen.host, () => {
      server.removeAllListeners('error');
      server.on('error', () => {});
      resolve();
    });
  });
}
