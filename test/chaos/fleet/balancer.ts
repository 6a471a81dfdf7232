import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';

/** The simplest load balancer there is: each new connection goes to the next server that takes one. TLS passes through. */
export async function startBalancer(targets: () => number[]): Promise<AsyncDisposable & { port: number }> {
  let next = 0;
  const sockets = new Set<Socket>();
  const server = createServer((near) => {
    sockets.add(near);
    near.on('error', () => {});
    near.once('close', () => sockets.delete(near));
    const ports = targets();
    const attempt = (left: number): void => {
      const far = connect(ports[next++ % ports.length] ?? 0, '127.0.0.1');
      far.once('connect', () => {
        near.pipe(far).pipe(near);
        near.once('close', () => far.destroy());
        far.once('close', () => near.destroy());
      });
      far.once('error', () =>
        left > 0 && !far.connecting && far.bytesRead === 0 ? attempt(left - 1) : near.destroy(),
      );
    };
    attempt(ports.length);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as { port: number }).port,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}
