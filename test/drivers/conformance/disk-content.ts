import { createCipheriv, createHash } from 'node:crypto';
import {
  BLOCK_BYTES,
  BlockMap,
  blockCount,
  type DataBlock,
  hashBlock,
  isZero,
  type MapKind,
} from '../../../src/model/block-map.ts';

/** What a disk or file holds, made from a word: some blocks random, some compressible, some zero; zeros behind its end. */
export class DiskContent {
  readonly seed: string;
  readonly capacityBytes: number;
  readonly kind: MapKind;

  constructor(seed: string, capacityBytes: number, kind: MapKind = 'disk') {
    this.seed = seed;
    this.capacityBytes = capacityBytes;
    this.kind = kind;
  }

  /** A block of BLOCK_BYTES; the last one of a file ends with it. */
  block(index: number): Buffer {
    const data = Buffer.alloc(BLOCK_BYTES);
    const last = index === blockCount(this.capacityBytes) - 1;
    const kind = last ? 0 : index % 4;
    if (kind === 1) return data;
    if (kind === 2) data.fill(`${this.seed} ${index} `);
    else {
      const key = createHash('sha256').update(`${this.seed} ${index}`).digest();
      createCipheriv('aes-256-ctr', key, Buffer.alloc(16)).update(data).copy(data);
    }
    const valid = this.capacityBytes - index * BLOCK_BYTES;
    if (valid >= BLOCK_BYTES) return data;
    return this.kind === 'disk' ? data.fill(0, valid) : data.subarray(0, valid);
  }

  *blocks(from = 0): Generator<DataBlock> {
    for (let index = from; index < blockCount(this.capacityBytes); index++) {
      const data = this.block(index);
      if (!isZero(data)) yield { index, data };
    }
  }

  root(): string {
    const map = new BlockMap(this.kind, this.capacityBytes);
    for (const { index, data } of this.blocks()) map.set(index, hashBlock(data));
    return map.root();
  }
}

/** The root of a disk or file as it comes out of a driver. Also holds the driver to the order and form of blocks. */
export async function rootOf(
  capacityBytes: number,
  blocks: AsyncIterable<DataBlock>,
  kind: MapKind = 'disk',
): Promise<string> {
  const map = new BlockMap(kind, capacityBytes);
  let before = -1;
  for await (const { index, data } of blocks) {
    if (index <= before) throw new Error(`block ${index} came after block ${before}`);
    if (data.length !== map.blockLength(index)) throw new Error(`block ${index} has ${data.length} bytes`);
    before = index;
    if (!isZero(data)) map.set(index, hashBlock(data));
  }
  return map.root();
}
