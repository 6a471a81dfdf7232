import { randomBytes } from 'node:crypto';
import { copyFile, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { difference, MIB, toStreamOptimized, virtualBytes, writeRawDisk } from './disk-image.ts';
import { Govc } from './govc.ts';
import { type Lab, startLab } from './lab.ts';
import { sha256, writePackage } from './ovf-package.ts';
import { TemporaryFolder } from './temporary-folder.ts';
import { missing } from './witnesses.ts';

const CAPACITY = 45 * MIB + 512;

describe.skipIf(missing('govc against the vCenter lab', ['govc', 'qemu-img']))('govc', () => {
  let folder: TemporaryFolder;
  let lab: Lab;
  let govc: Govc;

  beforeAll(async () => {
    folder = await TemporaryFolder.make();
    lab = await startLab('vcenter', folder);
    govc = new Govc(lab, folder.at('home'));
    await mkdir(folder.at('package'));
    await writeRawDisk(folder.at('disk.raw'), CAPACITY, 9 * MIB);
    await toStreamOptimized(folder.at('disk.raw'), folder.at('package', 'first-disk1.vmdk'));
    await writePackage(folder.at('package'), 'first', [
      { name: 'first', disks: [{ file: 'first-disk1.vmdk', capacityBytes: CAPACITY }] },
    ]);
  });
  afterAll(async () => {
    await lab?.[Symbol.asyncDispose]();
    await folder?.[Symbol.asyncDispose]();
  });

  async function exported(machine: string): Promise<{ folder: string; vmdk: string }> {
    const target = folder.at(`export-${machine}`);
    await mkdir(target);
    await govc.run('export.ovf', '-sha', '256', '-vm', machine, target);
    const into = join(target, machine);
    const vmdk = (await readdir(into)).find((name) => name.endsWith('.vmdk'));
    if (vmdk === undefined) throw new Error(`the export of ${machine} has no disk`);
    return { folder: into, vmdk: join(into, vmdk) };
  }

  it('signs in, tells about the vCenter and walks the inventory', async () => {
    const about = await govc.json<{ about: { apiType: string; productLineId: string } }>('about');
    expect(about.about).toMatchObject({ apiType: 'VirtualCenter', productLineId: 'vpx' });
    expect(await govc.run('ls')).toContain('/DC1/datastore');
    expect((await govc.run('ls', '/DC1/host/Cluster1')).split('\n')).toContain('/DC1/host/Cluster1/Resources');
    const found = (await govc.run('find', '/', '-type', 'h')).trim().split('\n');
    expect(found.toSorted()).toEqual(['/DC1/host/Cluster1/esx1.lab', '/DC1/host/Cluster1/esx2.lab']);
    expect((await govc.run('find', '/', '-type', 's')).trim().split('\n').length).toBeGreaterThan(0);
  });

  it('is refused with a wrong password, and says so', async () => {
    const stranger = new Govc({ url: lab.url, user: lab.user, password: 'not it' }, folder.at('stranger'));
    const { status, stderr } = await stranger.outcome('ls');
    expect(status).not.toBe(0);
    expect(stderr).toMatch(/incorrect user name or password/i);
  });

  it('imports a machine with a disk of an odd size', async () => {
    await govc.runIn(
      folder.at('package'),
      'import.ovf',
      '-m',
      '-pool',
      'Cluster1/Resources',
      '-ds',
      'datastore1',
      'first.ovf',
    );
    expect(await govc.run('ls', 'vm')).toContain('/DC1/vm/first');
    expect(await govc.powerState('first')).toBe('poweredOff');
    const state = await lab.state<{ leases: unknown[]; halfMade: unknown[] }>();
    expect(state).toMatchObject({ leases: [], halfMade: [] });
  });

  it('exports the same bytes, with a manifest that is right', async () => {
    const { folder: into, vmdk } = await exported('first');
    expect(await virtualBytes(vmdk, 'vmdk')).toBeGreaterThanOrEqual(CAPACITY);
    expect(await difference(folder.at('disk.raw'), vmdk, 'vmdk')).toBeUndefined();
    await writeRawDisk(folder.at('other.raw'), CAPACITY, 9 * MIB);
    expect(await difference(folder.at('other.raw'), vmdk, 'vmdk')).toMatch(/mismatch/);
    const lines = (await readFile(join(into, 'first.mf'), 'utf8')).trim().split('\n');
    expect(lines.length).toBeGreaterThanOrEqual(2);
    for (const line of lines) {
      const [, file = '', digest = ''] = /^SHA256\((.+)\)\s*=\s*([0-9a-f]{64})$/.exec(line) ?? [];
      expect(file, line).not.toBe('');
      expect(await sha256(join(into, file))).toBe(digest);
    }
    expect((await lab.state<{ leases: unknown[] }>()).leases).toEqual([]);
  });

  it('powers on and off, and is told when the machine is in that state already', async () => {
    await govc.run('vm.power', '-on', 'first');
    expect(await govc.powerState('first')).toBe('poweredOn');
    const again = await govc.outcome('vm.power', '-on', 'first');
    expect(again.status).not.toBe(0);
    expect(`${again.stdout}${again.stderr}`).toContain('current state (Powered on)');
    await mkdir(folder.at('refused'));
    const export_ = await govc.outcome('export.ovf', '-vm', 'first', folder.at('refused'));
    expect(export_.status).not.toBe(0);
    await govc.run('vm.power', '-off', 'first');
    expect(await govc.powerState('first')).toBe('poweredOff');
  });

  it('clones a machine with all its bytes and marks the clone as a template', async () => {
    await govc.run(
      'vm.clone',
      '-vm',
      'first',
      '-on=false',
      '-pool',
      'Cluster1/Resources',
      '-ds',
      'datastore2',
      'second',
    );
    const { vmdk } = await exported('second');
    expect(await difference(folder.at('disk.raw'), vmdk, 'vmdk')).toBeUndefined();
    await govc.run('vm.markastemplate', 'second');
    const info = await govc.json<{ virtualMachines: { config: { template: boolean } }[] }>('vm.info', 'second');
    expect(info.virtualMachines[0]?.config.template).toBe(true);
    expect((await govc.outcome('vm.power', '-on', 'second')).status).not.toBe(0);
  });

  it('deploys a machine from the template with the same bytes', async () => {
    await govc.run(
      'vm.clone',
      '-vm',
      'second',
      '-on=false',
      '-pool',
      'Cluster1/Resources',
      '-ds',
      'datastore1',
      'third',
    );
    const { vmdk } = await exported('third');
    expect(await difference(folder.at('disk.raw'), vmdk, 'vmdk')).toBeUndefined();
    await govc.run('vm.destroy', 'third');
  });

  it('imports two machines as a vApp, starts and stops it, and deletes it', async () => {
    await mkdir(folder.at('pair'));
    const machines = [];
    for (const name of ['front', 'back']) {
      await copyFile(folder.at('package', 'first-disk1.vmdk'), folder.at('pair', `${name}.vmdk`));
      machines.push({ name, disks: [{ file: `${name}.vmdk`, capacityBytes: CAPACITY }] });
    }
    await writePackage(folder.at('pair'), 'pair', machines);
    const words = ['import.ovf', '-m', '-pool', 'Cluster1/Resources', '-ds', 'datastore1', '-name', 'pair', 'pair.ovf'];
    await govc.runIn(folder.at('pair'), ...words);
    await govc.run('vapp.power', '-on', 'pair');
    expect([await govc.powerState('front'), await govc.powerState('back')]).toEqual(['poweredOn', 'poweredOn']);
    await govc.run('vapp.power', '-off', 'pair');
    expect([await govc.powerState('front'), await govc.powerState('back')]).toEqual(['poweredOff', 'poweredOff']);
    for (const { name } of machines) {
      const { vmdk } = await exported(name);
      expect(await difference(folder.at('disk.raw'), vmdk, 'vmdk'), name).toBeUndefined();
    }
    await govc.run('vapp.destroy', 'pair');
    expect((await govc.run('find', '/', '-type', 'a')).trim()).toBe('');
  });

  it('puts a file on a datastore and gets the same file back', async () => {
    await writeFile(folder.at('upload.bin'), randomBytes(5 * MIB + 123));
    await govc.run('datastore.mkdir', '-ds', 'datastore1', 'files');
    await govc.run('datastore.upload', '-ds', 'datastore1', folder.at('upload.bin'), 'files/a b+c.bin');
    expect(await govc.run('datastore.ls', '-ds', 'datastore1', 'files')).toContain('a b+c.bin');
    await govc.run('datastore.download', '-ds', 'datastore1', 'files/a b+c.bin', folder.at('download.bin'));
    expect(await sha256(folder.at('download.bin'))).toBe(await sha256(folder.at('upload.bin')));
  });

  it('deletes what it made and leaves nothing', async () => {
    await govc.run('vm.destroy', 'first');
    await govc.run('vm.destroy', 'second');
    const state = await lab.state<{ machines: number; leases: unknown[]; halfMade: unknown[] }>();
    expect(state).toMatchObject({ machines: 0, leases: [], halfMade: [] });
    const files = await govc.run('datastore.ls', '-ds', 'datastore1');
    expect(files).not.toContain('first');
  });
});
