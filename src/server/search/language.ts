/** What people type into a search: words that must all be found, `field:value`, quotes, and `-` or `!` for what must not. */
import { Fault } from '../../model/fault.ts';
import { fold } from './fold.ts';

export const FIELDS = ['name', 'ip', 'mac', 'network', 'os', 'tag', 'power', 'owner', 'host', 'cloud', 'kind'] as const;
export type Field = (typeof FIELDS)[number];

const OTHER_NAMES: Readonly<Record<string, Field>> = {
  address: 'ip',
  net: 'network',
  guest: 'os',
  state: 'power',
  type: 'kind',
};

export interface Term {
  /** Null: anywhere. */
  field: Field | null;
  /** Folded, never empty. */
  value: string;
  negated: boolean;
}

const LONGEST_CHARACTERS = 300;
const MOST_TERMS = 16;

/**
 * Never refuses what somebody is still typing: an open quote ends at the end, a field without a value is no term yet, and
 * `a:b` with no field of that name is a word. Fault `input.invalid`: longer than anybody types.
 */
export function parseSearch(text: string): Term[] {
  if (text.length > LONGEST_CHARACTERS) {
    throw new Fault('input.invalid', `a search has at most ${LONGEST_CHARACTERS} characters`);
  }
  const terms: Term[] = [];
  // A field's name, then a quoted or plain value; a quote in the middle of a plain word is a character of it.
  for (const match of text.matchAll(/([-!]?)(?:([a-z]+):)?(?:"([^"]*)(?:"|$)|([^\s"]\S*)|(?=\s|$))/giu)) {
    const [whole, sign = '', name, quoted, plain = ''] = match;
    if (whole === '') continue;
    const field = name === undefined ? null : fieldNamed(name);
    const typed = quoted ?? plain;
    const value = fold(field === null && name !== undefined ? `${name}:${typed}` : typed);
    if (value === '' || (field === null && quoted === undefined && /^[-!]+$/.test(whole))) continue;
    terms.push({ field, value, negated: sign !== '' });
  }
  if (terms.length > MOST_TERMS) throw new Fault('input.invalid', `a search has at most ${MOST_TERMS} words`);
  return terms;
}

function fieldNamed(name: string): Field | null {
  const lower = name.toLowerCase();
  return FIELDS.find((field) => field === lower) ?? OTHER_NAMES[lower] ?? null;
}
