import { expect, test } from 'vitest';
import type { Stage } from '../conformance.ts';
import { expectFault, exportRoots, newWork } from './work.ts';
import { type KnownSource, lacks } from './world.ts';

export function exportPromises({ world, cloud }: Stage): void {
  const signal = () => AbortSignal.timeout(30_000);
  const sources = (): [string, KnownSource][] => [
    ['vm', world().vm],
    ['vapp', world().vapp],
    ['template', world().template],
  ];

  test('a VM, a vApp and a template leave with exactly the bytes that they have', async () => {
    for (const [kind, source] of sources()) {
      const { description, disks, roots } = await exportRoots(cloud(), source.id);
      expect(description).toMatchObject({ kind, name: source.name });
      expect(disks.map((disk) => disk.capacityBytes)).toEqual(source.disks.map((disk) => disk.capacityBytes));
      expect(roots).toEqual(source.disks.map((disk) => disk.root));
    }
    expect(await world().openTransfers()).toBe(0);
  });

  test('describing tells what leaving would, and the same again while nothing changes', async () => {
    for (const [, source] of sources()) {
      const described = await cloud().exports!.describe(source.id, signal());
      const one = await exportRoots(cloud(), source.id);
      const two = await exportRoots(cloud(), source.id);
      expect(described).toEqual(one.description);
      expect(two.version).toBe(one.version);
      expect(one.version).not.toBe('');
    }
  });

  test('ids in a description hold together', async () => {
    const description = await cloud().exports!.describe(world().vapp.id, signal());
    const ids = description.machines.map((machine) => machine.id);
    expect(new Set(ids).size).toBe(ids.length);
    const disks = description.machines.flatMap((machine) => machine.disks.map((disk) => disk.id));
    expect(new Set(disks).size).toBe(disks.length);
    for (const machine of description.machines) {
      const controllers = new Set(machine.controllers.map((controller) => controller.id));
      for (const disk of machine.disks) expect(controllers).toContain(disk.controller);
      for (const nic of machine.nics) {
        if (nic.network !== null) expect(description.networks.map((network) => network.name)).toContain(nic.network);
      }
    }
    for (const entry of description.startOrder) expect(ids).toContain(entry.machine);
  });

  test('a running machine is described and refused, with the choices named, and nothing is opened', async ({
    skip,
  }) => {
    if (lacks(world(), 'running-machines')) skip();
    const id = world().running;
    await cloud().power?.apply(id, 'on', signal());
    expect((await cloud().exports!.describe(id, signal())).machines).toHaveLength(1);
    const check = (await cloud().exports!.check(id, signal())).find((item) => item.outcome === 'fail');
    expect(check?.remedy).toBeTruthy();
    const work = newWork();
    const fault = await expectFault(cloud().exports!.open(id, work), world(), 'machine.running');
    expect(fault.remedy).not.toBe('');
    expect(await world().openTransfers()).toBe(0);
    expect(work.ledger.rows.filter((row) => row.state === 'made')).toEqual([]);
    expect((await cloud().inventory.get(id, signal())).machine?.power).toBe('on');
  });

  test('a machine that is off passes its checks', async () => {
    const checks = await cloud().exports!.check(world().vm.id, signal());
    expect(checks.filter((item) => item.outcome === 'fail')).toEqual([]);
    expect(checks.length).toBeGreaterThan(0);
  });

  test('an object that is not there is missing', async () => {
    await expectFault(cloud().exports!.describe('vm-does-not-exist', signal()), world(), 'object.missing');
    await expectFault(cloud().exports!.open('vm-does-not-exist', newWork()), world(), 'object.missing');
  });

  test('closing gives everything back, whatever was read, and may be done twice', async ({ skip }) => {
    if (lacks(world(), 'network-access')) skip();
    const work = newWork();
    const open = await cloud().exports!.open(world().vm.id, work);
    expect(await world().openTransfers()).toBeGreaterThan(0);
    const [disk] = open.description.machines[0]!.disks;
    for await (const block of open.read(disk!.id, work.signal)) {
      expect(block.index).toBeGreaterThanOrEqual(0);
      break;
    }
    await open.close('abandoned');
    await open.close('abandoned');
    expect(await world().openTransfers()).toBe(0);
    expect(work.ledger.rows.filter((row) => row.state === 'made' || row.state === 'intent')).toEqual([]);
  });

  test('an abort ends the reading with its reason', async () => {
    const work = newWork();
    const open = await cloud().exports!.open(world().vm.id, work);
    try {
      const stop = new AbortController();
      const reason = new Error('no longer wanted');
      const reading = async () => {
        for await (const _ of open.read(open.description.machines[0]!.disks[0]!.id, stop.signal)) stop.abort(reason);
      };
      await expect(reading()).rejects.toBe(reason);
    } finally {
      await open.close('abandoned');
    }
  });

  test('a download that is cut is never taken for the whole disk', async ({ skip }) => {
    if (lacks(world(), 'network-access')) skip();
    await world().cutDownload(200_000);
    const fault = await expectFault(
      exportRoots(cloud(), world().vm.id),
      world(),
      'cloud.unreachable',
      'vmdk.truncated',
      'lease.expired',
    );
    expect(fault.retry).toBe('soon');
    const { roots } = await exportRoots(cloud(), world().vm.id);
    expect(roots).toEqual(world().vm.disks.map((disk) => disk.root));
  });

  test('a second attempt of the same work gives back what the first left open', async () => {
    const work = newWork();
    const first = await cloud().exports!.open(world().vm.id, work);
    const { roots } = await exportRoots(cloud(), world().vm.id, work);
    expect(roots).toEqual(world().vm.disks.map((disk) => disk.root));
    await first.close('abandoned');
    expect(await world().openTransfers()).toBe(0);
  });
}
