import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { createIdentity } from '../../src/base/identity.ts';
import { createLog } from '../../src/base/log.ts';
import { type RunningNode, startNode } from '../../src/node/agent.ts';
import { joinServer } from '../../src/node/join.ts';
import type { CloudAboutAnswer, NodeAbout } from '../../src/protocol/link.ts';
import { FakeServer, until } from './fake-server.ts';
import { type MemoryWorld, memoryDriver, memoryWorld, putMachine } from './memory-cloud.ts';

const log = createLog('test', 'silent');
let folder: string;
let server: FakeServer;
let world: MemoryWorld;
let node: RunningNode | undefined;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cloudspan-node-'));
  server = await FakeServer.start();
  world = memoryWorld();
});

afterEach(async () => {
  await node?.close();
  node = undefined;
  await server[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

const join_ = (token = server.token(), link: 'dial-home' | 'direct' = 'dial-home') =>
  joinServer({
    folder,
    name: 'n1',
    token,
    link,
    public: false,
    ...(link === 'direct' ? { address: '127.0.0.1:1' } : {}),
  });

async function start(listen = false): Promise<RunningNode> {
  node = await startNode({
    folder,
    name: 'n1',
    log,
    drivers: [memoryDriver({ w: world })],
    ...(listen ? { listen: { host: '127.0.0.1', port: 0 } } : {}),
  });
  return node;
}

const linked = () => until(() => server.links.get(node?.pin ?? ''));
const session = (password = 'right') => ({
  driver: 'memory',
  label: 'mem',
  owner: 'team',
  options: { world: 'w', password },
  trust: { kind: 'pin', sha256: '0'.repeat(64) },
});

describe('joining', () => {
  test('a token is good once, and leaves the pin of the node at the server', async () => {
    const token = server.token();
    await join_(token);
    await expect(join_(token)).rejects.toMatchObject({ code: 'node.join-refused' });
    const running = await start();
    expect(server.joined).toEqual([running.pin]);
  });

  test('a token that is cut, expired or shows another key is refused before anything is told', async () => {
    await expect(join_(server.token().slice(0, 40))).rejects.toMatchObject({ code: 'node.join-refused' });
    await expect(join_(server.token({ expires: '2020-01-01T00:00:00Z' }))).rejects.toMatchObject({
      code: 'node.join-refused',
    });
    await expect(join_(server.token({ pin: 'f'.repeat(64) }))).rejects.toMatchObject({ code: 'node.untrusted' });
    expect(server.joined).toEqual([]);
  });

  test('a direct node needs an address', async () => {
    const joining = joinServer({ folder, name: 'n1', token: server.token(), link: 'direct', public: false });
    await expect(joining).rejects.toMatchObject({ code: 'input.invalid' });
  });

  test('a running node follows a join without a restart', async () => {
    await start();
    await join_();
    expect((await (await linked()).ask<NodeAbout>('GET', '/about')).name).toBe('n1');
  });
});

describe('the link', () => {
  test('a node that dials home answers the server over its own connection', async () => {
    await join_();
    await start();
    const about = await (await linked()).ask<NodeAbout>('GET', '/about');
    expect(about).toMatchObject({ name: 'n1', protocol: 1, drivers: [{ name: 'memory' }] });
    expect(about.storage.limitBytes).toBeGreaterThan(0);
  });

  test('a link that is cut is made again by itself', async () => {
    await join_();
    await start();
    (await linked()).cut();
    await until(() => server.linksMade === 2);
    expect((await (await linked()).ask<NodeAbout>('GET', '/about')).name).toBe('n1');
  });

  test('a direct node answers a joined server and nobody else', async () => {
    await join_(server.token(), 'direct');
    const running = await start(true);
    const address = `127.0.0.1:${running.address?.port}`;
    const link = await server.dial(address, running.pin);
    expect((await link.ask<NodeAbout>('GET', '/about')).name).toBe('n1');
    await using stranger = new FakeServer(await createIdentity('stranger'));
    await expect(stranger.dial(address, running.pin)).rejects.toMatchObject({ code: 'node.untrusted' });
  });

  test('closing a node leaves no link and signs out of its clouds', async () => {
    await join_();
    const running = await start();
    const link = await linked();
    await link.ask('PUT', '/clouds/c1/session', session());
    expect(world.openSessions).toBe(1);
    await running.close();
    expect(world.openSessions).toBe(0);
    await until(() => !link.open);
  });

  test('a node that is closed while it looks for changes of its servers dials none again', async () => {
    await join_();
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    try {
      const running = await start();
      await linked();
      vi.advanceTimersByTime(2000);
      await running.close();
      await pause(300);
      expect(server.linksMade).toBe(1);
    } finally {
      vi.useRealTimers();
    }
  });
});

describe('sessions', () => {
  beforeEach(async () => {
    putMachine(world, 'vm-1', [2]);
    await join_();
    await start();
  });

  test('a refused login is told at once and tried once', async () => {
    const opening = (await linked()).ask('PUT', '/clouds/c1/session', session('wrong'));
    await expect(opening).rejects.toMatchObject({ code: 'auth.refused' });
    expect(world.logins).toBe(1);
  });

  test('equal requests share one login and one session, another password replaces it', async () => {
    const link = await linked();
    const open = () => link.ask<CloudAboutAnswer>('PUT', '/clouds/c1/session', session());
    const [about] = await Promise.all([open(), open(), open()]);
    await open();
    expect(about?.facets).toEqual(['exports', 'imports']);
    expect([world.logins, world.openSessions]).toEqual([1, 1]);
    world.password = 'other';
    await link.ask('PUT', '/clouds/c1/session', session('other'));
    await until(() => world.openSessions === 1);
    expect(world.logins).toBe(2);
  });

  test('without a session a question ends in session.missing, unknown paths and bodies in their own faults', async () => {
    const link = await linked();
    await expect(link.ask('GET', '/clouds/c1/objects/vm-1')).rejects.toMatchObject({ code: 'session.missing' });
    await expect(link.ask('GET', '/nothing')).rejects.toMatchObject({ code: 'object.missing' });
    await expect(link.ask('PUT', '/clouds/c1/session', { driver: 1 })).rejects.toMatchObject({ code: 'input.invalid' });
  });

  test('a busy cloud is asked again, and ids with slashes and colons arrive whole', async () => {
    const link = await linked();
    await link.ask('PUT', '/clouds/c1/session', session());
    putMachine(world, 'urn:a/b c', [1]);
    let refusals = 2;
    world.onAsk = async (what) => {
      const { Fault } = await import('../../src/model/fault.ts');
      if (what === 'get' && refusals-- > 0) throw new Fault('cloud.busy', 'memory: later', { retryAfterSeconds: 0.1 });
    };
    const path = `/clouds/c1/objects/${encodeURIComponent('urn:a/b c')}`;
    expect(await link.ask('GET', path)).toMatchObject({ id: 'urn:a/b c' });
  });

  test('the inventory streams until the session is closed', async () => {
    const link = await linked();
    await link.ask('PUT', '/clouds/c1/session', session());
    const events: unknown[] = [];
    for await (const event of link.lines('/clouds/c1/inventory')) {
      events.push(event);
      await link.ask('DELETE', '/clouds/c1/session');
    }
    expect(events).toMatchObject([{ type: 'snapshot', objects: [{ id: 'vm-1' }] }]);
    await until(() => world.openSessions === 0);
  });
});
