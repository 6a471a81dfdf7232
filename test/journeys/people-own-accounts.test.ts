import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Client } from '../../src/protocol/client.ts';
import { type PeopleWorld, startPeopleWorld } from './people-world.ts';
import { until } from './server-installation.ts';
import { inventory } from './server-toy-cloud.ts';
import { options, trust } from './server-toy-pair.ts';
import { Terminal } from './terminal.ts';

let world: PeopleWorld;
let anna: Awaited<ReturnType<PeopleWorld['person']>>;
let bert: Awaited<ReturnType<PeopleWorld['person']>>;

const admin = () => world.server.client;
const refused = (code: string) => expect.objectContaining({ code });
const copy = (name: string) =>
  ({ body: { kind: 'copy', source: 'mine/DC 1/vm/web%2F01 100%25', destination: 'b/DC 1/vm', name } }) as const;
const cloudOf = async (client: Client, name = 'mine') =>
  (await client.listClouds({})).clouds.find((cloud) => cloud.name === name)!;
const names = async (client: Client) =>
  (await client.listObjects({ query: { cloud: 'mine', kinds: 'vm' } })).objects.map(({ name }) => name);
const signIn = (client: Client, username: string, password: string, cloud = 'mine') =>
  client.signInToCloud({ cloud, body: { options: { username, password } } });
const stateOf = (client: Client, job: string, ...states: string[]) =>
  until(
    () => client.getJob({ job }),
    ({ state }) => states.includes(state),
  );

beforeAll(async () => {
  world = await startPeopleWorld();
  const only = (...ids: string[]) => inventory().filter(({ id, kind }) => kind !== 'vm' || ids.includes(id));
  world.left.people.set('anna-there', { password: 'of anna', objects: only('vm-1') });
  world.left.people.set('bert-there', { password: 'of bert', objects: only('vm-2') });
  const body = { name: 'mine', node: 'left', driver: 'toy', options, trust, signIn: 'own' } as const;
  await admin().addCloud({ body });
  anna = await world.person('anna');
  bert = await world.person('bert');
  for (const account of ['anna', 'bert']) {
    const allow = { account, effect: 'allow' } as const;
    await admin().addGrant({ body: { ...allow, at: 'mine', rights: ['see'] } });
    await admin().addGrant({ body: { ...allow, at: 'b', rights: ['see', 'copy-in'] } });
  }
}, 60_000);
afterAll(() => world?.[Symbol.asyncDispose]());

test('everybody sees what the cloud shows to their own account, and nothing before they signed in', async () => {
  const { client: stranger } = await world.person('stranger');
  await expect(signIn(stranger, 'anna-there', 'of anna')).rejects.toEqual(refused('object.missing'));
  for (const client of [anna.client, admin()]) await expect(names(client)).rejects.toEqual(refused('cloud.signed-out'));
  await expect(anna.client.startJob(copy('x'))).rejects.toEqual(refused('cloud.signed-out'));
  expect(await cloudOf(anna.client)).toMatchObject({ ownAccounts: true, signedIn: false, objects: 0 });

  await expect(signIn(anna.client, 'anna-there', 'wrong')).rejects.toEqual(refused('auth.refused'));
  await expect(signIn(anna.client, 'x', 'y', 'b')).rejects.toEqual(refused('input.invalid'));
  const elsewhere = { ...options, username: 'anna-there' };
  await expect(anna.client.signInToCloud({ cloud: 'mine', body: { options: elsewhere } })).rejects.toThrow(
    /url of mine is the same for everybody/,
  );
  const terminal = await Terminal.open();
  await using _ = terminal;
  const { url, fingerprint } = world.server.ready;
  const words = ['clouds', 'sign-in', 'mine', '--username', 'anna-there', '--json'];
  const said = await terminal.run(words, {
    ...{ CLOUDSPAN_SERVER: url, CLOUDSPAN_FINGERPRINT: fingerprint, CLOUDSPAN_TOKEN: anna.token },
    CLOUD_PASSWORD: 'of anna',
  });
  expect([said.stderr, said.json]).toEqual(['', expect.objectContaining({ signedIn: true })]);
  await signIn(bert.client, 'bert-there', 'of bert');
  for (const [client, wanted] of [
    [anna.client, 'web/01 100%'],
    [bert.client, 'twin'],
  ] as const) {
    await until(
      () => names(client),
      (seen) => seen.length > 0,
    );
    expect(await names(client)).toEqual([wanted]);
  }
  const { id } = await cloudOf(anna.client);
  expect((await anna.client.listObjects({ query: { cloud: id, kinds: 'vm' } })).objects).toMatchObject([{ cloud: id }]);
  await anna.client.power({ cloud: id, object: 'vm-1', body: { action: 'off' } });
  await expect(bert.client.power({ cloud: id, object: 'vm-1', body: { action: 'off' } })).rejects.toEqual(
    refused('object.missing'),
  );
  expect((await admin().listClouds({})).clouds.map(({ name }) => name)).toEqual(['a', 'b', 'mine']);
});

test('a job runs with the sign-in of whoever started it, and others see no more of it than of its other end', async () => {
  world.left.hold = true;
  const { id } = await anna.client.startJob(copy('of anna'));
  const [work] = await until(
    async () => [...world.left.works.values()],
    ({ length }) => length > 0,
  );
  expect(world.left.users.get(work?.order.cloud ?? '')).toBe('anna-there');
  const seen = await bert.client.getJob({ job: id });
  expect(seen).toMatchObject({ hidden: ['source'], source: '(not shown)' });
  await expect(bert.client.cancelJob({ job: id })).rejects.toEqual(refused('auth.forbidden'));
  await expect(anna.client.signOutOfCloud({ cloud: 'mine' })).rejects.toEqual(refused('object.in-use'));
  await expect(admin().deleteAccount({ account: 'anna' })).rejects.toEqual(refused('object.in-use'));
  await expect(admin().removeCloud({ cloud: 'mine' })).rejects.toEqual(refused('object.in-use'));
  world.left.hold = false;
  expect((await stateOf(anna.client, id, 'succeeded', 'failed')).failure).toBeUndefined();
  expect((await admin().getJob({ job: id })).receipt?.source.cloud).toBe('mine');
});

test('a password that the cloud does not take any more makes the job wait, say the way on, and go on by it', async () => {
  const person = world.left.people.get('anna-there')!;
  person.password = 'a newer one';
  world.left.loseSessions();
  await until(
    () => cloudOf(anna.client),
    ({ state }) => state === 'failed',
  );
  const logins = () => world.left.tries.filter((user) => user === 'anna-there').length;
  const before = logins();
  const { id } = await anna.client.startJob(copy('later'));
  const waiting = await until(
    () => anna.client.getJob({ job: id }),
    ({ steps }) => steps.some(({ text }) => text?.includes('does not take the sign-in')),
  );
  expect(waiting.state).toBe('waiting');
  await world.server.restart();
  await until(
    () => admin().listNodes({}),
    ({ nodes }) => nodes.every(({ connected }) => connected),
  );
  await stateOf(anna.client, id, 'waiting');
  expect(logins() - before).toBeLessThanOrEqual(2);
  await signIn(anna.client, 'anna-there', 'a newer one');
  expect((await stateOf(anna.client, id, 'succeeded', 'failed')).failure).toBeUndefined();
});

test('what is forbidden here stays forbidden, and who signs out sees nothing any more', async () => {
  await signIn(admin(), 'anna-there', 'a newer one');
  await until(
    () => names(admin()),
    (seen) => seen.length > 0,
  );
  const mark = { account: null, at: 'mine/DC 1/vm', effect: 'forbid', rights: ['copy-out'] } as const;
  const { number } = await admin().addGrant({ body: { ...mark, rights: [...mark.rights] } });
  await expect(anna.client.startJob(copy('x'))).rejects.toThrow(/copy-out is forbidden for everybody/);
  await admin().removeGrant({ grant: String(number) });
  await anna.client.signOutOfCloud({ cloud: 'mine' });
  await expect(names(anna.client)).rejects.toEqual(refused('cloud.signed-out'));
  expect(await names(bert.client)).toEqual(['twin']);
  await admin().deleteAccount({ account: 'bert' });
  expect([...world.left.sessions.keys()].filter((id) => world.left.users.get(id) === 'bert-there')).toEqual([]);
});

test('a cloud without any account but those of people is tried when it is added, and that account is forgotten', async () => {
  const body = { name: 'bare', node: 'left', driver: 'toy', trust, signIn: 'own-only' } as const;
  const account = { ...options, username: 'anna-there', password: 'a newer one' };
  await expect(admin().addCloud({ body: { ...body, options: { ...account, password: 'x' } } })).rejects.toEqual(
    refused('auth.refused'),
  );
  const { id, options: kept } = await admin().addCloud({ body: { ...body, options: account } });
  expect(kept).toEqual({ url: options.url });
  expect(world.left.sessions.has(id)).toBe(false);
  await signIn(admin(), 'anna-there', 'a newer one', 'bare');
  await until(
    () => admin().listObjects({ query: { cloud: 'bare', kinds: 'vm' } }),
    ({ objects }) => objects.length === 1,
  );
  await admin().removeCloud({ cloud: 'bare' });
  expect([...world.left.sessions.keys()].some((session) => session.startsWith(id))).toBe(false);
});
