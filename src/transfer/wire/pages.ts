import { crc32 } from 'node:zlib';

/** Unit in which a block is compared with an older one at its place. */
export const PAGE_BYTES = 4096;
const SUM_BYTES = 4;
/** A block of which more than this part of its pages differs is sent as a whole. */
const MOST_DIFFERING = 0.75;

/** CRC-32 of each page, big-endian; the last page may be shorter. Hints only: equal sums prove nothing. */
export function pageSums(block: Buffer): Buffer {
  const pages = Math.ceil(block.length / PAGE_BYTES);
  const sums = Buffer.allocUnsafe(pages * SUM_BYTES);
  for (let page = 0; page < pages; page++) sums.writeUInt32BE(crc32(pageOf(block, page)), page * SUM_BYTES);
  return sums;
}

/**
 * What turns a block with these sums into `block`: a bit per page (from the highest bit of the first byte), then the
 * pages whose bit is set. Null when that is not worth it, or when the sums are not those of a block of this length.
 */
export function patchFor(block: Buffer, sums: Buffer): Buffer | null {
  const pages = Math.ceil(block.length / PAGE_BYTES);
  if (sums.length !== pages * SUM_BYTES) return null;
  const bits = Buffer.alloc(Math.ceil(pages / 8));
  const parts: Buffer[] = [bits];
  for (let page = 0; page < pages; page++) {
    const content = pageOf(block, page);
    if (crc32(content) === sums.readUInt32BE(page * SUM_BYTES)) continue;
    bits[page >> 3]! |= 0x80 >> (page & 7);
    parts.push(content);
  }
  return parts.length - 1 > pages * MOST_DIFFERING ? null : Buffer.concat(parts);
}

/** Bytes of the longest patch for a block. */
export function patchLimit(blockBytes: number): number {
  return Math.ceil(Math.ceil(blockBytes / PAGE_BYTES) / 8) + blockBytes;
}

/** Applies a patch in place. False, with `block` in any state, when it is none for a block of this length. */
export function applyPatch(block: Buffer, patch: Buffer): boolean {
  const pages = Math.ceil(block.length / PAGE_BYTES);
  let at = Math.ceil(pages / 8);
  if (patch.length < at) return false;
  for (let page = 0; page < pages; page++) {
    if ((patch[page >> 3]! & (0x80 >> (page & 7))) === 0) continue;
    const into = pageOf(block, page);
    if (patch.copy(into, 0, at, at + into.length) !== into.length) return false;
    at += into.length;
  }
  return at === patch.length;
}

function pageOf(block: Buffer, page: number): Buffer {
  return block.subarray(page * PAGE_BYTES, Math.min((page + 1) * PAGE_BYTES, block.length));
}
