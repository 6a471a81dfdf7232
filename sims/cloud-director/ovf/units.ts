import { badRequest } from '../refusal.ts';

const named: Readonly<Record<string, number>> = {
  byte: 1,
  bytes: 1,
  kilobytes: 2 ** 10,
  kb: 2 ** 10,
  megabytes: 2 ** 20,
  mb: 2 ** 20,
  gigabytes: 2 ** 30,
  gb: 2 ** 30,
  terabytes: 2 ** 40,
  tb: 2 ** 40,
};

/** DSP0004 programmatic units for sizes (`byte * 2^20`), and the plain words that older tools write. */
export function unitBytes(units: string | undefined, fallback: number): number {
  if (units === undefined || units.trim() === '') return fallback;
  const text = units.toLowerCase().trim();
  if (named[text] !== undefined) return named[text];
  const [word = '', ...factors] = text.split('*').map((part) => part.trim());
  let bytes = named[word];
  for (const factor of factors) {
    const power = /^(\d+)\s*\^\s*(\d+)$/.exec(factor);
    const number = power === null ? Number(factor) : Number(power[1]) ** Number(power[2]);
    if (bytes !== undefined) bytes *= number;
  }
  if (bytes === undefined || !Number.isSafeInteger(bytes) || bytes <= 0) {
    throw badRequest(`The allocation units "${units}" are not understood.`);
  }
  return bytes;
}
