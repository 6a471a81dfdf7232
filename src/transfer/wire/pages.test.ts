import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { BLOCK_BYTES } from '../../model/block-map.ts';
import { applyPatch, PAGE_BYTES, pageSums, patchFor, patchLimit } from './pages.ts';

describe('pages', () => {
  it.each([BLOCK_BYTES, 10_000, PAGE_BYTES, 1])('turn an older block of %i bytes into the newer one', (bytes) => {
    const older = randomBytes(bytes);
    const newer = Buffer.from(older);
    newer.writeUInt8(newer.readUInt8(bytes - 1) ^ 1, bytes - 1);
    const patch = patchFor(newer, pageSums(older));
    if (bytes <= PAGE_BYTES) {
      expect(patch).toBeNull();
      return;
    }
    expect(patch?.length).toBeLessThan(PAGE_BYTES + 33);
    expect(applyPatch(older, patch!)).toBe(true);
    expect(older.equals(newer)).toBe(true);
  });

  it('carry scattered changes for little more than the pages that hold them', () => {
    const older = randomBytes(BLOCK_BYTES);
    const newer = Buffer.from(older);
    for (const page of [0, 7, 8, 130, 255]) newer.writeUInt32BE(page + 1, page * PAGE_BYTES + 100);
    const patch = patchFor(newer, pageSums(older))!;
    expect(patch.length).toBe(32 + 5 * PAGE_BYTES);
    expect(applyPatch(older, patch)).toBe(true);
    expect(older.equals(newer)).toBe(true);
  });

  it('are not worth it for a block that has little in common', () => {
    expect(patchFor(randomBytes(BLOCK_BYTES), pageSums(randomBytes(BLOCK_BYTES)))).toBeNull();
  });

  it('refuse sums and patches of another length', () => {
    const block = randomBytes(BLOCK_BYTES);
    expect(patchFor(block, pageSums(block).subarray(4))).toBeNull();
    const patch = patchFor(Buffer.from(block).fill(1, 0, 10), pageSums(block))!;
    expect(applyPatch(block, patch.subarray(0, 20))).toBe(false);
    expect(applyPatch(block, patch.subarray(0, patch.length - 1))).toBe(false);
    expect(applyPatch(block, Buffer.concat([patch, Buffer.alloc(1)]))).toBe(false);
    expect(patch.length).toBeLessThanOrEqual(patchLimit(BLOCK_BYTES));
  });
});
