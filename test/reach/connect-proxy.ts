import { createServer, type IncomingMessage } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { TLSSocket, connect as tlsConnect } from 'node:tls';
import { createIdentity } from '../../src/base/identity.ts';

export interface ConnectProxy extends AsyncDisposable {
  /** `host:port` */
  readonly address: string;
  readonly url: string;
  /** Every target that was asked for, also those that were refused. */
  readonly asked: string[];
  /** `proxy-authorization` as it came. */
  readonly authorizations: (string | undefined)[];
  /** What it answers instead of opening the way. */
  answer: number | undefined;
  /** Opens TLS and shows a certificate of its own. */
  inspect: boolean;
  /** Ends every way that is open. */
  cut(): void;
}

/** An HTTP proxy for CONNECT; with `user:password` it lets nobody else through. */
export async function openConnectProxy(credentials?: string, host = '127.0.0.1'): Promise<ConnectProxy> {
  const own = await createIdentity('inspecting proxy');
  const sockets = new Set<Duplex>();
  const asked: string[] = [];
  const authorizations: (string | undefined)[] = [];
  const server = createServer((_request, response) => response.writeHead(405).end());
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('error', () => {}).once('close', () => sockets.delete(socket));
  });
  const expected = credentials === undefined ? undefined : `Basic ${Buffer.from(credentials).toString('base64')}`;
  server.on('connect', (message: IncomingMessage, client: Socket, head: Buffer) => {
    const target = message.url ?? '';
    const { 'proxy-authorization': authorization } = message.headers;
    asked.push(target);
    authorizations.push(authorization);
    const refuse = (status: number) =>
      client.end(`HTTP/1.1 ${status} No\r\nproxy-authenticate: Basic realm="x"\r\ncontent-length: 3\r\n\r\nno\n`);
    if (expected !== undefined && authorization !== expected) return refuse(407);
    if (proxy.answer !== undefined) return refuse(proxy.answer);
    const { hostname, port } = new URL(`http://${target}`);
    const upstream = connect({ host: hostname.replace(/^\[|\]$/g, ''), port: Number(port || 80) });
    sockets.add(upstream);
    upstream.on('error', () => client.destroy()).once('close', () => sockets.delete(upstream));
    upstream.once('connect', () => {
      client.write('HTTP/1.1 200 Connection established\r\n\r\n');
      if (head.length > 0) upstream.write(head);
      if (proxy.inspect) return join(inside(client, own), tlsConnect({ socket: upstream, rejectUnauthorized: false }));
      join(client, upstream);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  const { port } = server.address() as AddressInfo;
  const address = `${host.includes(':') ? `[${host}]` : host}:${port}`;
  const proxy: ConnectProxy = {
    address,
    url: `http://${address}`,
    asked,
    authorizations,
    answer: undefined,
    inspect: false,
    cut: () => {
      for (const socket of sockets) socket.destroy();
    },
    async [Symbol.asyncDispose]() {
      proxy.cut();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return proxy;
}

function inside(client: Socket, own: { key: string; certificate: string }): TLSSocket {
  return new TLSSocket(client, { isServer: true, key: own.key, cert: own.certificate });
}

function join(one: Duplex, other: Duplex): void {
  one.on('error', () => other.destroy()).once('close', () => other.destroy());
  other.on('error', () => one.destroy()).once('close', () => one.destroy());
  one.pipe(other);
  other.pipe(one);
}
