import { Fault } from '../../model/fault.ts';
import type { PackageDescription, StartOrderEntry } from '../../model/machine.ts';
import { attributeNames } from './attributes.ts';
import { child, childrenOf, type Element, numberOf, type Ref, refOf, refsOf, textOf } from './element.ts';
import { OWN_KEY } from './extras.ts';
import { toFault } from './faults.ts';
import { type DescribedMachine, type DiskPlace, describeMachine, propertiesOf } from './hardware.ts';
import type { VsphereInventory } from './inventory.ts';
import { decodeName } from './names.ts';
import { type ObjectContent, readObject, readObjects } from './property-collector.ts';
import type { Session } from './session.ts';

/** A VM, vApp or template as it stands in the cloud, with what is needed to read its disks. */
export interface SourcePackage {
  ref: Ref;
  description: PackageDescription;
  places: DiskPlace[];
  /** Config and state by machine, in the order of the description. */
  machines: SourceMachine[];
  /** Equal = the same bytes. */
  version: string;
}

export interface SourceMachine {
  ref: Ref;
  name: string;
  config: Element;
  powerState: string;
  hasSnapshots: boolean;
  /** `toolsNotInstalled`; empty where it is not told. */
  toolsStatus: string;
  /** Names of custom attributes that have a value, without those of Cloudspan. */
  attributes: string[];
}

const MACHINE_PATHS = ['name', 'config', 'runtime.powerState', 'snapshot', 'guest.toolsStatus', 'customValue'];
const VAPP_PATHS = ['name', 'vAppConfig', 'vm', 'resourcePool'];

/**
 * Reads a package. The id may also be that of a snapshot (`snapshot-12`), which the inventory does not list: a machine
 * as it was then, which may leave while the machine runs. Faults: `object.missing`, `object.wrong-kind`,
 * `machine.unsupported`.
 */
export async function readPackage(
  session: Session,
  inventory: VsphereInventory,
  id: string,
  signal: AbortSignal,
): Promise<SourcePackage> {
  const isSnapshot = id.startsWith('snapshot-');
  const ref = isSnapshot ? { type: 'VirtualMachineSnapshot', id } : await inventory.resolve(id, signal);
  try {
    if (isSnapshot) return await readSnapshot(session, inventory, ref, signal);
    if (ref.type === 'VirtualMachine') return await readMachine(session, inventory, ref, signal);
    if (ref.type === 'VirtualApp') return await readVapp(session, inventory, ref, signal);
  } catch (error) {
    signal.throwIfAborted();
    throw toFault(error, session.who, `reading ${id}`);
  }
  throw new Fault(
    'object.wrong-kind',
    `${session.who}: ${id} is a ${ref.type}; only machines, vApps and templates leave`,
  );
}

export async function packageIfThere(session: Session, inventory: VsphereInventory, id: string, signal: AbortSignal) {
  try {
    return await readPackage(session, inventory, id, signal);
  } catch (error) {
    if (error instanceof Fault && error.code === 'object.missing') return null;
    throw error;
  }
}

async function readMachine(
  session: Session,
  inventory: VsphereInventory,
  ref: Ref,
  signal: AbortSignal,
): Promise<SourcePackage> {
  return await packageOf(session, inventory, ref, await readObjects(session, [ref], MACHINE_PATHS, signal), signal);
}

async function readSnapshot(
  session: Session,
  inventory: VsphereInventory,
  ref: Ref,
  signal: AbortSignal,
): Promise<SourcePackage> {
  const props = await readObject(session, ref, ['config', 'vm'], signal);
  const config = props.get('config');
  const machine = refOf(props.get('vm'));
  if (config === undefined || machine === undefined) {
    throw new Fault('object.missing', `${session.who}: there is no snapshot ${ref.id}`);
  }
  const name = { name: 'name', type: undefined, refType: undefined, children: [], text: textOf(config, 'name') ?? '' };
  const power = { ...name, text: 'poweredOff' };
  const content = {
    ref: machine,
    props: new Map([
      ['name', name],
      ['config', config],
      ['runtime.powerState', power],
    ]),
  };
  const source = await packageOf(session, inventory, ref, [content], signal);
  return { ...source, version: `${ref.id} ${source.version}` };
}

async function packageOf(
  session: Session,
  inventory: VsphereInventory,
  ref: Ref,
  contents: readonly ObjectContent[],
  signal: AbortSignal,
): Promise<SourcePackage> {
  const { machines, described } = await describeAll(session, inventory, contents, signal);
  const [machine] = machines;
  if (machine === undefined) throw new Fault('object.missing', `${session.who}: there is no machine ${ref.id}`);
  return {
    ref,
    machines,
    places: described.flatMap((item) => item.places),
    version: versionOf(machines),
    description: {
      kind: textOf(machine.config, 'template') === 'true' ? 'template' : 'vm',
      name: machine.name,
      notes: textOf(machine.config, 'annotation') ?? '',
      machines: described.map((item) => item.description),
      networks: networksOf(described),
      startOrder: [],
      properties: [],
      eulas: [],
    },
  };
}

async function readVapp(
  session: Session,
  inventory: VsphereInventory,
  ref: Ref,
  signal: AbortSignal,
): Promise<SourcePackage> {
  const props = await readObject(session, ref, VAPP_PATHS, signal);
  const name = decodeName(props.get('name')?.text ?? ref.id);
  if (refsOf(props.get('resourcePool')).length > 0) {
    throw new Fault('machine.unsupported', `${session.who}: the vApp "${name}" holds other vApps or pools`, {
      remedy: 'Copy the inner vApps one by one.',
    });
  }
  const config = props.get('vAppConfig');
  const order = new Map(childrenOf(config, 'entityConfig').map((entity, index) => [refOf(entity, 'key')?.id, index]));
  const contents = await readObjects(session, refsOf(props.get('vm')), MACHINE_PATHS, signal);
  contents.sort((one, other) => (order.get(one.ref.id) ?? 999) - (order.get(other.ref.id) ?? 999));
  const { machines, described } = await describeAll(session, inventory, contents, signal);
  const ids = new Map(machines.map((machine, index) => [machine.ref.id, described[index]!.description.id]));
  return {
    ref,
    machines,
    places: described.flatMap((item) => item.places),
    version: versionOf(machines),
    description: {
      kind: 'vapp',
      name,
      notes: textOf(config, 'annotation') ?? '',
      machines: described.map((item) => item.description),
      networks: networksOf(described),
      startOrder: startOrderOf(config, ids),
      properties: propertiesOf(config),
      eulas: childrenOf(config, 'eula').map((eula) => eula.text),
    },
  };
}

async function describeAll(
  session: Session,
  inventory: VsphereInventory,
  contents: readonly ObjectContent[],
  signal: AbortSignal,
): Promise<{ machines: SourceMachine[]; described: DescribedMachine[] }> {
  const networks = await inventory.networkNames(signal);
  const valued = contents.some(({ props }) => (props.get('customValue')?.children ?? []).length > 0);
  const names = valued ? await attributeNames(session, signal) : new Map<string, string>();
  const taken = new Set<string>();
  const machines: SourceMachine[] = [];
  const described: DescribedMachine[] = [];
  for (const { ref, props } of contents) {
    const config = props.get('config');
    const name = decodeName(props.get('name')?.text ?? ref.id);
    if (config === undefined) {
      throw new Fault('machine.unsupported', `${session.who}: the configuration of "${name}" cannot be read`, {
        remedy: 'See in the vSphere client whether the machine is inaccessible or orphaned.',
      });
    }
    machines.push({
      ref,
      name,
      config,
      powerState: props.get('runtime.powerState')?.text ?? '',
      hasSnapshots: props.has('snapshot'),
      toolsStatus: props.get('guest.toolsStatus')?.text ?? '',
      attributes: attributesOf(props, names),
    });
    const machineId = packageId(name, taken);
    described.push(describeMachine({ id: ref.id, name, config, machineId, networkName: (id) => networks.get(id) }));
  }
  return { machines, described };
}

function attributesOf(props: ObjectContent['props'], names: ReadonlyMap<string, string>): string[] {
  return (props.get('customValue')?.children ?? [])
    .filter((value) => (textOf(value, 'value') ?? '') !== '')
    .map((value) => names.get(textOf(value, 'key') ?? '') ?? '')
    .filter((name) => name !== '' && !OWN_KEY.test(name));
}

/** An id for the package made of a name: letters, digits, dots, dashes; unique among `taken`. */
function packageId(name: string, taken: Set<string>): string {
  const base = name.replace(/[^A-Za-z0-9._-]+/g, '-').replace(/^[-.]+|[-.]+$/g, '') || 'machine';
  let id = base;
  for (let count = 2; taken.has(id); count++) id = `${base}-${count}`;
  taken.add(id);
  return id;
}

function versionOf(machines: readonly SourceMachine[]): string {
  return machines
    .map(({ ref, config }) => [ref.id, textOf(config, 'changeVersion'), textOf(config, 'modified')].join('@'))
    .join(' ');
}

function networksOf(described: readonly DescribedMachine[]): PackageDescription['networks'] {
  const names = described.flatMap((item) => item.description.nics.map((nic) => nic.network));
  return [...new Set(names.filter((name) => name !== null))].map((name) => ({ name }));
}

const START_ACTIONS: Record<string, StartOrderEntry['startAction']> = { powerOn: 'powerOn' };
const STOP_ACTIONS: Record<string, StartOrderEntry['stopAction']> = {
  powerOff: 'powerOff',
  guestShutdown: 'guestShutdown',
};

function startOrderOf(config: Element | undefined, ids: Map<string, string>): StartOrderEntry[] {
  return childrenOf(config, 'entityConfig').flatMap((entity) => {
    const machine = ids.get(child(entity, 'key')?.text ?? '');
    if (machine === undefined) return [];
    return [
      {
        machine,
        order: numberOf(entity, 'startOrder') ?? 0,
        startAction: START_ACTIONS[textOf(entity, 'startAction') ?? ''] ?? 'none',
        startDelaySeconds: numberOf(entity, 'startDelay') ?? 0,
        stopAction: STOP_ACTIONS[textOf(entity, 'stopAction') ?? ''] ?? 'none',
        stopDelaySeconds: numberOf(entity, 'stopDelay') ?? 0,
      },
    ];
  });
}
