import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { DiskFiles } from '../disk-files.ts';
import { decodeVmdk } from './decode.ts';
import { encodeVmdk } from './encode.ts';
import { VmdkError } from './format.ts';

let folder: string;
let disks: DiskFiles;
const signal = AbortSignal.timeout(60_000);
const hasQemu = (() => {
  try {
    execFileSync('qemu-img', ['--version']);
    return true;
  } catch {
    console.warn('SKIPPED: qemu-img is not installed, so no foreign program judges the VMDK codec');
    return false;
  }
})();

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'vcd-vmdk-'));
  disks = new DiskFiles(join(folder, 'disks'));
  await disks.prepare();
});

afterAll(() => rm(folder, { recursive: true, force: true }));

async function* chunks(bytes: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function disk(bytes: number, parts: [number, Buffer][]): Promise<string> {
  return disks.create(bytes, async (writer) => {
    for (const [offset, data] of parts) await writer.write(offset, data);
  });
}

async function encoded(id: string | null, bytes: number): Promise<Buffer> {
  await using reader = await disks.open(id, bytes);
  return Buffer.concat(await Array.fromAsync(encodeVmdk(reader, 'disk', signal)));
}

async function decoded(stream: Buffer, chunk = 65_537): Promise<string> {
  let capacity = 0;
  const id = await disks.create(8 * 2 ** 20, async (writer) => {
    capacity = await decodeVmdk(chunks(stream, chunk), writer, () => {}, signal);
  });
  expect(capacity).toBeGreaterThan(0);
  return join(folder, 'disks', `${id}.raw`);
}

test.each([
  ['one sector', 512, [[0, randomBytes(512)]]],
  [
    'an odd size',
    3 * 2 ** 20 + 512,
    [
      [65_000, randomBytes(700_000)],
      [3 * 2 ** 20, randomBytes(512)],
    ],
  ],
  ['nothing written', 2 ** 20, []],
] as [string, number, [number, Buffer][]][])('a disk with %s comes back as it was', async (_what, bytes, parts) => {
  const id = await disk(bytes, parts);
  const stream = await encoded(id, bytes);
  const out = (await readFile(await decoded(stream, 1000))).subarray(0, bytes);
  expect(out.equals(await readFile(join(folder, 'disks', `${id}.raw`)))).toBe(true);
});

test.skipIf(!hasQemu)('qemu-img reads what we write, also beyond 4 GiB, and we read what it writes', async () => {
  const bytes = 5 * 2 ** 30 + 1024;
  const id = await disk(bytes, [
    [12_345, randomBytes(300_000)],
    [bytes - 4096, randomBytes(4096)],
  ]);
  const file = join(folder, 'big.vmdk');
  const handle = await open(file, 'w');
  await using reader = await disks.open(id, bytes);
  for await (const part of encodeVmdk(reader, 'big', signal)) await handle.write(part);
  await handle.close();
  const raw = join(folder, 'disks', `${id}.raw`);
  execFileSync('qemu-img', ['compare', '-f', 'vmdk', '-F', 'raw', file, raw]);

  const small = join(folder, 'small.raw');
  await writeFile(
    small,
    Buffer.concat([randomBytes(200_000), Buffer.alloc(2 ** 20), randomBytes(512 * 99)]).subarray(0, 512 * 2400),
  );
  execFileSync('qemu-img', [
    'convert',
    '-f',
    'raw',
    '-O',
    'vmdk',
    '-o',
    'subformat=streamOptimized',
    small,
    `${small}.vmdk`,
  ]);
  const stream = await readFile(`${small}.vmdk`);
  const plain = await readFile(small);
  expect((await readFile(await decoded(stream))).subarray(0, plain.length).equals(plain)).toBe(true);
  await expect(decoded(stream.subarray(0, stream.length / 2))).rejects.toThrow(VmdkError);
});

test('a stream that is cut, damaged or longer than it says is refused', async () => {
  const stream = await encoded(await disk(2 ** 20, [[0, randomBytes(2 ** 20)]]), 2 ** 20);
  const damaged = Buffer.from(stream);
  damaged.fill(0xff, 65_536 + 12, 65_536 + 60);
  const outside = Buffer.from(stream);
  outside.writeBigUInt64LE(2n ** 40n, 65_536);
  for (const bad of [stream.subarray(0, -512), damaged, outside, Buffer.concat([stream, Buffer.alloc(512, 7)])]) {
    await expect(decoded(bad)).rejects.toThrow(VmdkError);
  }
});
