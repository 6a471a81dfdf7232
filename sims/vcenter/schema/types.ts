import { readFileSync } from 'node:fs';

/** A member of a data object, a property of a managed object or a parameter of a method, in the order of the schema. */
export type Member = { name: string; type: string; many: boolean; optional: boolean };

export type Call = { on: string; method: string; parameters: Member[]; result: Member };

type Composite = { base: string; own: Member[] };

const data = new Map<string, Composite>();
const managed = new Map<string, Composite>();
const enums = new Map<string, Set<string>>();
const calls = new Map<string, Call[]>();
const PRIMITIVES = new Set([
  'string',
  'int',
  'long',
  'short',
  'byte',
  'boolean',
  'dateTime',
  'double',
  'float',
  'base64Binary',
  'anyType',
]);

function member(name: string, written: string): Member {
  const optional = written.endsWith('?');
  const rest = optional ? written.slice(0, -1) : written;
  const many = rest.endsWith('[]');
  return { name, type: many ? rest.slice(0, -2) : rest, many, optional };
}

function members(words: string[]): Member[] {
  return words.map((word) => {
    const colon = word.indexOf(':');
    return member(word.slice(0, colon), word.slice(colon + 1));
  });
}

function load(): void {
  const table = readFileSync(new URL('./vim25.txt', import.meta.url), 'utf8');
  for (const line of table.split('\n')) {
    const [kind, name = '', ...rest] = line.split(' ');
    if (kind === 'data') data.set(name, { base: rest[0] ?? '-', own: members(rest.slice(1)) });
    else if (kind === 'managed') managed.set(name, { base: rest[0] ?? '-', own: members(rest.slice(1)) });
    else if (kind === 'enum') enums.set(name, new Set((rest[0] ?? '').split('|')));
    else if (kind === 'call') {
      const arrow = rest.indexOf('->');
      const method = rest[0] ?? '';
      const call = {
        on: name,
        method,
        parameters: members(rest.slice(1, arrow)),
        result: member('returnval', rest[arrow + 1] ?? 'void'),
      };
      calls.set(method, [...(calls.get(method) ?? []), call]);
    }
  }
  // The fault a method answers with when it is unknown to the server has no table of its own.
  data.set('DynamicData', { base: '-', own: [] });
}

load();

const flat = new Map<string, Member[]>();

function flatten(from: Map<string, Composite>, type: string): Member[] {
  const found = from.get(type);
  if (!found) return [];
  return [...flatten(from, found.base), ...found.own];
}

/** All members of a data object, those of the base types first: the order in which vim25 writes and demands them. */
export function dataMembers(type: string): Member[] {
  let list = flat.get(type);
  if (!list) {
    list = flatten(data, type);
    flat.set(type, list);
  }
  return list;
}

/** A property of a managed object, its base types included. */
export function property(type: string, name: string): Member | undefined {
  for (let at = managed.get(type); at; at = managed.get(at.base)) {
    const own = at.own.find((candidate) => candidate.name === name);
    if (own) return own;
  }
  return undefined;
}

export function propertyNames(type: string): string[] {
  return flatten(managed, type).map((one) => one.name);
}

export function isManaged(type: string): boolean {
  return managed.has(type);
}

export function isData(type: string): boolean {
  return data.has(type);
}

export function isPrimitive(type: string): boolean {
  return PRIMITIVES.has(type);
}

export function enumValues(type: string): Set<string> | undefined {
  return enums.get(type);
}

/** Whether `type` is `base` or one of its descendants, among data objects or managed objects. */
export function isA(type: string, base: string): boolean {
  const from = managed.has(type) ? managed : data;
  for (let at: string | undefined = type; at && at !== '-'; at = from.get(at)?.base) if (at === base) return true;
  return false;
}

/** The method as the managed object's type, or a type it descends from, declares it. */
export function findCall(type: string, method: string): Call | undefined {
  return calls.get(method)?.find((call) => isA(type, call.on));
}

export function knowsMethod(method: string): boolean {
  return calls.has(method);
}
