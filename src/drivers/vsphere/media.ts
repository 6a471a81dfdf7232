import { Fault } from '../../model/fault.ts';
import type { InventoryObject } from '../../model/inventory.ts';
import type { PackageDescription } from '../../model/machine.ts';
import { mediaPackage } from '../../model/media.ts';
import { type Datastore, type DatastoreFile, findFile, partsOfPath, readDatastores } from './datastore-files.ts';
import type { Session } from './session.ts';

/** A file of a datastore that is an image of a disc. */
export interface Media {
  id: string;
  store: Datastore;
  path: string;
  file: DatastoreFile;
  description: PackageDescription;
}

/** `[datastore-15] ISO/debian.iso`: the datastore by its id, so that no other one of that name is meant. */
export function mediaId(store: Datastore, path: string): string {
  return `[${store.ref.id}] ${path}`;
}

export function isMediaId(id: string): boolean {
  return id.startsWith('[');
}

/** The place that an id names; the datastore may also stand there by its name. Faults: `object.missing`, `object.ambiguous`. */
export async function placeOfMedia(
  session: Session,
  id: string,
  signal: AbortSignal,
): Promise<{ store: Datastore; path: string }> {
  const [, word, path = ''] = /^\[([^\]]+)\] ?(.+)$/.exec(id) ?? [];
  const wrong = path
    .split('/')
    .some((name) => name === '' || name === '.' || name === '..' || /[\\\p{Cc}]/u.test(name));
  if (word === undefined || wrong) throw missing(session, id, 'it is not of the form [datastore] folder/file.iso');
  const stores = await readDatastores(session, signal);
  const byId = stores.find(({ ref }) => ref.id === word);
  const byName = stores.filter(({ name }) => name === word);
  const store = byId ?? (byName.length === 1 ? byName[0] : undefined);
  if (store !== undefined) return { store, path };
  if (byName.length === 0) throw missing(session, id, 'there is no such datastore');
  throw new Fault('object.ambiguous', `${session.who}: ${byName.length} datastores are called "${word}"`, {
    remedy: 'Write the id of the datastore between the brackets.',
    details: { ids: byName.map((one) => mediaId(one, path)) },
  });
}

/** Read fresh. Faults: `object.missing`, `object.wrong-kind` for files of another kind. */
export async function readMedia(session: Session, id: string, signal: AbortSignal): Promise<Media> {
  const { store, path } = await placeOfMedia(session, id, signal);
  if (!/\.iso$/i.test(path)) {
    throw new Fault('object.wrong-kind', `${session.who}: ${id} is no image of a disc (*.iso)`);
  }
  const file = await findFile(session, store, path, signal);
  if (file === undefined) throw missing(session, id, 'there is no such file');
  return { id: mediaId(store, path), store, path, file, description: mediaPackage(file.name, file.bytes) };
}

export function mediaObject({ id, store, path, file }: Media): InventoryObject {
  return {
    id,
    kind: 'media',
    name: file.name,
    parent: store.ref.id,
    abilities: ['export'],
    facts: { bytes: String(file.bytes), folder: partsOfPath(path).folder, modified: file.modified },
  };
}

/** By what a finished file is known: there is no room for a marker in it. */
export function identityOf({ bytes, modified }: DatastoreFile): string {
  return `${bytes} bytes at ${modified}`;
}

function missing(session: Session, id: string, why: string): Fault {
  return new Fault('object.missing', `${session.who}: nothing is at ${id}: ${why}`);
}
