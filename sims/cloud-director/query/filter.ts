import { uuidIn } from '../call.ts';
import { badRequest } from '../refusal.ts';

/** One row of a query: attribute values as text, and the metadata of the entity for `metadata:` terms. */
export interface FilterRow {
  attributes: Readonly<Record<string, string | undefined>>;
  metadata: readonly { key: string; value: string; domain: string }[];
}

export type Predicate = (row: FilterRow) => boolean;

const operators = ['=lt=', '=le=', '=gt=', '=ge=', '==', '!='] as const;
type Operator = (typeof operators)[number];

/**
 * Parses a FIQL-like filter: `attr==value`, `;` = and, `,` = or, parentheses, `*` as wildcard. `raw` is taken out of
 * the URL undecoded and split first; each value is decoded afterwards, so that escaped separators stay values. A
 * separator behind a backslash (also as `%5C`) is a value's character as well.
 */
export function parseFilter(raw: string): Predicate {
  const text = decodeSeparators(raw);
  let at = 0;

  const or = (): Predicate => {
    const terms = [and()];
    while (text[at] === ',') {
      at += 1;
      terms.push(and());
    }
    return (row) => terms.some((term) => term(row));
  };
  const and = (): Predicate => {
    const terms = [unit()];
    while (text[at] === ';') {
      at += 1;
      terms.push(unit());
    }
    return (row) => terms.every((term) => term(row));
  };
  const unit = (): Predicate => {
    if (text[at] !== '(') return comparison();
    at += 1;
    const inner = or();
    if (text[at] !== ')') throw badRequest('The filter has an open parenthesis.');
    at += 1;
    return inner;
  };
  const comparison = (): Predicate => {
    const start = at;
    while (at < text.length && !';,()'.includes(text[at]!)) at += text[at] === '\\' ? 2 : 1;
    return readComparison(text.slice(start, at));
  };

  const predicate = or();
  if (at < text.length) throw badRequest(`The filter is not understood at "${text.slice(at, at + 20)}".`);
  return predicate;
}

/** Clients encode the filter once, twice or only its values; operators become plain, values stay encoded. */
function decodeSeparators(raw: string): string {
  const once = (text: string) =>
    text.replace(/%(3D|21|3B|2C|28|29|3A|40|5C)/gi, (found) => {
      const character = decodeURIComponent(found);
      // An encoded separator belongs to a value, an encoded operator does not.
      return ';,()'.includes(character) ? found : character;
    });
  const plain = once(raw);
  if (operators.some((operator) => plain.includes(operator))) return plain;
  return once(decodeValue(raw));
}

function decodeValue(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    return text;
  }
}

function readComparison(text: string): Predicate {
  let found: { operator: Operator; index: number } | undefined;
  for (const operator of operators) {
    const index = text.indexOf(operator);
    if (index > 0 && (found === undefined || index < found.index)) found = { operator, index };
  }
  if (found === undefined) throw badRequest(`The filter term "${text}" is not understood.`);
  const attribute = decodeValue(text.slice(0, found.index));
  let value = decodeValue(text.slice(found.index + found.operator.length));
  // Clients that encode twice leave one layer; a real percent sign with two hex digits behind it is the price.
  if (/%[0-9A-F]{2}/i.test(value)) value = decodeValue(value);
  value = value.replace(/\\(.)/g, '$1');
  const { operator } = found;
  const metadata = /^metadata(@SYSTEM)?:(.+)$/.exec(attribute);
  if (metadata !== null) {
    const domain = metadata[1] === undefined ? 'GENERAL' : 'SYSTEM';
    const wanted = value.replace(/^(STRING|NUMBER|BOOLEAN|DATETIME):/, '');
    return (row) =>
      row.metadata.some(
        (entry) => entry.domain === domain && entry.key === metadata[2] && compare(entry.value, operator, wanted),
      );
  }
  return (row) => {
    if (!(attribute in row.attributes)) throw badRequest(`The attribute "${attribute}" cannot be used in a filter.`);
    return compare(row.attributes[attribute] ?? '', operator, value);
  };
}

function compare(actual: string, operator: Operator, wanted: string): boolean {
  if (operator === '!=') return !equal(actual, wanted);
  if (operator === '==') return equal(actual, wanted);
  const numbers = [Number(actual), Number(wanted)] as const;
  const byNumber = numbers.every((number) => Number.isFinite(number)) && actual !== '' && wanted !== '';
  const order = byNumber
    ? numbers[0] - numbers[1]
    : Date.parse(actual) - Date.parse(wanted) || actual.localeCompare(wanted);
  if (operator === '=lt=') return order < 0;
  if (operator === '=le=') return order <= 0;
  return operator === '=gt=' ? order > 0 : order >= 0;
}

function equal(actual: string, wanted: string): boolean {
  if (actual.startsWith('https://') || actual.startsWith('urn:vcloud:')) {
    const id = uuidIn(wanted);
    if (id !== undefined) return uuidIn(actual) === id;
  }
  if (wanted.includes('*')) {
    const source = wanted
      .split('*')
      .map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'))
      .join('.*');
    return new RegExp(`^${source}$`, 'is').test(actual);
  }
  return actual === wanted;
}
