import { Fault } from '../../model/fault.ts';
import type { LedgerEntry } from '../../model/ledger.ts';
import type { WorkContext } from '../driver.ts';
import { type Ref, refsOf } from './element.ts';
import { COMPLETE_KEY, extraConfigOf, MARKER_KEY } from './extras.ts';
import { isVimFault, toFault } from './faults.ts';
import type { VsphereInventory } from './inventory.ts';
import { abortLease } from './lease.ts';
import { undoMedia } from './media-undo.ts';
import { carriesMarker, decodeName } from './names.ts';
import type { SourcePackage } from './package.ts';
import { type ObjectContent, readObjects } from './property-collector.ts';
import type { Session } from './session.ts';
import { groupElement } from './soap.ts';
import { runTask } from './tasks.ts';

export const MACHINE_ROLE = 'machine';
export const LEASE_ROLE = 'import lease';

/** What an earlier attempt of the same work left in the cloud. */
export interface Found {
  ref: Ref;
  name: string;
  /** Every disk is in; only settings and the name may be missing. */
  complete: boolean;
  /** Machines inside: the object itself, or those of a vApp. */
  machines: Ref[];
}

/** Looks by id first, by the marker in a name else. An object without the marker is not found. */
export async function findMade(
  session: Session,
  inventory: VsphereInventory,
  context: WorkContext,
  entry: LedgerEntry | undefined,
  signal: AbortSignal,
): Promise<Found | undefined> {
  try {
    const named = await inventory.list(['VirtualMachine', 'VirtualApp'], ['name'], signal);
    const byId = named.find(({ ref }) => ref.id === entry?.objectId);
    const inspected = byId === undefined ? undefined : await inspect(session, byId, context.marker, signal);
    if (inspected !== undefined) return inspected;
    for (const content of named.filter((item) => carriesMarker(nameOf(item), context.marker))) {
      const found = await inspect(session, content, context.marker, signal);
      if (found !== undefined) return found;
    }
    return undefined;
  } catch (error) {
    signal.throwIfAborted();
    throw toFault(error, session.who, 'looking for what an earlier attempt made');
  }
}

function nameOf(content: ObjectContent): string {
  return decodeName(content.props.get('name')?.text ?? '');
}

/** The object with its state if it carries the marker: in its name, or in the configuration of its machines. */
async function inspect(
  session: Session,
  content: ObjectContent,
  marker: string,
  signal: AbortSignal,
): Promise<Found | undefined> {
  const { ref } = content;
  const name = nameOf(content);
  try {
    const machines = ref.type === 'VirtualApp' ? await machinesOf(session, ref, signal) : [ref];
    const read = await readObjects(session, machines, ['config.extraConfig'], signal);
    const options = read.map(({ props }) => {
      const list = props.get('config.extraConfig')?.children ?? [];
      return extraConfigOf(
        groupElement(
          'config',
          list.map((item) => ({ ...item, name: 'extraConfig' })),
        ),
      );
    });
    const marked = options.length > 0 && options.every((values) => values.get(MARKER_KEY) === marker);
    if (!marked && !carriesMarker(name, marker)) return undefined;
    return { ref, name, machines, complete: marked && options.every((values) => values.get(COMPLETE_KEY) === 'true') };
  } catch (error) {
    if (isVimFault(error, 'ManagedObjectNotFound')) return undefined;
    throw error;
  }
}

async function machinesOf(session: Session, vapp: Ref, signal: AbortSignal): Promise<Ref[]> {
  const [content] = await readObjects(session, [vapp], ['vm'], signal);
  return refsOf(content?.props.get('vm'));
}

/** Destroys what `findMade` found. Gone already is fine. Faults: `object.busy`, `object.in-use` when it runs. */
export async function destroy(session: Session, found: Found, signal: AbortSignal): Promise<void> {
  try {
    await runTask(session, 'Destroy_Task', found.ref, signal);
  } catch (error) {
    signal.throwIfAborted();
    if (isVimFault(error, 'ManagedObjectNotFound')) return;
    if (isVimFault(error, 'InvalidPowerState')) {
      throw new Fault('object.in-use', `${session.who}: "${found.name}" is powered on and was not removed`, {
        cause: error,
        remedy: 'Power it off; then undo again.',
      });
    }
    if (isVimFault(error, 'InvalidState')) {
      throw new Fault('object.busy', `${session.who}: "${found.name}" cannot be removed yet: ${error.message}`, {
        cause: error,
      });
    }
    throw toFault(error, session.who, `removing "${found.name}"`);
  }
}

/** Destroys what was read, unless a machine of it is not off: `object.in-use`. */
export async function destroyPackage(
  session: Session,
  source: SourcePackage,
  id: string,
  signal: AbortSignal,
): Promise<void> {
  const { name } = source.description;
  if (source.machines.some(({ powerState }) => powerState !== 'poweredOff')) {
    throw new Fault('object.in-use', `${session.who}: "${name}" (${id}) is not off and was not removed`, {
      remedy: 'Power it off if it is not wanted.',
    });
  }
  const machines = source.machines.map(({ ref }) => ref);
  await destroy(session, { ref: source.ref, name, complete: true, machines }, signal);
}

/** Gives back the leases of earlier attempts; without that the half-made machine stays locked. */
export async function abortOldLeases(session: Session, context: WorkContext): Promise<void> {
  for (const entry of context.ledger.entries) {
    if (entry.kind !== 'lease' || (entry.state !== 'made' && entry.state !== 'intent')) continue;
    if (entry.objectId !== undefined) await abortLease(session, { type: 'HttpNfcLease', id: entry.objectId });
    await context.ledger.settle(entry, entry.objectId === undefined ? 'absent' : 'removed', entry.objectId);
  }
}

export function machineEntry(context: WorkContext): LedgerEntry | undefined {
  return context.ledger.entries.filter((entry) => entry.role === MACHINE_ROLE).at(-1);
}

/**
 * Undoes an import by its ledger. A row that cannot be undone keeps no other from it: its fault comes at the end, first
 * those that mend themselves.
 */
export async function undoImport(session: Session, inventory: VsphereInventory, context: WorkContext): Promise<void> {
  const { signal } = context;
  const faults: Fault[] = [];
  const attempt = async (work: () => Promise<void>) => {
    try {
      await work();
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof Fault)) throw error;
      faults.push(error);
    }
  };
  await attempt(() => abortOldLeases(session, context));
  for (const entry of context.ledger.entries) {
    if (entry.role !== MACHINE_ROLE || (entry.state !== 'made' && entry.state !== 'intent')) continue;
    await attempt(() => undoMachine(session, inventory, context, entry));
  }
  for (const entry of context.ledger.entries) {
    if (entry.kind !== 'media' || (entry.state !== 'made' && entry.state !== 'intent')) continue;
    await attempt(() => undoMedia(session, context, entry));
  }
  const first = faults.find(({ retry }) => retry === 'soon') ?? faults[0];
  if (first === undefined) return;
  if (first.retry === 'soon' || faults.length === 1) throw first;
  throw new Fault(first.code, faults.map(({ message }) => message).join('; '), { remedy: first.remedy });
}

async function undoMachine(
  session: Session,
  inventory: VsphereInventory,
  context: WorkContext,
  entry: LedgerEntry,
): Promise<void> {
  const found = await findMade(session, inventory, context, entry, context.signal);
  if (found === undefined) {
    if (entry.objectId !== undefined) {
      context.log.info(`${session.who}: ${entry.objectId} is gone or no longer ours; nothing is removed`);
    }
    await context.ledger.settle(entry, 'absent', entry.objectId);
    return;
  }
  await destroy(session, found, context.signal);
  await context.ledger.settle(entry, 'removed', found.ref.id);
}
