import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { NodesCheck } from '../../src/protocol/reach.ts';
import { type ConnectProxy, openConnectProxy } from '../reach/connect-proxy.ts';
import { Installation } from './installation.ts';
import { commandLines, filesWith } from './secrets.ts';
import { Terminal } from './terminal.ts';
import { directorWorld, vcenterWorld } from './worlds.ts';

const PASSWORD = 'proxy-Secret-8812';
const CREDENTIALS = `agent:${PASSWORD}`;

/** Both nodes get out through a proxy that asks for a password, and only that way; the clouds let the proxy in alone. */
let site: Installation;
let terminal: Terminal;
let proxy: ConnectProxy;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cloudspan-proxy-'));
  const file = join(folder, 'credentials');
  proxy = await openConnectProxy(CREDENTIALS);
  await writeFile(file, `someone:else:1 no:no\n${proxy.address} ${CREDENTIALS}\n`, { mode: 0o600 });
  terminal = await Terminal.open();
  process.env.CLOUDSPAN_LOG = 'debug';
  site = await Installation.start({
    vcenterWorld,
    directorWorld,
    admits: process.pid,
    extra: (name) =>
      name === 'source' || name === 'destination' ? { words: ['--proxy', proxy.url, '--proxy-credentials', file] } : {},
  });
}, 120_000);
afterAll(async () => {
  await site?.[Symbol.asyncDispose]();
  await terminal?.[Symbol.asyncDispose]();
  await proxy?.[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

const through = () => ({
  CLOUDSPAN_PROXY: proxy.url,
  CLOUDSPAN_PROXY_CREDENTIALS: CREDENTIALS,
  CLOUDSPAN_PASSWORD: site.account.password,
});

describe('a proxy that asks for a password', () => {
  it('carries the command line to the server, and is named when its password is wrong', async () => {
    const { host, fingerprint } = site.account;
    const words = ['login', host, '--fingerprint', fingerprint];
    const before = proxy.asked.filter((target) => target === host).length;
    const wrong = await terminal.run(words, { ...through(), CLOUDSPAN_PROXY_CREDENTIALS: 'agent:Wrong-One-77' });
    expect(wrong.code).toBe(1);
    expect(wrong.stderr).toContain('proxy.credentials');
    expect(wrong.stderr).not.toContain('Wrong-One-77');
    const said = await terminal.run(words, through());
    expect(said.code, said.stderr).toBe(0);
    expect(proxy.asked.filter((target) => target === host).length).toBeGreaterThan(before + 1);
  });

  it('carries every leg of a copy: links, blocks and both clouds', async () => {
    const job = await site.copy({
      source: 'vc/DC1/vm/Web/web-01',
      destination: 'vcd/vdc1',
      networks: { 'VM Network': 'net1' },
    });
    const end = await site.end(job.id);
    expect(end.failure, JSON.stringify(end.failure)).toBeUndefined();
    const { nodes } = await site.client.listNodes({});
    const peer = nodes.find(({ name }) => name === 'destination')?.address;
    const clouds = [...site.gates.values()].map(({ host, port }) => `${host}:${port}`);
    expect(new Set(proxy.asked)).toEqual(new Set([site.account.host, peer, ...clouds]));
    for (const { visits } of site.gates.values()) {
      expect(visits.let).toBeGreaterThan(0);
      expect(visits.refused).toBe(0);
    }
  });

  it('is drawn in the way between the nodes, and named when it blocks', async () => {
    const drawn = await terminal.run(['nodes', 'check', 'source', 'destination'], through());
    expect(drawn.stdout).toContain(`source ──► proxy ${proxy.address} ──► destination (`);
    proxy.answer = 403;
    const said = await terminal.run(['nodes', 'check', 'source', 'destination', '--json'], {});
    const check = said.json as unknown as NodesCheck;
    expect([said.code, check.open]).toEqual([1, false]);
    expect(check.findings.filter(({ outcome }) => outcome === 'fail').map(({ name }) => name)).toEqual([
      'proxy',
      'proxy',
      'proxy',
    ]);
    proxy.answer = undefined;
  });

  it('keeps its password out of logs, command lines and every file of the nodes', async () => {
    const encoded = Buffer.from(CREDENTIALS).toString('base64');
    const log = await site.log();
    for (const secret of [PASSWORD, encoded]) expect(log).not.toContain(secret);
    expect((await commandLines()).join('\n')).not.toContain(PASSWORD);
    expect(await filesWith(site.folder, [PASSWORD, encoded])).toEqual([]);
  });
});
