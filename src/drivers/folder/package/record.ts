import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { BLOCK_BYTES } from '../../../model/block-map.ts';

/**
 * A record, in segments and in `contents` alike; numbers are big-endian:
 *
 *     header  48 bytes: magic `CSPB` · coding u8 · sealed u8 · zeros u16 · length of the body u32 · nonce of the head,
 *             12 · nonce of the body, 12 · zeros, 8 · CRC-32 of these 44 bytes
 *     head    40 bytes: disk u32 · index u32 · SHA-256 of what the body means; sealed: and a tag of 16 bytes
 *     body    `length` bytes; sealed: and a tag of 16 bytes
 */
export const HEADER_BYTES = 48;
const HEAD_BYTES = 40;
const TAG_BYTES = 16;
const MAGIC = 0x43535042;
/** In `disk` of a head: pieces of the JSON of `contents`. */
export const NO_DISK = 0xffff_ffff;
/** In the place of the segment's number: the file `contents`. */
export const CONTENTS_FILE = 0xffff_ffff;

/**
 * `stored`, `zstd`: the body is the data. `same`: the body names the record that holds the data. `anew`: no body; what
 * was said of this disk before is void, its data may still be meant by `same`.
 */
export type Coding = 'stored' | 'zstd' | 'same' | 'anew';
const CODINGS: readonly Coding[] = ['stored', 'zstd', 'same', 'anew'];

/** Where a record lies. */
export interface Place {
  file: number;
  offset: number;
}

export interface RecordHead {
  disk: number;
  index: number;
  hash: Buffer;
}

interface Header {
  coding: Coding;
  /** Of the body, without its tag. */
  length: number;
  bytes: Buffer;
}

/** Writes and reads the records of one package; without a key they are in clear. */
export class RecordCodec {
  readonly #id: Buffer;
  readonly #key: Buffer | null;

  /** @param id Of the package, hex. */
  constructor(id: string, key: Buffer | null) {
    this.#id = Buffer.from(id, 'hex');
    this.#key = key;
  }

  /** Bytes of a record with a body of `length` bytes. */
  sizeOf(length: number): number {
    return HEADER_BYTES + this.headBytes + this.bodyBytes(length);
  }

  get headBytes(): number {
    return HEAD_BYTES + (this.#key === null ? 0 : TAG_BYTES);
  }

  bodyBytes(length: number): number {
    return length + (this.#key === null ? 0 : TAG_BYTES);
  }

  /** The parts of a record, to be written one behind the other at `place`. */
  encode(place: Place, head: RecordHead, coding: Coding, body: Buffer): Buffer[] {
    const header = Buffer.alloc(HEADER_BYTES);
    header.writeUInt32BE(MAGIC, 0);
    header.writeUInt8(CODINGS.indexOf(coding), 4);
    header.writeUInt8(this.#key === null ? 0 : 1, 5);
    header.writeUInt32BE(body.length, 8);
    if (this.#key !== null) randomBytes(24).copy(header, 12);
    header.writeUInt32BE(crc32(header.subarray(0, 44)), 44);
    const plain = Buffer.alloc(HEAD_BYTES);
    plain.writeUInt32BE(head.disk, 0);
    plain.writeUInt32BE(head.index, 4);
    head.hash.copy(plain, 8);
    return [header, ...this.#seal(place, header, 0, plain), ...this.#seal(place, header, 1, body)];
  }

  /** Null for anything that is no header of a record of this package. */
  header(bytes: Buffer): Header | null {
    if (bytes.length < HEADER_BYTES || bytes.readUInt32BE(0) !== MAGIC) return null;
    if (crc32(bytes.subarray(0, 44)) !== bytes.readUInt32BE(44)) return null;
    const coding = CODINGS[bytes.readUInt8(4)];
    const length = bytes.readUInt32BE(8);
    if (coding === undefined || length > BLOCK_BYTES) return null;
    if (bytes.readUInt8(5) !== (this.#key === null ? 0 : 1)) return null;
    return { coding, length, bytes: Buffer.from(bytes.subarray(0, HEADER_BYTES)) };
  }

  /** Null when it was changed or belongs elsewhere. @param bytes `headBytes` of them. */
  head(place: Place, header: Header, bytes: Buffer): RecordHead | null {
    const plain = this.#open(place, header, 0, bytes);
    if (plain?.length !== HEAD_BYTES) return null;
    return { disk: plain.readUInt32BE(0), index: plain.readUInt32BE(4), hash: plain.subarray(8) };
  }

  /** Null when it was changed or belongs elsewhere. @param bytes `bodyBytes(length)` of them. */
  body(place: Place, header: Header, bytes: Buffer): Buffer | null {
    return this.#open(place, header, 1, bytes);
  }

  #seal(place: Place, header: Buffer, part: 0 | 1, plain: Buffer): Buffer[] {
    if (this.#key === null) return [plain];
    const cipher = createCipheriv('aes-256-gcm', this.#key, nonceOf(header, part));
    cipher.setAAD(this.#bound(place, header, part));
    return [cipher.update(plain), cipher.final(), cipher.getAuthTag()].filter((one) => one.length > 0);
  }

  #open(place: Place, header: Header, part: 0 | 1, bytes: Buffer): Buffer | null {
    if (this.#key === null) return bytes;
    if (bytes.length < TAG_BYTES) return null;
    const decipher = createDecipheriv('aes-256-gcm', this.#key, nonceOf(header.bytes, part), {
      authTagLength: TAG_BYTES,
    });
    decipher.setAAD(this.#bound(place, header.bytes, part)).setAuthTag(bytes.subarray(-TAG_BYTES));
    try {
      const plain = decipher.update(bytes.subarray(0, -TAG_BYTES));
      decipher.final();
      return plain;
    } catch {
      return null;
    }
  }

  /** A record is bound to its package and its place, so none can be moved or taken from another package. */
  #bound(place: Place, header: Buffer, part: 0 | 1): Buffer {
    const where = Buffer.alloc(9);
    where.writeUInt32BE(place.file, 0);
    where.writeUInt32BE(place.offset, 4);
    where.writeUInt8(part, 8);
    return Buffer.concat([Buffer.from('cloudspan-package-1'), this.#id, where, header.subarray(0, 12)]);
  }
}

function nonceOf(header: Buffer, part: 0 | 1): Buffer {
  return header.subarray(12 + part * 12, 24 + part * 12);
}
