import { childrenOf, type Element, type Ref, refOf, textOf } from './element.ts';
import { isVimFault, toFault } from './faults.ts';
import type { Session } from './session.ts';
import { element, leaf, reference, typed } from './soap.ts';

export interface PropertySet {
  type: string;
  paths: readonly string[];
}

/** What was read of one object. A property that is unset or may not be seen is absent. */
export interface ObjectContent {
  ref: Ref;
  props: Map<string, Element>;
}

const PAGE = 500;

export function filterSpec(sets: readonly PropertySet[], objects: string): string {
  const propSets = sets.map((set) =>
    element('propSet', leaf('type', set.type), leaf('all', false), ...set.paths.map((path) => leaf('pathSet', path))),
  );
  return propSets.join('') + objects;
}

/** The objects of a view, not the view itself. */
export function objectsOfView(view: Ref): string {
  return element(
    'objectSet',
    reference('obj', view),
    leaf('skip', true),
    typed(
      'selectSet',
      'TraversalSpec',
      leaf('name', 'view'),
      leaf('type', view.type),
      leaf('path', 'view'),
      leaf('skip', false),
    ),
  );
}

/** Reads properties, page after page. */
export async function retrieve(
  session: Session,
  spec: string,
  signal: AbortSignal,
  pageObjects = PAGE,
): Promise<ObjectContent[]> {
  const collector = session.service('propertyCollector');
  const content = element('specSet', spec) + element('options', leaf('maxObjects', pageObjects));
  let answer = await session.call('RetrievePropertiesEx', collector, signal, { content });
  const objects: ObjectContent[] = [];
  for (;;) {
    const result = answer.children.find((item) => item.name === 'returnval');
    for (const found of childrenOf(result, 'objects')) {
      const ref = refOf(found, 'obj');
      if (ref === undefined) continue;
      const props = new Map<string, Element>();
      for (const property of childrenOf(found, 'propSet')) {
        const value = property.children.find((item) => item.name === 'val');
        if (value !== undefined) props.set(textOf(property, 'name') ?? '', value);
      }
      objects.push({ ref, props });
    }
    const token = textOf(result, 'token');
    if (token === undefined || token === '') return objects;
    answer = await session.call('ContinueRetrievePropertiesEx', collector, signal, { content: leaf('token', token) });
  }
}

/** Properties of known objects. One that is gone makes the whole read fail with `ManagedObjectNotFound`. */
export async function readObjects(
  session: Session,
  refs: readonly Ref[],
  paths: readonly string[],
  signal: AbortSignal,
): Promise<ObjectContent[]> {
  if (refs.length === 0) return [];
  const types = [...new Set(refs.map((ref) => ref.type))];
  const objects = refs.map((ref) => element('objectSet', reference('obj', ref), leaf('skip', false)));
  const sets = types.map((type) => ({ type, paths }));
  return await retrieve(session, filterSpec(sets, objects.join('')), signal);
}

/** Properties of one object. Faults: `object.missing` and the vendor's; `what` names the act. */
export async function readObject(
  session: Session,
  ref: Ref,
  paths: readonly string[],
  signal: AbortSignal,
  what = `reading ${ref.id}`,
): Promise<Map<string, Element>> {
  try {
    const [found] = await readObjects(session, [ref], paths, signal);
    return found?.props ?? new Map();
  } catch (error) {
    signal.throwIfAborted();
    throw toFault(error, session.who, what);
  }
}

/** A container view for the time of `work`; destroyed afterwards. */
export async function withView<T>(
  session: Session,
  container: Ref,
  types: readonly string[],
  signal: AbortSignal,
  work: (view: Ref) => Promise<T>,
): Promise<T> {
  const view = await createView(session, container, types, signal);
  try {
    return await work(view);
  } finally {
    await release(session, 'DestroyView', view);
  }
}

export async function createView(
  session: Session,
  container: Ref,
  types: readonly string[],
  signal: AbortSignal,
): Promise<Ref> {
  const content =
    reference('container', container) + types.map((type) => leaf('type', type)).join('') + leaf('recursive', true);
  const answer = await session.call('CreateContainerView', session.service('viewManager'), signal, { content });
  return returned(answer);
}

export function returned(answer: Element): Ref {
  const ref = refOf(answer, 'returnval');
  if (ref === undefined) throw new Error(`${answer.name} returned no reference`);
  return ref;
}

/** Gives back something that only this session knows. What is gone already is fine. */
export async function release(session: Session, method: string, ref: Ref): Promise<void> {
  try {
    await session.call(method, ref, AbortSignal.timeout(5000));
  } catch (error) {
    if (isVimFault(error, 'ManagedObjectNotFound')) return;
    session.log.warn(`${session.who}: ${ref.type} could not be given back`, { error: String(error) });
  }
}
