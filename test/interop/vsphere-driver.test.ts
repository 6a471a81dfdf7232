import { mkdir, open } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Cloud, DiskFeed, ImportRequest } from '../../src/drivers/driver.ts';
import { driver } from '../../src/drivers/vsphere/index.ts';
import { BLOCK_BYTES, type DataBlock } from '../../src/model/block-map.ts';
import type { Fault } from '../../src/model/fault.ts';
import type { InventoryEvent, InventoryObject } from '../../src/model/inventory.ts';
import { feedsOf, type MadePackage, madePackage, newWork, quietLog, snapshot } from '../drivers/conformance/work.ts';
import { difference, MIB, toStreamOptimized, writeRawDisk } from './disk-image.ts';
import { Govc } from './govc.ts';
import { type Lab, startVcsim } from './lab.ts';
import { writePackage } from './ovf-package.ts';
import { TemporaryFolder } from './temporary-folder.ts';
import { missing } from './witnesses.ts';

const WITNESSES = ['vcsim', 'govc', 'qemu-img'] as const;

const signal = () => AbortSignal.timeout(60_000);

function connectTo(lab: Lab, password = lab.password, pin = lab.fingerprint): Promise<Cloud> {
  return driver.connect(
    {
      options: { url: lab.url, username: lab.user, password },
      trust: { kind: 'pin', sha256: pin },
      label: 'vcsim',
      log: quietLog,
      stallSeconds: 20,
    },
    signal(),
  );
}

async function find(cloud: Cloud, kind: InventoryObject['kind'], name: string): Promise<InventoryObject> {
  const found = (await snapshot(cloud)).find((one) => one.kind === kind && one.name === name);
  if (found === undefined) throw new Error(`there is no ${kind} ${name}`);
  return found;
}

async function requestTo(cloud: Cloud, made: MadePackage): Promise<ImportRequest> {
  return {
    description: made.description,
    name: made.description.name,
    destination: (await find(cloud, 'folder', 'vm')).id,
    placement: {},
    networks: { office: (await find(cloud, 'network', 'VM Network')).id, lab: null },
    keepMac: false,
    keepUuid: false,
    onNameClash: 'fail',
    properties: {},
    acceptEulas: false,
  };
}

/**
 * govmomi's simulator knows neither ExportVm nor odd inventories; what it does it does without a line of our code.
 * It throws uploaded bytes away, so the manifest, which is computed from what arrived, is what an import is held to.
 */
describe.skipIf(missing('the vsphere driver against vcsim', ['vcsim', 'govc', 'qemu-img']))(
  'the vsphere driver',
  () => {
    let folder: TemporaryFolder;
    let vcsim: Lab;
    let govc: Govc;
    let cloud: Cloud;

    beforeAll(async () => {
      folder = await TemporaryFolder.make();
      vcsim = await startVcsim('vcenter', folder);
      govc = new Govc(vcsim, folder.at('home'));
      cloud = await connectTo(vcsim);
    });
    afterAll(async () => {
      await cloud?.close();
      await vcsim?.[Symbol.asyncDispose]();
      await folder?.[Symbol.asyncDispose]();
    });

    it('refuses a certificate that is not the pinned one, and a wrong password', async () => {
      const other = connectTo(vcsim, vcsim.password, 'ab'.repeat(32));
      await expect(other).rejects.toMatchObject({ code: 'cloud.untrusted' } satisfies Partial<Fault>);
      await expect(connectTo(vcsim, 'not it')).rejects.toMatchObject({ code: 'auth.refused' } satisfies Partial<Fault>);
    });

    it('sees the inventory that govc sees', async () => {
      const objects = await snapshot(cloud);
      const machines = objects.filter((one) => one.kind === 'vm').map((one) => one.name);
      const seen = (await govc.run('find', '/', '-type', 'm')).trim().split('\n');
      expect(machines.toSorted()).toEqual(seen.map((path) => path.slice(path.lastIndexOf('/') + 1)).toSorted());
      expect(machines.length).toBeGreaterThan(0);
      const datastores = (await govc.run('find', '/', '-type', 's')).trim().split('\n');
      expect(objects.filter((one) => one.kind === 'datastore')).toHaveLength(datastores.length);
      const ids = new Set(objects.map((one) => one.id));
      for (const one of objects) if (one.parent !== null) expect(ids, `${one.name}'s parent`).toContain(one.parent);
      expect((await cloud.about(signal())).user).toBe(vcsim.user);
    });

    it('watches a change of power that somebody else makes, and a machine that goes', async () => {
      const stop = new AbortController();
      const watching = cloud.inventory.watch(stop.signal)[Symbol.asyncIterator]();
      const until = async (wanted: (event: InventoryEvent) => boolean) => {
        for (;;) {
          const { value, done } = await watching.next();
          if (done) throw new Error('the watch ended');
          if (wanted(value as InventoryEvent)) return;
        }
      };
      const guard = setTimeout(() => stop.abort(), 30_000);
      try {
        await until((event) => event.type === 'snapshot');
        const { id } = await find(cloud, 'vm', 'DC0_H0_VM0');
        await govc.run('vm.power', '-off', 'DC0_H0_VM0');
        await until(
          (event) => event.type === 'put' && event.objects.some((one) => one.id === id && one.machine?.power === 'off'),
        );
        await govc.run('vm.destroy', 'DC0_H0_VM0');
        await until((event) => event.type === 'gone' && event.ids.includes(id));
      } finally {
        clearTimeout(guard);
        stop.abort();
        await watching.return?.();
      }
    });

    it('powers a machine off and on, and is content when it is so already', async () => {
      const { id } = await find(cloud, 'vm', 'DC0_H0_VM1');
      for (const [action, state] of [
        ['off', 'poweredOff'],
        ['off', 'poweredOff'],
        ['on', 'poweredOn'],
        ['suspend', 'suspended'],
        ['resume', 'poweredOn'],
        ['off', 'poweredOff'],
      ] as const) {
        await cloud.power!.apply(id, action, signal());
        expect(await govc.powerState('DC0_H0_VM1')).toBe(state);
      }
    });

    it('imports a machine and agrees with the server’s manifest about every disk', async () => {
      const made = madePackage('imported here', [9 * MIB, 3 * MIB + 512]);
      const work = newWork();
      const result = await cloud.imports!.run(await requestTo(cloud, made), feedsOf(made), work, () => undefined);
      expect(result.object.name).toBe('imported here');
      expect(Object.keys(result.checksums).toSorted()).toEqual([...made.contents.keys()].toSorted());
      for (const checksum of Object.values(result.checksums)) expect(checksum).toMatch(/^sha1:[0-9a-f]{40}$/);
      expect(await govc.powerState('imported here')).toBe('poweredOff');
      expect(work.ledger.rows.map(({ kind, state }) => [kind, state])).toEqual([
        ['vm', 'made'],
        ['lease', 'removed'],
      ]);
    });

    it('takes an import back when its feed breaks', async () => {
      const made = madePackage('never finished', [5 * MIB]);
      const work = newWork();
      const broken = new Map<string, DiskFeed>();
      for (const [disk, feed] of feedsOf(made)) {
        broken.set(disk, {
          ...feed,
          async *blocks(from, blockSignal): AsyncGenerator<DataBlock> {
            for await (const block of feed.blocks(from, blockSignal)) {
              if (block.index > 1) throw new Error('the feed broke');
              yield block;
            }
          },
        });
      }
      await expect(cloud.imports!.run(await requestTo(cloud, made), broken, work, () => undefined)).rejects.toThrow(
        'the feed broke',
      );
      await cloud.imports!.undo({ ...work, signal: signal() });
      expect((await snapshot(cloud)).filter((one) => one.name.startsWith('never finished'))).toEqual([]);
      expect(work.ledger.rows.some((row) => row.state === 'made' || row.state === 'intent')).toBe(false);
    });

    it('exports a snapshot that somebody made, byte for byte', async () => {
      const capacity = 33 * MIB;
      await writeRawDisk(folder.at('real.raw'), capacity, 7 * MIB);
      await mkdir(folder.at('package'));
      const vmdk = folder.at('package', 'real-disk1.vmdk');
      await toStreamOptimized(folder.at('real.raw'), vmdk);
      await writePackage(folder.at('package'), 'real', [
        { name: 'real', disks: [{ file: 'real-disk1.vmdk', capacityBytes: capacity }] },
      ]);
      await govc.runIn(folder.at('package'), 'import.ovf', '-ds', 'LocalDS_0', '-pool', 'DC0_C0/Resources', 'real.ovf');
      // vcsim made an empty file of the disk; what lies there is what a lease of it gives.
      const listing = await govc.run('device.info', '-vm', 'real', 'disk-*');
      const [, stored = ''] = /\[LocalDS_0\] (\S+\.vmdk)/.exec(listing) ?? [];
      await govc.run('datastore.upload', '-ds', 'LocalDS_0', vmdk, stored);
      await govc.run('snapshot.create', '-vm', 'real', 'frozen');
      const [id = ''] = /snapshot-\d+/.exec(await govc.run('snapshot.tree', '-i', '-vm', 'real')) ?? [];
      const work = newWork(signal());
      const source = await cloud.exports!.open(id, work);
      try {
        const [disk] = source.description.machines.flatMap((machine) => machine.disks);
        await using copy = await open(folder.at('copy.raw'), 'w');
        await copy.truncate(capacity);
        for await (const { index, data } of source.read(disk?.id ?? '', work.signal)) {
          const at = index * BLOCK_BYTES;
          await copy.write(data, 0, Math.min(BLOCK_BYTES, capacity - at), at);
        }
      } finally {
        await source.close('complete');
      }
      expect(await difference(folder.at('real.raw'), folder.at('copy.raw'), 'raw')).toBeUndefined();
      expect(work.ledger.rows.map((row) => row.state)).toEqual(['removed']);
    });
  },
);

/** A host that is spoken to directly writes `*` where the name of a lease's URL belongs. */
describe.skipIf(missing('the vsphere driver against vcsim', WITNESSES))('the vsphere driver at a single host', () => {
  it('imports a machine by a lease that does not name its host, powers it on and off, and sees it go', async () => {
    await using folder = await TemporaryFolder.make();
    await using host = await startVcsim('esx', folder);
    const govc = new Govc(host, folder.at('home'));
    const cloud = await connectTo(host);
    try {
      const made = madePackage('on a host', [5 * MIB, 7 * 512]);
      const run = cloud.imports!.run(await requestTo(cloud, made), feedsOf(made), newWork(), () => undefined);
      const { object, checksums } = await run;
      expect(Object.keys(checksums)).toHaveLength(2);
      await cloud.power!.apply(object.id, 'on', signal());
      expect(await govc.powerState('on a host')).toBe('poweredOn');
      await cloud.power!.apply(object.id, 'off', signal());
      await govc.run('vm.destroy', 'on a host');
      expect((await snapshot(cloud)).map((one) => one.name)).not.toContain('on a host');
    } finally {
      await cloud.close();
    }
  });
});
