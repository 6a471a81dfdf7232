import { Fault } from '../../model/fault.ts';
import type { PowerState } from '../../model/inventory.ts';
import type { MarkedObject, SeenObject } from '../../model/seen-object.ts';
import type { Objects } from '../driver.ts';
import { destroyPackage } from './attempts.ts';
import { flagOf, refOf, textOf } from './element.ts';
import { extraConfigOf, MARKER_KEY } from './extras.ts';
import { toFault } from './faults.ts';
import type { VsphereInventory } from './inventory.ts';
import { decodeName, markerIn } from './names.ts';
import { packageIfThere, type SourcePackage } from './package.ts';
import { type ObjectContent, readObjects } from './property-collector.ts';
import type { Session } from './session.ts';

/** One key of `extraConfig`, which has hundreds in every machine. */
const MARKER_PATH = `config.extraConfig["${MARKER_KEY}"]`;
/** The first power-on makes the host write it; nothing before does. */
const LOG_OF_A_RUN = /\/vmware(-\d+)?\.log$/;

const POWER: Record<string, PowerState> = { poweredOn: 'on', poweredOff: 'off', suspended: 'suspended' };

export function vsphereObjects(session: Session, inventory: VsphereInventory): Objects {
  return {
    look: (id, signal) => look(session, inventory, id, signal),
    marked: (signal) => marked(session, inventory, signal),
    remove: (id, marker, signal) => remove(session, inventory, id, marker, signal),
  };
}

async function look(
  session: Session,
  inventory: VsphereInventory,
  id: string,
  signal: AbortSignal,
): Promise<SeenObject | null> {
  const source = await packageIfThere(session, inventory, id, signal);
  if (source === null) return null;
  const { description, machines, version } = source;
  const power = powerOf(machines.map(({ powerState }) => powerState));
  const madeAt = textOf(machines[0]?.config, 'createDate');
  return {
    id,
    kind: description.kind,
    name: description.name,
    marker: markerOf(source) ?? null,
    finished: markerIn(description.name) === undefined,
    power,
    ran: power !== 'off' || (await hasLogs(session, source, signal)),
    version,
    description,
    ...(madeAt === undefined ? {} : { madeAt }),
  };
}

/** In the name while unfinished, else the same in every machine: one that somebody put into a vApp has none. */
function markerOf({ description, machines }: SourcePackage): string | undefined {
  const markers = machines.map(({ config }) => extraConfigOf(config).get(MARKER_KEY) ?? '');
  const same = new Set(markers).size === 1 ? markers[0] : undefined;
  return markerIn(description.name) ?? (same === '' ? undefined : same);
}

async function hasLogs(session: Session, { machines, ref }: SourcePackage, signal: AbortSignal): Promise<boolean> {
  if (ref.type === 'VirtualMachineSnapshot') return false;
  try {
    const refs = machines.map((machine) => machine.ref);
    const read = await readObjects(session, refs, ['layoutEx.file'], signal);
    return read.some(({ props }) =>
      (props.get('layoutEx.file')?.children ?? []).some((file) => LOG_OF_A_RUN.test(textOf(file, 'name') ?? '')),
    );
  } catch (error) {
    signal.throwIfAborted();
    throw toFault(error, session.who, `reading the files of ${ref.id}`);
  }
}

function powerOf(states: readonly string[]): PowerState {
  const distinct = [...new Set(states.map((state) => POWER[state] ?? 'unknown'))];
  return distinct.length === 0 ? 'off' : distinct.length === 1 ? distinct[0]! : 'mixed';
}

async function marked(session: Session, inventory: VsphereInventory, signal: AbortSignal): Promise<MarkedObject[]> {
  const paths = ['name', MARKER_PATH, 'runtime.powerState', 'parentVApp', 'config.createDate', 'config.template'];
  try {
    const vapps = await inventory.list(['VirtualApp'], ['name'], signal);
    const machines = await inventory.list(['VirtualMachine'], paths, signal);
    const inside = (vapp: string) => machines.filter(({ props }) => refOf(props.get('parentVApp'))?.id === vapp);
    const found = vapps.flatMap((vapp) => markedVapp(vapp, inside(vapp.ref.id)));
    const markers = new Map(found.map(({ id, marker }) => [id, marker]));
    for (const machine of machines) {
      const marker = markerOfMachine(machine);
      const holder = refOf(machine.props.get('parentVApp'))?.id;
      if (marker === undefined || (holder !== undefined && markers.get(holder) === marker)) continue;
      const template = flagOf(machine.props.get('config.template')) === true;
      found.push(describe(machine, template ? 'template' : 'vm', marker, [machine]));
    }
    return found;
  } catch (error) {
    signal.throwIfAborted();
    throw toFault(error, session.who, 'looking for objects with a marker');
  }
}

function markedVapp(vapp: ObjectContent, machines: ObjectContent[]): MarkedObject[] {
  const markers = new Set(machines.map(markerOfMachine));
  const marker = markerIn(nameOf(vapp)) ?? (markers.size === 1 ? [...markers][0] : undefined);
  return marker === undefined ? [] : [describe(vapp, 'vapp', marker, machines)];
}

function describe(
  content: ObjectContent,
  kind: MarkedObject['kind'],
  marker: string,
  machines: ObjectContent[],
): MarkedObject {
  const name = nameOf(content);
  const madeAt = machines[0]?.props.get('config.createDate')?.text;
  return {
    id: content.ref.id,
    kind,
    name,
    marker,
    finished: markerIn(name) === undefined,
    power: powerOf(machines.map(({ props }) => props.get('runtime.powerState')?.text ?? '')),
    ...(madeAt === undefined ? {} : { madeAt }),
  };
}

function markerOfMachine(machine: ObjectContent): string | undefined {
  const option = machine.props.get(MARKER_PATH);
  return markerIn(nameOf(machine)) ?? (textOf(option, 'value') || undefined);
}

function nameOf(content: ObjectContent): string {
  return decodeName(content.props.get('name')?.text ?? '');
}

async function remove(
  session: Session,
  inventory: VsphereInventory,
  id: string,
  marker: string,
  signal: AbortSignal,
): Promise<void> {
  const source = await packageIfThere(session, inventory, id, signal);
  if (source === null) return;
  const { name } = source.description;
  if (markerOf(source) !== marker) {
    throw new Fault('object.changed', `${session.who}: "${name}" (${id}) does not carry the marker ${marker}`);
  }
  await destroyPackage(session, source, id, signal);
}
