import { mkdir, open, readdir } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { createIdentity } from '../../src/base/identity.ts';
import type { Cloud } from '../../src/drivers/driver.ts';
import { folderDriver } from '../../src/drivers/folder/index.ts';
import { BLOCK_BYTES, BlockMap, hashBlock, isZero } from '../../src/model/block-map.ts';
import { exportRoots, type MadePackage, madePackage, quietLog } from '../drivers/conformance/work.ts';
import { put } from '../drivers/folder-world.ts';
import { difference, MIB, toStreamOptimized, virtualBytes, writeRawDisk } from './disk-image.ts';
import { Govc } from './govc.ts';
import { startVcsim } from './lab.ts';
import { writePackage } from './ovf-package.ts';
import { run } from './program.ts';
import { TemporaryFolder } from './temporary-folder.ts';
import { missing } from './witnesses.ts';

async function connect(root: string): Promise<Cloud> {
  const driver = folderDriver({ roots: [root], identity: await createIdentity('interop') });
  const trust = { kind: 'pin' as const, sha256: '0'.repeat(64) };
  const settings = { options: { folder: root }, trust, label: 'usb', log: quietLog, stallSeconds: 5 };
  return driver.connect(settings, AbortSignal.timeout(10_000));
}

async function writeRaw(file: string, made: MadePackage, disk: string): Promise<void> {
  const content = made.contents.get(disk)!;
  await using raw = await open(file, 'w');
  await raw.truncate(Math.ceil(content.capacityBytes / 512) * 512);
  for (const { index, data } of content.blocks()) {
    const length = Math.min(BLOCK_BYTES, content.capacityBytes - index * BLOCK_BYTES);
    await raw.write(data, 0, length, index * BLOCK_BYTES);
  }
}

async function rootOfFile(file: string, capacityBytes: number): Promise<string> {
  const map = new BlockMap('disk', capacityBytes);
  await using raw = await open(file, 'r');
  for (let index = 0; index < map.blocks; index++) {
    const block = Buffer.alloc(BLOCK_BYTES);
    await raw.read(block, 0, BLOCK_BYTES, index * BLOCK_BYTES);
    if (!isZero(block)) map.set(index, hashBlock(block));
  }
  return map.root();
}

describe.skipIf(missing('OVAs of the folder driver', ['vcsim', 'govc', 'qemu-img']))('an OVA', () => {
  it('that we wrote is imported by govc, and qemu-img finds the very disks in it', async () => {
    await using folder = await TemporaryFolder.make();
    const made = madePackage('appliance', [20 * MIB + 5 * 1024, 3 * MIB]);
    const cloud = await connect(folder.path);
    const id = await put(cloud, made, '/', { format: 'ova' });
    await cloud.close();
    await using vcsim = await startVcsim('vcenter', folder);
    const govc = new Govc(vcsim, folder.at('home'));
    await govc.run(...['import.ova', '-name', 'appliance'], ...['-pool', '/DC0/host/DC0_C0/Resources', folder.at(id)]);
    const info = await govc.json<{ virtualMachines: { config: { hardware: { numCPU: number; memoryMB: number } } }[] }>(
      'vm.info',
      'appliance',
    );
    expect(info.virtualMachines[0]?.config.hardware).toMatchObject({ numCPU: 4, memoryMB: 768 });

    await mkdir(folder.at('inner'));
    await run('tar', ['xf', folder.at(id), '-C', folder.at('inner')]);
    const disks = (await readdir(folder.at('inner'))).filter((name) => name.endsWith('.vmdk')).sort();
    for (const [index, disk] of [...made.contents.keys()].entries()) {
      const raw = folder.at(`${index}.raw`);
      await writeRaw(raw, made, disk);
      const vmdk = folder.at('inner', disks[index]!);
      expect(await difference(raw, vmdk, 'vmdk')).toBeUndefined();
      expect(await virtualBytes(vmdk, 'vmdk')).toBe(Math.ceil(made.contents.get(disk)!.capacityBytes / 512) * 512);
    }
  }, 120_000);

  it('that tar and qemu-img made is read byte for byte', async () => {
    await using folder = await TemporaryFolder.make();
    const raw = folder.at('disk.raw');
    await writeRawDisk(raw, 12 * MIB, 5 * MIB);
    await toStreamOptimized(raw, folder.at('disk.vmdk'));
    const machine = { name: 'foreign', disks: [{ file: 'disk.vmdk', capacityBytes: 12 * MIB }] };
    const descriptor = await writePackage(folder.path, 'foreign', [machine as never]);
    const names = (await readdir(folder.path)).filter((name) => /\.(mf|vmdk)$/.test(name));
    await mkdir(folder.at('packages'));
    const first = descriptor.split('/').at(-1)!;
    await run('tar', ['cf', folder.at('packages', 'foreign.ova'), '-C', folder.path, first, ...names]);
    const cloud = await connect(folder.at('packages'));
    const { roots } = await exportRoots(cloud, 'foreign.ova');
    await cloud.close();
    expect(roots).toEqual([await rootOfFile(raw, 12 * MIB)]);
  }, 120_000);
});
