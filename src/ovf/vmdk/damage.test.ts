import { deflateSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { BLOCK_BYTES } from '../../model/block-map.ts';
import { Fault } from '../../model/fault.ts';
import { decodeVmdk } from './decode.ts';
import { decoded, differences, encoded, filledDisk, inPieces, noise, SampleDisk, text } from './sample-disk.ts';

const MIB = BLOCK_BYTES;
const never = new AbortController().signal;
const GRAINS_AT = 128 * 512;

async function faultOf(bytes: Buffer, label?: string): Promise<string> {
  try {
    const vmdk = await decodeVmdk(inPieces(bytes), { signal: never, ...(label === undefined ? {} : { label }) });
    for await (const _ of vmdk.blocks);
    return 'none';
  } catch (error) {
    if (error instanceof Fault) return `${error.code}: ${error.message}`;
    throw error;
  }
}

function changed(bytes: Buffer, change: (copy: Buffer) => void): Buffer {
  const copy = Buffer.from(bytes);
  change(copy);
  return copy;
}

test('a stream that ends early is truncated, wherever it ends', async () => {
  const bytes = await encoded(filledDisk(2 * MIB));
  const ends = [0, 1, 511, 512, 1000, GRAINS_AT - 1, GRAINS_AT, GRAINS_AT + 11, GRAINS_AT + 600];
  for (let sector = 129; sector * 512 < bytes.length; sector += 7) ends.push(sector * 512);
  for (const before of [1, 2, 511, 512, 513, 1024, 1025, 1536, 2048, 4096]) ends.push(bytes.length - before);
  for (const end of ends) expect(`${end} ${await faultOf(bytes.subarray(0, end))}`).toContain('vmdk.truncated');
});

test('what came before the cut is still given', async () => {
  const disk = new SampleDisk(10 * MIB).write(0, noise(10 * MIB, 5));
  const bytes = await encoded(disk);
  const vmdk = await decodeVmdk(inPieces(bytes.subarray(0, bytes.length / 2)), { signal: never });
  const seen: number[] = [];
  await expect(
    (async () => {
      for await (const { index, data } of vmdk.blocks) {
        expect(data.equals(disk.contents.get(index)!)).toBe(true);
        seen.push(index);
      }
    })(),
  ).rejects.toMatchObject({ code: 'vmdk.truncated' });
  expect(seen).toEqual([0, 1, 2, 3]);
});

test('no flipped byte goes unnoticed: a fault, or the same disk', async () => {
  const disk = filledDisk(MIB);
  const bytes = await encoded(disk);
  for (let at = GRAINS_AT; at < bytes.length; at += 1777) {
    const flipped = changed(bytes, (copy) => {
      copy[at]! ^= 0x10;
    });
    const fault = await faultOf(flipped);
    if (fault === 'none') expect(differences(disk, await decoded(flipped)), `byte ${at}`).toEqual([]);
    else expect(fault).toMatch(/^vmdk\./);
  }
});

test('every byte of header, markers and metadata may be anything without a crash', async () => {
  const bytes = await encoded(new SampleDisk(MIB).write(0, text(300_000, 1)));
  const tail = bytes.length - 3 * 512;
  const places = [
    ...Array(80).keys(),
    ...Array.from({ length: 20 }, (_, at) => GRAINS_AT + at),
    tail,
    tail + 12,
    tail + 513,
  ];
  for (const at of places) {
    for (const value of [0, 1, 0x7f, 0xff]) {
      const fault = await faultOf(changed(bytes, (copy) => void copy.writeUInt8(value, at)));
      expect(fault).toMatch(/^(none|vmdk\.)/);
    }
  }
});

test('a grain that got lost with its marker is noticed by the grain table', async () => {
  const bytes = await encoded(new SampleDisk(MIB).write(0, noise(MIB, 7)));
  const grain = Math.ceil((12 + bytes.readUInt32LE(GRAINS_AT + 8)) / 512) * 512;
  const cut = Buffer.concat([bytes.subarray(0, GRAINS_AT + grain), bytes.subarray(GRAINS_AT + 2 * grain)]);
  expect(await faultOf(cut)).toMatch(/^vmdk\./);
});

test('grains out of order, twice, inside of another, or beyond the end are refused', async () => {
  const bytes = await encoded(new SampleDisk(MIB).write(0, noise(MIB, 7)));
  const second = GRAINS_AT + Math.ceil((12 + bytes.readUInt32LE(GRAINS_AT + 8)) / 512) * 512;
  expect(bytes.readBigUInt64LE(second)).toBe(128n);
  for (const [lba, what] of [
    [0n, 'should have come earlier'],
    [1n, 'inside of a grain'],
    [2048n, 'beyond the end'],
    [2n ** 63n, 'beyond the end'],
  ] as const) {
    const fault = await faultOf(changed(bytes, (copy) => void copy.writeBigUInt64LE(lba, second)));
    expect(fault).toContain('vmdk.invalid');
    expect(fault).toContain(what);
  }
});

test('a grain that grows beyond its size is refused without being unpacked', async () => {
  const bytes = await encoded(new SampleDisk(MIB).write(0, noise(65_536, 7)));
  const bomb = deflateSync(Buffer.alloc(20 * MIB), { level: 9 });
  const fault = await faultOf(
    changed(bytes, (copy) => {
      expect(copy.readUInt32LE(GRAINS_AT + 8)).toBeGreaterThan(bomb.length);
      bomb.copy(copy, GRAINS_AT + 12);
    }),
  );
  expect(fault).toContain('vmdk.invalid: the VMDK has a grain for sector 0 that cannot be decompressed: it holds more');
});

test('absurd header values are refused', async () => {
  const bytes = await encoded(filledDisk(MIB));
  const absurd: [string, (copy: Buffer) => void][] = [
    ['capacity', (copy) => copy.writeBigUInt64LE(2n ** 60n, 12)],
    ['grain of 0', (copy) => copy.writeBigUInt64LE(0n, 20)],
    ['grain of 3', (copy) => copy.writeBigUInt64LE(3n, 20)],
    ['grain size', (copy) => copy.writeBigUInt64LE(4096n, 20)],
    ['descriptor', (copy) => copy.writeBigUInt64LE(2n ** 40n, 36)],
    ['entries', (copy) => copy.writeUInt32LE(0, 44)],
    ['entries', (copy) => copy.writeUInt32LE(2 ** 31, 44)],
    ['overhead', (copy) => copy.writeBigUInt64LE(2n ** 50n, 64)],
    ['text mode', (copy) => void copy.write('\n \n\n', 73)],
  ];
  for (const [what, change] of absurd) {
    const fault = await faultOf(changed(bytes, change));
    expect(fault).toContain('vmdk.invalid');
    expect(fault).toContain(what);
  }
});

test('grain sizes of other writers are honoured', async () => {
  for (const grainSectors of [1, 16, 2048]) {
    const grain = text(grainSectors * 512, 3);
    const packed = deflateSync(grain);
    const bytes = await encoded(new SampleDisk(0));
    const at = 3;
    const front = changed(bytes.subarray(0, GRAINS_AT), (copy) => {
      copy.writeBigUInt64LE(BigInt(4096), 12);
      copy.writeBigUInt64LE(BigInt(grainSectors), 20);
    });
    const lba = 4096 - Math.max(grainSectors, at * grainSectors > 4096 ? 0 : grainSectors);
    const marker = Buffer.alloc(12);
    marker.writeBigUInt64LE(BigInt(lba), 0);
    marker.writeUInt32LE(packed.length, 8);
    const body = Buffer.concat([marker, packed]);
    const padded = Buffer.concat([body, Buffer.alloc(-body.length & 511)]);
    const tables = Math.ceil(4096 / grainSectors / 512);
    const table = Buffer.alloc(2048);
    const index = lba / grainSectors;
    table.writeUInt32LE(128, (index % 512) * 4);
    const mark = (type: number, sectors: number): Buffer =>
      changed(Buffer.alloc(512), (copy) => {
        copy.writeUInt32LE(sectors, 0);
        copy.writeUInt32LE(type, 12);
      });
    const tableSector = 128 + padded.length / 512 + 1;
    const directory = Buffer.alloc(512);
    directory.writeUInt32LE(tableSector, Math.floor(index / 512) * 4);
    const footer = changed(front.subarray(0, 512), (copy) => copy.writeBigUInt64LE(BigInt(tableSector + 5), 56));
    expect(tables).toBeLessThanOrEqual(128);
    const whole = Buffer.concat([
      front,
      padded,
      mark(1, 4),
      table,
      mark(2, 1),
      directory,
      mark(3, 1),
      footer,
      mark(0, 0),
    ]);
    const disk = await decoded(whole);
    const wanted = new SampleDisk(4096 * 512).write(lba * 512, grain);
    expect(differences(disk, wanted)).toEqual([]);
  }
});

test('a disk that is something else is refused with its name', async () => {
  const bytes = await encoded(filledDisk(MIB));
  const others: [string, Buffer][] = [
    ['another (flat or sparse) file', Buffer.from('# Disk DescriptorFile\nversion=1\n'.padEnd(600))],
    ['qcow2', Buffer.from('QFI\xfb'.padEnd(600), 'latin1')],
    ['XML or HTML', Buffer.from('<html>not found'.padEnd(600))],
    ['monolithicSparse', changed(bytes, (copy) => void copy.writeUInt32LE(3, 8))],
    [
      'changes to another disk',
      changed(bytes, (copy) => void copy.write('parentCID=12345678', copy.indexOf('parentCID=ffffffff'))),
    ],
  ];
  for (const [name, other] of others) {
    const fault = await faultOf(other);
    expect(fault).toContain('vmdk.unsupported');
    expect(fault).toContain(name);
  }
  expect(await faultOf(Buffer.alloc(4096, 'zz'))).toContain('vmdk.invalid');
});

test('a fault begins with the label of the disk; a capacity that is not the expected one is a fault', async () => {
  const bytes = await encoded(filledDisk(MIB));
  expect(await faultOf(bytes.subarray(0, 70_000), 'vsphere vc1: disk 2 of "web-01"')).toMatch(
    /^vmdk\.truncated: vsphere vc1: disk 2 of "web-01": the VMDK ends at byte/,
  );
  await expect(decodeVmdk(inPieces(bytes), { signal: never, expectedCapacityBytes: 512 })).rejects.toMatchObject({
    code: 'vmdk.invalid',
  });
});

test('an error of the source passes through unchanged', async () => {
  const bytes = await encoded(filledDisk(4 * MIB));
  const broken = new Error('connection reset');
  async function* source(): AsyncGenerator<Uint8Array> {
    yield bytes.subarray(0, bytes.length / 2);
    throw broken;
  }
  const vmdk = await decodeVmdk(source(), { signal: never, label: 'x' });
  await expect(Array.fromAsync(vmdk.blocks)).rejects.toBe(broken);
});
