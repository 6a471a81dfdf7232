/** Printable ASCII without white space at its ends or twice: nearly everything. */
const PLAIN = /^(?:[!-~]+(?: [!-~]+)*)?$/;

/** As it is compared: without case and accents, white space as single spaces. */
export function fold(text: string): string {
  if (PLAIN.test(text)) return text.toLowerCase();
  return text
    .normalize('NFKD')
    .replace(/\p{M}/gu, '')
    .toLowerCase()
    .replace(/[\s\p{Cc}]+/gu, ' ')
    .trim();
}

const BARE = /[^0-9a-f]/g;

/** A MAC address, or a part of one, in any notation: its hexadecimal digits. */
export function bareMac(text: string): string {
  return text.toLowerCase().replace(BARE, '');
}

/** The digits of what can be a part of a MAC address with separators (`00:50:5`, `00-50`, `0050.56ab`), else null. */
export function macPart(word: string): string | null {
  const pairs = /^[0-9a-f]{0,2}(?:[:-][0-9a-f]{2})*[:-][0-9a-f]{0,2}$/.test(word) && !/[:-]{2}|:.*-|-.*:/.test(word);
  const quads = /^[0-9a-f]{0,4}(?:\.[0-9a-f]{4})*\.[0-9a-f]{0,4}$/.test(word) && /[0-9a-f]{4}/.test(word);
  const digits = bareMac(word);
  return (pairs || quads) && digits.length >= 3 ? digits : null;
}
