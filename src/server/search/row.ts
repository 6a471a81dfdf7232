import { createHash } from 'node:crypto';
import type { InventoryObject, ObjectKind, PowerState } from '../../model/inventory.ts';
import { bareMac, fold } from './fold.ts';

/** Raised when the rows of the same objects become others: they are all made anew then. */
export const ROW_FORMAT = 1;

/** The lines of `words`, in their order. */
export const LINES = ['name', 'ip', 'mac', 'network', 'os', 'tag', 'power', 'owner', 'host'] as const;
export type Line = (typeof LINES)[number];

const LONGEST_LINE = 2_000;
const POWER_WORDS: Readonly<Record<PowerState, string>> = {
  on: 'powered on',
  off: 'powered off',
  suspended: 'suspended',
  mixed: 'mixed',
  unknown: '',
};

export interface SearchRow {
  id: string;
  name: string;
  words: string;
  marks: string[];
}

/** @param above Marks of the cloud and of everything that holds the object. */
export function rowOf(cloud: string, object: InventoryObject, above: readonly string[]): SearchRow {
  const { machine, kind, owner, tags = [], facts } = object;
  const powered = machine !== undefined && (kind === 'vm' || kind === 'vapp');
  // What is inside of a vApp is found as itself; a template's machines are no objects of their own.
  const own = kind === 'vapp' ? undefined : machine;
  const nics = own?.nics ?? [];
  const lines: Record<Line, (string | undefined)[]> = {
    name: [object.name, own?.hostName],
    ip: [...(own?.ips ?? []), facts?.cidr],
    mac: nics.map(({ mac }) => bareMac(mac ?? '')),
    network: nics.map(({ network }) => network),
    os: [own?.guest],
    tag: tags,
    power: [powered ? POWER_WORDS[machine.power] : ''],
    owner: [owner],
    host: [own?.host],
  };
  const marks = [...above, placeMark(cloud, object.id), kindMark(kind)];
  if (powered) marks.push(powerMark(machine.power));
  return {
    id: object.id,
    name: fold(object.name).slice(0, 500),
    words: LINES.map((line) => lineOf(lines[line])).join('\n'),
    marks,
  };
}

function lineOf(values: readonly (string | undefined)[]): string {
  const folded = values.map((value) => fold(value ?? '')).filter((value) => value !== '');
  return [...new Set(folded)].join('\t').slice(0, LONGEST_LINE);
}

/** Of a cloud, or of an object in it. */
export function placeMark(cloud: string, object: string | null): string {
  return mark(object === null ? `cloud\n${cloud}` : `object\n${cloud}\n${object}`);
}

export function kindMark(kind: ObjectKind): string {
  return rememberedMark(`kind\n${kind}`);
}

export function powerMark(power: PowerState): string {
  return rememberedMark(`power\n${power}`);
}

/** Of the few that every row has. */
const remembered = new Map<string, string>();

function rememberedMark(text: string): string {
  const made = remembered.get(text) ?? mark(text);
  remembered.set(text, made);
  return made;
}

/** 64 bits of a hash, as a bigint of the database. */
function mark(text: string): string {
  return createHash('sha256').update(text).digest().readBigInt64BE(0).toString();
}
