import { randomBytes } from 'node:crypto';
import { buffer } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import { openStream, sealStream } from './sealed-stream.ts';

const key = randomBytes(32);
const bound = Buffer.from('header');

async function* pieces(content: Buffer, size: number) {
  for (let at = 0; at < content.length; at += size) yield content.subarray(at, at + size);
}
const sealed = (content: Buffer) => buffer(sealStream(key, bound, pieces(content, 100_000)));
const opened = (content: Buffer, size = 7_777, header = bound) =>
  buffer(openStream(key, header, pieces(content, size)));

test.each([0, 1, 256 * 1024, 256 * 1024 + 1, 1_000_000])('%i bytes come out as they went in', async (bytes) => {
  const content = randomBytes(bytes);
  expect((await opened(await sealed(content))).equals(content)).toBe(true);
});

test('a flipped bit, a cut, a frame that is left out and another header are noticed', async () => {
  const content = await sealed(randomBytes(700_000));
  const first = 4 + content.readUInt32BE();
  const flipped = Buffer.from(content);
  flipped[500_000] = (flipped[500_000] ?? 0) ^ 1;
  await expect(opened(flipped)).rejects.toThrow();
  await expect(opened(content.subarray(0, first))).rejects.toThrow('end is missing');
  await expect(opened(content.subarray(0, -1))).rejects.toThrow('end is missing');
  await expect(opened(content.subarray(first))).rejects.toThrow();
  await expect(opened(Buffer.concat([content, content]))).rejects.toThrow();
  await expect(opened(content, 7_777, Buffer.from('another'))).rejects.toThrow();
});
