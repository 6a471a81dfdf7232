import { Fault } from '../../model/fault.ts';
import type { LedgerEntry } from '../../model/ledger.ts';
import type { DiskFeed, ImportProgress, ImportRequest, ImportResult, Imports, WorkContext } from '../driver.ts';
import { findMade, type Made } from './adoption.ts';
import { checkImport } from './checks.ts';
import { configure } from './configure.ts';
import { describeSource, readPlainDescriptor } from './describe.ts';
import { preparePackage } from './descriptor.ts';
import { type Destination, namesIn, readDestination, readNetwork } from './destination.ts';
import { urnOf } from './entity.ts';
import { adoptVapp, hasEulas, type Instantiation, instantiate } from './instantiate.ts';
import { importMedia } from './media-import.ts';
import { MARKER_KEY, writeMetadata } from './metadata.ts';
import { placementOptions, readPlacement } from './placement.ts';
import { removeItem, undoAll } from './removal.ts';
import { renameTemplate, renameVapp } from './rename.ts';
import type { Session } from './session.ts';
import { readSource } from './source.ts';
import { freeName, isUnfinished } from './unfinished.ts';
import { type UploadedTemplate, uploadTemplate } from './upload.ts';

const TEMPLATE_ROLE = 'template';
const TEMPORARY_ROLE = 'temporary template';

export function importsFacet(session: Session): Imports {
  return {
    walks: 2,
    async placement(destination, signal) {
      return placementOptions(session, await readDestination(session, destination, signal), signal);
    },
    check: (request, signal) => checkImport(session, request, signal),
    run: (request, feeds, context, progress) => run({ session, request, feeds, context, progress }),
    undo: (context) => undoAll(session, context),
  };
}

export interface Work {
  session: Session;
  request: ImportRequest;
  feeds: ReadonlyMap<string, DiskFeed>;
  context: WorkContext;
  progress(progress: ImportProgress): void;
}

async function run(work: Work): Promise<ImportResult> {
  const { session, request, context } = work;
  if (hasEulas(request.description) && !request.acceptEulas) {
    throw new Fault('eula.required', `${session.who}: "${request.name}" has a license that must be accepted`);
  }
  const destination = await readDestination(session, request.destination, context.signal);
  if (request.description.kind === 'media') return importMedia(work, destination);
  return destination.kind === 'catalog' ? intoCatalog(work, destination) : intoVdc(work, destination);
}

async function intoCatalog(work: Work, destination: Destination): Promise<ImportResult> {
  const { session, request, context } = work;
  const finished = await findMade(session, context, TEMPLATE_ROLE, 'template', context.signal);
  if (finished === undefined || isUnfinished(finished.element, context.marker)) {
    if (finished === undefined) await requireFreeName(work, destination);
    const uploaded = await upload(work, destination, TEMPLATE_ROLE);
    await writeMetadata(session, uploaded.href, { [MARKER_KEY]: context.marker }, context.signal);
    await underFreeName(work, destination, (name) =>
      renameTemplate(session, uploaded.href, name, request.description.notes, context.signal),
    );
    return result(work, uploaded.entry, uploaded.href, 'template', uploaded.checksums);
  }
  // After a crash between the two the catalog item may still have the other name.
  const name = finished.element.attributes.name ?? request.name;
  await renameTemplate(session, finished.href, name, request.description.notes, context.signal);
  return result(work, finished.entry, finished.href, 'template', {});
}

async function upload(work: Work, destination: Destination, role: string): Promise<UploadedTemplate> {
  const { session, request, context, feeds, progress } = work;
  const placement = await readPlacement(session, destination, request.placement, context.signal);
  return uploadTemplate({
    session,
    context,
    description: preparePackage(request, placement.hardwareVersion),
    name: request.name,
    catalog: placement.catalog,
    policy: placement.policy?.href,
    role,
    feeds,
    progress,
  });
}

async function intoVdc(work: Work, destination: Destination): Promise<ImportResult> {
  const { session, request, context } = work;
  const { signal, ledger } = context;
  const placement = await readPlacement(session, destination, request.placement, signal);
  const description = preparePackage(request, placement.hardwareVersion);
  const networks = await mappedNetworks(work, destination);
  const making: Instantiation = { session, context, request, description, placement, vdc: destination.href, networks };
  let checksums: Record<string, string> = {};
  let vapp = await adoptVapp(making);
  let temporary: Pick<Made, 'entry' | 'href'> | undefined;
  if (vapp === undefined) {
    await requireFreeName(work, destination);
    const template = await upload(work, destination, TEMPORARY_ROLE);
    checksums = template.checksums;
    temporary = template;
    const made = await instantiate(making, template.href);
    vapp = { ...made, element: await session.read(made.href, `read "${request.name}"`, signal) };
  }
  const { entry, href } = vapp;
  if (isUnfinished(vapp.element, context.marker)) await configure(making, href);
  temporary ??= await findMade(session, context, TEMPORARY_ROLE, 'template', signal);
  if (temporary !== undefined) {
    await removeItem(session, temporary.href, signal);
    await ledger.settle(temporary.entry, 'removed');
  }
  if (isUnfinished(vapp.element, context.marker)) {
    await underFreeName(work, destination, (name) =>
      renameVapp(session, href, name, request.description.notes, signal),
    );
  }
  return result(work, entry, href, 'vapp', checksums);
}

/** By the package's name, for the NICs that shall be attached. */
async function mappedNetworks({ session, request, context }: Work, destination: Destination) {
  const used = new Set(
    request.description.machines.flatMap(({ nics }) => nics.flatMap(({ network }) => network ?? [])),
  );
  const networks = new Map<string, { name: string; href: string }>();
  for (const name of used) {
    const id = request.networks[name] ?? null;
    if (id !== null) networks.set(name, await readNetwork(session, destination.element, id, context.signal));
  }
  return networks;
}

async function requireFreeName({ session, request, context }: Work, destination: Destination): Promise<string> {
  const taken = await namesIn(session, destination, context.signal);
  return freeName(session, request.name, taken, request.onNameClash, `"${destination.name}"`);
}

/** Gives the finished object its name; somebody else may take a free one in between, then it is looked for again. */
async function underFreeName(
  work: Work,
  destination: Destination,
  rename: (name: string) => Promise<void>,
): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await rename(await requireFreeName(work, destination));
    } catch (error) {
      const clash = error instanceof Fault && error.code === 'object.exists';
      if (!clash || work.request.onNameClash === 'fail' || attempt === 5) throw error;
    }
  }
}

async function result(
  { session, context, progress, request }: Work,
  entry: LedgerEntry,
  href: string,
  kind: 'template' | 'vapp',
  checksums: Record<string, string>,
): Promise<ImportResult> {
  const { signal } = context;
  const id = urnOf(kind, href) ?? entry.objectId ?? '';
  const source = await readSource(session, id, signal);
  const description = describeSource(source, await readPlainDescriptor(session, source, signal));
  for (const disk of request.description.machines.flatMap(({ disks }) => disks)) {
    progress({ disk: disk.id, givenBytes: disk.capacityBytes });
  }
  if (entry.state !== 'kept') await context.ledger.settle(entry, 'made', id);
  return { object: { id, kind, name: source.name }, description, checksums };
}
