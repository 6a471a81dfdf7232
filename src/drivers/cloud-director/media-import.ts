import { delay } from '../../base/backoff.ts';
import { bytesOfBlocks } from '../../base/file-blocks.ts';
import { BLOCK_BYTES } from '../../model/block-map.ts';
import { Fault } from '../../model/fault.ts';
import type { LedgerEntry } from '../../model/ledger.ts';
import { mediaFileOf } from '../../model/media.ts';
import type { DiskFeed, ImportResult } from '../driver.ts';
import { findMade } from './adoption.ts';
import { nameFor } from './checks.ts';
import { type Destination, namesIn, requireCatalog } from './destination.ts';
import { urnOf } from './entity.ts';
import type { Work } from './imports.ts';
import { readMedia } from './media-export.ts';
import { MARKER_KEY, writeMetadata } from './metadata.ts';
import { type Placement, readPlacement } from './placement.ts';
import { removeItem } from './removal.ts';
import { renameMedia } from './rename.ts';
import type { Session } from './session.ts';
import { filesOf, isAlive, isReady, pollTemplate, type TransferFile } from './transfer-files.ts';
import { isUnfinished, orLateTwin, unfinishedName } from './unfinished.ts';
import { ATTEMPTS, canGoOn, PAUSE_MILLISECONDS, RANGE_BYTES } from './upload-file.ts';
import { body, childrenOf, mediaType, tag } from './xml.ts';

const ROLE = 'media';

/**
 * Brings an image of a disc into a catalog. Its length is known, so its bytes are sent as they arrive; a broken upload
 * goes on where the cloud says, in this attempt or in the next.
 */
export async function importMedia(work: Work, destination: Destination): Promise<ImportResult> {
  const { session, request, context, feeds, progress } = work;
  const { signal, ledger, marker } = context;
  requireCatalog(session, destination);
  const { id: fileId, bytes } = mediaFileOf(request.description, session.who);
  if (bytes < 1)
    throw new Fault('input.invalid', `${session.who}: "${request.name}" is empty; Cloud Director takes no empty media`);
  const feed = feeds.get(fileId);
  if (feed === undefined) throw new Fault('input.invalid', `${session.who}: there are no bytes for "${request.name}"`);
  const placement = await readPlacement(session, destination, request.placement, signal);
  const where = `catalog "${destination.name}"`;
  const freeNow = async () => nameFor(session, request, await namesIn(session, destination, signal), where);

  let made = await findMade(session, context, ROLE, 'media', signal);
  if (made !== undefined && !isAlive(made.element)) {
    await removeItem(session, made.href, signal);
    await ledger.settle(made.entry, 'removed');
    made = undefined;
  }
  if (made === undefined) await freeNow();
  const { entry, href } = made ?? (await begin(work, placement, bytes));
  let reached = 0;
  await send(session, href, feed, bytes, `upload "${request.name}"`, signal, (given) => {
    reached = Math.max(reached, given);
    progress({ disk: fileId, givenBytes: reached });
  });
  progress({ disk: fileId, givenBytes: bytes });
  await writeMetadata(session, href, { [MARKER_KEY]: marker }, signal);
  const now = await session.read(href, `read "${request.name}"`, signal);
  // After a crash between the two the catalog item may still have the other name.
  const known = isUnfinished(now, marker) ? undefined : now.attributes.name;
  for (let attempt = 1; ; attempt++) {
    try {
      await renameMedia(session, href, known ?? (await freeNow()), request.description.notes, signal);
      break;
    } catch (error) {
      const clash = error instanceof Fault && error.code === 'object.exists';
      if (!clash || request.onNameClash === 'fail' || attempt === 5) throw error;
    }
  }
  const id = urnOf('media', href) ?? entry.objectId ?? '';
  const { name, description } = await readMedia(session, id, signal);
  if (entry.state !== 'kept') await ledger.settle(entry, 'made', id);
  return { object: { id, kind: 'media', name }, description, checksums: {} };
}

async function begin(
  { session, request, context }: Work,
  { catalog, policy }: Placement,
  bytes: number,
): Promise<{ entry: LedgerEntry; href: string }> {
  const { ledger, marker, signal } = context;
  const name = unfinishedName(request.name, marker);
  const what = `begin the upload of "${request.name}"`;
  const entry = await ledger.intend({ action: 'create', kind: 'media', role: ROLE, name });
  const sending = session.send({
    method: 'POST',
    href: `${catalog}/action/upload`,
    what,
    type: mediaType('media'),
    body: body(
      'Media',
      { name, imageType: 'iso', size: bytes },
      tag('Description', {}, `cloudspan ${marker}`),
      policy === undefined ? undefined : tag('VdcStorageProfile', { href: policy.href }),
    ),
    signal,
  });
  const item = await sending.catch((error: unknown) => {
    throw orLateTwin(error, what, session.who);
  });
  const href = item?.name === 'CatalogItem' ? childrenOf(item, 'Entity')[0]?.attributes.href : item?.attributes.href;
  if (href === undefined) throw new Fault('cloud.protocol', `${session.who}: ${what}: the answer names no media`);
  return { entry: await ledger.settle(entry, 'made', urnOf('media', href)), href };
}

/** Resolves when the cloud has taken the file. */
async function send(
  session: Session,
  href: string,
  feed: DiskFeed,
  bytes: number,
  what: string,
  signal: AbortSignal,
  given: (bytes: number) => void,
): Promise<void> {
  let failures = 0;
  for (let offset = -1; ; ) {
    const seen = await pollTemplate(session, href, what, isAlive, signal);
    const [file] = filesOf(seen);
    if (file === undefined || file.href === '' || isReady(seen) || file.bytesTransferred >= bytes) break;
    if (file.size !== bytes) {
      throw new Fault('cloud.protocol', `${session.who}: ${what}: the cloud asks for ${file.size} bytes of ${bytes}`);
    }
    if (file.bytesTransferred > offset) failures = 0;
    offset = file.bytesTransferred;
    given(offset);
    try {
      await sendFrom(session, file, feed, what, signal, given);
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof Fault) || !canGoOn(error) || ++failures >= ATTEMPTS) throw error;
      session.log.warn(`${what}: the upload broke, asking how far it came`, { fault: error.code });
      await delay(PAUSE_MILLISECONDS * failures, signal);
    }
  }
  await pollTemplate(session, href, what, isReady, signal);
}

async function sendFrom(
  session: Session,
  { href, size, bytesTransferred }: TransferFile,
  feed: DiskFeed,
  what: string,
  signal: AbortSignal,
  given: (bytes: number) => void,
): Promise<void> {
  const stop = new AbortController();
  const until = AbortSignal.any([signal, stop.signal]);
  const blocks = feed.blocks(Math.floor(bytesTransferred / BLOCK_BYTES), until);
  const bytes = bytesOfBlocks(blocks, size, bytesTransferred);
  let handed = bytesTransferred;
  const passed = (more: number) => {
    handed += more;
    given(handed);
  };
  const state: Pieces = { bytes, rest: Buffer.alloc(0), broken: undefined, passed };
  try {
    for (let offset = bytesTransferred; offset < size; ) {
      const length = Math.min(RANGE_BYTES, size - offset);
      const sending = session.call({
        method: 'PUT',
        href,
        what,
        accept: '*/*',
        headers: {
          'content-length': String(length),
          'content-range': `bytes ${offset}-${offset + length - 1}/${size}`,
        },
        body: take(state, length),
        signal,
      });
      // A feed that broke is the cause, whatever HTTP makes of the half-sent request.
      const response = await sending.catch((error: unknown) => {
        throw state.broken === undefined ? error : state.broken.reason;
      });
      await response.text();
      offset += length;
    }
  } finally {
    stop.abort();
    await bytes.return(undefined).catch(() => undefined);
  }
}

interface Pieces {
  bytes: AsyncGenerator<Buffer>;
  rest: Buffer;
  broken: { reason: unknown } | undefined;
  /** Hears how many bytes HTTP has taken. */
  passed(bytes: number): void;
}

/** Exactly the next `length` bytes, as copies: HTTP keeps them longer than the feed does. */
async function* take(state: Pieces, length: number): AsyncGenerator<Buffer> {
  for (let left = length; left > 0; ) {
    if (state.rest.length === 0) {
      let next: IteratorResult<Buffer>;
      try {
        next = await state.bytes.next();
      } catch (reason) {
        state.broken = { reason };
        throw reason;
      }
      if (next.done) return;
      state.rest = Buffer.from(next.value);
    }
    const part = state.rest.subarray(0, left);
    state.rest = state.rest.subarray(part.length);
    left -= part.length;
    yield part;
    state.passed(part.length);
  }
}
