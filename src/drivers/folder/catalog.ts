import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Fault } from '../../model/fault.ts';
import type { PackageDescription } from '../../model/machine.ts';
import { mediaPackage } from '../../model/media.ts';
import { MANIFEST_FILE } from '../../protocol/package.ts';
import { fileFault, pathInside, ROOT } from './files.ts';
import { type Image, openImage } from './images.ts';
import { type Archive, openOva, openOvf, openRemoteOvf } from './ovf/archive.ts';
import { readMarker } from './ovf/marker.ts';
import type { Remote } from './ovf/remote.ts';
import { fileSource } from './ovf/source.ts';
import type { PackageReader } from './package/reader.ts';
import { checkOpen, isComplete, markerOf, readPackage, type Session } from './session.ts';

/** What lies in the folder. `unfinished`: a copy on its way in, or what one left. */
export type ItemKind = 'folder' | 'address' | 'package' | 'ova' | 'ovf' | 'iso' | 'unfinished';

export interface Item {
  /** Path from the root, `/` for the root itself. */
  id: string;
  kind: ItemKind;
  /** Last name of the path. */
  name: string;
  /** Id of the folder that holds it; null for the root. */
  parent: string | null;
  path: string;
  /** Changes when the file does. */
  stamp: string;
  sizeBytes: number;
  /** When a package or file was begun, ISO 8601. */
  madeAt?: string;
}

export const PACKAGE_SUFFIX = '.cloudspan';
const UNFINISHED = /\[cloudspan ([0-9a-z-]+)\]\.(cloudspan|ova|iso)$/;
const MAX_DEPTH = 8;
const MAX_ITEMS = 20_000;

/** Everything that is there, parents first. Hidden names and links are passed over. */
export async function listItems(session: Session, signal: AbortSignal): Promise<Item[]> {
  checkOpen(session);
  const items: Item[] = [await itemAt(session, ROOT)];
  if (session.remote !== undefined) return [...items, await itemAt(session, session.remote.name)];
  for (let at = 0; at < items.length; at++) {
    const folder = items[at]!;
    if (folder.kind !== 'folder' || folder.id.split('/').length > MAX_DEPTH) continue;
    signal.throwIfAborted();
    const names = await readdir(folder.path).catch((error) => {
      throw fileFault(error, session.who, `list "${folder.id}"`);
    });
    for (const name of names.sort()) {
      if (name.startsWith('.') || items.length >= MAX_ITEMS) continue;
      const item = await itemAt(session, folder.id === ROOT ? name : `${folder.id}/${name}`).catch(() => null);
      if (item !== null) items.push(item);
    }
  }
  return items;
}

/** Fault: `object.missing`, also for files that are no package. */
export async function itemAt(session: Session, id: string): Promise<Item> {
  checkOpen(session);
  if (session.remote !== undefined) return remoteItem(session, session.remote, id);
  if (session.only !== undefined && id !== ROOT && id.split('/')[0] !== session.only) {
    throw new Fault('object.missing', `${session.who}: there is nothing at "${id}"`);
  }
  const { path, stats } = await pathInside(session.root, id, session.who);
  const parent = id === ROOT ? null : id.includes('/') ? id.slice(0, id.lastIndexOf('/')) : ROOT;
  const name = id === ROOT ? (path.split('/').at(-1) ?? path) : id.slice(id.lastIndexOf('/') + 1);
  const base = { id, name, parent, path };
  if (stats.isFile()) {
    const kind = UNFINISHED.test(name)
      ? 'unfinished'
      : (/\.(ova|ovf|iso)$/i.exec(name)?.[1]?.toLowerCase() as ItemKind);
    if (kind === undefined) throw new Fault('object.missing', `${session.who}: "${id}" is no package`);
    const madeAt = stats.birthtime.toISOString();
    return { ...base, kind, stamp: `${stats.size}@${stats.mtimeMs}`, sizeBytes: stats.size, madeAt };
  }
  const manifest = name.endsWith(PACKAGE_SUFFIX)
    ? await pathInside(session.root, `${id}/${MANIFEST_FILE}`, session.who).catch(() => null)
    : null;
  if (manifest === null) return { ...base, kind: 'folder', stamp: '', sizeBytes: 0 };
  const complete = !UNFINISHED.test(name) && (await isComplete(path));
  const stamp = `${manifest.stats.mtimeMs} ${stats.mtimeMs} ${complete}`;
  return {
    ...base,
    kind: complete ? 'package' : 'unfinished',
    stamp,
    sizeBytes: 0,
    madeAt: stats.birthtime.toISOString(),
  };
}

/** An address is a folder that nothing can be put into, and the one package in it. */
function remoteItem(session: Session, remote: Remote, id: string): Item {
  const base = { id, path: session.root, stamp: '', sizeBytes: 0 };
  if (id === ROOT) return { ...base, kind: 'address', name: session.root, parent: null };
  const kind = /\.(ova|ovf|iso)$/i.exec(remote.name)?.[1]?.toLowerCase();
  if (id === remote.name && kind !== undefined) {
    return { ...base, kind: kind as ItemKind, name: remote.name, parent: ROOT };
  }
  throw new Fault('object.missing', `${session.who}: there is no package "${id}" at ${session.root}`, {
    remedy: 'The address has to end in .ova, .ovf or .iso.',
  });
}

/** What is in a package, whatever kind it is of. */
export type Opened = { description: PackageDescription; version: string } & (
  | { reader: PackageReader }
  | { archive: Archive }
  | { image: Image }
);

/** Faults: `package.locked`, `package.damaged`, `ova.invalid`, `ovf.*`, `object.wrong-kind`. */
export async function openItem(session: Session, item: Item, signal: AbortSignal): Promise<Opened> {
  const who = `${session.who}: "${item.id}"`;
  switch (item.kind) {
    case 'package': {
      const reader = await readPackage(session, item.path, item.id);
      return { reader, description: reader.contents.description, version: `package ${item.stamp}` };
    }
    case 'ova':
    case 'ovf': {
      const archive = await openArchive(session, item, who, signal);
      return { archive, description: archive.ovf.description, version: archive.version };
    }
    case 'unfinished':
      throw new Fault('object.busy', `${who} is not complete: a copy into it goes on, or was interrupted`, {
        retry: 'later',
        remedy: 'Repeat the export that began it, or remove it.',
      });
    case 'iso': {
      const image = await openImage(session, item, who, signal);
      return { image, description: mediaPackage(item.name, image.sizeBytes), version: `image ${image.version}` };
    }
    default:
      throw new Fault('object.wrong-kind', `${who} is a folder`, { remedy: 'Choose a package inside of it.' });
  }
}

async function openArchive(session: Session, item: Item, who: string, signal: AbortSignal): Promise<Archive> {
  const { remote } = session;
  try {
    if (remote !== undefined && item.kind === 'ovf') return await openRemoteOvf(remote, who, signal);
    if (remote !== undefined) {
      const source = await remote.source(undefined, who, signal);
      if (source === null) throw new Fault('object.missing', `${who}: there is nothing at ${session.root}`);
      return await openOva(source, who, signal);
    }
    return item.kind === 'ova'
      ? await openOva(await fileSource(item.path, who), who, signal)
      : await openOvf(session.root, item.id, who, signal);
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof Fault)) throw fileFault(error, who, 'read it');
    if (error.message.startsWith(session.who)) throw error;
    const { code, message, remedy, retry } = error;
    throw new Fault(code, `${who}: ${message}`, { remedy, retry, cause: error });
  }
}

/** The marker of the job that wrote something here. */
export async function markerOfItem(item: Item): Promise<string | undefined> {
  if (item.kind !== 'address' && item.path.endsWith('.ova')) return readMarker(item.path);
  if (item.kind === 'iso') return undefined;
  if (item.kind === 'unfinished' && item.path.endsWith('.iso')) return UNFINISHED.exec(item.name)?.[1];
  return item.kind === 'package' || item.kind === 'unfinished' ? markerOf(join(item.path)) : undefined;
}

/** Everything here that carries a marker. */
export async function itemsMarked(session: Session, marker: string, signal: AbortSignal): Promise<Item[]> {
  const found: Item[] = [];
  for (const item of await listItems(session, signal)) if ((await markerOfItem(item)) === marker) found.push(item);
  return found;
}
