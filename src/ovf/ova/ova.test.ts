import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { writeTarHeader } from './header.ts';
import { readOva } from './read.ts';
import { writeOva } from './write.ts';

const never = new AbortController().signal;

async function* inPieces(bytes: Buffer, size = 700): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function membersOf(bytes: Buffer): Promise<{ name: string; offset: number; text: string }[]> {
  const members = [];
  for await (const { name, offset, data } of readOva(inPieces(bytes), never)) {
    const parts: Buffer[] = [];
    for await (const part of data) parts.push(Buffer.from(part));
    members.push({ name, offset, text: Buffer.concat(parts).toString() });
  }
  return members;
}

const pad = (bytes: Buffer): Buffer => Buffer.concat([bytes, Buffer.alloc(-bytes.length & 511)]);
const member = (name: string, text: string, type = '0'): Buffer =>
  Buffer.concat([writeTarHeader({ name, sizeBytes: Buffer.byteLength(text), type }), pad(Buffer.from(text))]);
const end = Buffer.alloc(1024);

async function ova(...files: [name: string, text: string][]): Promise<Buffer> {
  const inputs = files.map(([name, text]) => {
    const bytes = Buffer.from(text);
    return { name, sizeBytes: bytes.length, data: [bytes] };
  });
  return Buffer.concat(await Array.fromAsync(writeOva(inputs)));
}

test('what is written is read again, with the offsets of the bytes', async () => {
  const long = 'x'.repeat(2000);
  const bytes = await ova(['web ü.ovf', '<Envelope/>'], ['disk-1.vmdk', long], ['empty', '']);
  const members = await membersOf(bytes);
  expect(members.map(({ name, text }) => [name, text])).toEqual([
    ['web ü.ovf', '<Envelope/>'],
    ['disk-1.vmdk', long],
    ['empty', ''],
  ]);
  expect(bytes.toString('utf8', members[1]!.offset, members[1]!.offset + 2000)).toBe(long);
});

test('bytes that nobody reads are passed over', async () => {
  const names: string[] = [];
  for await (const { name } of readOva(inPieces(await ova(['a', 'x'.repeat(5000)], ['b', 'y'])), never))
    names.push(name);
  expect(names).toEqual(['a', 'b']);
});

test('members of more than 8 GiB are written and read', async () => {
  const sizeBytes = 20 * 2 ** 30;
  const header = writeTarHeader({ name: 'disk.vmdk', sizeBytes, type: '0' });
  const { value } = await readOva(inPieces(Buffer.concat([header, Buffer.alloc(512)])), never).next();
  expect(value).toMatchObject({ name: 'disk.vmdk', offset: 512, sizeBytes });
});

test('tar reads our archives, and we read those of tar in its formats', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'cloudspan-ova-'));
  try {
    const long = `${'long-'.repeat(30)}disk.vmdk`;
    writeFileSync(join(folder, 'a.ova'), await ova(['x.ovf', 'text'], ['y.vmdk', 'more']));
    expect(execFileSync('tar', ['tvf', 'a.ova'], { cwd: folder, encoding: 'utf8' })).toMatch(/x\.ovf.*y\.vmdk/s);
    for (const [format, names] of [
      ['ustar', ['y.vmdk', 'z.ovf']],
      ['gnu', ['y.vmdk', long]],
      ['pax', ['y.vmdk', long]],
    ] as const) {
      for (const name of names) writeFileSync(join(folder, name), `content of ${name}`);
      execFileSync('tar', [`--format=${format}`, '-cf', `${format}.ova`, ...names], { cwd: folder });
      const members = await membersOf(readFileSync(join(folder, `${format}.ova`)));
      expect(members.map(({ name, text }) => [name, text])).toEqual(names.map((name) => [name, `content of ${name}`]));
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('names that leave the package, links, folders and names that come twice are refused', async () => {
  for (const bytes of [
    member('../x', 'a'),
    member('/etc/passwd', 'a'),
    member('a\\b', 'a'),
    member('link', '', '2'),
    member('hard', '', '1'),
    member('folder', '', '5'),
    member('device', '', '3'),
    Buffer.concat([member('a', '1'), member('./a', '2')]),
    Buffer.concat([member('././@LongLink', '../../x\0', 'L'), member('short', 'a')]),
    Buffer.concat([member('pax', '13 path=../x\n', 'x'), member('short', 'a')]),
    writeTarHeader({ name: 'pax', sizeBytes: 2 ** 30, type: 'x' }),
  ]) {
    await expect(membersOf(Buffer.concat([bytes, end]))).rejects.toMatchObject({ code: 'ovf.hostile' });
  }
});

test('archives that are cut or damaged are refused', async () => {
  const bytes = await ova(['a', 'x'.repeat(1000)], ['b', 'y']);
  for (const cut of [0, 100, 512, 700, 1535, 1536, 2048, 2560]) {
    await expect(membersOf(bytes.subarray(0, cut)), `${cut}`).rejects.toMatchObject({ code: 'ova.invalid' });
  }
  const flipped = Buffer.from(bytes);
  flipped[3]! ^= 1;
  await expect(membersOf(flipped)).rejects.toMatchObject({ code: 'ova.invalid' });
  await expect(membersOf(Buffer.alloc(2048, 'x'))).rejects.toMatchObject({ code: 'ova.invalid' });
});

test('a member with other bytes than it said is refused', async () => {
  for (const sizeBytes of [1, 3]) {
    const writing = Array.fromAsync(writeOva([{ name: 'a', sizeBytes, data: [Buffer.from('xy')] }]));
    await expect(writing).rejects.toMatchObject({ code: 'ova.invalid' });
  }
});
