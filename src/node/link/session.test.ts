import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import {
  type ClientHttp2Session,
  connect as connectHttp2,
  performServerHandshake,
  type ServerHttp2Session,
} from 'node:http2';
import {
  type AddressInfo,
  connect as connectTcp,
  createServer as createTcpServer,
  type Socket,
  type Server as TcpServer,
} from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, createServer, type Server, type TLSSocket } from 'node:tls';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { loadIdentity } from '../../base/identity.ts';
import { identityClientOptions, identityServerOptions } from '../../base/tls.ts';
import { watchSession } from './session.ts';

/** A silence that no test waits for: what ends a link here is something else. */
const LONG_SECONDS = 600;

let folder: string;
let port: Server;
/** Carries the bytes between the two, beneath their TLS. */
let carrier: TcpServer;
/** The carrier's end at the node. */
let tcp: Socket;
let socket: TLSSocket;
let session: ServerHttp2Session;
let asker: ClientHttp2Session;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cloudspan-session-'));
  const identity = await loadIdentity(folder, 'one', 'one');
  port = createServer(identityServerOptions(identity)).listen(0, '127.0.0.1');
  await once(port, 'listening');
  carrier = createTcpServer((near) => {
    tcp = connectTcp((port.address() as AddressInfo).port, '127.0.0.1');
    for (const one of [near, tcp]) one.on('error', () => {});
    near.pipe(tcp).pipe(near);
  }).listen(0, '127.0.0.1');
  await once(carrier, 'listening');
  const dialled = connect({ ...identityClientOptions(identity), port: (carrier.address() as AddressInfo).port });
  const [[accepted]] = await Promise.all([once(port, 'secureConnection'), once(dialled, 'secureConnect')]);
  socket = accepted as TLSSocket;
  session = performServerHandshake(socket);
  asker = connectHttp2('https://node', { createConnection: () => dialled });
  asker.on('error', () => {});
});
afterEach(async () => {
  asker.destroy();
  session.destroy();
  socket.destroy();
  tcp.destroy();
  carrier.close();
  port.close();
  await rm(folder, { recursive: true });
});

/** Asks for more than sockets hold, and nothing of it is carried: the node is in the middle of its answer when this resolves. */
async function askMuch(): Promise<void> {
  session.on('stream', (stream) => {
    stream.on('error', () => {});
    stream.respond();
    stream.end(Buffer.alloc(64 * 1024 * 1024));
  });
  asker.settings({ initialWindowSize: 2 ** 30 });
  asker.setLocalWindowSize(2 ** 30);
  asker.request({ ':path': '/much' }).on('error', () => {});
  tcp.unpipe();
  tcp.pause();
  await once(session, 'stream');
  await new Promise((resolve) => setTimeout(resolve, 300));
}

describe('a link is over, and said to be', () => {
  test('when its TLS breaks while an answer is being written', async () => {
    const over = watchSession(session, socket, LONG_SECONDS);
    await askMuch();
    tcp.write(Buffer.alloc(100, 0xff));
    tcp.resume();
    await over;
    expect([session.destroyed, socket.destroyed]).toEqual([true, true]);
  });

  test('when the other side goes while an answer is being written', async () => {
    const over = watchSession(session, socket, LONG_SECONDS);
    await askMuch();
    tcp.destroy();
    await over;
    expect([session.destroyed, socket.destroyed]).toEqual([true, true]);
  });

  test('when its socket had broken before', async () => {
    socket.destroy();
    await watchSession(session, socket, LONG_SECONDS);
    expect(session.destroyed).toBe(true);
  });
});
