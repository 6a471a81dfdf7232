import { Fault } from '../../model/fault.ts';
import type { LedgerEntry } from '../../model/ledger.ts';
import type { WorkContext } from '../driver.ts';
import { type Datastore, deleteFile, filesIn, findFile, partsOfPath } from './datastore-files.ts';
import { identityOf, placeOfMedia } from './media.ts';
import { carriesMarker } from './names.ts';
import type { Session } from './session.ts';

/** The finished file that a row made, if it is still there as it was then. */
export async function finishedPath(
  session: Session,
  { objectId, before }: LedgerEntry,
  signal: AbortSignal,
): Promise<{ store: Datastore; path: string } | undefined> {
  if (objectId === undefined || before === undefined) return undefined;
  const place = await placeOfRow(session, objectId, signal);
  const file = place === undefined ? undefined : await findFile(session, place.store, place.path, signal);
  return file !== undefined && identityOf(file) === before ? place : undefined;
}

/** Removes what a row made: the unfinished file by the marker in its name, the finished one if nobody wrote to it. */
export async function undoMedia(session: Session, context: WorkContext, entry: LedgerEntry): Promise<void> {
  const { signal, marker, ledger } = context;
  const { objectId } = entry;
  const place = objectId === undefined ? undefined : await placeOfRow(session, objectId, signal);
  let removed = false;
  if (place !== undefined) {
    const { folder } = partsOfPath(place.path);
    for (const { name } of (await filesIn(session, place.store, folder, signal)) ?? []) {
      if (!carriesMarker(name, marker)) continue;
      await deleteFile(session, place.store, folder === '' ? name : `${folder}/${name}`, signal);
      removed = true;
    }
    const finished = await finishedPath(session, entry, signal);
    if (finished !== undefined) {
      await deleteFile(session, finished.store, finished.path, signal);
      removed = true;
    } else if (!removed) {
      context.log.info(`${session.who}: ${objectId} is gone or no longer ours; nothing is removed`);
    }
  }
  await ledger.settle(entry, removed ? 'removed' : 'absent');
}

/** undefined when its datastore is gone. */
async function placeOfRow(session: Session, objectId: string, signal: AbortSignal) {
  try {
    return await placeOfMedia(session, objectId, signal);
  } catch (error) {
    if (error instanceof Fault && error.code === 'object.missing') return undefined;
    throw error;
  }
}
