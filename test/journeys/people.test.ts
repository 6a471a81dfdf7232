import { afterAll, beforeAll, expect, test } from 'vitest';
import { type ApiOperationName, apiOperations } from '../../src/protocol/api.ts';
import { type PeopleWorld, startPeopleWorld } from './people-world.ts';
import { send, until } from './server-installation.ts';

let world: PeopleWorld;
beforeAll(async () => {
  world = await startPeopleWorld();
}, 60_000);
afterAll(() => world?.[Symbol.asyncDispose]());

const admin = () => world.server.client;
const refused = (code: string) => expect.objectContaining({ code });
const copy = (source: string, destination: string, name: string) =>
  ({ body: { kind: 'copy', source, destination, name } }) as const;
const cloudOf = async (name: string) => (await admin().listClouds({})).clouds.find((cloud) => cloud.name === name)!;
const grant = (account: string | null, at: string, ...rights: ('see' | 'operate' | 'copy-out' | 'copy-in')[]) =>
  admin().addGrant({ body: { account, at, effect: 'allow', rights } });
const ended = (job: string) =>
  until(
    () => admin().getJob({ job }),
    ({ state }) => ['succeeded', 'failed', 'cancelled'].includes(state),
  );

test('a new account sees nothing, by any operation, whatever ids it guesses', async () => {
  const { client, token } = await world.person('newcomer');
  const { id: cloud } = await cloudOf('a');
  const job = await admin().startJob(copy('a/DC 1/vm/web%2F01 100%25', 'b/DC 1/vm', 'unseen'));
  await ended(job.id);
  expect((await client.listClouds({})).clouds).toEqual([]);
  expect((await client.listNodes({})).nodes).toEqual([]);
  expect((await client.listJobs({ query: {} })).jobs).toEqual([]);
  expect((await client.listGrants({ query: {} })).grants).toEqual([]);
  expect((await client.listTokens({})).tokens).toEqual([]);
  const values: Record<string, string> = { cloud, object: 'vm-1', job: job.id, reading: 'reading-1', node: 'left' };
  const bodies: Partial<Record<ApiOperationName, unknown>> = {
    power: { action: 'on' },
    setPriority: { priority: 2 },
    preflight: copy('a/DC 1/vm/web%2F01 100%25', 'b/DC 1/vm', 'x').body,
    startJob: copy('a/DC 1/vm/web%2F01 100%25', 'b/DC 1/vm', 'x').body,
    probeCloud: { node: 'left', driver: 'toy', options: {} },
    checkNewCloud: { node: 'left', driver: 'toy', options: {} },
    addCloud: { name: 'x', node: 'left', driver: 'toy', options: {}, trust: { kind: 'pin', sha256: '0'.repeat(64) } },
    createJoinToken: {},
    handPackageKey: {
      package: 'a'.repeat(32),
      sealed: { ephemeral: '', nonce: '', wrapped: '' },
      recipient: '',
    },
    setProvider: { label: 'x', issuer: 'https://x.invalid', clientId: 'x' },
    setLimit: { limit: null },
    checkNodes: { source: 'left', destination: 'right' },
    createAccount: { name: 'x', role: 'administrator', password: 'a long word of mine' },
    changeAccount: { role: 'administrator' },
    resetPassword: { password: 'a long word of mine' },
    setLogLevel: { level: null },
    setRetention: {},
    setConcurrency: {},
    sweep: {},
    acknowledgeAlarm: { key: 'x' },
    setAlarmRules: {},
    addChannel: { name: 'x', target: { kind: 'syslog', host: 'localhost', port: 6514 } },
    releaseHold: {},
    createTenant: { name: 'x' },
    requestCertificate: { names: ['x'] },
    uploadCertificate: { pem: 'x' },
    trustCloud: { trust: { kind: 'pin', sha256: '0'.repeat(64) } },
    addGrant: { account: 'newcomer', at: 'a', effect: 'allow', rights: ['see'] },
  };
  for (const [name, { method, path, needs }] of Object.entries(apiOperations)) {
    if (needs === 'nothing' || needs === 'session' || needs === 'person') continue;
    const url = path.replace(/:(\w+)/g, (_, key: string) => encodeURIComponent(values[key] ?? 'admin'));
    const body = bodies[name as ApiOperationName];
    const question = { method, path: `/api/v1${url}`, ...(body === undefined ? {} : { body: JSON.stringify(body) }) };
    const answer = await send(world.server.ready.url, question, token);
    const wanted = needs === 'administrator' || needs === 'tenant' ? 'auth.forbidden' : 'object.missing';
    expect([name, JSON.parse(answer.text).code]).toEqual([name, wanted]);
    expect(answer.text).not.toContain('Known clouds: a');
  }
  await expect(client.listObjects({ query: { cloud, parent: 'root' } })).rejects.toEqual(refused('object.missing'));
  const guessed = await client.getJob({ job: job.id }).catch((fault) => fault.message);
  const wrong = await client.getJob({ job: 'no-such-job' }).catch((fault) => fault.message);
  expect(guessed.replace(job.id, '')).toBe(wrong.replace('no-such-job', ''));
});

test('a grant shows its folder and the way to it, and nothing else; a viewer cannot power on', async () => {
  const { client } = await world.person('viewer', 'viewer');
  await grant('viewer', 'a/DC 1/vm/secret', 'operate');
  const { id: cloud } = await cloudOf('a');
  const names = async (parent: string) =>
    (await client.listObjects({ query: { cloud: 'a', parent } })).objects.map(({ name }) => name);
  expect((await client.listClouds({})).clouds).toMatchObject([{ name: 'a', options: {} }]);
  expect(await names('root')).toEqual(['DC 1']);
  expect(await names('dc-1')).toEqual(['vm']);
  expect(await names('folder-vm')).toEqual(['secret']);
  expect(await names('folder-secret')).toEqual(['payroll']);
  expect((await client.listObjects({ query: { cloud: 'a', kinds: 'vm,network' } })).objects).toHaveLength(1);
  expect((await client.listObjects({ query: { cloud: 'a', path: '/DC 1/vm/twin' } })).objects).toEqual([]);
  expect((await client.description({ cloud, object: 'vm-secret' })).description).toBeDefined();
  await expect(client.description({ cloud, object: 'vm-1' })).rejects.toEqual(refused('object.missing'));
  const on = { cloud, object: 'vm-secret', body: { action: 'on' } } as const;
  await expect(client.power(on)).rejects.toEqual(refused('auth.forbidden'));
  await expect(client.power({ ...on, object: 'vm-1' })).rejects.toEqual(refused('object.missing'));
  expect(world.left.calls.filter((call) => call.startsWith('power'))).toEqual([]);
  await admin().changeAccount({ account: 'viewer', body: { role: 'operator' } });
  await expect(client.me({})).rejects.toEqual(refused('auth.required'));
});

test('copying needs copy-out at the source and copy-in at the destination, in preflight and at start', async () => {
  const { client } = await world.person('carla');
  const request = copy('a/DC 1/vm/web%2F01 100%25', 'b/DC 1/vm', 'carla 1');
  await grant('carla', 'a/DC 1/vm', 'see');
  await grant('carla', 'b/DC 1/vm', 'see');
  const tries = [() => client.preflight(request), () => client.startJob(request)];
  for (const attempt of tries)
    await expect(attempt()).rejects.toThrow(/carla may not copy anything out of a\/DC 1\/vm\/web/);
  await grant('carla', 'a/DC 1/vm/web%2F01 100%25', 'copy-out');
  for (const attempt of tries) await expect(attempt()).rejects.toThrow(/carla may not copy anything into b\/DC 1\/vm/);
  await grant('carla', 'b/DC 1/vm', 'copy-in');
  expect((await client.preflight(request)).checks.filter(({ outcome }) => outcome === 'fail')).toEqual([]);
  await expect(client.startJob({ body: { ...request.body, powerOn: true } })).rejects.toEqual(
    refused('auth.forbidden'),
  );
  const { id } = await client.startJob(request);
  expect((await ended(id)).failure).toBeUndefined();
  expect((await client.listJobs({ query: {} })).jobs.map((job) => job.id)).toContain(id);
});

test('a folder that never leaves is refused for everybody and says so, in preflight, at start and for what holds it', async () => {
  const body = { account: null, at: 'a/DC 1/vm/secret', effect: 'forbid', rights: ['copy-out'] } as const;
  const mark = await admin().addGrant({ body: { ...body, rights: [...body.rights] } });
  const request = copy('a/DC 1/vm/secret/payroll', 'b/DC 1/vm', 'payroll 1');
  for (const attempt of [() => admin().preflight(request), () => admin().startJob(request)]) {
    await expect(attempt()).rejects.toMatchObject({
      code: 'auth.forbidden',
      message: expect.stringContaining('copy-out is forbidden for everybody at a/DC 1/vm/secret'),
      details: { right: 'copy-out', grant: mark.number },
    });
  }
  await admin().removeGrant({ grant: String(mark.number) });
  expect((await admin().preflight(request)).checks.length).toBeGreaterThan(0);
  const inside = await admin().addGrant({ body: { ...body, at: 'a/DC 1/vm/shop/shop-db', rights: [...body.rights] } });
  await expect(admin().preflight(copy('a/DC 1/vm/shop', 'b/DC 1/vm', 'shop 1'))).rejects.toThrow(
    'at something in a/DC 1/vm/shop',
  );
  await admin().removeGrant({ grant: String(inside.number) });
});

test('a right that is taken back while a job waits stops the job before it touches anything', async () => {
  const { client } = await world.person('dora');
  await grant('dora', 'a/DC 1/vm', 'copy-out');
  await grant('dora', 'b', 'see');
  const inwards = await grant('dora', 'b/DC 1/vm', 'copy-in');
  await world.left.stop();
  await until(
    () => admin().listNodes({}),
    ({ nodes }) => nodes.some(({ name, connected }) => name === 'left' && !connected),
  );
  const { id } = await client.startJob(copy('a/DC 1/vm/web%2F01 100%25', 'b/DC 1/vm', 'dora 1'));
  await admin().removeGrant({ grant: String(inwards.number) });
  world.left.start();
  expect((await ended(id)).failure).toMatchObject({ code: 'auth.forbidden' });
  await expect(client.retryJob({ job: id })).rejects.toEqual(refused('auth.forbidden'));
  await admin().retryJob({ job: id });
  expect((await ended(id)).failure).toBeUndefined();
});

test('the event stream tells only of what is seen', async () => {
  const { token } = await world.person('erik');
  await grant('erik', 'b', 'see');
  const [erik, all] = [await world.listen(token), await world.listen(world.server.token)];
  const { id } = await admin().startJob(copy('a/DC 1/vm/web%2F01 100%25', 'a/DC 1/vm', 'inside of a'));
  await ended(id);
  const seen = await admin().startJob(copy('a/DC 1/vm/web%2F01 100%25', 'b/DC 1/vm', 'into b'));
  await ended(seen.id);
  world.left.tell({ type: 'gone', ids: ['vm-9'] });
  world.right.tell({ type: 'gone', ids: ['vm-9'] });
  const b = await cloudOf('b');
  const jobsOf = (events: typeof erik.seen) =>
    new Set(events.flatMap((event) => (event.type === 'job' && event.job.state === 'succeeded' ? [event.job.id] : [])));
  await until(
    async () => [jobsOf(erik.seen).has(seen.id), erik.seen.some(({ type }) => type === 'inventory')],
    (both) => both.every(Boolean),
  );
  await until(
    async () => all.seen.filter(({ type }) => type === 'inventory').length,
    (count) => count >= 2,
  );
  expect([...jobsOf(erik.seen)]).toEqual([seen.id]);
  expect(jobsOf(all.seen)).toEqual(new Set([id, seen.id]));
  expect(erik.seen.flatMap((event) => (event.type === 'inventory' ? [event.cloud] : []))).not.toContain(
    (await cloudOf('a')).id,
  );
  expect(erik.seen.some((event) => event.type === 'inventory' && event.cloud === b.id)).toBe(true);
  for (const { stop } of [erik, all]) stop();
});

test('of a job with one end that is seen, view, list, log, ledger, undo and events name nothing of the other', async () => {
  const { client, token } = await world.person('gerda');
  const { client: both } = await world.person('heidi');
  await grant('gerda', 'b/DC 1/vm', 'see');
  for (const at of ['a', 'b']) await grant('heidi', at, 'see');
  const gerda = await world.listen(token);
  const { id } = await admin().startJob(copy('a/DC 1/vm/secret/payroll', 'b/DC 1/vm', 'gerda sees this'));
  await ended(id);
  await until(
    async () => gerda.seen.some((event) => event.type === 'job' && event.job.state === 'succeeded'),
    (heard) => heard,
  );
  const told = [
    await client.getJob({ job: id }),
    await client.listJobs({ query: {} }),
    await client.jobLog({ job: id, query: {} }),
    await client.jobLedger({ job: id }),
    await client.previewUndo({ job: id }),
    gerda.seen.filter(({ type }) => type === 'job'),
  ];
  for (const one of told) expect(JSON.stringify(one)).not.toMatch(/payroll|secret|"a"|a\/DC|node left/);
  expect(told[0]).toMatchObject({ hidden: ['source'], source: '(not shown)', destination: 'b/DC 1/vm' });
  expect((await client.jobLedger({ job: id })).entries).toMatchObject([{ cloud: 'b', name: 'gerda sees this' }]);
  expect((await client.listJobs({ query: { text: 'payroll' } })).jobs).toEqual([]);
  expect((await both.listJobs({ query: { text: 'payroll' } })).jobs).toMatchObject([{ id }]);
  expect((await both.getJob({ job: id })).receipt?.source.name).toBe('payroll');
  expect((await both.jobLog({ job: id, query: {} })).lines.length).toBeGreaterThan(1);
  gerda.stop();
});

test('an id that a cloud does not know is not asked for again and again', async () => {
  const { client } = await world.person('ida');
  await grant('ida', 'a', 'see');
  const asked: string[] = [];
  world.left.before = async (operation) => void asked.push(operation);
  const { id: cloud } = await cloudOf('a');
  for (const object of ['vm-guess', 'vm-guess', 'vm-other'])
    await expect(client.description({ cloud, object })).rejects.toEqual(refused('object.missing'));
  world.left.before = undefined;
  expect(asked.filter((operation) => operation === 'getObject')).toHaveLength(2);
});

test('whoever started a job may stop it, others who see it may not, and the rest do not know of it', async () => {
  const { client: frida } = await world.person('frida');
  const { client: guest } = await world.person('guest');
  for (const name of ['frida', 'guest']) await grant(name, 'b', 'see');
  await grant('frida', 'a', 'copy-out');
  await grant('frida', 'b', 'copy-in');
  for (const node of [world.left, world.right]) node.hold = true;
  const { id } = await frida.startJob(copy('a/DC 1/vm/web%2F01 100%25', 'b/DC 1/vm', 'frida 1'));
  await until(
    () => frida.getJob({ job: id }),
    ({ state }) => state === 'running',
  );
  await expect(guest.cancelJob({ job: id })).rejects.toEqual(refused('auth.forbidden'));
  expect((await guest.getJob({ job: id })).id).toBe(id);
  await frida.cancelJob({ job: id });
  expect((await ended(id)).failure).toMatchObject({ code: 'job.cancelled' });
  for (const node of [world.left, world.right]) node.hold = false;
});
