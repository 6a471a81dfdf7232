import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createIdentity } from '../../src/base/identity.ts';
import { Relay } from '../../src/base/relay.ts';
import { BLOCK_BYTES, BlockMap, hashBlock } from '../../src/model/block-map.ts';
import { disksOf } from '../../src/model/machine.ts';
import type { WorkState } from '../../src/protocol/work.ts';
import { exportOrder, follow, importOrder, until } from './fake-server.ts';
import { Fleet, type Member } from './fleet.ts';
import { type MemoryMachine, putMachine } from './memory-cloud.ts';

const MARKER = Buffer.from('CLOUDSPAN-MARKER-IN-THE-DISK-7c1f');

let fleet: Fleet;
let a: Member;
let b: Member;

/** Two nodes that nobody can dial, and a server where they may meet. */
beforeEach(async () => {
  fleet = await Fleet.start();
  fleet.server.relay = new Relay();
  a = await fleet.add('a', { listen: undefined });
  b = await fleet.add('b', { listen: undefined });
});

afterEach(async () => {
  fleet.server.relay?.close();
  await fleet[Symbol.asyncDispose]();
});

const here = (change: object = {}) => ({
  transfer: 't-1',
  source: a.node.pin,
  destination: b.node.pin,
  dialer: 'destination' as const,
  relay: { pin: fleet.server.identity.pin, addresses: [] },
  ...change,
});

async function startBoth(): Promise<[Promise<WorkState>, Promise<WorkState>]> {
  await Promise.all([a.openSession(), b.openSession()]);
  const ticket = fleet.server.ticket(here());
  await b.link()!.ask('PUT', '/work/job-1.import', importOrder({ name: 'copy', ticket, cloud: 'b' }));
  await a.link()!.ask('PUT', '/work/job-1.export', exportOrder({ object: 'vm-1', ticket, cloud: 'a' }));
  return [follow(() => a.link(), 'job-1.export'), follow(() => b.link(), 'job-1.import')];
}

function rootsOf(machine: MemoryMachine | undefined): string[] {
  return disksOf(machine!.description).map((disk) => {
    const map = new BlockMap('disk', disk.capacityBytes);
    for (const [index, data] of machine!.blocks.get(disk.id) ?? []) map.set(index, hashBlock(data));
    return map.root();
  });
}

const marked = (machine: MemoryMachine) => {
  for (const blocks of machine.blocks.values())
    for (const data of blocks.values()) MARKER.copy(Buffer.from(data.buffer, data.byteOffset), 100);
};

describe('two private nodes', () => {
  test('copy through the relay, which never sees a byte of the disk in clear', async () => {
    marked(putMachine(a.world, 'vm-1', [9, 4]));
    const seen: Buffer[] = [];
    fleet.server.onRelayed = (chunk) => void seen.push(Buffer.from(chunk));
    const [left, right] = await Promise.all(await startBoth());
    expect([left.phase, left.fault, right.phase, right.fault]).toEqual(['done', undefined, 'done', undefined]);
    const copy = b.world.machines.get('copy');
    expect(rootsOf(copy)).toEqual(rootsOf(a.world.machines.get('vm-1')));
    expect(
      [...copy!.blocks.values()]
        .flatMap((blocks) => [...blocks.values()])
        .some((data) => Buffer.from(data).includes(MARKER)),
    ).toBe(true);
    const relayed = Buffer.concat(seen);
    expect(relayed.length).toBeGreaterThan(7 * BLOCK_BYTES);
    expect(relayed.includes(MARKER)).toBe(false);
    expect(relayed.includes('cloudspan-peer')).toBe(false);
  });

  test('need nothing but new connections when the relay drops them, again and again', async () => {
    putMachine(a.world, 'vm-1', [40]);
    b.world.onWrite = async () => void (await new Promise((resolve) => setTimeout(resolve, 15)));
    const ends = await startBoth();
    for (let drop = 0; drop < 3; drop++) {
      await until(() => b.world.imports === 1 && fleet.server.relay!.connections('team') >= 6);
      fleet.server.relay?.drop(drop % 2 === 0 ? a.node.pin : b.node.pin);
    }
    const [left, right] = await Promise.all(ends);
    expect([left.phase, right.phase]).toEqual(['done', 'done']);
    expect(rootsOf(b.world.machines.get('copy'))).toEqual(rootsOf(a.world.machines.get('vm-1')));
  });

  test('find each other in a trial of the whole way, and are told when the other does not come', async () => {
    const ticket = fleet.server.ticket(here({ transfer: 'probe-1' }));
    const ask = (member: Member, pin: string) =>
      member
        .link()!
        .ask<{ reachable: boolean; attempts: { steps: { step: string }[]; fault?: { code: string } }[] }>(
          'POST',
          '/reach',
          { address: '', pin, ticket },
        );
    const [from, to] = await Promise.all([ask(b, a.node.pin), ask(a, b.node.pin)]);
    expect([from.reachable, to.reachable]).toEqual([true, true]);
    expect(from.attempts[0]?.steps.map(({ step }) => step)).toEqual(['tcp', 'tls', 'certificate', 'relay', 'ticket']);
    fleet.server.relay = new Relay({ waitMilliseconds: 100 });
    const alone = await ask(b, a.node.pin);
    expect([alone.reachable, alone.attempts[0]?.fault?.code]).toEqual([false, 'transfer.lost']);
  });

  test('are refused by a relay that their ticket does not name, or after its time', async () => {
    const stranger = await createIdentity('stranger');
    for (const change of [
      { relay: { pin: stranger.pin, addresses: [fleet.server.address] } },
      { expires: new Date(Date.now() - 1000).toISOString() },
    ]) {
      const ticket = fleet.server.ticket(here({ transfer: 'probe-2', ...change }));
      const asked = a.link()!.ask<{ reachable: boolean }>('POST', '/reach', { address: '', pin: b.node.pin, ticket });
      const answer = await asked.catch((error: { code: string }) => ({ reachable: false, code: error.code }));
      expect(answer.reachable).toBe(false);
    }
  });

  test('are let in as often as the owner may, and closed when their key is forgotten', async () => {
    fleet.server.relay = new Relay({ connections: 2, waitMilliseconds: 5000 });
    const ask = (transfer: string) => {
      const ticket = fleet.server.ticket(here({ transfer }));
      return a.link()!.ask<{ attempts: { fault: { message: string } }[] }>('POST', '/reach', {
        address: '',
        pin: b.node.pin,
        ticket,
      });
    };
    const waiting = [ask('one'), ask('two')];
    await until(() => fleet.server.relay!.connections('team') === 2);
    expect((await ask('three')).attempts[0]?.fault.message).toContain('no more than 2 connections');
    fleet.server.relay.drop(a.node.pin);
    await until(() => fleet.server.relay!.connections('team') === 0);
    for (const answer of await Promise.all(waiting)) expect(answer.attempts[0]?.fault.message).toMatch(/relay/);
  });
});
