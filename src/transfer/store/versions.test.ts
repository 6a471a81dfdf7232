import { mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { BLOCK_BYTES, BlockMap, hashBlock } from '../../model/block-map.ts';
import { samplePackage } from '../sample-transfer.ts';
import { openVersions, type Versions, versionNames } from './versions.ts';

let folder: string;
let versions: Versions;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cloudspan-versions-'));
  versions = await openVersions(folder);
});
afterEach(() => rm(folder, { recursive: true, force: true }));

function mapOf(seeds: (number | null)[], blocks = 64): BlockMap {
  const map = new BlockMap('disk', blocks * BLOCK_BYTES);
  for (const [index, seed] of seeds.entries()) if (seed !== null) map.set(index, hashBlock(Buffer.of(seed)));
  map.complete = true;
  return map;
}

const name = (lineage: string, likeness?: string) => ({
  lineage,
  disk: 'disk-1',
  ...(likeness === undefined ? {} : { alike: [likeness] }),
});

describe('versions', () => {
  it('give back the last map of a lineage, also after they were opened anew', async () => {
    await versions.remember('alice', name('vc1/vm-7'), mapOf([1, null, 2]));
    await versions.remember('alice', name('vc1/vm-7'), mapOf([1, null, 3, 4]));
    for (const opened of [versions, await openVersions(folder)]) {
      const map = await opened.recall('alice', name('vc1/vm-7'));
      expect(map?.root()).toBe(mapOf([1, null, 3, 4]).root());
      expect(map?.lengthBytes).toBe(64 * BLOCK_BYTES);
      expect(map?.complete).toBe(true);
      expect(await opened.recall('alice', name('vc1/vm-8'))).toBeNull();
      expect(await opened.recall('alice', { lineage: 'vc1/vm-7', disk: 'disk-2' })).toBeNull();
      expect(await opened.recall('bob', name('vc1/vm-7'))).toBeNull();
    }
    expect(await readdir(folder)).toHaveLength(1);
  });

  it('fall back on the last used map of the same likeness and the same owner', async () => {
    await versions.remember('alice', name('vc1/vm-1', 'web'), mapOf([1]));
    await versions.remember('alice', name('vc1/vm-2', 'web'), mapOf([2]));
    await versions.remember('bob', name('vc1/vm-3', 'web'), mapOf([3]));
    await versions.remember('alice', name('vc1/vm-4', 'mail'), mapOf([4]));
    const files = await readdir(folder);
    for (const file of files) await utimes(join(folder, file), 1000, 1000);
    versions = await openVersions(folder);
    await versions.recall('alice', name('vc1/vm-1'));
    const reopened = await openVersions(folder);
    expect((await reopened.recall('alice', name('vc9/vm-9', 'web')))?.root()).toBe(mapOf([1]).root());
    expect((await reopened.recall('bob', name('vc9/vm-9', 'web')))?.root()).toBe(mapOf([3]).root());
    expect(await reopened.recall('carol', name('vc9/vm-9', 'web'))).toBeNull();
  });

  it('stay below their limit: the least recently used goes first, and what is too large is not kept', async () => {
    const seeds = Array.from({ length: 50 }, (_, index) => index + 1);
    await versions.remember('alice', name('a'), mapOf(seeds));
    const each = versions.usedBytes();
    versions = await openVersions(folder, { limitBytes: each * 3 });
    for (const lineage of ['b', 'c']) await versions.remember('alice', name(lineage), mapOf(seeds));
    for (const [at, file] of (await readdir(folder)).entries()) await utimes(join(folder, file), 1000 + at, 1000 + at);
    versions = await openVersions(folder, { limitBytes: each * 3 });
    for (const lineage of ['b', 'a']) {
      await versions.recall('alice', name(lineage));
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    await versions.remember('alice', name('d'), mapOf(seeds));
    expect(await versions.recall('alice', name('c'))).toBeNull();
    for (const lineage of ['a', 'b', 'd']) expect(await versions.recall('alice', name(lineage))).not.toBeNull();
    await versions.remember('alice', name('a'), mapOf(Array(400).fill(9), 400));
    expect(await versions.recall('alice', name('a'))).toBeNull();
    let bytes = 0;
    for (const file of await readdir(folder)) bytes += (await stat(join(folder, file))).size;
    expect(versions.usedBytes()).toBe(bytes);
    const smaller = await openVersions(folder, { limitBytes: each });
    expect(await readdir(folder)).toHaveLength(1);
    expect(smaller.usedBytes()).toBeLessThanOrEqual(each);
  });

  it('drop a map in which a bit was flipped, one that was cut off, and what a killed writer left', async () => {
    await versions.remember('alice', name('a', 'web'), mapOf([1, 2, 3]));
    const path = join(folder, (await readdir(folder))[0]!);
    const whole = await readFile(path);
    for (const at of [whole.length - 40, whole.length - 1, 14]) {
      const bytes = Buffer.from(whole);
      bytes[at]! ^= 4;
      await writeFile(path, bytes);
      versions = await openVersions(folder);
      expect(await versions.recall('alice', name('a'))).toBeNull();
      expect(await readdir(folder)).toEqual([]);
    }
    for (const length of [0, 5, 20, whole.length - 32, whole.length - 1]) {
      await writeFile(path, whole.subarray(0, length));
      versions = await openVersions(folder);
      expect(await versions.recall('alice', name('b', 'web'))).toBeNull();
    }
    await writeFile(`${path}.123.x.part`, whole);
    await writeFile(join(folder, 'notes.txt'), 'mine');
    versions = await openVersions(folder);
    expect(await readdir(folder)).toEqual(['notes.txt']);
  });

  it('write no name of a machine down, and forget an owner', async () => {
    await versions.remember('alice', name('vc1/vm-secret', 'payroll'), mapOf([1]));
    await versions.remember('bob', name('vc1/vm-secret', 'payroll'), mapOf([1]));
    for (const file of await readdir(folder)) {
      const bytes = await readFile(join(folder, file));
      expect(bytes.includes('secret') || bytes.includes('payroll') || file.includes('secret')).toBe(false);
    }
    await versions.forget('alice');
    expect(await versions.recall('alice', name('vc1/vm-secret', 'payroll'))).toBeNull();
    expect(await versions.recall('bob', name('vc1/vm-secret'))).not.toBeNull();
    await versions.forget('alice');
  });

  it('find the copy of a machine in another cloud by its name, its disks and their sizes', async () => {
    const disk = { capacityBytes: 64 * BLOCK_BYTES, blocks: [] };
    const here = versionNames(samplePackage({ 'scsi0:0': disk, 'scsi0:1': disk }), 'vc1/vm-7');
    const there = versionNames(samplePackage({ 2000: disk, 2001: disk }), 'vcd1/vapp-9');
    await versions.remember('alice', here.get('scsi0:0')!, mapOf([1]));
    await versions.remember('alice', here.get('scsi0:1')!, mapOf([2]));
    expect((await versions.recall('alice', there.get('2001')!))?.root()).toBe(mapOf([2]).root());
    const unnamed = versionNames(samplePackage({ 2000: disk }), null).get('2000')!;
    expect((await versions.recall('alice', unnamed))?.root()).toBe(mapOf([1]).root());
    const larger = versionNames(samplePackage({ 2000: { ...disk, capacityBytes: 99 * BLOCK_BYTES } }), null);
    expect(await versions.recall('alice', larger.get('2000')!)).toBeNull();
  });

  it('hold a map of a large disk flat', async () => {
    const blocks = 200_000;
    const map = new BlockMap('disk', blocks * BLOCK_BYTES);
    const hash = hashBlock(Buffer.of(1));
    for (let index = 0; index < blocks; index++) {
      hash.writeUInt32BE(index, 0);
      map.set(index, hash);
    }
    await versions.remember('alice', name('large'), map);
    expect(versions.usedBytes()).toBeLessThan(blocks * 32 + 1024);
    expect((await versions.recall('alice', name('large')))?.root()).toBe(map.root());
  });
});
