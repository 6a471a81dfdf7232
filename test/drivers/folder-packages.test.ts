import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createIdentity } from '../../src/base/identity.ts';
import type { Cloud } from '../../src/drivers/driver.ts';
import { folderDriver } from '../../src/drivers/folder/index.ts';
import { Fault } from '../../src/model/fault.ts';
import {
  again,
  exportRoots,
  faultOf,
  feedsOf,
  madeMedia,
  madePackage,
  newWork,
  quietLog,
  snapshot,
} from './conformance/work.ts';
import { filesBelow, put } from './folder-world.ts';

const MIB = 1024 * 1024;
const identity = await createIdentity('packages');
let root: string;
let cloud: Cloud;

async function connect(passphrase?: string, at = root): Promise<Cloud> {
  const driver = folderDriver({ roots: [at], identity });
  const options = { folder: at, ...(passphrase === undefined ? {} : { passphrase }) };
  const trust = { kind: 'pin' as const, sha256: '0'.repeat(64) };
  return driver.connect({ options, trust, label: 'usb', log: quietLog, stallSeconds: 5 }, AbortSignal.timeout(10_000));
}

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'cloudspan-packages-'));
  cloud = await connect();
});
afterAll(async () => {
  await cloud?.close();
  await rm(root, { recursive: true, force: true });
});

const plain = { protection: 'plain' };
const never = new AbortController().signal;
const rootsOf = (made: ReturnType<typeof madePackage>) => [...made.contents.values()].map((content) => content.root());

/** An OVA of ours, unpacked into a folder. */
async function unpacked(name: string): Promise<{ folder: string; ovf: string; made: ReturnType<typeof madePackage> }> {
  const made = madePackage(name, [5 * MIB + 512, 2 * MIB]);
  const id = await put(cloud, made, '/', { format: 'ova' });
  const folder = join(root, `${name}.d`);
  await mkdir(folder);
  execFileSync('tar', ['xf', join(root, id), '-C', folder]);
  await rm(join(root, id));
  const ovf = (await readdir(folder)).find((file) => file.endsWith('.ovf'))!;
  return { folder, ovf, made };
}

test('an OVA comes back with the same disks and hardware, and tar and sha256sum agree with it', async () => {
  const made = madePackage('as ova', [5 * MIB + 512, 2 * MIB], 2);
  const id = await put(cloud, made, '/', { format: 'ova' });
  const { description, roots } = await exportRoots(cloud, id);
  expect(roots).toEqual(rootsOf(made));
  expect(description.name).toBe('as ova');
  expect(description.machines.map(({ nics }) => nics)).toEqual(made.description.machines.map(({ nics }) => nics));
  const names = execFileSync('tar', ['tf', join(root, id)], { encoding: 'utf8' })
    .trim()
    .split('\n');
  expect([names[0], names.at(-1)]).toEqual(['as-ova.ovf', 'as-ova.mf']);
  const manifest = execFileSync('tar', ['xOf', join(root, id), 'as-ova.mf'], { encoding: 'utf8' });
  for (const [, name = '', digest] of manifest.matchAll(/SHA256\((.*)\)= (.*)/g)) {
    const bytes = execFileSync('tar', ['xOf', join(root, id), name], { maxBuffer: 64 * MIB });
    expect(createHash('sha256').update(bytes).digest('hex')).toBe(digest);
  }
});

test('an OVF folder is read, also with gzipped disks and with disks cut into chunks', async () => {
  const { folder, ovf, made } = await unpacked('forms');
  await rm(join(folder, ovf.replace('.ovf', '.mf')));
  const text = await readFile(join(folder, ovf), 'utf8');
  const [first = '', second = ''] = (await readdir(folder)).filter((name) => name.endsWith('.vmdk')).sort();
  await writeFile(join(folder, `${first}.gz`), gzipSync(await readFile(join(folder, first))));
  await rm(join(folder, first));
  const bytes = await readFile(join(folder, second));
  for (let at = 0, chunk = 0; at < bytes.length; at += 500_000, chunk++) {
    await writeFile(join(folder, `${second}.${String(chunk).padStart(9, '0')}`), bytes.subarray(at, at + 500_000));
  }
  await rm(join(folder, second));
  const changed = text
    .replace(new RegExp(`ovf:href="${first}"([^>]*)ovf:size="\\d+"`), `ovf:href="${first}.gz"$1ovf:compression="gzip"`)
    .replace(`ovf:href="${second}"`, `ovf:href="${second}" ovf:chunkSize="500000"`);
  await writeFile(join(folder, ovf), changed);
  const { roots } = await exportRoots(cloud, `forms.d/${ovf}`);
  expect(roots).toEqual(rootsOf(made));
});

test('a file with another digest than the manifest, a cut one and a missing one end in clear faults', async () => {
  const { folder, ovf } = await unpacked('damaged');
  const disk = join(folder, (await readdir(folder)).find((name) => name.endsWith('disk1.vmdk'))!);
  const bytes = await readFile(disk);
  const id = `damaged.d/${ovf}`;
  const other = Buffer.from(bytes);
  other[bytes.length - 600]! ^= 1;
  await writeFile(disk, other);
  expect(['ovf.manifest', 'vmdk.invalid']).toContain((await faultOf(exportRoots(cloud, id))).code);
  await writeFile(disk, bytes.subarray(0, -512));
  expect((await faultOf(exportRoots(cloud, id))).code).toBe('vmdk.truncated');
  await rm(disk);
  expect((await faultOf(exportRoots(cloud, id))).code).toBe('ovf.invalid');
});

test('nothing outside of the folder is read: by path, by link, or because a descriptor says so', async () => {
  const { folder, ovf } = await unpacked('hostile');
  const outside = await mkdtemp(join(tmpdir(), 'cloudspan-outside-'));
  try {
    await writeFile(join(outside, 'secret.ova'), 'secret');
    await symlink(outside, join(root, 'way-out'));
    await symlink(join(outside, 'secret.ova'), join(root, 'link.ova'));
    for (const id of ['../x', `way-out/secret.ova`, 'link.ova', '.', 'hostile.d/../../etc/passwd', '/etc/passwd', '']) {
      expect((await faultOf(cloud.inventory.get(id, never))).code, id).toBe('object.missing');
    }
    const seen = (await snapshot(cloud)).map(({ id }) => id);
    expect(seen.filter((id) => id.startsWith('way-out') || id === 'link.ova')).toEqual([]);
    const disk = (await readdir(folder)).find((name) => name.endsWith('disk1.vmdk'))!;
    await rm(join(folder, disk));
    await symlink(join(outside, 'secret.ova'), join(folder, disk));
    expect((await faultOf(exportRoots(cloud, `hostile.d/${ovf}`))).code).toBe('ovf.invalid');
    const text = await readFile(join(folder, ovf), 'utf8');
    await rm(join(folder, ovf.replace('.ovf', '.mf')));
    for (const href of ['../../secret.ova', join(outside, 'secret.ova'), '%2e%2e/secret.ova', 'file:///etc/passwd']) {
      await writeFile(join(folder, ovf), text.replace(`ovf:href="${disk}"`, `ovf:href="${href}"`));
      expect((await faultOf(exportRoots(cloud, `hostile.d/${ovf}`))).code, href).toBe('ovf.hostile');
    }
  } finally {
    await rm(outside, { recursive: true });
  }
});

test('a package goes on behind what is in it, and begins a disk anew that changed meanwhile', async () => {
  const made = madePackage('goes on', [24 * MIB, 3 * MIB]);
  const work = newWork();
  const asked: number[] = [];
  const request = {
    description: made.description,
    name: 'goes on',
    destination: '/',
    placement: plain,
    networks: {},
    keepMac: true,
    keepUuid: true,
    onNameClash: 'fail' as const,
    properties: {},
    acceptEulas: false,
  };
  const attempt = (fails: (disk: string, index: number) => Error | undefined) => {
    const feeds = feedsOf(made, {
      before: (disk, index) => {
        const error = fails(disk, index);
        if (error !== undefined) throw error;
      },
    });
    const watched = new Map(
      [...feeds].map(([id, feed]) => {
        const blocks = (from: number, signal: AbortSignal) => {
          asked.push(from);
          return feed.blocks(from, signal);
        };
        return [id, { ...feed, blocks }];
      }),
    );
    return cloud.imports!.run(request, watched, again(work), () => undefined);
  };
  const lost = new Fault('transfer.lost', 'gone');
  expect((await faultOf(attempt((_, index) => (index === 14 ? lost : undefined)))).code).toBe('transfer.lost');
  const changed = new Fault('disk.changed', 'another version');
  expect((await faultOf(attempt((_, index) => (index === 20 ? changed : undefined)))).code).toBe('disk.changed');
  const { object } = await attempt(() => undefined);
  expect(asked.slice(0, 1)).toEqual([0]);
  expect(asked[1]).toBeGreaterThan(5);
  expect(asked[2]).toBe(0);
  expect((await exportRoots(cloud, object.id)).roots).toEqual(rootsOf(made));
  const files = await filesBelow(join(root, object.id));
  const sizes = await Promise.all(files.map(async (file) => (await stat(file)).size));
  // Blocks that were there already were not written a second time.
  expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(24 * MIB);
});

test('who has not the passphrase sees that a package is there, and why it cannot be read', async () => {
  const folder = join(root, 'locked');
  await mkdir(folder);
  await using closing = new AsyncDisposableStack();
  const owner = closing.adopt(await connect('one passphrase', folder), (one) => one.close());
  const made = madePackage('payroll', [2 * MIB]);
  const id = await put(owner, made, '/');
  expect((await exportRoots(owner, id)).roots).toEqual(rootsOf(made));
  const other = closing.adopt(await connect('another one', folder), (one) => one.close());
  const object = await other.inventory.get(id, never);
  expect(object).toMatchObject({ abilities: [], facts: { state: 'package.locked' } });
  expect(JSON.stringify(object)).not.toContain('payroll');
  expect((await faultOf(exportRoots(other, id))).code).toBe('package.locked');
});

test('a package that was cut, or whose description was changed, is damaged', async () => {
  const made = madePackage('cut', [6 * MIB]);
  const id = await put(cloud, made, '/', plain);
  const contents = join(root, id, 'contents');
  const bytes = await readFile(contents);
  const inventoryState = async () => {
    await using fresh = new AsyncDisposableStack();
    const one = fresh.adopt(await connect(), (opened) => opened.close());
    return (await faultOf(exportRoots(one, id))).code;
  };
  for (const at of [5, 60, 90, 300, bytes.length - 3]) {
    const changed = Buffer.from(bytes);
    changed[at]! ^= 0xff;
    await writeFile(contents, changed);
    expect(await inventoryState(), `byte ${at}`).toBe('package.damaged');
  }
  await writeFile(contents, bytes.subarray(0, bytes.length - 100));
  expect(await inventoryState()).toBe('package.damaged');
  await writeFile(contents, bytes);
  const segment = join(root, id, 'segments', '000000.seg');
  await truncate(segment, (await stat(segment)).size - 1);
  expect(await inventoryState()).toBe('package.damaged');
  await writeFile(join(root, id, 'manifest.json'), `{"format":${'['.repeat(100_000)}`);
  expect(await inventoryState()).toBe('package.damaged');
});

test('an image that somebody writes to while it is read is never taken as it was', async () => {
  const file = join(root, 'growing.iso');
  for (const [change, code] of [
    [(size: number) => truncate(file, size + 9), 'disk.changed'],
    [(size: number) => truncate(file, size - 2 * MIB), 'cloud.unreachable'],
    [() => rm(file), 'object.missing'],
  ] as const) {
    await writeFile(file, Buffer.alloc(4 * MIB + 5, 'an image'));
    const open = await cloud.exports!.open('growing.iso', newWork());
    const read = async () => {
      for await (const { index } of open.read('image', never)) if (index === 0) await change(4 * MIB + 5);
    };
    const fault = await faultOf(read());
    expect([fault.code, fault.message.startsWith('folder usb: "growing.iso"')]).toEqual([code, true]);
    await open.close('abandoned');
  }
});

test('an image is written as it is, and nothing else is promised', async () => {
  const made = madeMedia('rescue', 2 * MIB + 1);
  const wrong: Record<string, string>[] = [
    { protection: 'passphrase' },
    { recipient: 'somebody' },
    { format: 'ova' },
    { thin: 'yes' },
  ];
  for (const placement of wrong) {
    expect((await faultOf(put(cloud, made, '/', placement))).code).toBe('input.invalid');
  }
  expect(await put(cloud, made, '/', plain)).toBe('rescue.iso');
  const [content] = made.contents.values();
  const bytes = Buffer.concat([...Array(3).keys()].map((index) => content!.block(index)));
  expect((await readFile(join(root, 'rescue.iso'))).equals(bytes)).toBe(true);
});
