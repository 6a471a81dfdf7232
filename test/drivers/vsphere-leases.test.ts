import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { Cloud } from '../../src/drivers/driver.ts';
import { again, expectFault, exportRoots, madePackage, newWork, runImport } from './conformance/work.ts';
import { startVcenterWorld, type VcenterWorld } from './vcenter-world.ts';

const MIB = 1024 * 1024;
let world: VcenterWorld;
let cloud: Cloud;

beforeAll(async () => {
  world = await startVcenterWorld();
  cloud = await world.driver.connect(world.settings, AbortSignal.timeout(30_000));
});
beforeEach(() => world.hands.lab('options', { leaseTimeoutSeconds: 300, starHost: false }));
afterAll(async () => {
  await cloud?.close();
  await world?.close();
});

test('a lease stays alive while the reader takes longer than its timeout', async () => {
  await world.hands.lab('options', { leaseTimeoutSeconds: 2 });
  const work = newWork();
  const open = await cloud.exports!.open(world.vm.id, work);
  let blocks = 0;
  for await (const _ of open.read(open.description.machines[0]!.disks[0]!.id, work.signal)) {
    if (blocks++ === 1) await sleep(4000);
  }
  await open.close('complete');
  expect(blocks).toBeGreaterThan(2);
  expect(work.ledger.rows.map((row) => row.state)).toEqual(['removed']);
});

test('a lease stays alive while an import waits for blocks', async () => {
  await world.hands.lab('options', { leaseTimeoutSeconds: 2 });
  const made = madePackage('slow feed', [4 * MIB]);
  const before = async (_: string, index: number) => void (index === 2 && (await sleep(4000)));
  const { object } = await runImport(world, cloud, made, {}, newWork(), { before });
  expect((await exportRoots(cloud, object.id)).roots).toEqual([...made.contents.values()].map((disk) => disk.root()));
});

test('the end of a lease in the middle of a read is told as lease.expired', async () => {
  const work = newWork();
  const open = await cloud.exports!.open(world.vm.id, work);
  const reading = async () => {
    for await (const _ of open.read(open.description.machines[0]!.disks[0]!.id, work.signal)) {
      await world.hands.lab('end-leases', { expire: true });
      await sleep(50);
    }
  };
  const fault = await expectFault(reading(), world, 'lease.expired', 'vmdk.truncated');
  expect(fault.retry).toBe('soon');
  await open.close('abandoned');
  expect(await world.openTransfers()).toBe(0);
});

test('the end of a lease in the middle of an import is told, and the next run begins anew', async () => {
  const made = madePackage('ended lease', [6 * MIB]);
  const work = newWork();
  const before = async (_: string, index: number) =>
    void (index === 3 && (await world.hands.lab('end-leases', { expire: true })));
  const fault = await expectFault(runImport(world, cloud, made, {}, work, { before }), world, 'lease.expired');
  expect(fault.retry).toBe('soon');
  const { object } = await runImport(world, cloud, made, {}, again(work));
  expect((await exportRoots(cloud, object.id)).roots).toEqual([...made.contents.values()].map((disk) => disk.root()));
});

test('a host that writes * for its own name is reached by the name of the API', async () => {
  await world.hands.lab('options', { starHost: true });
  const { roots } = await exportRoots(cloud, world.vm.id);
  expect(roots).toEqual(world.vm.disks.map((disk) => disk.root));
  const made = madePackage('through a star', [MIB]);
  expect((await runImport(world, cloud, made)).checksums['machine-0/disk-0']).toMatch(/^sha256:/);
});
