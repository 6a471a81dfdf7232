import { checkSteps, isOfSession } from '../../base/check-steps.ts';
import type { Check } from '../../model/check.ts';
import { Fault } from '../../model/fault.ts';
import { freeMediaName, isoName, mediaFileOf } from '../../model/media.ts';
import type { ImportRequest } from '../driver.ts';
import { type Datastore, filesIn, readDatastores } from './datastore-files.ts';
import { MEDIA_FOLDER, mediaFolderOf, placementOf } from './placement.ts';
import type { Session } from './session.ts';
import { readSite } from './site.ts';

/** Where an image of a disc is put. */
export interface MediaDestination {
  store: Datastore;
  /** On the datastore; empty for its top. */
  folder: string;
}

export async function isDatastore(session: Session, id: string, signal: AbortSignal): Promise<boolean> {
  return (await readDatastores(session, signal)).some(({ ref }) => ref.id === id);
}

/** A datastore itself, or the one that is chosen for a place of machines. Faults: `input.invalid`, `object.missing`. */
export async function readMediaDestination(
  session: Session,
  { destination, placement }: ImportRequest,
  signal: AbortSignal,
): Promise<MediaDestination> {
  const folder = mediaFolderOf(placement, session.who);
  const stores = await readDatastores(session, signal);
  const direct = stores.find(({ ref }) => ref.id === destination);
  if (direct !== undefined) {
    const other = Object.keys(placement).find((name) => name !== MEDIA_FOLDER.name);
    if (other !== undefined) {
      throw new Fault('input.invalid', `${session.who}: a datastore has no placement "${other}"`, {
        remedy: `There is: ${MEDIA_FOLDER.name}.`,
      });
    }
    if (!direct.usable) {
      throw new Fault('cloud.failed', `${session.who}: datastore "${direct.name}" is not accessible`, {
        remedy: 'Choose another datastore, or check that its hosts are connected.',
      });
    }
    return { store: direct, folder };
  }
  const site = await readSite(session, destination, signal);
  const chosen = placementOf(site, placement, session.who).datastore;
  const store = stores.find(({ ref }) => ref.id === chosen.ref.id);
  if (store !== undefined) return { store, folder };
  throw new Fault('object.missing', `${session.who}: datastore "${chosen.name}" is gone`);
}

/** The name as one of a file. Fault: `input.invalid`. */
export function mediaFileName({ name }: ImportRequest, who: string): string {
  if (name.trim() !== '' && !/[\\/\p{Cc}]/u.test(name)) return isoName(name);
  throw new Fault('input.invalid', `${who}: "${name}" is no name of a file on a datastore`, {
    remedy: 'Give one without slashes and backslashes: --name debian.iso.',
  });
}

/** `ISO/debian.iso` */
export function pathIn({ folder }: MediaDestination, name: string): string {
  return folder === '' ? name : `${folder}/${name}`;
}

export function placeText({ store, folder }: MediaDestination): string {
  return `folder "${folder}" of datastore "${store.name}"`;
}

/** What stands against the import of an image; touches nothing. */
export async function mediaChecks(session: Session, request: ImportRequest, signal: AbortSignal): Promise<Check[]> {
  const { checks, attempt } = checkSteps(signal, isOfSession);
  const destination = await attempt(
    'placement',
    () => readMediaDestination(session, request, signal),
    (place) => `It is put into ${placeText(place)}.`,
  );
  if (destination === undefined) return checks;
  const { store, folder } = destination;
  await attempt(
    'name-free',
    async () => {
      const taken = new Set((await filesIn(session, store, folder, signal))?.map(({ name }) => name));
      const name = mediaFileName(request, session.who);
      return freeMediaName(taken, name, request.onNameClash, session.who, placeText(destination));
    },
    (name) => `It will be called "${name}".`,
  );
  const { bytes } = mediaFileOf(request.description, session.who);
  const gib = (value: number) => `${(value / 1024 ** 3).toFixed(1)} GiB`;
  const found = `"${store.name}" has ${gib(store.freeBytes)} free; the image has ${gib(bytes)}.`;
  checks.push(
    store.freeBytes >= bytes
      ? { name: 'space', outcome: 'pass', found }
      : { name: 'space', outcome: 'fail', found, remedy: 'Choose another datastore, or free space on it.' },
  );
  return checks;
}
