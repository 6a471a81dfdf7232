import { Fault } from '../../model/fault.ts';

const WORDS: Record<string, number> = {
  byte: 1,
  bytes: 1,
  kb: 2 ** 10,
  kilobytes: 2 ** 10,
  mb: 2 ** 20,
  megabytes: 2 ** 20,
  gb: 2 ** 30,
  gigabytes: 2 ** 30,
  tb: 2 ** 40,
  terabytes: 2 ** 40,
};

/** Bytes in one programmatic unit of DSP0004 (`byte * 2^20`) or one of the words that older products write. */
function unitBytes(unit: string): number | undefined {
  const plain = unit.trim().toLowerCase();
  if (Object.hasOwn(WORDS, plain)) return WORDS[plain];
  const found = /^bytes?\s*\*\s*(2|10)\s*\^\s*(\d{1,2})$/.exec(plain);
  return found ? Number(found[1]) ** Number(found[2]) : undefined;
}

/** A quantity as bytes. Fault: `ovf.invalid` naming `what`. */
export function bytesOf(quantity: string | undefined, unit: string, what: string): number {
  const factor = unitBytes(unit);
  const value = quantity !== undefined && /^\d{1,18}$/.test(quantity.trim()) ? Number(quantity) : Number.NaN;
  const bytes = value * (factor ?? Number.NaN);
  if (!Number.isSafeInteger(bytes)) {
    throw new Fault('ovf.invalid', `the OVF descriptor gives ${what} as ${quantity ?? 'nothing'} in units of ${unit}`);
  }
  return bytes;
}

/** A whole number within bounds. Fault: `ovf.invalid` naming `what`. */
export function wholeNumber(text: string | undefined, least: number, most: number, what: string): number {
  const value = text !== undefined && /^\d{1,15}$/.test(text.trim()) ? Number(text) : Number.NaN;
  if (!(value >= least && value <= most)) {
    throw new Fault(
      'ovf.invalid',
      `the OVF descriptor gives ${what} as ${text ?? 'nothing'}; ${least} to ${most} can be`,
    );
  }
  return value;
}
