import { promisify } from 'node:util';
import { constants, zstdCompress, zstdDecompress } from 'node:zlib';
import { BLOCK_BYTES } from '../../../model/block-map.ts';
import type { Coding } from './record.ts';

const compress = promisify(zstdCompress);
const decompress = promisify(zstdDecompress);
const PAYS = 0.95;
const PLACE_BYTES = 8;

/** Data as the body of a record: zstd where it makes it smaller. */
export async function packBody(data: Buffer): Promise<{ coding: Coding; body: Buffer }> {
  const smaller = await compress(data, { params: { [constants.ZSTD_c_compressionLevel]: 1 } });
  return smaller.length < data.length * PAYS ? { coding: 'zstd', body: smaller } : { coding: 'stored', body: data };
}

/** The data of a body, at most a block of it; null for a body that is not what it says. */
export async function unpackBody(coding: Coding, body: Buffer): Promise<Buffer | null> {
  if (coding === 'stored') return body;
  if (coding !== 'zstd') return null;
  try {
    return await decompress(body, { maxOutputLength: BLOCK_BYTES });
  } catch {
    return null;
  }
}

export function packPlace(segment: number, offset: number): Buffer {
  const body = Buffer.alloc(PLACE_BYTES);
  body.writeUInt32BE(segment, 0);
  body.writeUInt32BE(offset, 4);
  return body;
}

export function unpackPlace(body: Buffer): { file: number; offset: number } | null {
  return body.length === PLACE_BYTES ? { file: body.readUInt32BE(0), offset: body.readUInt32BE(4) } : null;
}
