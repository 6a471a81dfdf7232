import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { request } from 'node:https';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { InventoryObject } from '../../src/model/inventory.ts';
import type { LiveSearchEvent, SearchHit } from '../../src/protocol/api/search.ts';
import { type PeopleWorld, startPeopleWorld } from './people-world.ts';
import { send, until } from './server-installation.ts';
import { machine } from './server-toy-cloud.ts';

const run = promisify(execFile);
let world: PeopleWorld;

const shop = (id: string, name: string, more: Partial<InventoryObject> = {}): InventoryObject => {
  const plain = machine(id, name, 'on');
  const facts = {
    ...plain.machine,
    guest: 'Ubuntu Linux (64-bit)',
    host: 'esx-7.example.com',
    ips: ['10.20.30.40'],
    nics: [{ mac: '00:50:56:ab:cd:ef', network: 'shop lan', connected: true }],
  } as NonNullable<InventoryObject['machine']>;
  return { ...plain, owner: 'Zoë', tags: ['tier=front'], machine: facts, ...more };
};

beforeAll(async () => {
  world = await startPeopleWorld();
  world.left.tell({ type: 'put', objects: [shop('vm-70', 'checkout-01')] });
  await until(
    () => find('checkout'),
    (hits) => hits.length === 1,
  );
}, 60_000);
afterAll(() => world?.[Symbol.asyncDispose]());

const find = async (q: string) => (await world.server.client.search({ query: { q } })).hits;
const names = (hits: SearchHit[]) => hits.map(({ cloudName, name }) => `${cloudName}/${name}`);

test('a machine is found by everything that people know of it', async () => {
  for (const q of [
    'CHECK',
    'kout-01',
    '10.20.30',
    'ip:10.20.30.40',
    '00-50-56-AB',
    '0050.56ab.cdef',
    'mac:50:56:ab:cd',
    'network:"shop lan"',
    'os:ubuntu power:on',
    'tag:front',
    'owner:zoe',
    'host:esx-7',
    'cloud:a check kind:vm',
    'check -payroll -power:off',
  ]) {
    expect([q, names(await find(q))]).toEqual([q, ['a/checkout-01']]);
  }
  expect(await find('check power:off')).toEqual([]);
  expect(await find('check cloud:b')).toEqual([]);
  expect((await find('checkout'))[0]).toMatchObject({ path: '/DC 1/vm/checkout-01', kind: 'vm', id: 'vm-70' });
});

test('pages follow one another over all clouds', async () => {
  const { client } = world.server;
  const seen: string[] = [];
  for (let cursor: string | undefined; ; ) {
    const { hits, next } = await client.search({ query: { q: 'kind:vm', limit: 3, cursor } });
    seen.push(...hits.map(({ cloudName, id }) => `${cloudName}/${id}`));
    if (next === undefined) break;
    cursor = next;
  }
  expect(new Set(seen).size).toBe(seen.length);
  expect(seen).toHaveLength((await find('kind:vm')).length);
  await expect(client.search({ query: { q: 'web', cursor: 'nonsense' } })).rejects.toMatchObject({
    code: 'input.invalid',
  });
});

test('nobody finds what they may not see, and a grant of a folder shows what is in it', async () => {
  const { client } = await world.person('searcher');
  const found = async (q: string) => names((await client.search({ query: { q } })).hits);
  expect(await found('payroll')).toEqual([]);
  const at = 'a/DC 1/vm/secret';
  await world.server.client.addGrant({ body: { account: 'searcher', at, effect: 'allow', rights: ['see'] } });
  expect(await found('payroll')).toEqual(['a/payroll']);
  expect(await found('kind:vm')).toEqual(['a/payroll']);
  expect(await found('checkout')).toEqual([]);
  await world.server.client.addGrant({ body: { account: null, at, effect: 'forbid', rights: ['see'] } });
  expect(await found('payroll')).toEqual([]);
  expect(names(await find('payroll cloud:a'))).toEqual(['a/payroll']);
});

test('a live search tells what is added, changed and removed', async () => {
  const { stream, events } = await listen('q=live&limit=10');
  const told = (count: number) =>
    until(
      async () => events,
      (all) => all.length >= count,
    );
  try {
    expect((await told(1))[0]).toEqual({ type: 'hits', hits: [] });
    world.left.tell({ type: 'put', objects: [shop('vm-81', 'live-b')] });
    expect((await told(2))[1]).toMatchObject({
      type: 'change',
      removed: [],
      placed: [{ at: 0, what: 'added', hit: { id: 'vm-81' } }],
    });
    // Something that does not fit tells nothing.
    world.left.tell({ type: 'put', objects: [shop('vm-82', 'other')] });
    world.right.tell({ type: 'put', objects: [shop('vm-81', 'live-a')] });
    expect((await told(3))[2]).toMatchObject({ placed: [{ at: 0, what: 'added', hit: { name: 'live-a' } }] });
    world.left.tell({ type: 'put', objects: [shop('vm-81', 'live-b', { owner: 'Yann' })] });
    expect((await told(4))[3]).toMatchObject({
      removed: [],
      placed: [{ at: 1, what: 'changed', hit: { owner: 'Yann' } }],
    });
    const { cloud } = (await find('live-a'))[0] as SearchHit;
    world.right.tell({ type: 'gone', ids: ['vm-81'] });
    expect((await told(5))[4]).toEqual({ type: 'change', removed: [{ cloud, id: 'vm-81' }], placed: [] });
  } finally {
    stream.destroy();
  }
  const refused = await send(world.server.ready.url, { method: 'GET', path: '/api/v1/search/live?q=x' }, '');
  expect(refused.status).toBe(401);
});

test('the command line finds the same', async () => {
  const { url, fingerprint } = world.server.ready;
  const env = {
    ...process.env,
    CLOUDSPAN_SERVER: url,
    CLOUDSPAN_FINGERPRINT: fingerprint,
    CLOUDSPAN_TOKEN: world.server.token,
  };
  const main = join(import.meta.dirname, '../../src/main.ts');
  const cli = async (...words: string[]) => (await run(process.execPath, [main, 'search', ...words], { env })).stdout;
  expect(await cli('check', 'network:shop lan')).toMatch(/a +vm +\/DC 1\/vm\/checkout-01 +on +10\.20\.30\.40 +Zoë/);
  const { hits } = JSON.parse(await cli('--json', 'checkout', '--', '-power:off')) as { hits: SearchHit[] };
  expect(names(hits)).toEqual(['a/checkout-01']);
  expect(await cli('no such machine')).toContain('nothing that you may see fits');
});

async function listen(query: string) {
  const events: LiveSearchEvent[] = [];
  const stream = request(`${world.server.ready.url}/api/v1/search/live?${query}`, {
    rejectUnauthorized: false,
    headers: { authorization: `Bearer ${world.server.token}` },
  });
  stream.on('response', (answer) => {
    let rest = '';
    answer.setEncoding('utf8').on('data', (text: string) => {
      const parts = (rest + text).split('\n\n');
      rest = parts.pop() ?? '';
      for (const part of parts)
        if (part.startsWith('data: ')) events.push(JSON.parse(part.slice(6)) as LiveSearchEvent);
    });
  });
  stream.on('error', () => {});
  stream.end();
  await once(stream, 'response');
  return { stream, events };
}
