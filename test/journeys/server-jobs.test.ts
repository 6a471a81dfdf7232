import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { verifyWith } from '../../src/base/identity.ts';
import { faultsOfReceipt, signedText } from '../../src/base/receipts.ts';
import type { CopyRequest, JobView } from '../../src/protocol/api/jobs.ts';
import type { FakeNode } from './server-fake-node.ts';
import { type ServerInstallation, until } from './server-installation.ts';
import { inventory } from './server-toy-cloud.ts';
import { startToyPair, type ToyPair } from './server-toy-pair.ts';

let pair: ToyPair;
let server: ServerInstallation;
let left: FakeNode;
let right: FakeNode;

beforeAll(async () => {
  pair = await startToyPair();
  ({ server, left, right } = pair);
});
afterAll(() => pair?.[Symbol.asyncDispose]());

beforeEach(() => {
  for (const node of [left, right]) {
    node.hold = false;
    node.arrivingRoot = 'a'.repeat(64);
    node.before = undefined;
    node.calls.length = 0;
    node.works.clear();
  }
});

const request = (more: Partial<CopyRequest> = {}): CopyRequest => ({
  kind: 'copy',
  source: 'a/DC 1/vm/web%2F01 100%25',
  destination: 'b/DC 1/vm',
  ...more,
});

const ended = (id: string) =>
  until(
    () => server.client.getJob({ job: id }),
    (job) => ['succeeded', 'failed', 'cancelled'].includes(job.state),
  );

const run = async (more: Partial<CopyRequest> = {}): Promise<JobView> =>
  ended((await server.client.startJob({ body: request(more) })).id);

test('a copy ends with a result, a kept object and a receipt that both nodes signed', async () => {
  const job = await run({ powerOn: true, name: 'new one' });
  expect(job.failure).toBeUndefined();
  expect(job.state).toBe('succeeded');
  expect(job.steps.map(({ name, state }) => `${name} ${state}`)).toEqual([
    'preflight done',
    'transfer done',
    'proof done',
    'keep done',
    'power-on done',
  ]);
  expect(job.result).toMatchObject({
    poweredOn: true,
    object: { cloud: 'b', name: 'new one', path: '/DC 1/vm/new one' },
  });
  const receipt = job.receipt!;
  expect(faultsOfReceipt(receipt, {})).toEqual([]);
  for (const node of [left, right]) {
    expect(
      verifyWith(node.identity.certificate, signedText(receipt), receipt.signatures[node.identity.pin] ?? ''),
    ).toBe(true);
  }
  expect((await server.client.jobLedger({ job: job.id })).entries).toMatchObject([{ state: 'kept', role: 'machine' }]);
  expect(left.calls).toContain('forgetWork export');
  expect(right.calls).toContain('forgetWork import');
  const { lines } = await server.client.jobLog({ job: job.id, query: {} });
  expect(lines.map(({ text }) => text)).toContain('import begins');
});

test('a server that is killed in the middle of a transfer goes on with a higher epoch and starts nothing twice', async () => {
  left.hold = true;
  right.hold = true;
  const { id } = await server.client.startJob({ body: request({ name: 'killed' }) });
  await until(
    async () => right.works.size + left.works.size,
    (count) => count === 2,
  );
  const before = right.works.get(`${id}.import`)?.state.epoch ?? 0;
  await server.killAndRestart();
  await until(
    async () => right.works.get(`${id}.import`)?.state.epoch ?? 0,
    (epoch) => epoch > before,
  );
  left.hold = false;
  right.hold = false;
  const job = await ended(id);
  expect(job.state).toBe('succeeded');
  expect(right.calls.filter((call) => call.startsWith('power'))).toEqual([]);
  expect(job.steps.every(({ state }) => state === 'done')).toBe(true);
});

const moments = ['describe', 'startWork', 'getWork', 'signReceipt', 'keepWork', 'forgetWork', 'power'] as const;

test.each(moments)(
  'a server that is killed while a node answers %s ends the copy right after its restart',
  async (moment) => {
    const struck = Promise.withResolvers<void>();
    for (const node of [left, right]) {
      node.before = async (call) => {
        if (call !== moment) return;
        left.before = undefined;
        right.before = undefined;
        const killed = server.killAndRestart();
        killed.then(struck.resolve, struck.reject);
        await killed;
      };
    }
    if (moment === 'getWork') left.hold = true;
    const { id } = await server.client.startJob({ body: request({ name: `killed at ${moment}`, powerOn: true }) });
    await struck.promise;
    left.hold = false;
    const job = await ended(id);
    expect(job.failure).toBeUndefined();
    expect(job).toMatchObject({ state: 'succeeded', result: { poweredOn: true }, receipt: { job: id } });
    expect((await server.client.jobLedger({ job: id })).entries).toMatchObject([{ state: 'kept' }]);
    expect(left.works.size + right.works.size).toBe(0);
    expect([...left.calls, ...right.calls].filter((call) => /cancel|undo/.test(call))).toEqual([]);
  },
);

test('a server that is stopped in the middle leaves the job as it is and goes on later', async () => {
  left.hold = true;
  right.hold = true;
  const { id } = await server.client.startJob({ body: request({ name: 'stopped' }) });
  await until(
    async () => right.works.size + left.works.size,
    (count) => count === 2,
  );
  await server.restart();
  expect((await server.client.getJob({ job: id })).state).toBe('running');
  left.hold = false;
  right.hold = false;
  expect((await ended(id)).state).toBe('succeeded');
  expect(right.calls).not.toContain('cancelWork import');
});

test('a node that goes away is waited for', async () => {
  right.hold = true;
  const { id } = await server.client.startJob({ body: request({ name: 'patient' }) });
  await until(
    async () => right.works.size,
    (count) => count === 1,
  );
  await right.stop();
  const waiting = await until(
    () => server.client.getJob({ job: id }),
    ({ state }) => state === 'waiting',
  );
  expect(waiting.steps.find(({ name }) => name === 'transfer')?.text).toContain('node right');
  right.hold = false;
  right.start();
  expect((await ended(id)).state).toBe('succeeded');
});

test('roots that differ fail the job, and what was made is undone', async () => {
  right.arrivingRoot = 'b'.repeat(64);
  const job = await run({ name: 'broken' });
  expect(job.failure).toMatchObject({ code: 'transfer.mismatch', leftovers: [] });
  expect(right.calls).toContainEqual(expect.stringMatching(/^startWork import\.undo-1 \d+$/));
  expect((await server.client.jobLedger({ job: job.id })).entries).toMatchObject([{ state: 'removed' }]);
  expect(job.receipt).toBeUndefined();

  right.arrivingRoot = 'a'.repeat(64);
  right.works.clear();
  await server.client.retryJob({ job: job.id });
  const again = await ended(job.id);
  expect(again.state).toBe('succeeded');
  expect(again.failure).toBeUndefined();
});

test('a cancelled job reaches both nodes and says so', async () => {
  left.hold = true;
  right.hold = true;
  const { id, number } = await server.client.startJob({ body: request({ name: 'unwanted' }) });
  await until(
    async () => right.works.size + left.works.size,
    (count) => count === 2,
  );
  await server.client.cancelJob({ job: String(number) });
  left.hold = false;
  right.hold = false;
  const job = await ended(id);
  expect(job).toMatchObject({ state: 'cancelled', failure: { code: 'job.cancelled', leftovers: [] } });
  expect(left.calls).toContain('cancelWork export');
  expect(right.calls).toContain('cancelWork import');
  await expect(server.client.cancelJob({ job: id })).rejects.toMatchObject({ code: 'job.state' });
});

test('a running source is refused, and shut down first when that is asked for', async () => {
  const source = 'a/DC 1/vm/running';
  const refused = await run({ source, name: 'r' });
  expect(refused.failure).toMatchObject({ code: 'preflight.failed', details: { checks: ['machine-powered-off'] } });
  expect(left.calls.filter((call) => !call.startsWith('openSession'))).toEqual([]);
  const job = await run({ source, name: 'r', powerOffSource: true });
  expect(job.state).toBe('succeeded');
  expect(left.calls).toContain('power vm-4 shutdown');
  left.objects = inventory();
});

test('a lost session is opened again by itself', async () => {
  left.loseSessions();
  right.loseSessions();
  expect((await run({ name: 'after a lost session' })).state).toBe('succeeded');
});

test('a cloud and a node in use are not removed', async () => {
  right.hold = true;
  const { id } = await server.client.startJob({ body: request({ name: 'busy' }) });
  await until(
    async () => right.works.size,
    (count) => count === 1,
  );
  await expect(server.client.removeCloud({ cloud: 'a' })).rejects.toMatchObject({ code: 'object.in-use' });
  await expect(server.client.removeNode({ node: 'left' })).rejects.toMatchObject({ code: 'object.in-use' });
  right.hold = false;
  await ended(id);
});

test('requests that name the wrong thing are refused at once', async () => {
  const start = (more: Partial<CopyRequest>) => server.client.startJob({ body: request(more) });
  await expect(start({ source: 'a/DC 1/vm/twin' })).rejects.toMatchObject({
    code: 'object.ambiguous',
    details: { ids: ['vm-2', 'vm-3'] },
  });
  await expect(start({ source: 'a/DC 1/vm' })).rejects.toMatchObject({ code: 'object.wrong-kind' });
  await expect(start({ source: 'a/nowhere' })).rejects.toMatchObject({ code: 'object.missing' });
  await expect(start({ source: 'x/y' })).rejects.toMatchObject({ code: 'object.missing' });
  await expect(start({ destination: 'b/DC 1/vm/twin' })).rejects.toMatchObject({ code: 'object.exists' });
  const networks = { red: 'VM Network' };
  await expect(server.client.preflight({ body: request({ networks }) })).rejects.toMatchObject({
    code: 'input.invalid',
  });
  const unknown = { blue: 'no such' };
  await expect(server.client.preflight({ body: request({ networks: unknown }) })).rejects.toMatchObject({
    details: { networks: ['VM Network', 'VM Network'] },
  });
});

test('a network name that is there twice means the one next to the destination; a new last name is taken', async () => {
  right.hold = true;
  const job = await server.client.startJob({
    body: request({ destination: 'b/DC 1/vm/named', networks: { blue: 'VM Network' }, source: 'a/id:vm-2' }),
  });
  const work = await until(
    async () => right.works.get(`${job.id}.import`),
    (found) => found !== undefined,
  );
  expect(work?.order).toMatchObject({
    order: { name: 'named', destination: 'folder-vm', networks: { blue: 'net-1' } },
    networkNames: { blue: 'VM Network' },
  });
  right.hold = false;
  await ended(job.id);
});
