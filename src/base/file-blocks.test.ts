import { expect, test } from 'vitest';
import { BLOCK_BYTES, type DataBlock } from '../model/block-map.ts';
import { Fault } from '../model/fault.ts';
import { blocksOfFile, bytesOfBlocks } from './file-blocks.ts';

const LENGTH = 3 * BLOCK_BYTES + 17;
const file = Buffer.alloc(LENGTH, 'an image of a disc ');
file.fill(0, BLOCK_BYTES, 2 * BLOCK_BYTES);

async function* pieces(bytes: Buffer, size: number) {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function blocks(bytes: Buffer, length = LENGTH, size = 300_001): Promise<DataBlock[]> {
  const all: DataBlock[] = [];
  for await (const { index, data } of blocksOfFile(pieces(bytes, size), length, 'x.iso')) {
    all.push({ index, data: Buffer.from(data) });
  }
  return all;
}

test('a file becomes blocks, the last of which ends with it, whatever the pieces are', async () => {
  for (const size of [300_001, BLOCK_BYTES, 5 * BLOCK_BYTES]) {
    const all = await blocks(file, LENGTH, size);
    expect(all.map(({ index, data }) => [index, data.length])).toEqual([
      [0, BLOCK_BYTES],
      [1, BLOCK_BYTES],
      [2, BLOCK_BYTES],
      [3, 17],
    ]);
    expect(Buffer.concat(all.map(({ data }) => data)).equals(file)).toBe(true);
  }
});

test('a file that is longer or shorter than it was is told apart', async () => {
  for (const length of [LENGTH - 1, LENGTH + 1]) {
    const fault = await blocks(file, length).catch((error: unknown) => error);
    expect(fault).toBeInstanceOf(Fault);
    expect((fault as Fault).code).toBe('disk.changed');
  }
});

test('blocks become the file again from any byte on, with zeros where there is no block', async () => {
  const data = (await blocks(file)).filter(({ index }) => index !== 1);
  const from = async (byte: number, given = data) => {
    async function* walk() {
      yield* given.filter(({ index }) => index >= Math.floor(byte / BLOCK_BYTES));
    }
    return Buffer.concat((await Array.fromAsync(bytesOfBlocks(walk(), LENGTH, byte))).map((part) => Buffer.from(part)));
  };
  for (const byte of [0, 5, BLOCK_BYTES, BLOCK_BYTES + 5, 3 * BLOCK_BYTES + 5, LENGTH]) {
    expect((await from(byte)).equals(file.subarray(byte)), String(byte)).toBe(true);
  }
  expect((await from(0, [])).equals(Buffer.alloc(LENGTH))).toBe(true);
});
