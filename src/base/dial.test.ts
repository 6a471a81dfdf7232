import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Fault } from '../model/fault.ts';
import { DialFailure, type DialTarget, dialFirst, dialTcp } from './dial.ts';

let servers: Server[] = [];
let sockets: Socket[] = [];
const { signal } = new AbortController();

beforeEach(() => {
  servers = [];
  sockets = [];
});
afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
});

async function listen(host: string): Promise<DialTarget> {
  const server = createServer((socket) => void sockets.push(socket));
  server.listen(0, host);
  await once(server, 'listening');
  servers.push(server);
  return { host, port: (server.address() as AddressInfo).port };
}

/** A port on which nobody listens any more. */
async function dead(host: string): Promise<DialTarget> {
  const target = await listen(host);
  await new Promise((resolve) => servers.pop()?.close(resolve));
  return target;
}

const dial = (target: DialTarget, until: AbortSignal) => dialTcp(target, {}, until);

test('the first address that answers is taken, IPv6 and IPv4 alike, and only one connection stays', async () => {
  const [gone, six, four] = [await dead('127.0.0.1'), await listen('::1'), await listen('127.0.0.1')];
  const socket = await dialFirst([gone, six, four], dial, signal);
  sockets.push(socket);
  expect(socket.remotePort).toBe(six.port);
  expect(socket.remoteFamily).toBe('IPv6');
});

test('an address that is silent does not hold up the next one, and its connection is given up', async () => {
  const four = await listen('127.0.0.1');
  let givenUp = false;
  const slow = async (target: DialTarget, until: AbortSignal): Promise<Socket> => {
    if (target.port !== 1) return dial(target, until);
    await once(until, 'abort');
    givenUp = true;
    throw until.reason;
  };
  const socket = await dialFirst([{ host: '192.0.2.1', port: 1 }, four], slow, signal);
  sockets.push(socket);
  expect(socket.remotePort).toBe(four.port);
  await expect.poll(() => givenUp).toBe(true);
});

test('when none answers all are named, and another key than the pinned one counts most', async () => {
  const fail = async ({ port }: DialTarget): Promise<Socket> => {
    throw new Fault(port === 2 ? 'node.untrusted' : 'node.unreachable', `port ${port}`);
  };
  const targets = [1, 2, 3].map((port) => ({ host: 'a', port }));
  await expect(dialFirst(targets, fail, signal)).rejects.toMatchObject({
    code: 'node.untrusted',
    message: 'port 1; port 2; port 3',
    retry: 'never',
  });
});

test('what fails is told by its step: the name, or the connection', async () => {
  const steps: string[] = [];
  const gone = await dead('::1');
  await expect(dialTcp(gone, {}, signal)).rejects.toMatchObject({ step: 'tcp' });
  await expect(dialTcp({ host: 'no-such-name.invalid', port: 1 }, {}, signal)).rejects.toBeInstanceOf(DialFailure);
  await expect(dialTcp({ host: 'no-such-name.invalid', port: 1 }, {}, signal)).rejects.toMatchObject({ step: 'dns' });
  const { port } = await listen('127.0.0.1');
  sockets.push(await dialTcp({ host: 'localhost', port }, { trace: (step) => void steps.push(step) }, signal));
  expect(steps).toEqual(['dns', 'tcp']);
});
