import { childrenOf, type Element, flagOf, type Ref, refOf, textOf } from './element.ts';
import type { Session } from './session.ts';
import { element, leaf } from './soap.ts';

/** Seconds for which the server may hold an answer back when nothing changes. */
const LONGEST_WAIT_SECONDS = 20;
const MOST_UPDATES = 1000;

export interface ObjectUpdate {
  kind: 'enter' | 'modify' | 'leave';
  ref: Ref;
  /** Values by property path; null for one that became unset. */
  values: Map<string, Element | null>;
}

export interface UpdateBatch {
  version: string;
  /** More of the same version is waiting. */
  truncated: boolean;
  updates: ObjectUpdate[];
}

/**
 * PropertyCollector.WaitForUpdatesEx. Resolves with an empty batch of the same version when nothing changed for a while.
 * Faults of the vendor come through: `InvalidCollectorVersion`, `ManagedObjectNotFound` after a lost session.
 */
export async function waitForUpdates(
  session: Session,
  collector: Ref,
  version: string,
  signal: AbortSignal,
): Promise<UpdateBatch> {
  const seconds = Math.max(1, Math.min(LONGEST_WAIT_SECONDS, Math.floor(session.stallSeconds / 2)));
  const options = element('options', leaf('maxWaitSeconds', seconds), leaf('maxObjectUpdates', MOST_UPDATES));
  const answer = await session.call('WaitForUpdatesEx', collector, signal, {
    content: leaf('version', version) + options,
  });
  const set = answer.children.find((item) => item.name === 'returnval');
  if (set === undefined) return { version, truncated: false, updates: [] };
  return {
    version: textOf(set, 'version') ?? '',
    truncated: flagOf(set, 'truncated') ?? false,
    updates: childrenOf(set, 'filterSet').flatMap((filter) => childrenOf(filter, 'objectSet').flatMap(readUpdate)),
  };
}

function readUpdate(update: Element): ObjectUpdate[] {
  const ref = refOf(update, 'obj');
  const kind = textOf(update, 'kind');
  if (ref === undefined || (kind !== 'enter' && kind !== 'modify' && kind !== 'leave')) return [];
  const values = new Map<string, Element | null>();
  for (const change of childrenOf(update, 'changeSet')) {
    const operation = textOf(change, 'op');
    const value = change.children.find((item) => item.name === 'val');
    const set = (operation === 'assign' || operation === 'add') && value !== undefined;
    values.set(textOf(change, 'name') ?? '', set ? value : null);
  }
  for (const missing of childrenOf(update, 'missingSet')) values.set(textOf(missing, 'path') ?? '', null);
  return [{ kind, ref, values }];
}
