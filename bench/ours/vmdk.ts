/** The codec by itself: `node vmdk.ts encode|decode|decode-and-hash FROM TO`, raw on one side, VMDK on the other. */
import { closeSync, fstatSync, ftruncateSync, openSync, readSync, writeSync } from 'node:fs';
import { BLOCK_BYTES, BlockMap, type DataBlock, hashBlock, isZero } from '../../src/model/block-map.ts';
import { decodeVmdk } from '../../src/ovf/vmdk/decode.ts';
import { encodeVmdk } from '../../src/ovf/vmdk/encode.ts';

/** Larger ones cost the kernel twice the time: it takes large pages for them, which are cold. */
const WRITE_BYTES = 256 * 1024;
const PIECE_BYTES = 512 * 1024;

const [mode = '', from = '', to = ''] = process.argv.slice(2);
const { signal } = new AbortController();
const source = openSync(from, 'r');
const target = openSync(to, 'w');

function write(data: Buffer, length: number, position: number): void {
  for (let at = 0; at < length; at += WRITE_BYTES) {
    writeSync(target, data, at, Math.min(WRITE_BYTES, length - at), position + at);
  }
}

async function* blocks(size: number): AsyncGenerator<DataBlock> {
  const data = Buffer.alloc(BLOCK_BYTES);
  for (let index = 0; index * BLOCK_BYTES < size; index++) {
    data.fill(0, readSync(source, data, 0, BLOCK_BYTES, index * BLOCK_BYTES));
    if (!isZero(data)) yield { index, data };
  }
}

/** Each valid until the next one. */
async function* pieces(): AsyncGenerator<Buffer> {
  const piece = Buffer.alloc(PIECE_BYTES);
  for (let position = 0; ; ) {
    const bytes = readSync(source, piece, 0, PIECE_BYTES, position);
    if (bytes === 0) return;
    position += bytes;
    yield piece.subarray(0, bytes);
  }
}

async function encode(): Promise<void> {
  const { size } = fstatSync(source);
  let position = 0;
  for await (const part of encodeVmdk({ capacityBytes: size, blocks: blocks(size), signal })) {
    write(part, part.length, position);
    position += part.length;
  }
}

async function decode(hashed: boolean): Promise<void> {
  const vmdk = await decodeVmdk(pieces(), { signal });
  const map = new BlockMap('disk', vmdk.capacityBytes);
  for await (const { index, data } of vmdk.blocks) {
    if (hashed) map.set(index, hashBlock(data));
    write(data, Math.min(BLOCK_BYTES, vmdk.capacityBytes - index * BLOCK_BYTES), index * BLOCK_BYTES);
  }
  ftruncateSync(target, vmdk.capacityBytes);
  if (hashed) console.log(map.root());
}

if (mode === 'encode') await encode();
else await decode(mode === 'decode-and-hash');
closeSync(target);
