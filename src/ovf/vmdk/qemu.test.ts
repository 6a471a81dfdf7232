import { execFile, spawnSync } from 'node:child_process';
import { createReadStream } from 'node:fs';
import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { BLOCK_BYTES } from '../../model/block-map.ts';
import { decodeVmdk } from './decode.ts';
import { encodeVmdk } from './encode.ts';
import { filledDisk, noise, SampleDisk, text } from './sample-disk.ts';

const run = promisify(execFile);
const MIB = BLOCK_BYTES;
const never = new AbortController().signal;
const available = spawnSync('qemu-img', ['--version']).status === 0;
if (!available)
  console.warn('SKIPPED: qemu-img is not installed, so VMDKs are not compared with what QEMU makes of them');

const sparse = (capacity: number): SampleDisk =>
  new SampleDisk(capacity).write(0, text(70_000, 1)).write(capacity - 512, noise(512, 2));

const disks: [string, () => SampleDisk][] = [
  ['one sector', () => filledDisk(512)],
  ['three sectors', () => filledDisk(3 * 512)],
  ['one block less a sector', () => filledDisk(MIB - 512)],
  ['one block and a sector', () => filledDisk(MIB + 512)],
  ['33 MiB and a sector, filled', () => filledDisk(33 * MIB + 512)],
  ['100 MiB, sparse', () => sparse(100 * MIB)],
  ['10 MiB, empty', () => new SampleDisk(10 * MIB)],
  ['5 GiB and a sector, sparse', () => sparse(5 * 1024 * MIB + 512).write(4096 * MIB - 700, noise(1400, 3))],
];

describe.skipIf(!available)('QEMU and Cloudspan agree on a disk of', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'cloudspan-vmdk-'));
  });
  afterAll(() => rm(folder, { recursive: true }));

  for (const [name, make] of disks) {
    test(name, async () => {
      const disk = make();
      const [raw, ours, back, theirs, decoded] = ['raw', 'ours.vmdk', 'back', 'theirs.vmdk', 'decoded'].map((file) =>
        join(folder, file),
      ) as [string, string, string, string, string];
      await using rawFile = await open(raw, 'w');
      await rawFile.truncate(disk.capacityBytes);
      for await (const { index, data } of disk.blocks()) {
        await rawFile.write(data, 0, Math.min(MIB, disk.capacityBytes - index * MIB), index * MIB);
      }

      await using oursFile = await open(ours, 'w');
      const options = { capacityBytes: disk.capacityBytes, blocks: disk.blocks(), signal: never };
      for await (const part of encodeVmdk(options)) await oursFile.write(part);
      const check = await run('qemu-img', ['check', '-f', 'vmdk', ours]);
      expect(check.stdout).toContain('No errors');
      const info = JSON.parse((await run('qemu-img', ['info', '--output=json', ours])).stdout);
      expect(info['virtual-size']).toBe(disk.capacityBytes);
      expect(info['format-specific'].data['create-type']).toBe('streamOptimized');
      await run('qemu-img', ['compare', '-f', 'vmdk', '-F', 'raw', ours, raw]);
      await run('qemu-img', ['convert', '-f', 'vmdk', '-O', 'raw', ours, back]);
      await run('qemu-img', ['compare', '-f', 'raw', '-F', 'raw', back, raw]);

      await run('qemu-img', ['convert', '-f', 'raw', '-O', 'vmdk', '-o', 'subformat=streamOptimized', raw, theirs]);
      const source = createReadStream(theirs);
      const vmdk = await decodeVmdk(source, { signal: never, expectedCapacityBytes: disk.capacityBytes });
      await using decodedFile = await open(decoded, 'w');
      await decodedFile.truncate(disk.capacityBytes);
      for await (const { index, data } of vmdk.blocks) {
        await decodedFile.write(data, 0, Math.min(MIB, disk.capacityBytes - index * MIB), index * MIB);
      }
      await run('qemu-img', ['compare', '-f', 'raw', '-F', 'raw', decoded, raw]);
    });
  }

  test('a file that QEMU wrote is found to be cut', async () => {
    const theirs = join(folder, 'cut.vmdk');
    const raw = join(folder, 'cut.raw');
    await using file = await open(raw, 'w');
    await file.write(noise(4 * MIB, 8));
    await run('qemu-img', ['convert', '-f', 'raw', '-O', 'vmdk', '-o', 'subformat=streamOptimized', raw, theirs]);
    const { size } = await file.stat();
    const cut = createReadStream(theirs, { end: 2 * MIB - 1 });
    expect(size).toBe(4 * MIB);
    const vmdk = await decodeVmdk(cut, { signal: never });
    await expect(Array.fromAsync(vmdk.blocks)).rejects.toMatchObject({ code: 'vmdk.truncated' });
  });

  test('a sparse VMDK that is not stream-optimized is refused', async () => {
    const other = join(folder, 'other.vmdk');
    await run('qemu-img', ['create', '-f', 'vmdk', other, '8M']);
    await expect(decodeVmdk(createReadStream(other), { signal: never })).rejects.toMatchObject({
      code: 'vmdk.unsupported',
      message: expect.stringContaining('monolithicSparse'),
    });
  });
});
