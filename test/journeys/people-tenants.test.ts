import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Client } from '../../src/protocol/client.ts';
import { type PeopleWorld, startPeopleWorld } from './people-world.ts';
import { type FakeNode, startFakeNode } from './server-fake-node.ts';
import { until } from './server-installation.ts';
import { options, trust } from './server-toy-pair.ts';

const WORD = 'a long word of a tenant';

interface Firm {
  client: Client;
  token: string;
  node: FakeNode;
}

let world: PeopleWorld;
let acme: Firm;
let globex: Firm;

/** A tenant with an administrator, a node `near` and clouds `vc` and `vcd`, all named as the other's. */
async function found(tenant: string): Promise<Firm> {
  const { client: provider } = world.server;
  await provider.createTenant({ body: { name: tenant } });
  await provider.createAccount({ body: { name: 'boss', role: 'administrator', password: WORD, tenant } });
  const { token } = await world.as('').login({ body: { user: `boss@${tenant}`, password: WORD } });
  const client = world.as(token);
  const node = await startFakeNode('near', (await client.createJoinToken({ body: {} })).token);
  await until(
    () => client.listNodes({}),
    ({ nodes }) => nodes.some(({ connected, drivers }) => connected && drivers.length > 0),
  );
  for (const name of ['vc', 'vcd'])
    await client.addCloud({ body: { name, node: 'near', driver: 'toy', options, trust } });
  await until(
    () => client.listClouds({}),
    ({ clouds }) => clouds.every(({ objects }) => objects > 0),
  );
  return { client, token, node };
}

beforeAll(async () => {
  world = await startPeopleWorld();
  acme = await found('acme');
  globex = await found('globex');
}, 60_000);
afterAll(async () => {
  await acme?.node.close();
  await globex?.node.close();
  await world?.[Symbol.asyncDispose]();
});

const refused = (code: string) => expect.objectContaining({ code });
const copy = (source: string, destination: string, name: string) =>
  ({ body: { kind: 'copy', source, destination, name } }) as const;
const ended = (client: Client, job: string) =>
  until(
    () => client.getJob({ job }),
    ({ state }) => ['succeeded', 'failed', 'cancelled'].includes(state),
  );
const idOf = async (client: Client, name: string) =>
  (await client.listClouds({})).clouds.find((cloud) => cloud.name === name)!.id;

test('each tenant has its own, under the same names, and sees nothing of the others or of the installation', async () => {
  expect(await acme.client.me({})).toMatchObject({ user: 'boss@acme', role: 'administrator', tenant: 'acme' });
  for (const { client } of [acme, globex]) {
    expect((await client.listClouds({})).clouds.map(({ name }) => name)).toEqual(['vc', 'vcd']);
    expect((await client.listNodes({})).nodes.map(({ name }) => name)).toEqual(['near']);
    expect((await client.listAccounts({})).accounts).toHaveLength(1);
    await expect(client.listTenants({})).rejects.toEqual(refused('auth.forbidden'));
    await expect(client.listAlarms({})).rejects.toEqual(refused('auth.forbidden'));
    await expect(client.doctor({})).rejects.toEqual(refused('auth.forbidden'));
  }
  const [mine, foreign] = [await idOf(acme.client, 'vc'), await idOf(globex.client, 'vc')];
  expect(mine).not.toBe(foreign);
  const { nodes } = await globex.client.listNodes({});
  const tries = [
    () => acme.client.testCloud({ cloud: foreign }),
    () => acme.client.checkCloud({ cloud: foreign }),
    () => acme.client.getCloudCertificate({ cloud: foreign }),
    () => acme.client.trustCloud({ cloud: foreign, body: { trust } }),
    () => acme.client.checkNewCloud({ body: { name: 'x', node: nodes[0]?.id ?? '', driver: 'toy', options, trust } }),
    () => acme.client.removeCloud({ cloud: foreign }),
    () => acme.client.removeCloud({ cloud: 'a' }),
    () => acme.client.removeNode({ node: nodes[0]?.id ?? '' }),
    () => acme.client.listObjects({ query: { cloud: foreign, parent: 'root' } }),
    () => acme.client.power({ cloud: foreign, object: 'vm-1', body: { action: 'on' } }),
    () => acme.client.probeCloud({ body: { node: 'left', driver: 'toy', options } }),
    () => acme.client.addCloud({ body: { name: 'x', node: nodes[0]?.id ?? '', driver: 'toy', options, trust } }),
    () => acme.client.resetPassword({ account: 'boss@globex', body: { password: WORD } }),
    () => acme.client.deleteAccount({ account: 'admin' }),
    () => acme.client.addGrant({ body: { account: 'boss@globex', at: 'vc', effect: 'allow', rights: ['see'] } }),
    () => acme.client.startJob(copy('vc/DC 1/vm/web%2F01 100%25', 'b/DC 1/vm', 'x')),
  ];
  for (const attempt of tries) await expect(attempt()).rejects.toEqual(refused('object.missing'));
  expect((await acme.client.checkCloud({ cloud: 'vc' })).fault).toBeUndefined();
  await expect(acme.client.getConcurrency({})).rejects.toEqual(refused('auth.forbidden'));
  const elsewhere = { name: 'spy', role: 'administrator', password: WORD, tenant: 'globex' } as const;
  await expect(acme.client.createAccount({ body: elsewhere })).rejects.toEqual(refused('auth.forbidden'));
  await expect(acme.client.createJoinToken({ body: { tenant: 'globex' } })).rejects.toEqual(refused('auth.forbidden'));
});

test('its administrator makes people and grants, which reach no further than the tenant', async () => {
  const { name } = await acme.client.createAccount({ body: { name: 'anna', role: 'operator', password: WORD } });
  expect(name).toBe('anna@acme');
  const provider = world.server.client;
  await provider.createAccount({ body: { name: 'anna', role: 'operator', password: WORD, tenant: 'globex' } });
  const anna = world.as((await world.as('').login({ body: { user: name, password: WORD } })).token);
  expect((await anna.listClouds({})).clouds).toEqual([]);
  const given = await acme.client.addGrant({ body: { account: name, at: 'vc', effect: 'allow', rights: ['see'] } });
  await provider.addGrant({ body: { account: null, at: 'a', effect: 'allow', rights: ['see'] } });
  expect((await anna.listClouds({})).clouds.map((cloud) => cloud.name)).toEqual(['vc']);
  const abroad = { account: name, at: 'a', effect: 'allow' as const, rights: ['see' as const] };
  await expect(provider.addGrant({ body: abroad })).rejects.toEqual(refused('input.invalid'));
  await expect(globex.client.removeGrant({ grant: String(given.number) })).rejects.toEqual(refused('object.missing'));
  expect((await globex.client.listGrants({ query: {} })).grants).toEqual([]);
  expect((await acme.client.listGrants({ query: {} })).grants.map(({ number }) => number)).toEqual([given.number]);
  const nightly = { name: 'nightly', scope: 'read', expiresInDays: 1 } as const;
  const { id } = await anna.createToken({ body: nightly });
  expect((await globex.client.listTokens({})).tokens).toEqual([]);
  await expect(globex.client.revokeToken({ token: id })).rejects.toEqual(refused('object.missing'));
  expect((await acme.client.listTokens({})).tokens.map((token) => token.account)).toEqual([name]);
  await acme.client.revokeToken({ token: id });
});

test('its jobs run under the tenant as owner, and are known to nobody else but the installation', async () => {
  const stream = await world.listen(globex.token);
  acme.node.hold = true;
  const { id } = await acme.client.startJob(copy('vc/DC 1/vm/web%2F01 100%25', 'vcd/DC 1/vm', 'of acme'));
  const works = await until(
    async () => [...acme.node.works.values()],
    ({ length }) => length === 2,
  );
  const owners = new Set(works.map(({ order }) => order.owner));
  acme.node.hold = false;
  expect((await ended(acme.client, id)).failure).toBeUndefined();
  const { tenants } = await world.server.client.listTenants({});
  const tenant = tenants.find(({ name }) => name === 'acme')?.id;
  expect([...owners]).toEqual([tenant]);
  expect((await acme.client.listJobs({ query: {} })).jobs.map((job) => job.id)).toEqual([id]);
  expect((await globex.client.listJobs({ query: {} })).jobs).toEqual([]);
  await expect(globex.client.getJob({ job: id })).rejects.toEqual(refused('object.missing'));
  expect((await world.server.client.getJob({ job: id })).id).toBe(id);
  expect(stream.seen.filter(({ type }) => type === 'job' || type === 'cloud' || type === 'node')).toEqual([]);
  stream.stop();
});

test('the installation sees all, has to say which of two is meant, and copies nothing from one tenant to another', async () => {
  const provider = world.server.client;
  expect((await provider.listClouds({})).clouds).toHaveLength(6);
  await expect(provider.testCloud({ cloud: 'vc' })).rejects.toEqual(refused('object.ambiguous'));
  const [from, to] = [await idOf(acme.client, 'vc'), await idOf(globex.client, 'vc')];
  await expect(
    provider.startJob(copy(`${from}/DC 1/vm/web%2F01 100%25`, `${to}/DC 1/vm`, 'over the wall')),
  ).rejects.toThrow(/belong to different tenants/);
});

test('the audit log of a tenant has what its people did, and names nothing that others have', async () => {
  const foreign = await idOf(globex.client, 'vcd');
  await expect(acme.client.testCloud({ cloud: foreign })).rejects.toEqual(refused('object.missing'));
  const { entries } = await acme.client.listAudit({ query: { limit: 1000 } });
  expect(new Set(entries.map(({ account }) => account))).toEqual(new Set(['boss@acme', 'anna@acme']));
  expect(entries.map(({ operation }) => operation)).toEqual(
    expect.arrayContaining(['login', 'createAccount', 'addCloud', 'startJob']),
  );
  const guessed = entries.filter(({ operation, object }) => operation === 'testCloud' && object.includes(foreign));
  expect(guessed.map(({ object }) => object)).toEqual([`cloud ${foreign}`]);
  expect((await world.server.client.listAudit({ query: { account: 'boss@acme', limit: 1000 } })).entries.length).toBe(
    entries.filter(({ account }) => account === 'boss@acme').length,
  );
});

test("a tenant goes when nothing is left in it, and the last administrator of the installation is no tenant's", async () => {
  const provider = world.server.client;
  await expect(provider.deleteTenant({ tenant: 'globex' })).rejects.toThrow(/2 accounts, 1 nodes and 2 clouds/);
  await expect(provider.deleteAccount({ account: 'admin' })).rejects.toEqual(refused('object.in-use'));
  for (const name of ['vc', 'vcd']) await globex.client.removeCloud({ cloud: name });
  await globex.client.removeNode({ node: 'near' });
  for (const account of ['anna@globex', 'boss@globex']) await provider.deleteAccount({ account });
  await provider.deleteTenant({ tenant: 'globex' });
  expect((await provider.listTenants({})).tenants.map(({ name }) => name)).toEqual(['acme']);
  expect((await acme.client.listClouds({})).clouds).toHaveLength(2);
});
