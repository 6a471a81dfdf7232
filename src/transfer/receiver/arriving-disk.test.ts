import { describe, expect, it } from 'vitest';
import { BLOCK_BYTES, BlockMap, hashBlock } from '../../model/block-map.ts';
import { ArrivingDisk } from './arriving-disk.ts';

const hash = (fill: number) => hashBlock(Buffer.alloc(BLOCK_BYTES, fill));
const description = { kind: 'disk', id: 'disk', label: 'disk', lengthBytes: 4 * BLOCK_BYTES } as const;

/** As the journal gives it after a restart: blocks 0 and 1 arrived, and both were handed on. */
function restored(holds: (content: Uint8Array) => boolean): ArrivingDisk {
  const disk = new ArrivingDisk(description, 0);
  const hashes = Buffer.concat([hash(1), hash(2)]);
  disk.restore({ disk: 'disk', root: null, handed: 2, stale: false, positions: Uint32Array.of(0, 1), hashes }, holds);
  return disk;
}

function rootOf(...fills: (number | null)[]): string {
  const map = new BlockMap('disk', description.lengthBytes);
  for (const [index, fill] of fills.entries()) if (fill !== null) map.set(index, hash(fill));
  return map.root();
}

describe('a disk that goes on after a restart', () => {
  it('is not stale when the source is as it was', () => {
    const disk = restored(() => true);
    disk.announce(0, hash(1));
    disk.announce(1, hash(2));
    disk.end(rootOf(1, 2));
    expect(disk.stale).toBe(false);
  });

  it('is not stale when a block was lost here and the source still has it', () => {
    const disk = restored((content) => !hash(1).equals(content));
    disk.announce(0, hash(1));
    expect(disk.has(0)).toBe(false);
    expect(disk.stale).toBe(false);
  });

  it('is stale when a lost block that had been handed on has become zero', () => {
    const disk = restored((content) => !hash(1).equals(content));
    disk.announce(1, hash(2));
    expect(disk.stale).toBe(true);
  });

  it('is stale when a lost block that had been handed on has another content', () => {
    const disk = restored(() => false);
    disk.announce(0, hash(9));
    expect(disk.stale).toBe(true);
  });
});
