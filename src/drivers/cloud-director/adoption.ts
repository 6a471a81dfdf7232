import type { LedgerEntry } from '../../model/ledger.ts';
import type { WorkContext } from '../driver.ts';
import { type EntityKind, hrefOf, locate } from './entity.ts';
import { query } from './query.ts';
import type { Session } from './session.ts';
import { carriesMarker, readIfThere, suffixOf } from './unfinished.ts';
import type { XmlElement } from './xml.ts';

export interface Made {
  entry: LedgerEntry;
  href: string;
  element: XmlElement;
}

type MadeKind = Extract<EntityKind, 'template' | 'vapp' | 'media'>;

const QUERIES = { template: 'vAppTemplate', vapp: 'vApp', media: 'media' } as const;

/**
 * What earlier attempts of this work made under a role and is still there with the work's marker: by the cloud's id,
 * or by the unfinished name where the intent has none. A row whose object is not there is settled as `absent`.
 */
export async function findMade(
  session: Session,
  context: WorkContext,
  role: string,
  kind: MadeKind,
  signal: AbortSignal,
): Promise<Made | undefined> {
  const entry = context.ledger.entries.findLast((row) => row.role === role && row.kind === kind);
  if (entry === undefined || entry.state === 'removed' || entry.state === 'absent') return undefined;
  const found = await findOf(session, entry, kind, signal);
  if (found === undefined && entry.state !== 'kept') await context.ledger.settle(entry, 'absent');
  return found === undefined ? undefined : { entry, ...found };
}

/** By the id that was noted; else by the name, because a row that was begun again may still have its first id. */
export async function findOf(
  session: Session,
  entry: LedgerEntry,
  kind: MadeKind,
  signal: AbortSignal,
): Promise<{ href: string; element: XmlElement } | undefined> {
  if (entry.objectId !== undefined) {
    const found = await readMarked(session, locate(session, entry.objectId).href, entry.marker, signal);
    if (found !== undefined) return found;
  }
  const href = await byName(session, entry, kind, signal);
  return href === undefined ? undefined : readMarked(session, href, entry.marker, signal);
}

async function readMarked(
  session: Session,
  href: string,
  marker: string,
  signal: AbortSignal,
): Promise<{ href: string; element: XmlElement } | undefined> {
  const element = await readIfThere(session, href, signal);
  if (element === null || !(await carriesMarker(session, element, href, marker, signal))) return undefined;
  return { href: hrefOf(session, element), element };
}

/** The marker in a name is unguessable, so one object at most ends with it. */
async function byName(
  session: Session,
  { marker }: LedgerEntry,
  kind: MadeKind,
  signal: AbortSignal,
): Promise<string | undefined> {
  const records = await query(session, QUERIES[kind], signal);
  return records.find(({ name = '' }) => name.endsWith(suffixOf(marker)))?.href;
}
