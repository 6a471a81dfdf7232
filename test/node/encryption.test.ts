import { randomBytes } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { BLOCK_BYTES, hashBlock } from '../../src/model/block-map.ts';
import type { NodeAbout } from '../../src/protocol/link.ts';
import type { WorkState } from '../../src/protocol/work.ts';
import { exportOrder, follow, importOrder, until } from './fake-server.ts';
import { Fleet, type Member } from './fleet.ts';
import { putMachine } from './memory-cloud.ts';

let fleet: Fleet;
let a: Member;
let b: Member;
const key = randomBytes(32).toString('base64');

beforeEach(async () => {
  fleet = await Fleet.start();
  a = await fleet.add('a');
  b = await fleet.add('b', { encryptStorage: true });
  await Promise.all([a.openSession(), b.openSession()]);
});
afterEach(() => fleet[Symbol.asyncDispose]());

const start = (member: Member, work: string, order: unknown) =>
  member.link()!.ask<WorkState>('PUT', `/work/${work}`, order);
const giveKey = (which = key) => b.link()!.ask('PUT', '/owners/team/key', { key: which });
const usage = async () => (await b.link()!.ask<NodeAbout>('GET', '/about')).storage;
const arrived = (until?: (state: WorkState) => boolean) => follow(() => b.link(), 'job-1.import', until);

async function startBoth(): Promise<void> {
  const ticket = fleet.ticket(a, b, 'destination');
  await start(b, 'job-1.import', importOrder({ name: 'copy', ticket, cloud: 'b' }));
  await start(a, 'job-1.export', exportOrder({ object: 'vm-1', ticket, cloud: 'a' }));
}

async function bytesOnDisk(): Promise<Buffer> {
  const names = await readdir(b.folder, { recursive: true, withFileTypes: true });
  const files = names.filter((entry) => entry.isFile());
  return Buffer.concat(await Promise.all(files.map((entry) => readFile(join(entry.parentPath, entry.name)))));
}

test('an import waits for the key of its storage, also after a restart, and leaves nothing readable on the disk', async () => {
  const machine = putMachine(a.world, 'vm-1', [24]);
  b.world.onWrite = async (_disk, index) => {
    if (index > 4) await new Promise((resolve) => setTimeout(resolve, 40));
  };
  expect(await usage()).toMatchObject({ encrypted: true });
  await startBoth();
  const waiting = await arrived((state) => state.phase === 'waiting');
  expect(waiting.fault).toMatchObject({ code: 'storage.locked' });
  await giveKey();
  await until(() => b.world.imports === 1);
  await until(async () => ((await usage()).liveBytes ?? 0) > 0);
  await b.restart();
  await b.openSession();
  const again = await arrived((state) => state.phase === 'waiting');
  expect(again.fault).toMatchObject({ code: 'storage.locked' });
  await giveKey();
  const done = await arrived();
  expect([done.phase, done.fault]).toEqual(['done', undefined]);
  expect(done.progress?.resentBytes).toBeLessThan(16 * BLOCK_BYTES);
  const disk = await bytesOnDisk();
  expect(disk.includes(key) || disk.includes(Buffer.from(key, 'base64'))).toBe(false);
  for (const blocks of machine.blocks.values()) {
    for (const data of blocks.values()) {
      expect(disk.includes(hashBlock(data))).toBe(false);
      expect(disk.includes(data.subarray(0, 64))).toBe(false);
    }
  }
});

test('erasing an owner frees what the node keeps for him, and is refused while he receives', async () => {
  putMachine(a.world, 'vm-1', [6]);
  await startBoth();
  await expect(b.link()!.ask('DELETE', '/owners/team')).rejects.toMatchObject({ code: 'job.state' });
  await giveKey();
  expect((await arrived()).phase).toBe('done');
  expect((await usage()).usedBytes).toBeGreaterThan(0);
  await b.link()!.ask('DELETE', '/owners/team');
  await b.link()!.ask('DELETE', '/owners/team');
  expect((await usage()).usedBytes).toBe(0);
  expect(await readdir(join(b.folder, 'versions'))).toEqual([]);
  await expect(giveKey('c2hvcnQ=')).rejects.toMatchObject({ code: 'input.invalid' });
  await giveKey(randomBytes(32).toString('base64'));
});
