import { inflateSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { BLOCK_BYTES } from '../../model/block-map.ts';
import { decodeVmdk } from './decode.ts';
import { countVmdk, encoderIdentity, encodeVmdk } from './encode.ts';
import { decoded, differences, encoded, filledDisk, inPieces, noise, SampleDisk, text } from './sample-disk.ts';

const MIB = BLOCK_BYTES;
const never = new AbortController().signal;

describe('a disk that is encoded and decoded again has the same bytes', () => {
  for (const [name, capacity] of [
    ['of one sector', 512],
    ['of three sectors', 3 * 512],
    ['of one block less a sector', MIB - 512],
    ['of one block and a sector', MIB + 512],
    ['of 33 MiB and a sector, in two grain tables', 33 * MIB + 512],
  ] as const) {
    test(name, async () => {
      const disk = filledDisk(capacity);
      const bytes = await encoded(disk);
      const back = await decoded(bytes);
      expect(back.capacityBytes).toBe(capacity);
      expect(differences(disk, back)).toEqual([]);
      expect(bytes.length % 512).toBe(0);
    });
  }

  test('of 100 MiB with three islands', async () => {
    const disk = new SampleDisk(100 * MIB);
    disk
      .write(0, text(512, 1))
      .write(50 * MIB - 1000, noise(2000, 2))
      .write(100 * MIB - 512, text(512, 3));
    const bytes = await encoded(disk);
    expect(bytes.length).toBeLessThan(200_000);
    const back = await decoded(bytes);
    expect(differences(disk, back)).toEqual([]);
    expect([...back.contents.keys()]).toEqual([0, 49, 50, 99]);
  });

  test('of more than 4 GiB with data on both sides of the border', async () => {
    const disk = new SampleDisk(6 * 1024 * MIB + 512);
    disk.write(4096 * MIB - 4096, noise(8192, 4)).write(6 * 1024 * MIB, text(512, 5));
    const back = await decoded(await encoded(disk));
    expect(back.capacityBytes).toBe(disk.capacityBytes);
    expect(differences(disk, back)).toEqual([]);
  });

  test('without any data, and without any size', async () => {
    for (const capacity of [0, 10 * MIB]) {
      const back = await decoded(await encoded(new SampleDisk(capacity)));
      expect(back.capacityBytes).toBe(capacity);
      expect(back.contents.size).toBe(0);
    }
  });

  test('at any level, and from pieces of any size', async () => {
    const disk = filledDisk(3 * MIB);
    for (const level of [0, 1, 9]) {
      for (const piece of [1013, 512, 10 * MIB]) {
        expect(differences(disk, await decoded(await encoded(disk, { level }), piece))).toEqual([]);
      }
    }
  });
});

test('the same blocks give the same bytes, and their size is known by counting', async () => {
  const disk = filledDisk(5 * MIB);
  const first = await encoded(disk);
  expect((await encoded(disk)).equals(first)).toBe(true);
  const count = await countVmdk({ capacityBytes: disk.capacityBytes, blocks: disk.blocks(), signal: never });
  expect(count).toBe(first.length);
  expect(encoderIdentity(1)).not.toBe(encoderIdentity(6));
});

test('a grain that does not shrink is stored as valid zlib and costs less than one percent', async () => {
  const disk = new SampleDisk(64 * 1024).write(0, noise(64 * 1024, 9));
  const bytes = await encoded(disk);
  const at = 128 * 512;
  const size = bytes.readUInt32LE(at + 8);
  expect(size).toBeLessThanOrEqual(65_536 * 1.001);
  expect(inflateSync(bytes.subarray(at + 12, at + 12 + size)).equals(noise(64 * 1024, 9))).toBe(true);
  expect(bytes[at + 14]! & 6).toBe(0);
});

test('blocks of zeros take no room in the file', async () => {
  const disk = new SampleDisk(8 * MIB).write(3 * MIB, Buffer.alloc(MIB));
  expect((await encoded(disk)).equals(await encoded(new SampleDisk(8 * MIB)))).toBe(true);
});

test('header and descriptor are there before the blocks are read', async () => {
  const bytes = await encoded(filledDisk(2 * MIB), { adapter: 'ide', fileName: 'web "01".vmdk' });
  await using vmdk = await decodeVmdk(inPieces(bytes), { signal: never, expectedCapacityBytes: 2 * MIB });
  expect(vmdk.capacityBytes).toBe(2 * MIB);
  expect(vmdk.grainBytes).toBe(65_536);
  expect(vmdk.descriptor).toMatchObject({
    createType: 'streamOptimized',
    adapterType: 'ide',
    parentContentId: 'ffffffff',
  });
  expect(bytes.toString('latin1', 512, 4096)).toContain('RW 4096 SPARSE "web _01_.vmdk"');
});

test('a slow consumer stops the source', async () => {
  const bytes = await encoded(new SampleDisk(64 * MIB).write(0, noise(64 * MIB, 3)));
  let given = 0;
  async function* source(): AsyncGenerator<Uint8Array> {
    for await (const piece of inPieces(bytes)) {
      given += piece.length;
      yield piece;
    }
  }
  const vmdk = await decodeVmdk(source(), { signal: never });
  for await (const block of vmdk.blocks) {
    if (block.index === 10) break;
  }
  expect(given).toBeLessThan(20 * MIB);
});

test('an abort ends a decoder whose source hangs', async () => {
  const bytes = await encoded(filledDisk(4 * MIB));
  const abort = new AbortController();
  async function* source(): AsyncGenerator<Uint8Array> {
    yield bytes.subarray(0, 100_000);
    await new Promise(() => undefined);
  }
  const vmdk = await decodeVmdk(source(), { signal: abort.signal });
  setTimeout(() => abort.abort(new Error('enough')), 20);
  await expect(Array.fromAsync(vmdk.blocks)).rejects.toThrow('enough');
});

test('an abort ends an encoder', async () => {
  const disk = filledDisk(20 * MIB);
  const abort = new AbortController();
  const reading = (async () => {
    for await (const _ of encodeVmdk({
      capacityBytes: disk.capacityBytes,
      blocks: disk.blocks(),
      signal: abort.signal,
    })) {
      abort.abort(new Error('enough'));
    }
  })();
  await expect(reading).rejects.toThrow('enough');
});

test('blocks that break the contract are refused', async () => {
  async function* give(...blocks: { index: number; data: Buffer }[]) {
    yield* blocks;
  }
  const data = noise(MIB, 1);
  const bad = [
    { capacityBytes: 1000, blocks: give() },
    { capacityBytes: MIB, blocks: give({ index: 1, data }) },
    { capacityBytes: 3 * MIB, blocks: give({ index: 1, data }, { index: 0, data }) },
    { capacityBytes: 3 * MIB, blocks: give({ index: 0, data: data.subarray(1) }) },
    { capacityBytes: MIB - 512, blocks: give({ index: 0, data }) },
  ];
  for (const options of bad) {
    await expect(countVmdk({ ...options, signal: never })).rejects.toMatchObject({ code: 'vmdk.invalid' });
  }
});
