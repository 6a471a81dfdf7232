import { afterEach, beforeEach, expect, test } from 'vitest';
import { BLOCK_BYTES } from '../../src/model/block-map.ts';
import { disksOf } from '../../src/model/machine.ts';
import type { WorkState } from '../../src/protocol/work.ts';
import { exportOrder, follow, importOrder } from './fake-server.ts';
import { Fleet, type Member } from './fleet.ts';
import { type MemoryMachine, putMachine } from './memory-cloud.ts';

const LINEAGE = 'a/vm-1';
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

const start = (member: Member, work: string, order: unknown) =>
  member.link()!.ask<WorkState>('PUT', `/work/${work}`, order);

async function copy(job: string, name: string, to = b): Promise<WorkState> {
  const ticket = fleet.ticket(a, to, 'destination', { transfer: `t-${job}` });
  await start(a, `${job}.export`, { ...exportOrder({ object: 'vm-1', ticket, cloud: 'a' }), job });
  const cloud = to === b ? 'b' : 'small';
  await start(to, `${job}.import`, { ...importOrder({ name, ticket, cloud }), job, lineage: LINEAGE });
  await follow(() => a.link(), `${job}.export`);
  const state = await follow(() => to.link(), `${job}.import`);
  expect([state.phase, state.fault]).toEqual(['done', undefined]);
  for (const [member, work] of [
    [a, `${job}.export`],
    [to, `${job}.import`],
  ] as const)
    await member.link()!.ask('DELETE', `/work/${work}`);
  return state;
}

/** Reads what was copied out of the destination, as the version that the next copy is compared with. */
async function readSeed(job: string, object: string, machine: MemoryMachine, from = b, epoch = 1): Promise<WorkState> {
  const disks = disksOf(machine.description).map(({ id }) => id);
  const cloud = from === b ? 'b' : 'small';
  const order = { kind: 'read', epoch, owner: 'team', job, cloud, marker: 'm-1', object };
  await start(from, `${job}.seed`, { ...order, remember: { lineage: LINEAGE, disks } });
  const state = await follow(() => from.link(), `${job}.seed`);
  expect([state.phase, state.fault]).toEqual(['done', undefined]);
  return state;
}

function changeOnePageOfEach(machine: MemoryMachine): void {
  for (const blocks of machine.blocks.values()) for (const data of blocks.values()) data.fill(7, 8192, 12_288);
}

test('what the storage no longer holds is read at the destination, and only what differs from it travels', async () => {
  const machine = putMachine(a.world, 'vm-1', [24, 7]);
  const first = await copy('one', 'copy-1');
  const allBytes = first.progress!.wireBytes;
  expect(allBytes).toBe(16 * BLOCK_BYTES);
  await b.link()!.ask('DELETE', '/owners/team');
  changeOnePageOfEach(machine);
  const { result } = await readSeed('two', 'copy-1', machine);
  expect(result?.disks.map(({ level }) => level)).toEqual(['readback', 'readback']);
  const second = await copy('two', 'copy-2');
  expect(second.result?.disks.map(({ root }) => root)).not.toEqual(first.result?.disks.map(({ root }) => root));
  expect(second.progress!.wireBytes).toBeLessThan(allBytes / 20);
  const { storage } = await b.link()!.ask<{ storage: { liveBytes: number } }>('GET', '/about');
  expect(storage.liveBytes).toBe(0);
});

test('what the storage still holds is not read again', async () => {
  const machine = putMachine(a.world, 'vm-1', [12]);
  await copy('one', 'copy-1');
  const { result } = await readSeed('two', 'copy-1', machine);
  expect(result?.disks).toEqual([]);
  expect(b.world.opened).toBe(0);
  await b.link()!.ask('DELETE', '/owners/team');
  const retried = await readSeed('two', 'copy-1', machine, b, 2);
  expect(retried.result?.disks).toHaveLength(1);
  expect(b.world.opened).toBe(1);
});

test('a seed that is larger than the storage is kept as far as it fits', async () => {
  const small = await fleet.add('small', { transferLimitBytes: 6 * BLOCK_BYTES });
  await small.openSession();
  const machine = putMachine(a.world, 'vm-1', [40]);
  const first = await copy('one', 'copy-1', small);
  await small.link()!.ask('DELETE', '/owners/team');
  let read = 0;
  small.world.onRead = async () => void read++;
  const { log, result } = await readSeed('two', 'copy-1', machine, small);
  expect(read).toBeLessThan(20);
  expect(result?.disks).toEqual([]);
  expect(log.map(({ text }) => text).join('\n')).toContain('not all of what was read is kept');
  const second = await copy('two', 'copy-2', small);
  expect(second.result?.disks).toEqual(first.result?.disks);
  expect(second.progress!.wireBytes).toBeLessThan(first.progress!.wireBytes);
});

test('a seed that is read no further than to its middle leaves nothing that fills the storage', async () => {
  const machine = putMachine(a.world, 'vm-1', [24]);
  await copy('one', 'copy-1');
  await b.link()!.ask('DELETE', '/owners/team');
  let hold = true;
  b.world.onRead = async (_disk, index) => {
    while (hold && index >= 12) await new Promise((resolve) => setTimeout(resolve, 10));
  };
  const disks = disksOf(machine.description).map(({ id }) => id);
  const order = { kind: 'read', epoch: 1, owner: 'team', job: 'two', cloud: 'b', marker: 'm-1', object: 'copy-1' };
  await start(b, 'two.seed', { ...order, remember: { lineage: LINEAGE, disks } });
  await follow(
    () => b.link(),
    'two.seed',
    (state) => (state.progress?.doneBytes ?? 0) >= 10 * BLOCK_BYTES,
  );
  await expect(b.link()!.ask('DELETE', '/owners/team')).rejects.toMatchObject({ code: 'job.state' });
  await b.link()!.ask('POST', '/work/two.seed/cancel', { epoch: 1 });
  hold = false;
  const ended = await follow(() => b.link(), 'two.seed');
  expect(ended.phase).toBe('cancelled');
  expect(ended.ledger.map(({ state }) => state)).toEqual(['removed']);
  const { storage } = await b.link()!.ask<{ storage: { liveBytes: number } }>('GET', '/about');
  expect(storage.liveBytes).toBe(0);
});
