import { type FileHandle, lstat, open, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { syncFolder } from '../../base/files.ts';
import { BLOCK_BYTES } from '../../model/block-map.ts';
import { Fault } from '../../model/fault.ts';
import type { LedgerEntry } from '../../model/ledger.ts';
import { freeMediaName, isoName, isoNameWith, mediaFileOf } from '../../model/media.ts';
import type { DiskFeed, ImportProgress, ImportRequest, ImportResult, WorkContext } from '../driver.ts';
import { type Item, itemAt, listItems, markerOfItem, openItem } from './catalog.ts';
import { fileFault, ROOT } from './files.ts';
import { fileName } from './names.ts';
import { checkImageForm, folderAt, ROLE } from './placement.ts';
import type { Session } from './session.ts';

/** FAT keeps times in steps of 2 s. */
const STEP_MILLISECONDS = 2000;

/** Writes an image as a plain file. Until it is whole it is called `<name> [cloudspan <marker>].iso`. */
export async function importImage(
  session: Session,
  request: ImportRequest,
  feeds: ReadonlyMap<string, DiskFeed>,
  context: WorkContext,
  progress: (progress: ImportProgress) => void,
): Promise<ImportResult> {
  const { ledger, marker, signal } = context;
  checkImageForm(session, request.placement);
  const file = mediaFileOf(request.description, session.who);
  const feed = feeds.get(file.id);
  if (feed === undefined) throw new Fault('internal', `${session.who}: no blocks come for "${request.name}"`);
  const folder = await folderAt(session, request.destination);
  const row = ledger.entries.find((entry) => entry.role === ROLE && entry.action === 'create');
  const [finished] = row === undefined ? [] : await finishedImages(session, [row], signal);
  if (row !== undefined && finished !== undefined) return adopt(session, finished, row, context);

  const taken = new Set<string>();
  for (const item of await listItems(session, signal)) {
    if (item.parent === folder.id && (await markerOfItem(item)) !== marker) taken.add(item.name);
  }
  const wanted = isoName(fileName(request.name));
  const name = freeMediaName(taken, wanted, request.onNameClash, session.who, `folder "${folder.id}"`);
  const unfinished = join(folder.path, isoNameWith(wanted, ` [cloudspan ${marker}]`));
  const intent = { action: 'create', kind: 'media', role: ROLE, name: request.name } as const;
  await ledger.intend(intent);
  try {
    const before = await writeImage(unfinished, file.bytes, feed, signal, (givenBytes) =>
      progress({ disk: file.id, givenBytes }),
    );
    signal.throwIfAborted();
    const id = folder.id === ROOT ? name : `${folder.id}/${name}`;
    const entry = await ledger.settle(await ledger.intend({ ...intent, before }), 'intent', id);
    const final = join(folder.path, name);
    if (await lstat(final).catch(() => null)) {
      throw new Fault('object.exists', `${session.who}: "${name}" is there meanwhile; nothing that exists is replaced`);
    }
    await rename(unfinished, final);
    await syncFolder(folder.path);
    return await adopt(session, await itemAt(session, id), entry, context);
  } catch (error) {
    signal.throwIfAborted();
    throw fileFault(error, session.who, `write "${name}"`);
  }
}

/** Resolves when it is on the disk, with what the file is known by. */
async function writeImage(
  path: string,
  bytes: number,
  feed: DiskFeed,
  signal: AbortSignal,
  given: (bytes: number) => void,
): Promise<string> {
  await using file = await open(path, 'w', 0o600);
  for await (const { index, data } of feed.blocks(0, signal)) {
    await writeAll(file, data, index * BLOCK_BYTES);
    given(Math.min(bytes, index * BLOCK_BYTES + data.length));
  }
  await file.truncate(bytes);
  await file.sync();
  given(bytes);
  return identityOf(await file.stat());
}

async function writeAll(file: FileHandle, data: Buffer, position: number): Promise<void> {
  const { bytesWritten } = await file.write(data, 0, data.length, position);
  if (bytesWritten < data.length) throw Object.assign(new Error('the disk is full'), { code: 'ENOSPC' });
}

function identityOf({ size, mtimeMs }: { size: number; mtimeMs: number }): string {
  return `${size} bytes at ${new Date(Math.floor(mtimeMs / STEP_MILLISECONDS) * STEP_MILLISECONDS).toISOString()}`;
}

/** Whole files that these rows made and that nobody has written to since: there is no room for a marker in them. */
export async function finishedImages(
  session: Session,
  rows: readonly LedgerEntry[],
  signal: AbortSignal,
): Promise<Item[]> {
  const wanted = rows.filter(
    ({ kind, before, state }) => kind === 'media' && before !== undefined && state !== 'removed' && state !== 'absent',
  );
  if (wanted.length === 0) return [];
  const found: Item[] = [];
  for (const item of await listItems(session, signal)) {
    if (item.kind !== 'iso') continue;
    const stats = await lstat(item.path).catch(() => null);
    const is = stats === null ? undefined : identityOf(stats);
    if (wanted.some(({ before, objectId }) => objectId === item.id && before === is)) found.push(item);
  }
  return found;
}

async function adopt(
  session: Session,
  item: Item,
  row: LedgerEntry,
  { ledger, signal }: WorkContext,
): Promise<ImportResult> {
  const { description } = await openItem(session, item, signal);
  await ledger.settle(row, 'made', item.id);
  return { object: { id: item.id, kind: 'media', name: item.name }, description, checksums: {} };
}
