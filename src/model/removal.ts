import { compareDescriptions } from './comparison.ts';
import type { ObjectKind } from './inventory.ts';
import type { LedgerEntry } from './ledger.ts';
import type { PackageDescription } from './machine.ts';
import type { MarkedObject, SeenObject } from './seen-object.ts';

/** What a driver read of a result when it was finished: later readings are compared with it. */
export interface AsMade {
  version: string;
  description: PackageDescription;
}

/** A row of a ledger that somebody wants undone. */
export interface RemovalRow {
  entry: LedgerEntry;
  /** Of a row that is `kept`; missing where an earlier release kept it. */
  made?: AsMade | undefined;
  /** Why it has to stay whatever the cloud says: one sentence without its full stop. */
  held?: string | undefined;
}

export interface Verdict {
  /** Id of the row. */
  row: string;
  /** The object's id at the cloud. */
  object?: string | undefined;
  /**
   * `remove` and `restore` (a setting gets its old value) are what would be done, `removed` and `restored` what was;
   * `left` alone; `gone`: there is nothing to remove.
   */
  outcome: 'remove' | 'removed' | 'restore' | 'restored' | 'left' | 'gone';
  /** Why, without a full stop. */
  reason: string;
}

type Judgement = Pick<Verdict, 'outcome' | 'reason'>;

const LONGEST_LIST = 3;

/** Whether an object may go. Everything that speaks against it is asked before anything that speaks for it. */
export function judge({ entry, made, held }: RemovalRow, seen: SeenObject | null): Judgement {
  if (seen === null) return { outcome: 'gone', reason: 'there is nothing under its id any more' };
  const against = reasonToStay(entry, made, held, seen);
  if (against !== undefined) return { outcome: 'left', reason: against };
  const how = seen.finished ? 'it is as the job made it' : 'it is not finished';
  return { outcome: 'remove', reason: `${how}, has not run and carries the marker of the job` };
}

function reasonToStay(
  entry: LedgerEntry,
  made: AsMade | undefined,
  held: string | undefined,
  seen: SeenObject,
): string | undefined {
  if (seen.marker === null) return 'it no longer carries the marker of the job, so it is somebody else’s';
  if (seen.marker !== entry.marker) return 'it carries the marker of another job';
  if (seen.power !== 'off') return `it is not off (${seen.power}): it runs or has run`;
  if (seen.ran) return 'it has run since the job made it';
  if (!seen.finished)
    return entry.state === 'kept' ? 'its name was changed into that of an unfinished copy' : undefined;
  if (held !== undefined) return held;
  if (made === undefined) {
    return entry.state === 'kept'
      ? 'it is not known how it was when it was made (by an earlier release)'
      : 'it is finished, but was never proven, so nobody can tell whether it is still as it was';
  }
  const changes = seen.description === null ? [] : changesBetween(made.description, seen.description);
  if (changes.length > 0) return `it was changed since: ${shortened(changes)}`;
  if (made.version !== seen.version)
    return 'it was changed since: the cloud tells another version of its configuration';
  return undefined;
}

/** Every field in which two readings of one object differ, for people. */
export function changesBetween(before: PackageDescription, now: PackageDescription): string[] {
  const expected = (description: PackageDescription) => {
    const names = description.machines.flatMap(({ nics }) => nics.flatMap(({ network }) => network ?? []));
    const networks = Object.fromEntries(names.map((name) => [name, name]));
    return { name: description.name, keepMac: true, keepUuid: true, networks, properties: {} };
  };
  const forwards = compareDescriptions(before, now, expected(before));
  // What was added is only seen from the other side.
  const known = new Set(forwards.map(({ field }) => field));
  const backwards = compareDescriptions(now, before, expected(now)).filter(({ field }) => !known.has(field));
  return [
    ...forwards.map(({ field, left, arrived }) => `${field} ${left} → ${arrived}`),
    ...backwards.map(({ field, left, arrived }) => `${field} ${arrived} → ${left}`),
  ];
}

function shortened(changes: string[]): string {
  const more = changes.length - LONGEST_LIST;
  return changes.slice(0, LONGEST_LIST).join('; ') + (more > 0 ? `; and ${more} more` : '');
}

/** Of what a cloud lists, the object that a row without a (valid) id stands for. */
export function objectOfRow(
  entry: LedgerEntry,
  marked: readonly MarkedObject[],
  taken: ReadonlySet<string>,
): MarkedObject | undefined {
  return marked.find(({ id, kind, marker }) => marker === entry.marker && !taken.has(id) && mayBe(entry.kind, kind));
}

/** A template is a machine until its last step, and what is not finished may not tell its kind. */
function mayBe(row: LedgerEntry['kind'], kind: ObjectKind): boolean {
  const machine = new Set<string>(['vm', 'template']);
  return row === kind || kind === 'media' || (machine.has(row) && machine.has(kind));
}
