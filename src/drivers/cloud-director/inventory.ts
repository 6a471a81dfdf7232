import { delay } from '../../base/backoff.ts';
import { Fault } from '../../model/fault.ts';
import type { InventoryEvent, InventoryObject } from '../../model/inventory.ts';
import type { Inventory } from '../driver.ts';
import { Details } from './details.ts';
import { type EntityKind, locate, urnOf } from './entity.ts';
import { detailOf, ownerOf } from './machine-facts.ts';
import { readTags } from './metadata.ts';
import { objectsOf, readRecords } from './records.ts';
import type { Session } from './session.ts';
import { isAlive } from './transfer-files.ts';
import { linkOf, mediaType, textAt, type XmlElement } from './xml.ts';

/** Cloud Director does not push: the pause between two rounds of queries, well inside of the 10 s of the contract. */
const PAUSE_MILLISECONDS = 4_000;

export function inventoryOf(session: Session): Inventory {
  return {
    watch: (signal) => watch(session, signal),
    get: (id, signal) => getObject(session, id, signal),
  };
}

async function* watch(session: Session, signal: AbortSignal): AsyncGenerator<InventoryEvent> {
  const details = new Details(session);
  let known: Map<string, string> | undefined;
  while (!signal.aborted) {
    let objects: InventoryObject[];
    try {
      const records = await readRecords(session, signal);
      objects = await details.complete(objectsOf(session, records), records, signal);
    } catch (error) {
      if (signal.aborted) return;
      throw error;
    }
    const now = new Map(objects.map((object) => [object.id, JSON.stringify(object)]));
    if (known === undefined) yield { type: 'snapshot', objects };
    else yield* difference(known, now, objects);
    known = now;
    await delay(PAUSE_MILLISECONDS, signal).catch(() => undefined);
  }
}

function* difference(
  before: ReadonlyMap<string, string>,
  now: ReadonlyMap<string, string>,
  objects: readonly InventoryObject[],
): Generator<InventoryEvent> {
  const changed = objects.filter(({ id }) => before.get(id) !== now.get(id));
  if (changed.length > 0) yield { type: 'put', objects: changed };
  const ids = [...before.keys()].filter((id) => !now.has(id));
  if (ids.length > 0) yield { type: 'gone', ids };
}

/** Machines and templates are read themselves; of the few others the whole kind is listed. */
async function getObject(session: Session, id: string, signal: AbortSignal): Promise<InventoryObject> {
  const { kind, href } = locate(session, id);
  if (kind === 'vm' || kind === 'vapp' || kind === 'template') {
    const element = await session.read(href, `read ${kind} ${id}`, signal);
    return machineObject(session, kind, id, element, signal);
  }
  const found = objectsOf(session, await readRecords(session, signal)).find((object) => object.id === id);
  if (found === undefined) throw new Fault('object.missing', `${session.who}: there is no ${kind} ${id}`);
  return found;
}

async function machineObject(
  session: Session,
  kind: Extract<EntityKind, 'vm' | 'vapp' | 'template'>,
  id: string,
  element: XmlElement,
  signal: AbortSignal,
): Promise<InventoryObject> {
  const { parent, owner } = await holderOf(session, kind, element, signal);
  return {
    id,
    kind,
    name: element.attributes.name ?? '',
    parent,
    abilities: kind === 'template' ? (isAlive(element) ? ['export'] : []) : ['power', 'export'],
    ...detailOf(element, await readTags(session, locate(session, id).href, signal), owner),
  };
}

async function holderOf(
  session: Session,
  kind: 'vm' | 'vapp' | 'template',
  element: XmlElement,
  signal: AbortSignal,
): Promise<{ parent: string | null; owner: string | undefined }> {
  const up = (of: XmlElement) => urnOf('vdc', linkOf(of, 'up', mediaType('vdc')) ?? linkOf(of, 'up') ?? '') ?? null;
  const owner = ownerOf(element);
  if (kind === 'vapp') return { parent: up(element), owner };
  if (kind === 'vm') {
    const holder = linkOf(element, 'up', mediaType('vApp')) ?? linkOf(element, 'up') ?? '';
    const vapp = await session.read(holder, 'read the vApp of a VM', signal);
    const alone = textAt(vapp, 'autoNature') === 'true';
    return { parent: alone ? up(vapp) : (urnOf('vapp', holder) ?? null), owner: ownerOf(vapp) };
  }
  const item = linkOf(element, 'catalogItem');
  if (item === undefined) return { parent: up(element), owner };
  const document = await session.read(item, 'read a catalog item', signal);
  return { parent: urnOf('catalog', linkOf(document, 'up') ?? '') ?? null, owner };
}
