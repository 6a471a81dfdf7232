import { promisify } from 'node:util';
import { constants, zstdCompress, zstdCompressSync, zstdDecompress } from 'node:zlib';
import { looksRandom } from '../../base/randomness.ts';
import { chunkPassed } from '../../base/young-garbage.ts';

const compress = promisify(zstdCompress);
const decompress = promisify(zstdDecompress);
const level = { params: { [constants.ZSTD_c_compressionLevel]: 1 } };

const SAMPLE_BYTES = 4096;
const sample = Buffer.alloc(3 * SAMPLE_BYTES);
/** What each call of zstd leaves behind as garbage. */
const ZSTD_CHUNK_BYTES = 32 * 1024;
/** Bytes that are looked at first, of any block or part. */
const LOOKED_AT = 2048;
/** So many of them side by side. */
const RUN_BYTES = 64;
/** A sample has to shrink to less than this part before a block is compressed, and the block too before it is sent so. */
const WORTH = 0.85;

/** The block as it goes over the wire: compressed where a sample of three pages says that it pays. */
export async function encodeBlock(data: Buffer): Promise<{ codec: 'raw' | 'zstd'; data: Buffer }> {
  // Without asking zstd, which takes several times as long to say no.
  if (data.length >= LOOKED_AT && looksRandom(data, Math.floor((data.length / LOOKED_AT) * RUN_BYTES) | 1, RUN_BYTES)) {
    return { codec: 'raw', data };
  }
  chunkPassed(ZSTD_CHUNK_BYTES);
  if (data.length <= 3 * SAMPLE_BYTES) {
    const small = zstdCompressSync(data, level);
    return small.length < data.length * WORTH ? { codec: 'zstd', data: small } : { codec: 'raw', data };
  }
  for (let number = 0; number < 3; number++) {
    const from = Math.floor((data.length - SAMPLE_BYTES) / 2) * number;
    data.copy(sample, number * SAMPLE_BYTES, from, from + SAMPLE_BYTES);
  }
  if (zstdCompressSync(sample, level).length > sample.length * WORTH) return { codec: 'raw', data };
  const small = await compress(data, level);
  return small.length < data.length * WORTH ? { codec: 'zstd', data: small } : { codec: 'raw', data };
}

/** Null for bytes that are not one whole block of `bytes`. */
export async function decodeBlock(data: Buffer, bytes: number): Promise<Buffer | null> {
  const block = await decodeUpTo(data, bytes);
  return block?.length === bytes ? block : null;
}

/** Null for bytes that are nothing of at most `bytes`. */
export async function decodeUpTo(data: Buffer, bytes: number): Promise<Buffer | null> {
  try {
    return await decompress(data, { maxOutputLength: bytes });
  } catch {
    return null;
  }
}
