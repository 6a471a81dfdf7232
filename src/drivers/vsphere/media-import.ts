import { bytesOfBlocks } from '../../base/file-blocks.ts';
import { Fault } from '../../model/fault.ts';
import type { LedgerEntry } from '../../model/ledger.ts';
import { freeMediaName, mediaFileOf } from '../../model/media.ts';
import type { DiskFeed, ImportProgress, ImportRequest, ImportResult, WorkContext } from '../driver.ts';
import { type Datastore, filesIn, findFile, makeFolder, moveFile, urlPathOf, writtenPath } from './datastore-files.ts';
import { identityOf, mediaId, readMedia } from './media.ts';
import { type MediaDestination, mediaFileName, pathIn, placeText, readMediaDestination } from './media-destination.ts';
import { finishedPath } from './media-undo.ts';
import type { Session } from './session.ts';

const ROLE = 'media';
/** So that the unfinished name is one that every kind of datastore takes. */
const LONGEST_UNFINISHED = 120;

/**
 * Puts an image of a disc on a datastore: HTTPS PUT to `/folder` under an unfinished name, then moved to its own. A PUT
 * cannot go on in the middle, so after a break it is sent again from the blocks that the node holds. The folder is made
 * where there is none, and stays: others may use it by then.
 */
export async function importMedia(
  session: Session,
  request: ImportRequest,
  feeds: ReadonlyMap<string, DiskFeed>,
  context: WorkContext,
  progress: (progress: ImportProgress) => void,
): Promise<ImportResult> {
  const { ledger, marker, signal } = context;
  const { id: fileId, bytes } = mediaFileOf(request.description, session.who);
  const feed = feeds.get(fileId);
  if (feed === undefined) throw new Fault('input.invalid', `${session.who}: there are no bytes for "${request.name}"`);
  const wanted = mediaFileName(request, session.who);
  const row = ledger.entries.findLast(({ role, kind }) => role === ROLE && kind === 'media');
  if (row !== undefined && row.state !== 'removed' && row.state !== 'absent') {
    const finished = await finishedPath(session, row, signal);
    if (finished !== undefined) return conclude(session, context, row, finished);
  }
  const destination = await readMediaDestination(session, request, signal);
  const { store, folder } = destination;
  await nextName(session, destination, wanted, request, marker, signal);

  const unfinished = unfinishedName(wanted, marker);
  const path = pathIn(destination, unfinished);
  const intent = { action: 'create', kind: 'media', role: ROLE, name: unfinished } as const;
  // Its place is known before anything is there, and is all by which it is found again.
  await ledger.settle(await ledger.intend(intent), 'intent', mediaId(store, path));
  if (folder !== '') await makeFolder(session, store, folder, signal);
  let reached = 0;
  const given = (givenBytes: number) => {
    reached = Math.max(reached, givenBytes);
    progress({ disk: fileId, givenBytes: reached });
  };
  await put(session, store, path, feed, bytes, signal, given);
  const stored = await findFile(session, store, path, signal);
  if (stored?.bytes !== bytes) {
    const found = stored === undefined ? 'nothing' : `${stored.bytes} bytes`;
    throw new Fault('cloud.failed', `${session.who}: ${writtenPath(store, path)}: ${found} of ${bytes} are there`, {
      retry: 'soon',
    });
  }
  given(bytes);
  const before = identityOf(stored);
  for (let attempt = 1; ; attempt++) {
    const name = await nextName(session, destination, wanted, request, marker, signal);
    const final = pathIn(destination, name);
    const entry = await ledger.settle(await ledger.intend({ ...intent, before }), 'intent', mediaId(store, final));
    try {
      await moveFile(session, store, path, final, signal);
      return await conclude(session, context, entry, { store, path: final });
    } catch (error) {
      const clash = error instanceof Fault && error.code === 'object.exists';
      if (!clash || request.onNameClash === 'fail' || attempt === 5) throw error;
    }
  }
}

function unfinishedName(wanted: string, marker: string): string {
  const suffix = ` [cloudspan ${marker}]`;
  let name = wanted;
  while (name.length > 1 && Buffer.byteLength(name + suffix) > LONGEST_UNFINISHED) {
    name = [...name].slice(0, -1).join('');
  }
  return name + suffix;
}

/** Fault: `object.exists`. */
async function nextName(
  session: Session,
  destination: MediaDestination,
  wanted: string,
  { onNameClash }: ImportRequest,
  marker: string,
  signal: AbortSignal,
): Promise<string> {
  const files = (await filesIn(session, destination.store, destination.folder, signal)) ?? [];
  const taken = new Set(files.map(({ name }) => name).filter((name) => !name.endsWith(`[cloudspan ${marker}]`)));
  return freeMediaName(taken, wanted, onNameClash, session.who, placeText(destination));
}

async function put(
  session: Session,
  store: Datastore,
  path: string,
  feed: DiskFeed,
  bytes: number,
  signal: AbortSignal,
  given: (bytes: number) => void,
): Promise<void> {
  let broken: { reason: unknown } | undefined;
  const body = async function* () {
    let sent = 0;
    try {
      for await (const part of bytesOfBlocks(feed.blocks(0, signal), bytes)) {
        // HTTP keeps it longer than the feed does.
        yield Buffer.from(part);
        sent += part.length;
        given(sent);
      }
    } catch (reason) {
      broken = { reason };
      throw reason;
    }
  };
  const what = `writing ${writtenPath(store, path)}`;
  const headers = { 'content-type': 'application/octet-stream', 'content-length': String(bytes) };
  const request = { method: 'PUT' as const, headers, body: bytes === 0 ? '' : body(), signal };
  // A feed that broke is the cause, whatever HTTP makes of the half-sent request.
  const response = await session.file(urlPathOf(store, path), request).catch((error: unknown) => {
    throw broken === undefined ? error : broken.reason;
  });
  const text = await response.text(1024 * 1024);
  const { status } = response;
  if (status >= 200 && status <= 299) return;
  const why = text.trim().slice(0, 300);
  const code = status === 401 || status === 403 ? 'auth.forbidden' : 'cloud.failed';
  throw new Fault(code, `${session.who}: ${what}: ${session.url.host} answered HTTP ${status} ${why}`.trimEnd(), {
    remedy:
      code === 'auth.forbidden'
        ? 'Give the account the privileges Datastore.Browse and Datastore.FileManagement on the datastore.'
        : 'Read what the cloud says; mend the cause (space, the hosts of the datastore); retry.',
  });
}

/** The file has its name. Where the move has changed its time, the new one is noted. */
async function conclude(
  session: Session,
  { ledger, signal }: WorkContext,
  row: LedgerEntry,
  { store, path }: { store: Datastore; path: string },
): Promise<ImportResult> {
  const id = mediaId(store, path);
  const { file, description } = await readMedia(session, id, signal);
  const now = identityOf(file);
  const { action, kind, role, name } = row;
  if (row.state !== 'kept') {
    const entry = row.before === now ? row : await ledger.intend({ action, kind, role, name, before: now });
    await ledger.settle(entry, 'made', id);
  }
  return { object: { id, kind: 'media', name: file.name }, description, checksums: {} };
}
