import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { BLOCK_BYTES, type DataBlock } from '../../model/block-map.ts';
import { countEncoded, EncodedBytes, type EncodedDisk, roundedCapacity } from './encoded-disk.ts';

const signal = new AbortController().signal;

function encodedDisk(): EncodedDisk {
  async function* blocks(): AsyncGenerator<DataBlock> {
    for (const index of [0, 2, 3]) yield { index, data: Buffer.alloc(BLOCK_BYTES, `block ${index} `) };
  }
  const disk = {
    id: 'a/disk-0',
    label: 'Hard disk 1',
    capacityBytes: 5 * BLOCK_BYTES - 512,
    controller: 'pvscsi-0',
    unit: 0,
  };
  return { disk, fileName: 'disk-0.vmdk', feed: { disk: disk.id, capacityBytes: disk.capacityBytes, blocks } };
}

async function collect(bytes: AsyncIterable<Buffer>): Promise<Buffer> {
  return Buffer.concat(await Array.fromAsync(bytes, (part) => Buffer.from(part)));
}

test('the second encoding has the counted length and goes on from any byte with the same bytes', async () => {
  const size = await countEncoded(encodedDisk(), signal);
  const whole = new EncodedBytes(encodedDisk(), 0, signal);
  const first = await collect(whole.take(1000));
  const file = Buffer.concat([first, await collect(whole.take(size - 1000))]);
  const digest = await whole.digest();
  expect(digest).toBe(createHash('sha256').update(file).digest('hex'));
  for (const start of [1, 70_000, size - 1]) {
    const rest = new EncodedBytes(encodedDisk(), start, signal);
    expect((await collect(rest.take(size - start))).equals(file.subarray(start))).toBe(true);
    expect(await rest.digest()).toBe(digest);
    await rest.close();
  }
  await whole.close();
});

test('asking for more bytes than the file has is a fault and not a wait', async () => {
  const size = await countEncoded(encodedDisk(), signal);
  const bytes = new EncodedBytes(encodedDisk(), 0, signal);
  await expect(collect(bytes.take(size + 1))).rejects.toMatchObject({ code: 'internal' });
});

test('capacities are rounded up to whole MiB', () => {
  expect(roundedCapacity(1)).toBe(BLOCK_BYTES);
  expect(roundedCapacity(BLOCK_BYTES)).toBe(BLOCK_BYTES);
  expect(roundedCapacity(3 * BLOCK_BYTES + 512)).toBe(4 * BLOCK_BYTES);
});
