import { decodeBlock, decodeUpTo } from '../wire/codec.ts';
import { applyPatch, patchLimit } from '../wire/pages.ts';
import type { BlockHead } from '../wire/wire.ts';

/** Makes the block in `buffer` out of what came: as a whole, or as pages for the older one that lies there. */
export async function fill(buffer: Buffer, head: BlockHead, data: Buffer): Promise<boolean> {
  if (head.patch) {
    const patch = head.codec === 'zstd' ? await decodeUpTo(data, patchLimit(buffer.length)) : data;
    return patch !== null && applyPatch(buffer, patch);
  }
  const block = head.codec === 'zstd' ? await decodeBlock(data, buffer.length) : data;
  if (block !== null && block !== buffer) block.copy(buffer);
  return block !== null;
}
