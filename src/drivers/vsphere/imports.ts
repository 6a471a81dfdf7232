import { Fault } from '../../model/fault.ts';
import type { LedgerEntry } from '../../model/ledger.ts';
import { disksOf } from '../../model/machine.ts';
import type { DiskFeed, ImportProgress, ImportRequest, ImportResult, Imports, WorkContext } from '../driver.ts';
import {
  abortOldLeases,
  destroy,
  type Found,
  findMade,
  LEASE_ROLE,
  MACHINE_ROLE,
  machineEntry,
  undoImport,
} from './attempts.ts';
import { type Ref, refOf, textOf } from './element.ts';
import { toFault } from './faults.ts';
import { finishMachine, pairMachines } from './finish.ts';
import { importChecks, needsEula } from './import-checks.ts';
import { completeImportSpec } from './import-spec.ts';
import type { VsphereInventory } from './inventory.ts';
import { type Lease, openLease } from './lease.ts';
import { checkName, freeName, namesIn, renameTo } from './machine-names.ts';
import { isDatastore, mediaChecks } from './media-destination.ts';
import { importMedia } from './media-import.ts';
import { carriesMarker, decodeName, unfinishedName } from './names.ts';
import { readPackage } from './package.ts';
import { MEDIA_FOLDER, placementOptions } from './placement.ts';
import { createImportSpec, type ImportSpec, type Plan, planImport } from './plan.ts';
import { readObject, readObjects, returned } from './property-collector.ts';
import type { Session } from './session.ts';
import { readSite } from './site.ts';
import { reference, written } from './soap.ts';
import { uploadDisks } from './uploads.ts';

const isMedia = ({ description }: ImportRequest) => description.kind === 'media';

type Progress = (progress: ImportProgress) => void;
type Feeds = ReadonlyMap<string, DiskFeed>;

export function vsphereImports(session: Session, inventory: VsphereInventory): Imports {
  return {
    async placement(destination, signal) {
      if (await isDatastore(session, destination, signal)) return [MEDIA_FOLDER];
      return placementOptions(await readSite(session, destination, signal));
    },
    check: (request, signal) => (isMedia(request) ? mediaChecks : importChecks)(session, request, signal),
    run: (request, feeds, context, progress) =>
      isMedia(request)
        ? importMedia(session, request, feeds, context, progress)
        : run(session, inventory, request, feeds, context, progress),
    undo: (context) => undoImport(session, inventory, context),
  };
}

async function run(
  session: Session,
  inventory: VsphereInventory,
  request: ImportRequest,
  feeds: Feeds,
  context: WorkContext,
  progress: Progress,
): Promise<ImportResult> {
  const { signal } = context;
  checkName(request.name, session.who);
  if (needsEula(request) && !request.acceptEulas) {
    throw new Fault('eula.required', `${session.who}: "${request.description.name}" has license agreements to accept`);
  }
  await abortOldLeases(session, context);
  const earlier = machineEntry(context);
  if (earlier !== undefined && earlier.state !== 'removed' && earlier.state !== 'absent') {
    const found = await findMade(session, inventory, context, earlier, signal);
    if (found?.complete) return await conclude(session, inventory, request, context, earlier, found, {});
    if (found !== undefined) await destroy(session, found, signal);
    await context.ledger.settle(earlier, found === undefined ? 'absent' : 'removed', found?.ref.id);
  }
  const plan = await planImport(session, request, signal);
  const taken = await namesIn(session, plan.placement.folder, signal);
  freeName(taken, request.name, request.onNameClash, session.who);
  const { found, row, checksums } = await build(session, request, plan, feeds, context, progress);
  return await conclude(session, inventory, request, context, row, found, checksums);
}

/** From nothing to a machine with all its disks and settings that still has its unfinished name. */
async function build(
  session: Session,
  request: ImportRequest,
  plan: Plan,
  feeds: Feeds,
  context: WorkContext,
  progress: Progress,
): Promise<{ found: Found; row: LedgerEntry; checksums: Record<string, string> }> {
  const { signal, ledger, log, marker } = context;
  const name = unfinishedName(request.name, marker);
  const spec = await createImportSpec(session, plan, request, name, signal);
  for (const text of [...spec.warnings, ...plan.replaced]) log.warn(text);
  completeImportSpec(spec.spec, { ...request, description: plan.description }, marker, session.who);
  const { kind } = plan.description;
  const machineRow = await ledger.intend({ action: 'create', kind, role: MACHINE_ROLE, name });
  const leaseRow = await ledger.intend({ action: 'create', kind: 'lease', role: LEASE_ROLE, name });
  const lease = await takeLease(session, spec, plan, request, context, leaseRow);
  try {
    const row = await ledger.settle(machineRow, 'made', lease.entity.id);
    const uploads = disksOf(plan.description).map((disk) => {
      const feed = feeds.get(disk.id);
      const file = lease.files.find((item) => item.importKey === spec.deviceIds.get(disk.id));
      const label = `${disk.label} of "${request.name}"`;
      if (feed === undefined) throw new Fault('input.invalid', `${session.who}: ${label}: there is no feed for it`);
      if (file === undefined)
        throw new Fault('cloud.protocol', `${session.who}: ${label}: the lease has no file for it`);
      return { feed, file, capacityBytes: disk.capacityBytes, label };
    });
    const checksums = await uploadDisks(session, lease, uploads, signal, progress);
    await lease.complete(signal);
    await ledger.settle(leaseRow, 'removed', lease.ref.id);
    const machines = await machinesOf(session, lease.entity, signal);
    for (const { ref, machine } of pairMachines(machines, plan.description)) {
      await finishMachine(session, ref, machine, { ...request, description: plan.description }, signal);
    }
    const found = { ref: lease.entity, name, complete: true, machines: machines.map(({ ref }) => ref) };
    return { found, row, checksums };
  } catch (error) {
    await lease.abandon();
    await ledger.settle(leaseRow, 'removed', lease.ref.id);
    signal.throwIfAborted();
    throw toFault(error, session.who, `importing "${request.name}"`);
  }
}

async function takeLease(
  session: Session,
  { spec }: ImportSpec,
  { placement }: Plan,
  request: ImportRequest,
  context: WorkContext,
  row: LedgerEntry,
): Promise<Lease> {
  const { signal, ledger } = context;
  const what = `importing "${request.name}"`;
  const content =
    written(spec, 'spec') + reference('folder', placement.folder) + reference('host', placement.pool.host);
  const ref = returned(
    await session.ask('ImportVApp', placement.pool.pool, signal, what, content).catch((error: unknown) => {
      throw orLateTwin(error, what, session.who);
    }),
  );
  await ledger.settle(row, 'made', ref.id);
  try {
    return await openLease(session, ref, what, signal);
  } catch (error) {
    await ledger.settle(row, 'removed', ref.id);
    throw error;
  }
}

/**
 * The unfinished name is this job's alone. Where it is taken, a call of an attempt that was killed was served after this
 * attempt had looked for what is there: the next one finds it.
 */
function orLateTwin(error: unknown, what: string, who: string): unknown {
  if (!(error instanceof Fault) || error.code !== 'object.exists') return error;
  return new Fault('object.busy', `${who}: ${what}: an earlier attempt is still making it`, { cause: error });
}

/** The last steps, each of which may have been done by an earlier attempt: name, template, reading back. */
async function conclude(
  session: Session,
  inventory: VsphereInventory,
  request: ImportRequest,
  context: WorkContext,
  row: LedgerEntry,
  found: Found,
  checksums: Record<string, string>,
): Promise<ImportResult> {
  const { signal, ledger, marker } = context;
  if (row.state !== 'kept') await ledger.settle(row, 'made', found.ref.id);
  const { folder, template } = await whereabouts(session, found.ref, signal);
  if (carriesMarker(found.name, marker)) {
    await renameTo(session, found.ref, folder, request.name, request.onNameClash, signal);
  }
  const wantsTemplate = request.description.kind === 'template' && found.ref.type === 'VirtualMachine';
  if (wantsTemplate && !template) {
    await session.ask('MarkAsTemplate', found.ref, signal, `making "${request.name}" a template`);
  }
  const { description } = await readPackage(session, inventory, found.ref.id, signal);
  return { object: { id: found.ref.id, kind: description.kind, name: description.name }, description, checksums };
}

async function whereabouts(
  session: Session,
  ref: Ref,
  signal: AbortSignal,
): Promise<{ folder: Ref; template: boolean }> {
  const paths = ref.type === 'VirtualApp' ? ['parentFolder'] : ['parent', 'config.template'];
  const props = await readObject(session, ref, paths, signal);
  const folder = refOf(props.get('parentFolder')) ?? refOf(props.get('parent'));
  if (folder === undefined) throw new Fault('cloud.protocol', `${session.who}: ${ref.id} is in no folder`);
  return { folder, template: textOf(props.get('config.template')) === 'true' };
}

async function machinesOf(session: Session, entity: Ref, signal: AbortSignal): Promise<{ ref: Ref; name: string }[]> {
  const props = entity.type === 'VirtualApp' ? await readObject(session, entity, ['vm'], signal) : undefined;
  const refs = props
    ?.get('vm')
    ?.children.map((item) => refOf(item))
    .filter((ref) => ref !== undefined) ?? [entity];
  const contents = await readObjects(session, refs, ['name'], signal);
  return contents.map((content) => ({ ref: content.ref, name: decodeName(content.props.get('name')?.text ?? '') }));
}
