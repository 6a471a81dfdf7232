/**
 * Bare TLS, what is left of a transfer without anything of ours but its sockets: `node tls-source.ts FOLDER BYTES` sends one
 * random MiB again and again to whoever dials, over as many connections as come.
 */
import { randomFillSync } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import { createServer, type TLSSocket } from 'node:tls';
import { loadIdentity } from '../../src/base/identity.ts';
import { identityServerOptions } from '../../src/base/tls.ts';
import { BLOCK_BYTES } from '../../src/model/block-map.ts';
import { onSignal } from './parts.ts';
import { CONNECTIONS } from './tls-connections.ts';

const [folder = '', bytes = '0'] = process.argv.slice(2);
const identity = await loadIdentity(folder, 'source', 'source');
const block = randomFillSync(Buffer.alloc(BLOCK_BYTES));
let toSend = Number(bytes) / BLOCK_BYTES;
const sent = Promise.withResolvers<void>();
let open = 0;

async function send(socket: TLSSocket): Promise<void> {
  while (toSend > 0) {
    toSend--;
    await new Promise<void>((done, fail) => socket.write(block, (error) => (error ? fail(error) : done())));
  }
  socket.end();
  if (--open === 0) sent.resolve();
}

const server = createServer(identityServerOptions(identity), (socket) => {
  if (++open === CONNECTIONS) for (const one of [...sockets, socket]) send(one).catch(sent.reject);
  else sockets.push(socket);
});
const sockets: TLSSocket[] = [];
await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
await onSignal({ port: (server.address() as AddressInfo).port, pin: identity.pin }, async () => {
  await sent.promise;
  return {};
});
process.exit(0);
