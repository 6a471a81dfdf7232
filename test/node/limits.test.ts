import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { BLOCK_BYTES } from '../../src/model/block-map.ts';
import type { NodeLimits } from '../../src/model/limit.ts';
import type { WorkState } from '../../src/protocol/work.ts';
import { exportOrder, follow, importOrder } from './fake-server.ts';
import { Fleet, type Member } from './fleet.ts';
import { putMachine } from './memory-cloud.ts';

const MIB = BLOCK_BYTES;
const mebibytes = (perSecond: number) => ({ bitsPerSecond: perSecond * MIB * 8, windows: [] });
const nothing: NodeLimits = { own: null, pairs: {}, peers: {} };

let fleet: Fleet;
let a: Member;
let b: Member;

beforeEach(async () => {
  fleet = await Fleet.start();
  a = await fleet.add('a');
  b = await fleet.add('b');
  await Promise.all([a.openSession(), b.openSession()]);
});
afterEach(() => fleet[Symbol.asyncDispose]());

const limit = (member: Member, limits: Partial<NodeLimits>) =>
  member.link()!.ask('PUT', '/limits', { ...nothing, ...limits });

/** Starts the copy of a machine, or gives a copy that runs another priority. */
async function start(job: string, priority?: number): Promise<void> {
  const ticket = fleet.ticket(a, b, 'destination', { transfer: `t-${job}` });
  const more = priority === undefined ? { job } : { job, priority };
  const orders = {
    export: { ...exportOrder({ object: job, ticket, cloud: 'a' }), ...more },
    import: { ...importOrder({ name: job, ticket, cloud: 'b' }), ...more },
  };
  await b.link()!.ask('PUT', `/work/${job}.import`, orders.import);
  await a.link()!.ask('PUT', `/work/${job}.export`, orders.export);
}

const wireBytes = (state: WorkState) => state.progress?.wireBytes ?? 0;
const arrived = async (job: string) =>
  wireBytes(await b.link()!.ask<WorkState>('GET', `/work/${job}.import?revision=-1&seconds=0`));
const untilArrived = (job: string, bytes: number) =>
  follow(
    () => b.link(),
    `${job}.import`,
    (state) => wireBytes(state) >= bytes,
  );
const end = async (job: string) => {
  const state = await follow(() => b.link(), `${job}.import`);
  expect([state.phase, state.fault]).toEqual(['done', undefined]);
  return state;
};

/** What has come since `begun`, by what the rate allows at most until now: above 1 is too much. */
async function share(job: string, begun: number, bytesPerSecond: number): Promise<number> {
  await new Promise((resolve) => setTimeout(resolve, 3_000));
  return (await arrived(job)) / ((bytesPerSecond * (performance.now() - begun)) / 1000 + 2 * MIB);
}

describe('limits', () => {
  test.each([
    ['where the bytes leave', () => limit(a, { own: mebibytes(4) })],
    ['where they arrive', () => limit(b, { own: mebibytes(4) })],
    ['between a pair', () => limit(a, { pairs: { [b.node.pin]: mebibytes(4) } })],
    ['of the other node', () => limit(a, { peers: { [b.node.pin]: mebibytes(4) } })],
  ])('hold %s, and go while it runs', async (_where, set) => {
    putMachine(a.world, 'vm', [200]);
    await set();
    const begun = performance.now();
    await start('vm');
    await untilArrived('vm', 4 * MIB);
    expect(await share('vm', begun, 4 * MIB)).toBeLessThan(1.1);
    await Promise.all([limit(a, {}), limit(b, {})]);
    expect((await end('vm')).progress?.resentBytes).toBe(0);
  });

  test('of another pair are none of this one', async () => {
    putMachine(a.world, 'vm', [20]);
    await limit(a, { pairs: { other: mebibytes(0) }, peers: { other: mebibytes(0) } });
    await start('vm');
    await end('vm');
  });

  test('that are set while it runs stop it, outlive a restart of the node, and let it go on', async () => {
    putMachine(a.world, 'vm', [120]);
    await limit(a, { own: mebibytes(8) });
    await start('vm');
    await untilArrived('vm', 2 * MIB);
    await limit(a, { own: mebibytes(0) });
    await a.restart();
    await a.openSession();
    // What came before the restart is told twice a second.
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    const before = await arrived('vm');
    expect(before).toBeLessThan(60 * MIB);
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    expect(await arrived('vm')).toBe(before);
    await limit(a, { own: null });
    await end('vm');
  });
});

describe('priorities', () => {
  const bothArrived = async () => Promise.all([arrived('one'), arrived('two')]);

  test('share a limit alike between equals', async () => {
    putMachine(a.world, 'one', [160]);
    putMachine(a.world, 'two', [160]);
    await limit(b, { own: mebibytes(24) });
    await start('one');
    await start('two');
    await untilArrived('one', 12 * MIB);
    await untilArrived('two', 12 * MIB);
    const before = await bothArrived();
    await Promise.race([untilArrived('one', 70 * MIB), untilArrived('two', 70 * MIB)]);
    const [one, two] = (await bothArrived()).map((bytes, index) => bytes - before[index]!) as [number, number];
    expect(Math.min(one, two)).toBeGreaterThan(0.9 * Math.max(one, two) - 4 * MIB);
    await Promise.all([end('one'), end('two')]);
  });

  test('give the higher one twice as much at least, also when it is raised while it runs', async () => {
    putMachine(a.world, 'one', [320]);
    putMachine(a.world, 'two', [320]);
    await limit(a, { own: mebibytes(12) });
    await start('one', 1);
    await start('two', 1);
    await untilArrived('one', 6 * MIB);
    await untilArrived('two', 6 * MIB);
    await start('two', 2);
    // The second of three windows by how much the higher one was ahead: a busy machine may spoil one of them.
    const ahead: number[] = [];
    while (ahead.length < 3) {
      const before = await bothArrived();
      await untilArrived('two', before[1]! + 36 * MIB);
      const after = await bothArrived();
      ahead.push(after[1]! - before[1]! - 2 * (after[0]! - before[0]!));
    }
    expect(ahead.toSorted((one, other) => one - other)[1]).toBeGreaterThan(-2 * MIB);
    await limit(a, {});
    await Promise.all([end('one'), end('two')]);
  });
});
