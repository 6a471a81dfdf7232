/** Disks for the tests of this folder; no product code reads it. */
import { BLOCK_BYTES, type DataBlock } from '../../model/block-map.ts';
import { decodeVmdk } from './decode.ts';
import { type EncodeOptions, encodeVmdk } from './encode.ts';

/** Bytes that look random and are the same for the same seed (a xorshift generator). */
export function noise(length: number, seed: number): Buffer {
  const words = new Uint32Array(Math.ceil(length / 4));
  let state = (seed * 2_654_435_761 + 1) | 0 || 1;
  for (let at = 0; at < words.length; at++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    words[at] = state;
  }
  return Buffer.from(words.buffer, 0, length);
}

export function text(length: number, seed: number): Buffer {
  return Buffer.alloc(length, `line ${seed}: the quick brown fox jumps over the lazy dog ${seed * 7919}\n`);
}

/** A disk of which only some blocks hold data. */
export class SampleDisk {
  readonly capacityBytes: number;
  readonly contents = new Map<number, Buffer>();

  constructor(capacityBytes: number) {
    this.capacityBytes = capacityBytes;
  }

  write(offset: number, bytes: Buffer): this {
    for (let done = 0; done < bytes.length; ) {
      const index = Math.floor((offset + done) / BLOCK_BYTES);
      const at = (offset + done) % BLOCK_BYTES;
      const block = this.contents.get(index) ?? Buffer.alloc(BLOCK_BYTES);
      this.contents.set(index, block);
      done += bytes.copy(block, at, done);
    }
    return this;
  }

  /** One buffer for all blocks, as the contract allows: who does not copy in time reads the wrong block. */
  async *blocks(): AsyncGenerator<DataBlock> {
    const data = Buffer.alloc(BLOCK_BYTES);
    for (const [index, block] of [...this.contents].sort(([a], [b]) => a - b)) {
      block.copy(data);
      yield { index, data };
    }
  }
}

export function filledDisk(capacityBytes: number, seed = 1): SampleDisk {
  const disk = new SampleDisk(capacityBytes);
  for (let at = 0, part = 0; at < capacityBytes; at += 100_000, part++) {
    const size = Math.min(100_000, capacityBytes - at);
    if (part % 3 < 2) disk.write(at, (part % 3 === 0 ? noise : text)(size, seed + part));
  }
  return disk;
}

export async function encoded(disk: SampleDisk, options: Partial<EncodeOptions> = {}): Promise<Buffer> {
  const parts: Buffer[] = [];
  const { signal } = new AbortController();
  const all = { capacityBytes: disk.capacityBytes, blocks: disk.blocks(), signal, ...options };
  for await (const part of encodeVmdk(all)) parts.push(part);
  return Buffer.concat(parts);
}

/** The bytes in pieces of odd sizes, as a network brings them. */
export async function* inPieces(bytes: Buffer, size = 40_961): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

export async function decoded(bytes: Buffer, pieceBytes?: number): Promise<SampleDisk> {
  const { signal } = new AbortController();
  const vmdk = await decodeVmdk(inPieces(bytes, pieceBytes), { signal });
  const disk = new SampleDisk(vmdk.capacityBytes);
  for await (const { index, data } of vmdk.blocks) disk.contents.set(index, Buffer.from(data));
  return disk;
}

/** Indexes of the blocks that differ; blocks of zeros and missing blocks are the same. */
export function differences(left: SampleDisk, right: SampleDisk): number[] {
  const zero = Buffer.alloc(BLOCK_BYTES);
  const indexes = new Set([...left.contents.keys(), ...right.contents.keys()]);
  return [...indexes].filter((index) => !(left.contents.get(index) ?? zero).equals(right.contents.get(index) ?? zero));
}
