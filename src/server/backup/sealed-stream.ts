import { createCipheriv, createDecipheriv } from 'node:crypto';

const CHUNK_BYTES = 256 * 1024;
const TAG_BYTES = 16;
/** Set in a frame's length where it is the last one: what ends earlier was cut off. */
const LAST = 0x8000_0000;

/**
 * AES-256-GCM over a stream, in frames: length (4 bytes, the top bit marks the last) ‖ ciphertext ‖ tag. The nonce is the
 * frame's number and whether it is the last, so that frames can neither be left out, nor swapped, nor cut off.
 * @param key Used for this one stream only.
 * @param bound What stands in clear in front of it.
 */
export async function* sealStream(
  key: Buffer,
  bound: Buffer,
  source: AsyncIterable<Uint8Array>,
): AsyncGenerator<Buffer> {
  let number = 0;
  let pending = Buffer.alloc(0);
  const frame = (plain: Buffer, last: boolean) => {
    const cipher = createCipheriv('aes-256-gcm', key, nonceOf(number++, last)).setAAD(bound);
    const body = Buffer.concat([cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
    const head = Buffer.alloc(4);
    head.writeUInt32BE((body.length | (last ? LAST : 0)) >>> 0);
    return Buffer.concat([head, body]);
  };
  for await (const chunk of source) {
    pending = pending.length === 0 ? Buffer.from(chunk) : Buffer.concat([pending, chunk]);
    while (pending.length > CHUNK_BYTES) {
      yield frame(pending.subarray(0, CHUNK_BYTES), false);
      pending = pending.subarray(CHUNK_BYTES);
    }
  }
  yield frame(pending, true);
}

/** The other way round. Throws where a frame does not fit the key, and where the last one is missing. */
export async function* openStream(
  key: Buffer,
  bound: Buffer,
  source: AsyncIterable<Uint8Array>,
): AsyncGenerator<Buffer> {
  let number = 0;
  let ended = false;
  let pending = Buffer.alloc(0);
  for await (const chunk of source) {
    pending = pending.length === 0 ? Buffer.from(chunk) : Buffer.concat([pending, chunk]);
    for (;;) {
      const head = pending.length < 4 ? 0 : pending.readUInt32BE();
      const length = head & ~LAST;
      if (length > CHUNK_BYTES + TAG_BYTES) throw new Error('a frame is longer than any can be');
      if (pending.length < 4 || pending.length < 4 + length) break;
      if (ended || length < TAG_BYTES) throw new Error('there is something behind its end');
      ended = (head & LAST) !== 0;
      const body = pending.subarray(4, 4 + length);
      const decipher = createDecipheriv('aes-256-gcm', key, nonceOf(number++, ended)).setAAD(bound);
      decipher.setAuthTag(body.subarray(-TAG_BYTES));
      yield Buffer.concat([decipher.update(body.subarray(0, -TAG_BYTES)), decipher.final()]);
      pending = pending.subarray(4 + length);
    }
  }
  if (!ended || pending.length > 0) throw new Error('its end is missing');
}

function nonceOf(number: number, last: boolean): Buffer {
  const nonce = Buffer.alloc(12);
  nonce.writeUInt32BE(last ? 1 : 0, 0);
  nonce.writeBigUInt64BE(BigInt(number), 4);
  return nonce;
}
