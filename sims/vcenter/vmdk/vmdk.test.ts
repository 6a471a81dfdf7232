import { execFile, execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdtemp, open, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { decodeVmdk } from './decode.ts';
import { encodeVmdk } from './encode.ts';

const run = promisify(execFile);
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'lab-vmdk-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

function haveQemu(): boolean {
  try {
    execFileSync('qemu-img', ['--version']);
    return true;
  } catch {
    console.warn('qemu-img is not on this machine: the checks against it are SKIPPED');
    return false;
  }
}

/** A raw disk with data at the given places. */
async function rawDisk(name: string, size: number, data: [at: number, bytes: Buffer][]): Promise<string> {
  const file = path.join(folder, name);
  await using handle = await open(file, 'w');
  await handle.truncate(size);
  for (const [at, bytes] of data) await handle.write(bytes, 0, bytes.length, at);
  return file;
}

async function encode(raw: string, size: number): Promise<string> {
  const file = `${raw}.vmdk`;
  await using handle = await open(raw, 'r');
  await pipeline(encodeVmdk(handle, size, 'disk.vmdk', 'lsilogic'), createWriteStream(file));
  return file;
}

async function decode(vmdk: string, size: number): Promise<string> {
  const file = `${vmdk}.raw`;
  await using handle = await open(file, 'w');
  await handle.truncate(size);
  await decodeVmdk(createReadStream(vmdk) as AsyncIterable<Buffer>, handle, size);
  return file;
}

const disks = new Map<string, { raw: string; vmdk: string }>();

/** The raw disk and its VMDK, made once for all tests. */
async function made(name: string, size: number, data: [number, Buffer][]): Promise<{ raw: string; vmdk: string }> {
  const known = disks.get(name);
  if (known) return known;
  const raw = await rawDisk(`${name}.raw`, size, data);
  const disk = { raw, vmdk: await encode(raw, size) };
  disks.set(name, disk);
  return disk;
}

const MiB = 2 ** 20;
const DISKS: [name: string, size: number, data: [number, Buffer][]][] = [
  ['empty', 3 * MiB, []],
  ['one-sector', 512, [[0, randomBytes(512)]]],
  [
    'odd',
    5 * MiB + 3 * 512,
    [
      [MiB - 100, randomBytes(70_000)],
      [5 * MiB + 512, randomBytes(1024)],
    ],
  ],
  [
    'text',
    40 * MiB,
    [
      [0, Buffer.alloc(9 * MiB, 'the same words again ')],
      [39 * MiB, randomBytes(MiB)],
    ],
  ],
  [
    'sparse-4g',
    4225 * MiB + 512,
    [
      [0, randomBytes(512)],
      [4.125 * 1024 * MiB, randomBytes(66_000)],
      [4 * 1024 * MiB, randomBytes(512)],
    ],
  ],
];

describe('a stream-optimized VMDK', () => {
  test.each(DISKS)('of a disk that is %s decodes to the same bytes', async (name, size, data) => {
    const { raw, vmdk } = await made(name, size, data);
    const back = await decode(vmdk, size);
    expect((await stat(back)).size).toBe(size);
    for (const [at, bytes] of data) {
      await using handle = await open(back, 'r');
      const found = Buffer.alloc(bytes.length);
      await handle.read(found, 0, found.length, at);
      expect(found.equals(bytes)).toBe(true);
    }
    if (size < 100 * MiB) expect((await readFile(back)).equals(await readFile(raw))).toBe(true);
  });

  test.skipIf(!haveQemu()).each(DISKS)(
    'of a disk that is %s passes qemu-img check and compare',
    async (name, size, data) => {
      const raw = await rawDisk(`q-${name}.raw`, size, data);
      const vmdk = await encode(raw, size);
      await run('qemu-img', ['check', '-f', 'vmdk', vmdk]);
      await run('qemu-img', ['compare', '-f', 'vmdk', '-F', 'raw', vmdk, raw]);
    },
  );

  test.skipIf(!haveQemu())('that qemu-img wrote decodes to the same bytes', async () => {
    const raw = await rawDisk('theirs.raw', 7 * MiB, [[2 * MiB, randomBytes(300_000)]]);
    const vmdk = path.join(folder, 'theirs.vmdk');
    await run('qemu-img', ['convert', '-f', 'raw', '-O', 'vmdk', '-o', 'subformat=streamOptimized', raw, vmdk]);
    expect((await readFile(await decode(vmdk, 7 * MiB))).equals(await readFile(raw))).toBe(true);
    const whole = await readFile(vmdk);
    await writeFile(vmdk, whole.subarray(0, Math.floor(whole.length / 1024) * 512));
    await expect(decode(vmdk, 7 * MiB)).rejects.toThrow(/stream ends/);
  });

  test('that ends early, at whatever place, is refused', async () => {
    const raw = await rawDisk('cut.raw', 2 * MiB, [[0, randomBytes(200_000)]]);
    const whole = await readFile(await encode(raw, 2 * MiB));
    for (const length of [0, 100, 512, 70_000, whole.length - 1536, whole.length - 512, whole.length - 1]) {
      const cut = path.join(folder, 'cut.vmdk');
      await writeFile(cut, whole.subarray(0, length));
      await expect(decode(cut, 2 * MiB), `cut at ${length}`).rejects.toThrow(/stream ends/);
    }
  });

  test('with a damaged grain, or larger than its disk, is refused', async () => {
    const raw = await rawDisk('bad.raw', 2 * MiB, [[0, Buffer.alloc(200_000, 'abc')]]);
    const vmdk = await encode(raw, 2 * MiB);
    const bytes = await readFile(vmdk);
    bytes.fill(0xaa, 128 * 512 + 20, 128 * 512 + 60);
    await writeFile(vmdk, bytes);
    await expect(decode(vmdk, 2 * MiB)).rejects.toThrow(/does not inflate/);
    await expect(decode(await encode(raw, 2 * MiB), MiB)).rejects.toThrow(/holds a disk of/);
  });
});
