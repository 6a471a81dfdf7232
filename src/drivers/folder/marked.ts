import { rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { syncFolder } from '../../base/files.ts';
import { Fault } from '../../model/fault.ts';
import type { MarkedObject, SeenObject } from '../../model/seen-object.ts';
import type { Objects } from '../driver.ts';
import { type Item, itemAt, listItems, markerOfItem, openItem } from './catalog.ts';
import { fileFault } from './files.ts';
import type { Session } from './session.ts';

export function objectsFacet(session: Session): Objects {
  return {
    look: (id, signal) => look(session, id, signal),
    marked: (signal) => marked(session, signal),
    remove: (id, marker) => remove(session, id, marker),
  };
}

async function look(session: Session, id: string, signal: AbortSignal): Promise<SeenObject | null> {
  const item = await there(session, id);
  if (item === null) return null;
  const marker = (await markerOfItem(item)) ?? null;
  const base = { id, marker, finished: item.kind !== 'unfinished', power: 'off' as const, ran: false };
  try {
    const { description, version } = await openItem(session, item, signal);
    return { ...base, kind: description.kind, name: description.name, version, description };
  } catch (error) {
    const closed = error instanceof Fault && ['object.busy', 'package.locked'].includes(error.code);
    if (!closed) throw error;
    return { ...base, kind: 'media', name: item.name, version: `package ${item.stamp}`, description: null };
  }
}

async function marked(session: Session, signal: AbortSignal): Promise<MarkedObject[]> {
  const found: MarkedObject[] = [];
  for (const item of await listItems(session, signal)) {
    const marker = await markerOfItem(item);
    if (marker === undefined) continue;
    const { id, name, kind } = item;
    const seen = await look(session, id, signal).catch(() => null);
    found.push({
      id,
      name: seen?.name ?? name,
      kind: seen?.kind ?? 'media',
      marker,
      finished: kind !== 'unfinished',
      power: 'off',
      ...(item.madeAt === undefined ? {} : { madeAt: item.madeAt }),
    });
  }
  return found;
}

async function remove(session: Session, id: string, marker: string): Promise<void> {
  const item = await there(session, id);
  if (item === null) return;
  if ((await markerOfItem(item)) !== marker) {
    throw new Fault('object.changed', `${session.who}: "${id}" does not carry the marker ${marker}`);
  }
  try {
    await rm(item.path, { recursive: true });
    await syncFolder(dirname(item.path));
  } catch (error) {
    throw fileFault(error, session.who, `remove "${id}"`);
  }
}

async function there(session: Session, id: string): Promise<Item | null> {
  try {
    return await itemAt(session, id);
  } catch (error) {
    if (error instanceof Fault && error.code === 'object.missing') return null;
    throw error;
  }
}
