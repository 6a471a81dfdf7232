import type { MachineDescription, StartOrderEntry } from '../../model/machine.ts';
import { connectionSection, connectionsFor, isAttached } from './connections.ts';
import { hrefOf, machinesOf, quoted } from './entity.ts';
import { firmwareOf } from './hardware.ts';
import { type Instantiation, machineIn } from './instantiate.ts';
import type { Session } from './session.ts';
import { awaitAnswer } from './tasks.ts';
import {
  at,
  body,
  type Content,
  child,
  childrenOf,
  mediaType,
  numberAt,
  rewrite,
  tag,
  textAt,
  type XmlElement,
} from './xml.ts';

/**
 * Brings the machines of a fresh vApp to what the package says where instantiation left a difference. Every step
 * looks first, so that it may run again after a crash.
 */
export async function configure(work: Instantiation, href: string): Promise<void> {
  const { session, context, description, networks, request } = work;
  const vapp = await session.read(href, `read "${request.name}"`, context.signal);
  const names = new Map([...networks].map(([key, network]) => [key, network.name]));
  const vms = machinesOf(vapp);
  for (const [index, machine] of description.machines.entries()) {
    const vm = machineIn(vms, machine, index);
    if (vm === undefined) continue;
    const changes = changesOf(session, vm, machine, names, request.keepMac);
    if (changes.length > 0) await reconfigure(session, vm, vm.attributes.name ?? '', changes, context.signal);
  }
  if (description.startOrder.length > 0) await setStartOrder(work, href, vapp);
  await setLeases(work, href, vapp);
}

/** Leases are written as one section: what was not asked for stays as the organization has it. */
async function setLeases(work: Instantiation, href: string, vapp: XmlElement): Promise<void> {
  const { runtimeLeaseSeconds, storageLeaseSeconds } = work.placement;
  const present = child(vapp, 'LeaseSettingsSection');
  const runtime = numberAt(present, 'DeploymentLeaseInSeconds');
  const storage = numberAt(present, 'StorageLeaseInSeconds');
  const same = (wanted: number | undefined, found: number | undefined) => wanted === undefined || wanted === found;
  if (same(runtimeLeaseSeconds, runtime) && same(storageLeaseSeconds, storage)) return;
  await putSection(
    work,
    `${href}/leaseSettingsSection/`,
    'set the leases',
    'leaseSettingsSection',
    body(
      'LeaseSettingsSection',
      {},
      tag('ovf:Info', {}, 'Lease settings'),
      tag('DeploymentLeaseInSeconds', {}, runtimeLeaseSeconds ?? runtime ?? 0),
      tag('StorageLeaseInSeconds', {}, storageLeaseSeconds ?? storage ?? 0),
    ),
  );
}

async function putSection(
  { session, context, request }: Instantiation,
  href: string,
  doing: string,
  type: string,
  content: string,
): Promise<void> {
  const what = `${doing} of "${request.name}"`;
  const { signal } = context;
  const answer = await session.send({ method: 'PUT', href, what, type: mediaType(type), body: content, signal });
  await awaitAnswer(session, answer, what, signal);
}

/** Sections of a `Vm` for reconfigureVm, in the order of the schema; none when all is as wanted. */
function changesOf(
  session: Session,
  vm: XmlElement,
  machine: MachineDescription,
  networks: ReadonlyMap<string, string>,
  keepMac: boolean,
): Content[] {
  const changes: Content[] = [];
  if ((child(vm, 'Description')?.text ?? '') !== machine.notes) changes.push(tag('Description', {}, machine.notes));
  const connections = connectionsFor(machine, networks, keepMac);
  if (!isAttached(vm, connections)) changes.push(connectionSection(connections));
  const customization = child(vm, 'GuestCustomizationSection');
  if (textAt(customization, 'Enabled') === 'true') {
    changes.push(
      tag('GuestCustomizationSection', {}, tag('ovf:Info', {}, 'Guest customization'), tag('Enabled', {}, false)),
    );
  }
  const spec = child(vm, 'VmSpecSection');
  const firmware = firmwareOf(vm);
  if (session.serves('37.1') && spec !== undefined && firmware !== undefined && firmware !== machine.firmware) {
    changes.push(withFirmware(spec, machine.firmware));
  }
  return changes;
}

function withFirmware(spec: XmlElement, firmware: string): Content {
  const children = spec.children.map((one) => (one.name === 'Firmware' ? { ...one, text: firmware } : one));
  return rewrite({
    ...spec,
    attributes: { Modified: 'true' },
    children: children.filter(({ name }) => name !== 'Link'),
  });
}

/** Changes a machine: its name and the sections, in the order of the schema. Waits until it is done. */
export async function reconfigure(
  session: Session,
  vm: XmlElement,
  name: string,
  sections: Content[],
  signal: AbortSignal,
): Promise<void> {
  const what = `change ${quoted(vm)}`;
  const answer = await session.send({
    method: 'POST',
    href: `${hrefOf(session, vm)}/action/reconfigureVm`,
    what,
    type: mediaType('vm'),
    body: body('Vm', { name }, sections),
    signal,
  });
  await awaitAnswer(session, answer, what, signal);
}

async function setStartOrder(work: Instantiation, href: string, vapp: XmlElement): Promise<void> {
  const { description } = work;
  const names = new Map(description.machines.map(({ id, name }) => [id, name]));
  const wanted = description.startOrder.map((entry) => itemOf(entry, names.get(entry.machine) ?? entry.machine));
  const present = childrenOf(at(vapp, 'ovf:StartupSection'), 'ovf:Item').map(({ attributes }) => attributes);
  const same = wanted.every((item) => {
    const found = present.find((one) => one['ovf:id'] === item['ovf:id']);
    return Object.entries(item).every(([key, value]) => found?.[key] === String(value));
  });
  if (same) return;
  const items = wanted.map((item) => tag('ovf:Item', item));
  const content = body('ovf:StartupSection', {}, tag('ovf:Info', {}, 'Start order'), items);
  await putSection(work, `${href}/startupSection/`, 'set the start order', 'startupSection', content);
}

function itemOf(entry: StartOrderEntry, id: string): Record<string, string | number> {
  return {
    'ovf:id': id,
    'ovf:order': entry.order,
    'ovf:startAction': entry.startAction,
    'ovf:startDelay': entry.startDelaySeconds,
    // Cloud Director knows powerOff and guestShutdown; a machine that shall not be stopped is powered off last.
    'ovf:stopAction': entry.stopAction === 'none' ? 'powerOff' : entry.stopAction,
    'ovf:stopDelay': entry.stopDelaySeconds,
  };
}
