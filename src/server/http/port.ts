import { createServer, type Server } from 'node:https';
import type { Duplex } from 'node:stream';
import { createSecureContext, type TLSSocket } from 'node:tls';
import type { Identity } from '../../base/identity.ts';
import { IDENTITY_SERVER_NAME } from '../../base/tls.ts';
import type { KeyAndChain } from '../certificate/ui.ts';

const HANDSHAKE_MILLISECONDS = 20_000;

export interface Port {
  server: Server;
  /** Shows another certificate to everybody but nodes, from the next connection on. */
  showUi(ui: KeyAndChain): void;
  /** Ends every connection, also the quiet ones and those that never began to speak TLS. */
  close(): Promise<void>;
}

/**
 * The one TLS port. Who asks for the identity's server name meets the identity (nodes); everybody else the certificate
 * of the UI. Client certificates are asked for, and looked at by the routes that need one.
 */
export function createPort(identity: Identity, ui: KeyAndChain): Port {
  const identityContext = createSecureContext({ key: identity.key, cert: identity.certificate, minVersion: 'TLSv1.3' });
  const contextOf = ({ key, certificate }: KeyAndChain) => ({ key, cert: certificate, minVersion: 'TLSv1.3' as const });
  let uiContext = createSecureContext(contextOf(ui));
  const sockets = new Set<Duplex>();
  const track = (socket: Duplex) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.once('close', () => sockets.delete(socket));
  };
  const server = createServer({
    ...contextOf(ui),
    requestCert: true,
    rejectUnauthorized: false,
    SNICallback: (name, done) => done(null, name === IDENTITY_SERVER_NAME ? identityContext : uiContext),
    handshakeTimeout: HANDSHAKE_MILLISECONDS,
    requestTimeout: 0,
    headersTimeout: 30_000,
    keepAliveTimeout: 30_000,
  });
  server.on('connection', track);
  server.on('secureConnection', (socket: TLSSocket) => {
    socket.setNoDelay(true);
    track(socket);
  });
  return {
    server,
    showUi(next) {
      uiContext = createSecureContext(contextOf(next));
      // Who names no host, as with a bare address.
      server.setSecureContext(contextOf(next));
    },
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}
