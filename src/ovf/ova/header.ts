import { Fault } from '../../model/fault.ts';

/** POSIX.1-1988 ustar, with the extensions of GNU and pax that archives with long names or large members use. */
export const TAR_BLOCK = 512;
const LARGEST_OCTAL = 8 ** 11 - 1;

export interface TarHeader {
  name: string;
  sizeBytes: number;
  /** `0` file, `5` folder, `x` pax header, `L` GNU long name, … */
  type: string;
  /** Name of the group that the file belongs to, at most 31 bytes; readers of OVAs make nothing of it. */
  group?: string;
}

function text(block: Buffer, at: number, length: number): string {
  const field = block.subarray(at, at + length);
  const end = field.indexOf(0);
  return field.toString('utf8', 0, end === -1 ? length : end);
}

/** Octal digits, or big-endian binary with the top bit set (GNU, for 8 GiB and more). */
function numberAt(block: Buffer, at: number, length: number): number {
  let value: number;
  if ((block[at]! & 0x80) !== 0) {
    value = block[at]! & 0x7f;
    for (const byte of block.subarray(at + 1, at + length)) value = value * 256 + byte;
  } else {
    const digits = text(block, at, length).trim();
    value = /^[0-7]*$/.test(digits) ? Number.parseInt(digits || '0', 8) : Number.NaN;
  }
  if (!Number.isSafeInteger(value)) throw new Fault('ova.invalid', 'the OVA has a header with a number that is none');
  return value;
}

function checksum(block: Buffer): number {
  let sum = 8 * 32;
  for (const [at, byte] of block.entries()) if (at < 148 || at >= 156) sum += byte;
  return sum;
}

/** null for a block of zeros, which ends the archive. Fault: `ova.invalid`. */
export function parseTarHeader(block: Buffer): TarHeader | null {
  if (block.every((byte) => byte === 0)) return null;
  if (numberAt(block, 148, 8) !== checksum(block)) throw new Fault('ova.invalid', 'the OVA has a damaged header');
  const prefix = text(block, 257, 6) === 'ustar' ? text(block, 345, 155) : '';
  const name = text(block, 0, 100);
  return {
    name: prefix === '' ? name : `${prefix}/${name}`,
    sizeBytes: numberAt(block, 124, 12),
    type: String.fromCharCode(block[156] || 0x30),
  };
}

/** A header of a plain file that anybody may read; the time is always the same, so that equal members are equal. */
export function writeTarHeader({ name, sizeBytes, type, group = '' }: TarHeader): Buffer {
  const bytes = Buffer.from(name);
  if (bytes.length > 100) throw new Fault('ova.invalid', `the name ${JSON.stringify(name)} is too long for an OVA`);
  const block = Buffer.alloc(TAR_BLOCK);
  bytes.copy(block);
  block.write('0000644\x000000000\x000000000\0', 100, 'latin1');
  if (sizeBytes <= LARGEST_OCTAL) block.write(`${sizeBytes.toString(8).padStart(11, '0')}\0`, 124, 'latin1');
  else {
    block[124] = 0x80;
    block.writeBigUInt64BE(BigInt(sizeBytes), 128);
  }
  block.write('00000000000\0', 136, 'latin1');
  block.write(type, 156, 'latin1');
  block.write('ustar\x0000', 257, 'latin1');
  block.write(group.slice(0, 31), 297, 'latin1');
  block.write(`${checksum(block).toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return block;
}
