import { randomUUID } from 'node:crypto';
import { mkdir, rm } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ObjectKind } from '../../src/model/inventory.ts';
import type { CopyRequest, JobView } from '../../src/protocol/api/jobs.ts';
import { Installation } from '../journeys/installation.ts';
import { boot, bootWitnesses, buildBootableDisk } from './bootable-disk.ts';
import { difference, MIB, toStreamOptimized, virtualBytes, writeRawDisk } from './disk-image.ts';
import { type DirectorAccess, downloadOva, downloadWitnesses, exportMachine } from './downloads.ts';
import { Govc } from './govc.ts';
import { writePackage } from './ovf-package.ts';
import { TemporaryFolder } from './temporary-folder.ts';
import { missing } from './witnesses.ts';

const vcenterWorld = {
  datacenters: [
    {
      name: 'DC1',
      clusters: [{ name: 'Cluster1', hosts: [{ name: 'esx1.lab' }] }],
      datastores: [{ name: 'datastore1' }],
      networks: ['VM Network'],
    },
  ],
};

const directorWorld = {
  orgs: [
    {
      name: 'org1',
      vdcs: [
        {
          name: 'vdc1',
          networks: [
            {
              name: 'net1',
              fence: 'isolated',
              gateway: '10.1.1.1',
              ranges: [{ start: '10.1.1.10', end: '10.1.1.50' }],
            },
          ],
        },
      ],
      catalogs: [{ name: 'templates' }],
    },
  ],
};

/**
 * The whole of Cloudspan between the two labs; what goes in and what comes out is made, moved and judged by govc,
 * pyvcloud, qemu-img and QEMU.
 */
describe.skipIf(missing('the round trip of real input', [...bootWitnesses, ...downloadWitnesses]))(
  'through the whole of Cloudspan',
  () => {
    let folder: TemporaryFolder;
    let site: Installation;
    let govc: Govc;
    let director: DirectorAccess;

    beforeAll(async () => {
      folder = await TemporaryFolder.make();
      site = await Installation.start({ vcenterWorld, directorWorld });
      const vcenter = site.lab('vcenter');
      const account = { url: vcenter.ready.url, user: vcenter.ready.user, password: vcenter.options.password ?? '' };
      govc = new Govc(account, folder.at('home'));
      const { ready, options } = site.lab('director');
      const { url, user, org = '' } = ready;
      director = { url, user, org, password: options.password ?? '' };
    }, 120_000);
    afterAll(async () => {
      await site?.[Symbol.asyncDispose]();
      await folder?.[Symbol.asyncDispose]();
    });

    async function copied(request: Omit<CopyRequest, 'kind'>): Promise<JobView> {
      const end = await site.end((await site.copy(request)).id, 200);
      expect(end.failure, JSON.stringify(end.failure)).toBeUndefined();
      expect(end.state).toBe('succeeded');
      for (const disk of end.receipt?.disks ?? []) expect(disk.destinationRoot).toBe(disk.sourceRoot);
      return end;
    }

    async function expectNothingOpen(): Promise<void> {
      expect(await site.labCall('vcenter', 'GET', '/state')).toMatchObject({ leases: [], halfMade: [] });
      expect(await site.labCall('director', 'GET', '/state')).toMatchObject({
        uploads: 0,
        downloads: 0,
        leftoverTransfers: [],
        leftoverDisks: [],
      });
    }

    /** Imports with govc and waits until Cloudspan's inventory has it. */
    async function importPackage(name: string): Promise<void> {
      const words = ['import.ovf', '-m', '-ds', 'datastore1', '-pool', 'Cluster1/Resources', '-name', name];
      await govc.runIn(folder.at(name), ...words, `${name}.ovf`);
      await expectListed('vc', `/DC1/vm/${name}`);
    }

    async function expectListed(cloud: string, path: string, kind?: ObjectKind): Promise<void> {
      const { clouds } = await site.client.listClouds({});
      const id = clouds.find((one) => one.name === cloud)?.id ?? '';
      const listed = async () => {
        const { objects } = await site.client.listObjects({ query: { cloud: id, path } });
        return objects.find((one) => kind === undefined || one.kind === kind);
      };
      await site.until(listed, 10, `${cloud}${path} is not in the inventory`);
    }

    const raw = () => folder.at('linux.raw');
    const marker = `cloudspan ${randomUUID()}`;

    async function expectBoot(vmdk: string | undefined): Promise<void> {
      const console = await boot(folder, vmdk ?? '', 'vmdk');
      expect(console).toContain(`MARKER=${marker}`);
      expect(console).toContain('READY');
    }

    it('a Linux that was imported by govc boots after its way to Cloud Director', async () => {
      await mkdir(folder.at('linux'));
      await buildBootableDisk(folder, raw(), marker);
      await toStreamOptimized(raw(), folder.at('linux', 'linux-disk1.vmdk'));
      const capacityBytes = await virtualBytes(raw(), 'raw');
      await writePackage(folder.at('linux'), 'linux', [
        { name: 'linux', disks: [{ file: 'linux-disk1.vmdk', capacityBytes }] },
      ]);
      await importPackage('linux');
      const job = await copied({
        source: 'vc/DC1/vm/linux',
        destination: 'vcd/vdc1',
        networks: { 'VM Network': 'net1' },
      });
      expect(job.receipt?.disks).toHaveLength(1);
      const { linux } = await downloadOva(director, { vdc: 'vdc1', name: 'linux' }, folder);
      expect(linux).toHaveLength(1);
      expect(await difference(raw(), linux?.[0] ?? '', 'vmdk')).toBeUndefined();
      await expectBoot(linux?.[0]);
      await expectNothingOpen();
    }, 300_000);

    it('and again after its way home', async () => {
      await copied({
        source: 'vcd/vdc1/linux',
        destination: 'vc/DC1/vm',
        name: 'linux-home',
        networks: { net1: 'VM Network' },
      });
      const [vmdk = ''] = await exportMachine(govc, 'linux-home', folder);
      expect(await difference(raw(), vmdk, 'vmdk')).toBeUndefined();
      await expectBoot(vmdk);
      await expectNothingOpen();
    }, 300_000);

    it('a template of it arrives in a catalog byte for byte', async () => {
      await govc.run(
        'vm.clone',
        '-vm',
        'linux',
        '-on=false',
        '-pool',
        'Cluster1/Resources',
        '-ds',
        'datastore1',
        'golden',
      );
      await govc.run('vm.markastemplate', 'golden');
      await expectListed('vc', '/DC1/vm/golden', 'template');
      const job = await copied({ source: 'vc/DC1/vm/golden', destination: 'vcd/templates' });
      expect(job.result?.object.kind).toBe('template');
      const disks = await downloadOva(director, { catalog: 'templates', name: 'golden' }, folder);
      const [vmdk = ''] = Object.values(disks)[0] ?? [];
      expect(await difference(raw(), vmdk, 'vmdk')).toBeUndefined();
      await expectNothingOpen();
    }, 300_000);

    const machines = {
      'shop-db': [301.5 * MIB, 5 * 1024 * MIB],
      'shop-web': [77 * MIB],
    } as const;

    async function expectDisks(
      machine: keyof typeof machines,
      found: readonly string[],
      rounding: number,
    ): Promise<void> {
      expect(found).toHaveLength(machines[machine].length);
      for (const [index, capacityBytes] of machines[machine].entries()) {
        const vmdk = found[index] ?? '';
        expect(await virtualBytes(vmdk, 'vmdk')).toBe(Math.ceil(capacityBytes / rounding) * rounding);
        expect(await difference(folder.at(`${machine}-${index}.raw`), vmdk, 'vmdk'), vmdk).toBeUndefined();
      }
    }

    it('a vApp of two machines with three disks of odd sizes arrives in Cloud Director byte for byte', async () => {
      await mkdir(folder.at('shop'));
      const packaged = [];
      for (const [name, sizes] of Object.entries(machines)) {
        const disks = [];
        for (const [index, capacityBytes] of sizes.entries()) {
          const file = `${name}-${index}.vmdk`;
          await writeRawDisk(folder.at(`${name}-${index}.raw`), capacityBytes, 21 * MIB);
          await toStreamOptimized(folder.at(`${name}-${index}.raw`), folder.at('shop', file));
          disks.push({ file, capacityBytes });
        }
        packaged.push({ name, disks });
      }
      await writePackage(folder.at('shop'), 'shop', packaged);
      await importPackage('shop');
      const job = await copied({
        source: 'vc/DC1/vm/shop',
        destination: 'vcd/vdc1',
        networks: { 'VM Network': 'net1' },
      });
      expect(job.receipt?.disks).toHaveLength(3);
      const disks = await downloadOva(director, { vdc: 'vdc1', name: 'shop' }, folder);
      expect(Object.keys(disks).toSorted()).toEqual(Object.keys(machines).toSorted());
      for (const name of ['shop-db', 'shop-web'] as const) await expectDisks(name, disks[name] ?? [], MIB);
      await expectNothingOpen();
    }, 300_000);

    it('and comes home byte for byte', async () => {
      await govc.run('vapp.destroy', 'shop');
      const job = await copied({
        source: 'vcd/vdc1/shop',
        destination: 'vc/DC1/vm',
        networks: { net1: 'VM Network' },
      });
      expect(job.result?.object.kind).toBe('vapp');
      await rm(folder.at('director-shop'), { recursive: true });
      for (const name of ['shop-db', 'shop-web'] as const) {
        await expectDisks(name, await exportMachine(govc, name, folder), MIB);
      }
      await expectNothingOpen();
    }, 300_000);
  },
);
