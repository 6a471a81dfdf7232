import type { Lab } from './lab.ts';
import type { Managed } from './managed.ts';
import { openObject } from './objects.ts';
import { type Found, readAll, readPath } from './property-path.ts';
import { isA, isManaged } from './schema/types.ts';
import { currentSession, type Session } from './session-manager.ts';
import { encodeProperty } from './soap/encode.ts';
import { type Data, flag, isRef, objects, type Ref, ref, reference, text, texts, typeOf, type Value } from './value.ts';
import { invalidArgument, notFound, type VimFault } from './vim-fault.ts';

/** One selected object: its properties already written, by path. */
export type Row = { ref: Ref; properties: Map<string, string>; missing: Map<string, VimFault> };

function open(lab: Lab, session: Session | undefined, target: Ref): Managed | undefined {
  const managed = openObject(lab, target);
  return managed && withSession(managed, session);
}

/** `currentSession` is the one property that depends on who reads it. */
export function withSession(managed: Managed, session: Session | undefined): Managed {
  if (managed.type !== 'SessionManager') return managed;
  return { ...managed, read: (name) => (name === 'currentSession' ? currentSession(session) : managed.read(name)) };
}

function targets(value: Value): Ref[] {
  if (isRef(value)) return [value];
  return Array.isArray(value) ? value.filter(isRef) : [];
}

/** Names of all traversal specs below an object spec, for the `SelectionSpec`s that refer to them. */
function named(specs: Data[], into = new Map<string, Data>()): Map<string, Data> {
  for (const spec of specs) {
    const name = text(spec, 'name');
    if (typeOf(spec) === 'TraversalSpec') {
      if (name) into.set(name, spec);
      named(objects(spec, 'selectSet'), into);
    }
  }
  return into;
}

/**
 * The objects that a `PropertyFilterSpec` selects, in the order a walk of the traversal specs meets them, each once.
 * @throws ManagedObjectNotFound when a starting object does not exist and the filter does not say to leave such out
 */
export function selectObjects(lab: Lab, session: Session | undefined, spec: Data): Managed[] {
  const found = new Map<string, Managed>();
  const lenient = flag(spec, 'reportMissingObjectsInResults') ?? false;
  for (const objectSpec of objects(spec, 'objectSet')) {
    const start = reference(objectSpec, 'obj');
    const managed = start && open(lab, session, start);
    if (!start || !managed) {
      if (lenient) continue;
      throw notFound(start?._ref ?? '', start?.id ?? '');
    }
    const roots = objects(objectSpec, 'selectSet');
    const names = named(roots);
    if (!flag(objectSpec, 'skip')) found.set(key(managed), managed);
    const visited = new Set<string>();
    const walk = (at: Managed, specs: Data[]): void => {
      for (const selection of specs) {
        const traversal = typeOf(selection) === 'TraversalSpec' ? selection : names.get(text(selection, 'name') ?? '');
        if (!traversal) throw invalidArgument('specSet', `no selection is named ${text(selection, 'name')}`);
        const type = text(traversal, 'type') ?? '';
        if (!isManaged(type)) throw invalidArgument('specSet', `${type} is not a managed object type`);
        if (!isA(at.type, type)) continue;
        const path = text(traversal, 'path') ?? '';
        const step = `${key(at)} ${type} ${path} ${text(traversal, 'name') ?? ''}`;
        if (visited.has(step)) continue;
        visited.add(step);
        for (const target of targets(readPath(at, path)?.value)) {
          const next = open(lab, session, target);
          if (!next) continue;
          if (!flag(traversal, 'skip')) found.set(key(next), next);
          walk(next, objects(traversal, 'selectSet'));
        }
      }
    };
    walk(managed, roots);
  }
  const types = objects(spec, 'propSet').map((one) => text(one, 'type') ?? '');
  for (const type of types)
    if (!isManaged(type)) throw invalidArgument('specSet', `${type} is not a managed object type`);
  return [...found.values()].filter((one) => types.some((type) => isA(one.type, type)));
}

function key(managed: Managed): string {
  return `${managed.type}:${managed.id}`;
}

/** Reads what the filter wants of one object. */
export function readRow(managed: Managed, spec: Data): Row {
  const properties = new Map<string, string>();
  const missing = new Map<string, VimFault>();
  // The most specific propSet of the object's type wins over those of its base types.
  const matching = objects(spec, 'propSet').filter((one) => isA(managed.type, text(one, 'type') ?? ''));
  for (const propSet of matching) {
    const found: Found[] = [];
    if (flag(propSet, 'all')) found.push(...readAll(managed));
    for (const path of texts(propSet, 'pathSet')) {
      const one = readPath(managed, path);
      if (one) found.push(one);
    }
    for (const one of found) properties.set(one.path, encodeProperty('val', one.value, one.member));
  }
  return { ref: ref(managed.type, managed.id), properties, missing };
}

export function selectRows(lab: Lab, session: Session | undefined, spec: Data): Row[] {
  return selectObjects(lab, session, spec).map((managed) => readRow(managed, spec));
}
