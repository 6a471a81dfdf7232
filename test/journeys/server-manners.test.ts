import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { CopyRequest } from '../../src/protocol/api/jobs.ts';
import type { FakeNode } from './server-fake-node.ts';
import { type ServerInstallation, until } from './server-installation.ts';
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
    node.hold = true;
    node.calls.length = 0;
    node.works.clear();
  }
});

const start = async (name: string, more: Partial<CopyRequest> = {}) => {
  const request = { kind: 'copy', source: 'a/DC 1/vm/web%2F01 100%25', destination: 'b/DC 1/vm', name } as const;
  const { id } = await server.client.startJob({ body: { ...request, ...more } });
  await until(
    async () => left.works.size + right.works.size,
    (count) => count === 2,
  );
  return id;
};
const inState = (job: string, ...states: string[]) =>
  until(
    () => server.client.getJob({ job }),
    ({ state }) => states.includes(state),
  );
const letGo = () => {
  for (const node of [left, right]) node.hold = false;
};

test('a paused job holds nothing, outlives a kill of the server, and goes on under a higher epoch', async () => {
  const id = await start('paused');
  const { epoch } = left.works.get(`${id}.export`)!.state;
  expect((await server.client.pauseJob({ job: id })).state).toBe('pausing');
  await inState(id, 'paused');
  expect([...left.works.values(), ...right.works.values()].filter(({ state }) => state.phase === 'running')).toEqual(
    [],
  );
  expect(left.calls).toContain('cancelWork export');
  expect(right.calls).toContain('cancelWork import');
  await server.killAndRestart();
  expect((await server.client.getJob({ job: id })).state).toBe('paused');
  await expect(server.client.pauseJob({ job: id })).rejects.toMatchObject({ code: 'job.state' });
  letGo();
  expect((await server.client.resumeJob({ job: id })).state).not.toBe('paused');
  const job = await inState(id, 'succeeded', 'failed');
  expect(job.failure).toBeUndefined();
  await expect(server.client.resumeJob({ job: id })).rejects.toMatchObject({ code: 'job.state' });
  await expect(server.client.pauseJob({ job: id })).rejects.toMatchObject({ code: 'job.state' });
  const { lines } = await server.client.jobLog({ job: id, query: {} });
  expect(lines.map(({ text }) => text).join('\n')).toContain('giving back what is held in the clouds');
  expect(epoch).toBeGreaterThan(0);
});

test('a server that is killed while a job is pausing pauses it after its restart', async () => {
  const id = await start('killed');
  let killed: Promise<void> | undefined;
  left.before = async (operation) => {
    if (operation === 'cancelWork') killed ??= server.killAndRestart();
  };
  await server.client.pauseJob({ job: id });
  await until(
    async () => killed !== undefined,
    (begun) => begun,
  );
  await killed;
  left.before = undefined;
  await inState(id, 'paused');
  letGo();
  await server.client.resumeJob({ job: id });
  expect((await inState(id, 'succeeded', 'failed')).failure).toBeUndefined();
});

test('a paused job that is cancelled is undone and ends', async () => {
  const id = await start('cancelled');
  await server.client.pauseJob({ job: id });
  await inState(id, 'paused');
  left.calls.length = 0;
  right.calls.length = 0;
  await server.client.cancelJob({ job: id });
  const job = await inState(id, 'cancelled', 'failed', 'succeeded');
  expect([job.state, job.failure?.code, job.failure?.leftovers]).toEqual(['cancelled', 'job.cancelled', []]);
  expect(right.calls.join(' ')).toContain('undo');
  const { entries } = await server.client.jobLedger({ job: id });
  expect(entries.filter(({ state }) => state !== 'removed')).toEqual([]);
});

test('a job that is cancelled while it is pausing ends as cancelled', async () => {
  const id = await start('both');
  let held = true;
  left.before = async (operation) => {
    while (held && operation === 'cancelWork') await new Promise((resolve) => setTimeout(resolve, 20));
  };
  await server.client.pauseJob({ job: id });
  expect((await server.client.cancelJob({ job: id })).state).toBe('cancelling');
  held = false;
  left.before = undefined;
  expect((await inState(id, 'cancelled', 'paused')).state).toBe('cancelled');
});

test('a priority goes with the works to both nodes, and so does another one while they run', async () => {
  const id = await start('urgent', { priority: 2 });
  const priorities = () => [left, right].flatMap(({ works }) => [...works.values()].map(({ order }) => order.priority));
  expect(priorities()).toEqual([2, 2]);
  expect((await server.client.setPriority({ job: id, body: { priority: 4 } })).priority).toBe(4);
  await until(
    async () => priorities(),
    (all) => all.every((priority) => priority === 4),
  );
  letGo();
  expect((await inState(id, 'succeeded', 'failed')).priority).toBe(4);
  await expect(server.client.setPriority({ job: id, body: { priority: 1 } })).rejects.toMatchObject({
    code: 'job.state',
  });
  await expect(server.client.setPriority({ job: id, body: { priority: 5 } })).rejects.toMatchObject({
    code: 'input.invalid',
  });
});

test('limits reach the nodes at once, and again when they come back; each hears of its pairs and of its peers', async () => {
  const { client } = server;
  const windows = [{ days: ['mon' as const], from: '08:00', to: '18:00', bitsPerSecond: 5e6 }];
  const limit = { bitsPerSecond: 1e8, timeZone: 'Europe/Berlin', windows };
  const node = await client.setLimit({ node: 'left', body: { limit } });
  expect(node.limit).toEqual(limit);
  expect(left.limits).toEqual({ own: limit, pairs: {}, peers: {} });
  expect(right.limits).toEqual({ own: null, pairs: {}, peers: { [left.identity.pin]: limit } });
  const narrow = { bitsPerSecond: 0, windows: [] };
  await client.setLimit({ node: 'right', body: { to: 'left', limit: narrow } });
  expect(left.limits?.pairs).toEqual({ [right.identity.pin]: narrow });
  expect(right.limits?.pairs).toEqual({ [left.identity.pin]: narrow });
  for (const one of [left, right]) one.limits = null;
  await server.restart();
  await until(
    async () => [left.limits?.own, right.limits?.pairs],
    ([own, pairs]) => own !== undefined && pairs !== undefined,
  );
  expect(left.limits?.own).toEqual(limit);
  const { nodes } = await client.listNodes({});
  const [one, other] = [nodes.find(({ name }) => name === 'left')!, nodes.find(({ name }) => name === 'right')!];
  expect([one.pairs, other.pairs]).toEqual([[{ node: other.id, limit: narrow }], [{ node: one.id, limit: narrow }]]);
  await client.setLimit({ node: 'left', body: { to: 'right', limit: null } });
  await client.setLimit({ node: 'left', body: { limit: null } });
  expect(left.limits).toEqual({ own: null, pairs: {}, peers: {} });
});

test('limits that make no sense are refused', async () => {
  const refused = (body: unknown) =>
    expect(server.client.setLimit({ node: 'left', body: body as never })).rejects.toMatchObject({
      code: 'input.invalid',
    });
  await refused({ limit: { bitsPerSecond: -1, windows: [] } });
  await refused({ limit: { bitsPerSecond: 1, timeZone: 'Atlantis/Capital', windows: [] } });
  await refused({ limit: { bitsPerSecond: 1, windows: [{ days: [], from: '08:00', to: '09:00', bitsPerSecond: 1 }] } });
  await refused({ limit: { bitsPerSecond: 1, windows: [{ days: ['mon'], from: '8', to: '9', bitsPerSecond: 1 }] } });
  await refused({ to: 'left', limit: { bitsPerSecond: 1, windows: [] } });
});
