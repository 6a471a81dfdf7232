import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { BLOCK_BYTES, BlockMap, hashBlock } from '../../src/model/block-map.ts';
import { Fault } from '../../src/model/fault.ts';
import { disksOf } from '../../src/model/machine.ts';
import type { WorkState } from '../../src/protocol/work.ts';
import { exportOrder, FakeServer, follow, importOrder, until } from './fake-server.ts';
import { Fleet, type Member } from './fleet.ts';
import { type MemoryMachine, putMachine } from './memory-cloud.ts';

let fleet: Fleet;
let a: Member;
let b: Member;

beforeEach(async () => {
  fleet = await Fleet.start();
  a = await fleet.add('a');
  b = await fleet.add('b', { patience: { standstillSeconds: 20, storageEverySeconds: 0.4 } });
});

afterEach(() => fleet[Symbol.asyncDispose]());

const start = (member: Member, work: string, order: unknown) =>
  member.link()!.ask<WorkState>('PUT', `/work/${work}`, order);

async function startBoth(ticket: string, epoch = 1): Promise<void> {
  await start(b, 'job-1.import', importOrder({ name: 'copy', ticket, cloud: 'b', epoch }));
  await start(a, 'job-1.export', exportOrder({ object: 'vm-1', ticket, cloud: 'a', epoch }));
}

const openBoth = () => Promise.all([a.openSession(), b.openSession()]);
const sent = () => follow(() => a.link(), 'job-1.export');
const arrived = () => follow(() => b.link(), 'job-1.import');

function rootsOf(machine: MemoryMachine | undefined): string[] {
  return disksOf(machine!.description).map((disk) => {
    const map = new BlockMap('disk', disk.capacityBytes);
    for (const [index, data] of machine!.blocks.get(disk.id) ?? []) map.set(index, hashBlock(data));
    return map.root();
  });
}

function expectCopy(left: WorkState, right: WorkState): void {
  expect([left.phase, left.fault, right.phase, right.fault]).toEqual(['done', undefined, 'done', undefined]);
  const roots = rootsOf(a.world.machines.get('vm-1'));
  expect(rootsOf(b.world.machines.get('copy'))).toEqual(roots);
  expect(left.result?.disks.map((disk) => disk.root)).toEqual(roots);
  expect(right.result?.disks.map((disk) => disk.root)).toEqual(roots);
}

describe('a copy between two nodes', () => {
  test.each(['source', 'destination'] as const)('arrives whole when the %s dials', async (dialer) => {
    putMachine(a.world, 'vm-1', [9, 4]);
    await openBoth();
    await startBoth(fleet.ticket(a, b, dialer));
    const [left, right] = await Promise.all([sent(), arrived()]);
    expectCopy(left, right);
    expect(right.result?.differences.filter((one) => one.nature === 'lost')).toEqual([]);
    expect(right.progress).toMatchObject({ totalBytes: 13 * BLOCK_BYTES, doneBytes: 13 * BLOCK_BYTES, resentBytes: 0 });
    expect(left.ledger.map((entry) => entry.state)).toEqual(['removed']);
  });

  test('goes without a socket when one node serves both clouds', async () => {
    const machine = putMachine(a.world, 'vm-1', [5]);
    await a.openSession();
    const { pin } = a.node;
    const ticket = fleet.server.ticket({ transfer: 't-1', source: pin, destination: pin, dialer: 'destination' });
    await start(a, 'job-1.export', exportOrder({ object: 'vm-1', ticket, cloud: 'a' }));
    await start(a, 'job-1.import', importOrder({ name: 'copy', ticket, cloud: 'a' }));
    const right = await follow(() => a.link(), 'job-1.import');
    expect(right.result?.disks.map((disk) => disk.root)).toEqual(rootsOf(machine));
    expect((await sent()).phase).toBe('done');
  });

  test('waits for its sessions for as long as it takes', async () => {
    putMachine(a.world, 'vm-1', [3]);
    await startBoth(fleet.ticket(a, b, 'destination'));
    const waiting = await follow(
      () => b.link(),
      'job-1.import',
      (state) => state.phase === 'waiting',
    );
    expect(waiting.fault?.code).toBe('session.missing');
    await openBoth();
    expectCopy(await sent(), await arrived());
  });

  test('reads a disk anew after the cloud cut it off, and sends no block twice', async () => {
    putMachine(a.world, 'vm-1', [12]);
    let cuts = 1;
    a.world.onRead = async (_disk, index) => {
      if (index >= 6 && cuts-- > 0) throw new Fault('cloud.unreachable', 'memory a: the connection broke');
    };
    await openBoth();
    await startBoth(fleet.ticket(a, b, 'destination'));
    const [left, right] = await Promise.all([sent(), arrived()]);
    expectCopy(left, right);
    expect(a.world.opened).toBe(2);
    expect(right.progress?.wireBytes).toBeLessThan(7 * BLOCK_BYTES);
    expect(left.log.map((line) => line.text).join('\n')).toContain('the connection broke');
  });

  test('goes on when its links are cut and when either node is restarted in the middle', async () => {
    putMachine(a.world, 'vm-1', [24]);
    b.world.onWrite = async (_disk, index) => {
      if (index > 4) await new Promise((resolve) => setTimeout(resolve, 60));
    };
    await openBoth();
    await startBoth(fleet.ticket(a, b, 'destination'));
    await until(() => b.world.imports === 1);
    a.link()?.cut();
    b.link()?.cut();
    await b.restart();
    await b.openSession();
    await a.restart();
    await a.openSession();
    expectCopy(await sent(), await arrived());
  });

  test('ends at both ends with the fault of a source that cannot be read', async () => {
    putMachine(a.world, 'vm-1', [6]);
    a.world.onRead = async (_disk, index) => {
      if (index >= 4) throw new Fault('vmdk.invalid', 'memory a: the disk is no disk');
    };
    await openBoth();
    await startBoth(fleet.ticket(a, b, 'destination'));
    const [left, right] = await Promise.all([sent(), arrived()]);
    expect([left.phase, left.fault?.code, right.phase, right.fault?.code]).toEqual([
      'failed',
      'vmdk.invalid',
      'failed',
      'vmdk.invalid',
    ]);
    expect(left.ledger.map((entry) => entry.state)).toEqual(['removed']);
  });

  test('of a machine several times larger than the transfer storage completes, and the storage keeps its limit', async () => {
    const limitBytes = 4 * BLOCK_BYTES;
    const small = await fleet.add('small', { transferLimitBytes: limitBytes });
    const machine = putMachine(a.world, 'vm-1', [150, 40]);
    await Promise.all([a.openSession(), small.openSession()]);
    const ticket = fleet.ticket(a, small, 'destination');
    await start(a, 'job-1.export', exportOrder({ object: 'vm-1', ticket, cloud: 'a' }));
    await start(small, 'job-1.import', importOrder({ name: 'copy', ticket, cloud: 'small' }));
    const [left, state] = await Promise.all([sent(), follow(() => small.link(), 'job-1.import')]);
    expect([left.phase, left.fault, state.phase, state.fault]).toEqual(['done', undefined, 'done', undefined]);
    expect(rootsOf(small.world.machines.get('copy'))).toEqual(rootsOf(machine));
    expect(state.progress).toMatchObject({ doneBytes: 190 * BLOCK_BYTES, resentBytes: 0 });
    const { storage } = await small.link()!.ask<{ storage: { usedBytes: number } }>('GET', '/about');
    expect(storage.usedBytes).toBeLessThanOrEqual(limitBytes);
  });

  test('of such a machine goes on when its cloud breaks off in the middle, and when either node is restarted', async () => {
    const small = await fleet.add('small', { transferLimitBytes: 4 * BLOCK_BYTES });
    const machine = putMachine(a.world, 'vm-1', [150, 40]);
    let breaks = 1;
    small.world.onWrite = async (_disk, index) => {
      await new Promise((resolve) => setTimeout(resolve, 5));
      if (index === 12 && breaks-- > 0) throw new Fault('lease.expired', 'memory small: the lease expired');
    };
    await Promise.all([a.openSession(), small.openSession()]);
    const ticket = fleet.ticket(a, small, 'destination');
    await start(a, 'job-1.export', exportOrder({ object: 'vm-1', ticket, cloud: 'a' }));
    await start(small, 'job-1.import', importOrder({ name: 'copy', ticket, cloud: 'small' }));
    await until(() => breaks <= 0);
    const signIn = (member: Member) => () =>
      member.openSession().then(
        () => true,
        () => false,
      );
    await small.restart();
    await until(signIn(small));
    await until(() => small.world.imports >= 2);
    await a.restart();
    await until(signIn(a));
    const [left, state] = await Promise.all([sent(), follow(() => small.link(), 'job-1.import')]);
    expect([left.phase, left.fault, state.phase, state.fault]).toEqual(['done', undefined, 'done', undefined]);
    expect(rootsOf(small.world.machines.get('copy'))).toEqual(rootsOf(machine));
  });

  test('finds room where a failed one left what had arrived', async () => {
    const small = await fleet.add('roomy', { transferLimitBytes: 12 * BLOCK_BYTES });
    putMachine(a.world, 'vm-1', [13]);
    putMachine(a.world, 'vm-2', [13]);
    await Promise.all([a.openSession(), small.openSession()]);
    const copyOf = async (job: string, object: string) => {
      const ticket = fleet.ticket(a, small, 'destination', { transfer: `t-${job}` });
      await start(a, `${job}.export`, { ...exportOrder({ object, ticket, cloud: 'a' }), job });
      await start(small, `${job}.import`, { ...importOrder({ name: object, ticket, cloud: 'roomy' }), job });
      return follow(() => small.link(), `${job}.import`);
    };
    small.world.onWrite = async (_disk, index) => {
      if (index === 8) throw new Fault('cloud.failed', 'memory roomy: it does not want it');
    };
    expect((await copyOf('job-1', 'vm-1')).fault?.code).toBe('cloud.failed');
    small.world.onWrite = async () => {};
    const second = await copyOf('job-2', 'vm-2');
    expect(second.phase).toBe('done');
    const first = await follow(() => small.link(), 'job-1.import');
    expect(first.log.map(({ text }) => text).join()).toContain('to make room for another transfer');
  });
});

describe('commands', () => {
  test('of an older epoch are refused, of a higher one take the job over', async () => {
    putMachine(a.world, 'vm-1', [3]);
    const ticket = fleet.ticket(a, b, 'destination');
    await startBoth(ticket, 5);
    const order = exportOrder({ object: 'vm-1', ticket, cloud: 'a', epoch: 4 });
    await expect(start(a, 'job-1.export', order)).rejects.toMatchObject({ code: 'epoch.stale' });
    const cancelling = a.link()!.ask('POST', '/work/job-1.export/cancel', { epoch: 4 });
    await expect(cancelling).rejects.toMatchObject({ code: 'epoch.stale' });
    expect((await start(a, 'job-1.export', { ...order, epoch: 6 })).epoch).toBe(6);
    await openBoth();
    expectCopy(await sent(), await arrived());
  });

  test('cancel and undo leave nothing behind, and a retry starts from what arrived', async () => {
    putMachine(a.world, 'vm-1', [16]);
    let hold = true;
    b.world.onWrite = async (_disk, index) => {
      while (hold && index >= 8) await new Promise((resolve) => setTimeout(resolve, 10));
    };
    await openBoth();
    const ticket = fleet.ticket(a, b, 'destination');
    await startBoth(ticket);
    await follow(
      () => b.link(),
      'job-1.import',
      (state) => (state.progress?.disks[0]?.arrivedBytes ?? 0) === 16 * BLOCK_BYTES,
    );
    await b.link()!.ask('POST', '/work/job-1.import/cancel', { epoch: 1 });
    hold = false;
    expect((await arrived()).phase).toBe('cancelled');
    const undo = {
      kind: 'undo',
      epoch: 1,
      owner: 'team',
      job: 'job-1',
      cloud: 'b',
      marker: 'm-1',
      works: ['job-1.import'],
    };
    await start(b, 'job-1.undo', undo);
    const undone = await follow(() => b.link(), 'job-1.undo');
    expect([undone.phase, undone.result?.leftovers]).toEqual(['done', []]);
    expect(b.world.machines.size).toBe(0);
    // As the server does before a further attempt: the source is read again, what is still the same does not travel.
    await sent();
    await a.link()!.ask('DELETE', '/work/job-1.export');
    await startBoth(ticket, 2);
    const [left, right] = await Promise.all([sent(), arrived()]);
    expectCopy(left, right);
    expect(right.progress?.wireBytes).toBeLessThanOrEqual(8 * BLOCK_BYTES);
  });

  test('a kept import is left alone by an undo', async () => {
    putMachine(a.world, 'vm-1', [3]);
    await openBoth();
    await startBoth(fleet.ticket(a, b, 'destination'));
    await arrived();
    const kept = await b.link()!.ask<WorkState>('POST', '/work/job-1.import/keep', { epoch: 1 });
    expect(kept.ledger.map((entry) => entry.state)).toEqual(['kept']);
    const undo = {
      kind: 'undo',
      epoch: 1,
      owner: 'team',
      job: 'job-1',
      cloud: 'b',
      marker: 'm-1',
      works: ['job-1.import'],
    };
    await start(b, 'job-1.undo', undo);
    expect((await follow(() => b.link(), 'job-1.undo')).phase).toBe('done');
    expect(b.world.machines.has('copy')).toBe(true);
  });

  test('a receipt is signed only when the journal of the node agrees with it', async () => {
    putMachine(a.world, 'vm-1', [3]);
    await openBoth();
    await startBoth(fleet.ticket(a, b, 'destination'));
    const [left] = await Promise.all([sent(), arrived()]);
    const { createHash } = await import('node:crypto');
    const disks = left.result!.disks.map(({ root, level, ...disk }) => ({
      ...disk,
      sourceRoot: root,
      destinationRoot: root,
      level,
    }));
    const root = createHash('sha256').update(Buffer.from(left.result!.disks[0]!.root, 'hex')).digest('hex');
    const receipt = {
      version: 1,
      job: 'job-1',
      transfer: 't-1',
      source: { cloud: 'a', object: 'vm-1', name: 'vm-1', version: 'v1' },
      destination: { cloud: 'b', object: 'copy', name: 'copy' },
      startedAt: '',
      endedAt: '',
      disks,
      sourceRoot: root,
      destinationRoot: root,
    };
    const sign = (member: Member, work: string, change: object) =>
      member
        .link()!
        .ask('POST', `/work/${work}/sign`, { epoch: 1, receipt: JSON.stringify({ ...receipt, ...change }) });
    expect(await sign(a, 'job-1.export', {})).toMatchObject({ pin: a.node.pin });
    expect(await sign(b, 'job-1.import', {})).toMatchObject({ pin: b.node.pin });
    const lie = { disks: disks.map((disk) => ({ ...disk, destinationRoot: 'f'.repeat(64) })) };
    await expect(sign(b, 'job-1.import', lie)).rejects.toMatchObject({ code: 'transfer.mismatch' });
    const better = { disks: disks.map((disk) => ({ ...disk, level: 'readback' })) };
    await expect(sign(b, 'job-1.import', better)).rejects.toMatchObject({ code: 'transfer.mismatch' });
    await expect(sign(b, 'job-1.import', { disks: [] })).rejects.toMatchObject({ code: 'transfer.mismatch' });
  });

  test('forgetting an ended work frees its storage, and is refused while it runs', async () => {
    putMachine(a.world, 'vm-1', [6]);
    const used = async () =>
      (await b.link()!.ask<{ storage: { liveBytes: number } }>('GET', '/about')).storage.liveBytes;
    await startBoth(fleet.ticket(a, b, 'destination'));
    const early = b.link()!.ask('DELETE', '/work/job-1.import');
    await expect(early).rejects.toMatchObject({ code: 'job.state' });
    await openBoth();
    await Promise.all([sent(), arrived()]);
    expect(await used()).toBeGreaterThan(0);
    await b.link()!.ask('DELETE', '/work/job-1.import');
    await b.link()!.ask('DELETE', '/work/job-1.import');
    expect(await used()).toBe(0);
    await expect(b.link()!.ask('GET', '/work/job-1.import')).rejects.toMatchObject({ code: 'work.unknown' });
  });
});

describe('tickets', () => {
  const refusedAtA = (ticket: string) =>
    expect(start(a, 'job-1.export', exportOrder({ object: 'vm-1', ticket, cloud: 'a' }))).rejects.toMatchObject({
      code: 'auth.forbidden',
    });

  test('that expired, that another server signed, that name another node or were changed are refused', async () => {
    await refusedAtA(fleet.ticket(a, b, 'source', { expires: '2020-01-01T00:00:00Z' }));
    await refusedAtA(fleet.ticket(b, a, 'source'));
    await refusedAtA('not.a ticket');
    await using foreign = await FakeServer.start();
    const pins = { source: a.node.pin, destination: b.node.pin };
    await refusedAtA(foreign.ticket({ transfer: 't-1', dialer: 'source', address: b.address, ...pins }));
    const [head, signature] = fleet.ticket(a, b, 'source').split('.');
    const changed = Buffer.from(head ?? '', 'base64url')
      .toString()
      .replace('t-1', 't-2');
    await refusedAtA(`${Buffer.from(changed).toString('base64url')}.${signature}`);
  });

  test('are no use to a node that they do not name', async () => {
    const { loadIdentity } = await import('../../src/base/identity.ts');
    const { dialIdentity } = await import('../../src/base/tls.ts');
    const { askUpgrade } = await import('../../src/node/upgrade.ts');
    const { parseAddress } = await import('../../src/base/address.ts');
    const c = await fleet.add('c');
    const ticket = fleet.ticket(a, b, 'destination');
    await start(a, 'job-1.export', exportOrder({ object: 'vm-1', ticket, cloud: 'a' }));
    const dial = async (folder: string) => {
      const { signal } = new AbortController();
      const socket = await dialIdentity(
        parseAddress(a.address),
        await loadIdentity(folder, 'node', ''),
        a.node.pin,
        signal,
      );
      const question = {
        path: '/peer/v1',
        upgrade: 'cloudspan-peer',
        who: 'a',
        headers: { 'cloudspan-ticket': ticket },
      };
      return askUpgrade(socket, question, signal);
    };
    await expect(dial(c.folder)).rejects.toMatchObject({ code: 'auth.forbidden' });
    await expect(dial(b.folder)).rejects.toMatchObject({ code: 'transfer.lost' });
  });
});
