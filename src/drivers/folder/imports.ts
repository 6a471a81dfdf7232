import { lstat, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { syncFolder } from '../../base/files.ts';
import { Fault } from '../../model/fault.ts';
import type { LedgerEntry } from '../../model/ledger.ts';
import type { PackageDescription } from '../../model/machine.ts';
import type { DiskFeed, ImportProgress, ImportRequest, ImportResult, Imports, WorkContext } from '../driver.ts';
import { type Item, itemAt, itemsMarked, listItems, markerOfItem, openItem } from './catalog.ts';
import { importChecks } from './checks.ts';
import { fileFault, ROOT } from './files.ts';
import { finishedImages, importImage } from './image-imports.ts';
import { fileName, freeName } from './names.ts';
import { inSectors, writeOvaFile } from './ovf/write.ts';
import { forgetOwnKey, writePackage } from './package/write.ts';
import { type Form, folderAt, placementOf, ROLE, readForm } from './placement.ts';
import type { Session } from './session.ts';

export function importsFacet(session: Session): Imports {
  return {
    placement: (destination) => placementOf(session, destination),
    check: (request, signal) => importChecks(session, request, signal),
    run: (request, feeds, context, progress) => run(session, request, feeds, context, progress),
    undo: (context) => undo(session, context),
  };
}

/** What is written: the package under its new name; adapters keep the networks of their source. */
export function descriptionFor(request: ImportRequest, name: string, form: Form): PackageDescription {
  const valued = (properties: PackageDescription['properties']) =>
    properties.map((property) => {
      const value = request.properties[property.key];
      return value === undefined ? property : { ...property, value };
    });
  const { description } = request;
  const only = description.machines.length === 1 && description.kind !== 'vapp';
  const named = {
    ...description,
    name,
    properties: valued(description.properties),
    machines: description.machines.map((machine) => ({
      ...machine,
      ...(only ? { name } : {}),
      properties: valued(machine.properties),
    })),
  };
  if (form.format === 'package') return named;
  // An order with one machine makes no collection of it: other products import a machine then.
  return inSectors(only ? { ...named, startOrder: [] } : named);
}

async function run(
  session: Session,
  request: ImportRequest,
  feeds: ReadonlyMap<string, DiskFeed>,
  context: WorkContext,
  progress: (progress: ImportProgress) => void,
): Promise<ImportResult> {
  if (request.description.kind === 'media') return importImage(session, request, feeds, context, progress);
  const { ledger, marker, signal } = context;
  const form = readForm(session, request.placement);
  const folder = await folderAt(session, request.destination);
  const row = ledger.entries.find((entry) => entry.role === ROLE && entry.action === 'create');
  const own = row === undefined ? [] : await itemsMarked(session, marker, signal);
  const finished = own.find((item) => item.kind !== 'unfinished');
  if (row !== undefined && finished !== undefined) return adopt(session, finished, row, request, context);

  const taken = await namesIn(session, folder.id, marker, signal);
  const name = freeName(taken, request.name, request.onNameClash, session.who);
  const description = descriptionFor(request, name, form);
  const suffix = form.format === 'ova' ? '.ova' : '.cloudspan';
  // The name of an encrypted package is nobody's business either.
  const hidden = form.format === 'package' && form.protection.kind !== 'plain';
  const final = await freeFile(folder.path, hidden ? `package-${marker.slice(-8)}` : fileName(name), suffix);
  const unfinished = join(folder.path, `${hidden ? 'package' : fileName(name)} [cloudspan ${marker}]${suffix}`);
  const entry = await ledger.intend({ action: 'create', kind: description.kind, role: ROLE, name: request.name });
  try {
    if (form.format === 'ova') {
      await writeOvaFile({
        path: unfinished,
        description,
        feeds,
        marker,
        signal,
        given: (disk, givenBytes) => progress({ disk: disk.id, givenBytes }),
      });
    } else {
      await writePackage(session, {
        folder: unfinished,
        description,
        protection: form.protection,
        feeds,
        context,
        progress,
      });
    }
    signal.throwIfAborted();
    await rename(unfinished, final);
    await syncFolder(folder.path);
  } catch (error) {
    signal.throwIfAborted();
    throw fileFault(error, session.who, `write "${name}"`);
  }
  const id =
    folder.id === ROOT ? final.slice(folder.path.length + 1) : `${folder.id}${final.slice(folder.path.length)}`;
  return adopt(session, await itemAt(session, id), entry, { ...request, name }, context);
}

/** The finished object, read back; what only another node can open is told as it was written. */
async function adopt(
  session: Session,
  item: Item,
  row: LedgerEntry,
  request: ImportRequest,
  context: WorkContext,
): Promise<ImportResult> {
  const form = readForm(session, request.placement);
  const description = await openItem(session, item, context.signal).then(
    (opened) => opened.description,
    (error) => {
      if (error instanceof Fault && error.code === 'package.locked') {
        return descriptionFor(request, request.name, form);
      }
      throw error;
    },
  );
  if (form.format === 'package') await forgetOwnKey(session, item.path, form.protection);
  await context.ledger.settle(row, 'made', item.id);
  return {
    object: { id: item.id, kind: description.kind, name: description.name },
    description,
    checksums: {},
    keepsNetworks: true,
  };
}

/** Names of what lies in a folder, without what this work left. */
async function namesIn(session: Session, folder: string, marker: string, signal: AbortSignal): Promise<Set<string>> {
  const names = new Set<string>();
  for (const item of await listItems(session, signal)) {
    if (item.parent !== folder || item.kind === 'folder' || (await markerOfItem(item)) === marker) continue;
    names.add(await nameOf(session, item, signal));
  }
  return names;
}

async function nameOf(session: Session, item: Item, signal: AbortSignal): Promise<string> {
  try {
    return (await openItem(session, item, signal)).description.name;
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof Fault)) throw error;
    return item.name;
  }
}

async function freeFile(folder: string, base: string, suffix: string): Promise<string> {
  for (let count = 1; ; count++) {
    const path = join(folder, `${base}${count === 1 ? '' : ` (${count})`}${suffix}`);
    const there = await lstat(path).then(
      () => true,
      () => false,
    );
    if (!there) return path;
  }
}

async function undo(session: Session, { ledger, marker, signal }: WorkContext): Promise<void> {
  const rows = ledger.entries.filter(({ role, state }) => role === ROLE && (state === 'intent' || state === 'made'));
  if (rows.length === 0) return;
  const own = [...(await itemsMarked(session, marker, signal)), ...(await finishedImages(session, rows, signal))];
  for (const item of own) {
    try {
      await rm(item.path, { recursive: true });
      await syncFolder(dirname(item.path));
    } catch (error) {
      throw fileFault(error, session.who, `remove "${item.id}"`);
    }
  }
  for (const row of rows) await ledger.settle(row, own.length > 0 ? 'removed' : 'absent');
}
