import type { ObjectKind, PowerState } from '../../model/inventory.ts';
import { ObjectKindSchema } from '../../protocol/nouns.ts';
import type { Seen, Spot } from '../people/rights.ts';
import { allOf, type Sql, sql } from '../store/sql.ts';
import { bareMac, macPart } from './fold.ts';
import type { Term } from './language.ts';
import { kindMark, LINES, type Line, placeMark, powerMark } from './row.ts';

/** What a search asks of the rows `search s`. */
export interface Conditions {
  where: Sql;
  /** Words that are looked for in names, in their order: they decide what comes first. */
  words: string[];
  /** What can be looked up in an index. */
  byTrigrams: boolean;
  byMarks: boolean;
}

const POWERS: Readonly<Record<string, PowerState>> = {
  on: 'on',
  off: 'off',
  suspended: 'suspended',
  mixed: 'mixed',
  unknown: 'unknown',
  running: 'on',
  stopped: 'off',
  'powered on': 'on',
  'powered off': 'off',
};
const KINDS: readonly ObjectKind[] = ObjectKindSchema.options;

/** @param clouds Folded names of those that the account sees, by id. */
export function conditionsOf(terms: readonly Term[], sees: Seen, clouds: ReadonlyMap<string, string>): Conditions {
  const all: Sql[] = [];
  const found = { byTrigrams: false, byMarks: sees.within !== null };
  if (sees.within !== null) all.push(marked(sees.within.map(markOf)));
  else all.push(sql`(strpos(s.cloud, '~') = 0 OR s.cloud = ANY(${[...sees.own]}::text[]))`);
  if (sees.without.length > 0) all.push(sql`NOT (${marked(sees.without.map(markOf))})`);
  for (const { field, value, negated } of terms) {
    const whole = wholeOf(field, value, clouds);
    const part = whole === null ? partOf(field, value) : { sql: marked(whole), indexed: false };
    all.push(negated ? sql`NOT (${part.sql})` : part.sql);
    found.byTrigrams ||= part.indexed && !negated;
    found.byMarks ||= whole !== null && !negated;
  }
  const named = terms.filter(({ field, negated }) => !negated && (field === null || field === 'name'));
  return { where: allOf(all), words: named.map(({ value }) => value), ...found };
}

function markOf({ cloud, object }: Spot): string {
  return placeMark(cloud, object);
}

function marked(marks: readonly string[]): Sql {
  return sql`s.marks && ${[...marks]}::bigint[]`;
}

/** Marks of what is looked for as a whole; half a word fits whatever begins with it. */
function wholeOf(field: Term['field'], value: string, clouds: ReadonlyMap<string, string>): string[] | null {
  if (field === 'cloud') {
    return [...clouds].filter(([, name]) => name.includes(value)).map(([id]) => placeMark(id, null));
  }
  if (field === 'power')
    return beginning(Object.keys(POWERS), value).map((word) => powerMark(POWERS[word] as PowerState));
  if (field === 'kind') return beginning(KINDS, value === 'machine' ? 'vm' : value).map(kindMark);
  return null;
}

function beginning<Word extends string>(words: readonly Word[], value: string): Word[] {
  const exact = words.filter((word) => word === value);
  return exact.length > 0 ? exact : words.filter((word) => word.startsWith(value));
}

interface Condition {
  sql: Sql;
  /** Whether trigrams find it. */
  indexed: boolean;
}

function partOf(field: Term['field'], value: string): Condition {
  const word = contains(sql`s.words`, value);
  if (field === 'mac') return inLine('mac', bareMac(value));
  if (field !== null) return inLine(field as Line, value);
  const digits = macPart(value);
  if (digits === null) return word;
  const mac = inLine('mac', digits);
  return { sql: sql`(${word.sql} OR ${mac.sql})`, indexed: word.indexed && mac.indexed };
}

/** The words as a whole have an index; the line is looked at then. */
function inLine(line: Line, value: string): Condition {
  if (value === '') return { sql: sql`false`, indexed: false };
  const { sql: words, indexed } = contains(sql`s.words`, value);
  const own = contains(sql`split_part(s.words, chr(10), ${LINES.indexOf(line) + 1}::int)`, value);
  return { sql: sql`(${words} AND ${own.sql})`, indexed };
}

/** Where words begin, in `words` and in names, as a regular expression. */
const BEGINNING = '(^|[-\n\t ._:=/(])';
const SHORT = /^[a-z0-9]{1,2}$/;

/**
 * A part of the column; one or two letters or digits only where a word begins, since that can be looked up and they are
 * everywhere else. What trigrams cannot find is compared in the quicker way.
 */
export function contains(column: Sql, value: string): Condition {
  if (SHORT.test(value)) {
    return { sql: sql`${column} ~ ${`${BEGINNING}${value}`}::text`, indexed: true };
  }
  return hasTrigram(value)
    ? { sql: sql`${column} LIKE ${`%${escapeLike(value)}%`}`, indexed: true }
    : { sql: sql`strpos(${column}, ${value}::text) > 0`, indexed: false };
}

export function escapeLike(text: string): string {
  return text.replace(/[\\%_]/g, '\\$&');
}

/**
 * Whether PostgreSQL finds three characters in a row to look up: it takes words of letters and digits, with two spaces in
 * front and one behind where the text shows that the word begins or ends there.
 */
export function hasTrigram(value: string): boolean {
  const parts = value.split(/[^a-z0-9]+/);
  return parts.some(
    (part, index) => part !== '' && part.length + (index > 0 ? 2 : 0) + (index < parts.length - 1 ? 1 : 0) >= 3,
  );
}
