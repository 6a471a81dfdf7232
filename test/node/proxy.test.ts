import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createIdentity } from '../../src/base/identity.ts';
import { createWay } from '../../src/base/proxy-rules.ts';
import { Relay } from '../../src/base/relay.ts';
import { dialCloud, dialIdentity } from '../../src/base/tls.ts';
import type { FaultReport } from '../../src/model/fault.ts';
import type { Ways } from '../../src/node/outward.ts';
import { type ConnectProxy, openConnectProxy } from '../reach/connect-proxy.ts';
import { exportOrder, follow, importOrder, until } from './fake-server.ts';
import { Fleet, type Member } from './fleet.ts';
import { putMachine } from './memory-cloud.ts';

const CREDENTIALS = 'node-a:s3cret-of-the-proxy';

let fleet: Fleet;
let proxy: ConnectProxy;
let ways: Ways;

beforeEach(async () => {
  fleet = await Fleet.start();
  proxy = await openConnectProxy(CREDENTIALS);
  const way = createWay({ url: proxy.url, credentials: CREDENTIALS });
  ways = { server: way, peer: way, cloud: way };
});

afterEach(async () => {
  await fleet[Symbol.asyncDispose]();
  await proxy[Symbol.asyncDispose]();
});

const { signal } = new AbortController();

async function copy(a: Member, b: Member, ticket: string): Promise<string[]> {
  putMachine(a.world, 'vm-1', [6]);
  await Promise.all([a.openSession(), b.openSession()]);
  await b.link()!.ask('PUT', '/work/job-1.import', importOrder({ name: 'copy', ticket, cloud: 'b' }));
  await a.link()!.ask('PUT', '/work/job-1.export', exportOrder({ object: 'vm-1', ticket, cloud: 'a' }));
  const states = await Promise.all([follow(() => a.link(), 'job-1.export'), follow(() => b.link(), 'job-1.import')]);
  return states.map(({ phase, fault }) => fault?.message ?? phase);
}

describe('a node behind a proxy that asks for a password', () => {
  test('links to its server and dials its peer through it, also after every way was cut', async () => {
    const a = await fleet.add('a');
    const b = await fleet.add('b', { ways, listen: undefined });
    expect(proxy.asked).toEqual([fleet.server.address]);
    const { linksMade } = fleet.server;
    proxy.cut();
    await until(() => fleet.server.linksMade > linksMade);
    expect(await copy(a, b, fleet.ticket(a, b, 'destination'))).toEqual(['done', 'done']);
    expect(proxy.asked).toContain(a.address);
  });

  test('meets its peer at the relay through it', async () => {
    fleet.server.relay = new Relay();
    const a = await fleet.add('a', { ways, listen: undefined });
    const b = await fleet.add('b', { listen: undefined });
    const before = proxy.asked.length;
    const ticket = fleet.server.ticket({
      transfer: 't-1',
      source: a.node.pin,
      destination: b.node.pin,
      dialer: 'destination',
      relay: { pin: fleet.server.identity.pin, addresses: [] },
    });
    expect(await copy(a, b, ticket)).toEqual(['done', 'done']);
    expect(proxy.asked.length).toBeGreaterThan(before);
    fleet.server.relay.close();
  });

  test('goes straight to what is excepted', async () => {
    const { port } = new URL(`http://${fleet.server.address}`);
    const way = createWay({ url: proxy.url, credentials: CREDENTIALS, exceptions: `127.0.0.0/8:${port}` });
    const a = await fleet.add('a');
    const b = await fleet.add('b', { ways: { server: way, peer: way, cloud: way }, listen: undefined });
    expect(proxy.asked).toEqual([]);
    expect(await copy(a, b, fleet.ticket(a, b, 'destination'))).toEqual(['done', 'done']);
    expect(new Set(proxy.asked)).toEqual(new Set([a.address]));
  });

  test('names the step and the proxy in a trial of the way', async () => {
    const a = await fleet.add('a');
    const b = await fleet.add('b', { ways: { ...ways, server: () => null }, listen: undefined });
    const ticket = fleet.ticket(a, b, 'destination', { transfer: 'probe' });
    const ask = async () => {
      const answer = await b
        .link()!
        .ask<{ attempts: { proxy: string; steps: { step: string }[]; fault?: FaultReport }[] }>('POST', '/reach', {
          address: a.address,
          pin: a.node.pin,
          ticket,
        });
      return answer.attempts[0]!;
    };
    const good = await ask();
    expect(good.proxy).toBe(proxy.address);
    expect(good.steps.map(({ step }) => step)).toEqual(['tcp', 'proxy', 'tls', 'certificate', 'ticket']);
    proxy.answer = 502;
    expect((await ask()).fault).toMatchObject({ code: 'proxy.unreachable', details: { step: 'proxy' } });
  });
});

describe('what a proxy does wrong has a name of its own', () => {
  const dial = async (url: string, credentials = '') => {
    const stranger = await createIdentity('dialer');
    const way = createWay({ url, credentials });
    const [host = '', port = ''] = fleet.server.address.split(':');
    return dialIdentity({ host, port: Number(port) }, stranger, fleet.server.identity.pin, signal, { way });
  };

  test('a wrong password and none at all, never with the password in the text', async () => {
    for (const credentials of ['', 'me:wrong-password']) {
      const error = await dial(proxy.url, credentials).catch((caught: Error) => caught);
      expect(error).toMatchObject({ code: 'proxy.credentials', message: expect.stringContaining('407') });
      expect(JSON.stringify(error) + (error as Error).message + (error as Error).stack).not.toContain('wrong-password');
    }
  });

  test('a way that it does not allow, and a target that it does not reach', async () => {
    proxy.answer = 403;
    await expect(dial(proxy.url, CREDENTIALS)).rejects.toMatchObject({ code: 'proxy.refused', message: /403/ });
    proxy.answer = 502;
    await expect(dial(proxy.url, CREDENTIALS)).rejects.toMatchObject({ code: 'proxy.unreachable', message: /502/ });
  });

  test('one that is not there, and one that speaks no HTTP', async () => {
    await expect(dial('http://127.0.0.1:1')).rejects.toMatchObject({ code: 'proxy.unreachable' });
    await expect(dial(`http://${fleet.server.address}`)).rejects.toMatchObject({ code: 'proxy.unreachable' });
  });

  test('one that opens TLS is told from another key of the server', async () => {
    proxy.inspect = true;
    await expect(dial(proxy.url, CREDENTIALS)).rejects.toMatchObject({
      code: 'node.untrusted',
      message: /seems to open TLS.*CN=inspecting proxy/,
      remedy: /TLS inspection/,
    });
    const way = createWay({ url: proxy.url, credentials: CREDENTIALS });
    const [host = '', port = ''] = fleet.server.address.split(':');
    const trust = { kind: 'pin', sha256: 'ab'.repeat(32) } as const;
    await expect(dialCloud({ host, port: Number(port) }, trust, 'toy t', signal, { way })).rejects.toMatchObject({
      code: 'cloud.untrusted',
      message: /seems to open TLS/,
    });
  });
});
