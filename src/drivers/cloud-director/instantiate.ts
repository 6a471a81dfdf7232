import { Fault } from '../../model/fault.ts';
import type { LedgerEntry } from '../../model/ledger.ts';
import type { MachineDescription, PackageDescription } from '../../model/machine.ts';
import type { ImportRequest, WorkContext } from '../driver.ts';
import { findMade } from './adoption.ts';
import { connectionSection, connectionsFor } from './connections.ts';
import { hrefOf, machinesOf, STATUS, statusOf, urnOf } from './entity.ts';
import { MARKER_KEY, writeMetadata } from './metadata.ts';
import type { Placement } from './placement.ts';
import { removeVapp } from './removal.ts';
import type { Session } from './session.ts';
import { awaitAnswer, awaitTask, tasksOf } from './tasks.ts';
import { orLateTwin, unfinishedName } from './unfinished.ts';
import { body, type Markup, mediaType, tag, textAt, type XmlElement } from './xml.ts';

const VAPP_ROLE = 'vApp';

export interface Instantiation {
  session: Session;
  context: WorkContext;
  request: ImportRequest;
  description: PackageDescription;
  placement: Placement;
  /** Address of the VDC. */
  vdc: string;
  /** By the package's network name. */
  networks: ReadonlyMap<string, { name: string; href: string }>;
}

/** What an earlier attempt instantiated: unfinished or finished. One whose making failed is removed. */
export async function adoptVapp(
  work: Instantiation,
): Promise<{ entry: LedgerEntry; href: string; element: XmlElement } | undefined> {
  const { session, context } = work;
  const found = await findMade(session, context, VAPP_ROLE, 'vapp', context.signal);
  if (found === undefined) return undefined;
  for (const task of tasksOf(found.element)) {
    await awaitTask(session, task, 'wait for a task', context.signal).catch((error: unknown) => {
      if (!(error instanceof Fault) || error.code !== 'cloud.failed') throw error;
    });
  }
  const element = await session.read(found.href, 'read the vApp of an earlier attempt', context.signal);
  if (statusOf(element) === STATUS.failed || statusOf(element) === STATUS.unresolved) {
    await removeVapp(session, found.href, element, context.signal);
    await context.ledger.settle(found.entry, 'removed');
    return undefined;
  }
  await writeMetadata(session, found.href, { [MARKER_KEY]: context.marker }, context.signal);
  const { entry: row } = found;
  const entry = row.state === 'kept' ? row : await context.ledger.settle(row, 'made', urnOf('vapp', found.href));
  return { entry, href: found.href, element };
}

/** Makes the vApp with its unfinished name out of the template: powered off, customization off, NICs as mapped. */
export async function instantiate(
  work: Instantiation,
  template: string,
): Promise<{ entry: LedgerEntry; href: string }> {
  const { session, context, request, vdc } = work;
  const name = unfinishedName(request.name, context.marker);
  const what = `instantiate "${request.name}"`;
  const source = await session.read(template, what, context.signal);
  const entry = await context.ledger.intend({ action: 'create', kind: 'vapp', role: VAPP_ROLE, name });
  const sending = session.send({
    method: 'POST',
    href: `${vdc}/action/instantiateVAppTemplate`,
    what,
    type: mediaType('instantiateVAppTemplateParams'),
    body: parameters(work, name, source),
    signal: context.signal,
  });
  const answer = await sending.catch((error: unknown) => {
    throw orLateTwin(error, what, session.who);
  });
  const href =
    answer?.name === 'VApp'
      ? hrefOf(session, answer)
      : answer?.children.find((one) => one.name === 'Owner')?.attributes.href;
  if (answer === null || href === undefined) {
    throw new Fault('cloud.protocol', `${session.who}: ${what}: the answer names no vApp`);
  }
  const made = await context.ledger.settle(entry, 'made', urnOf('vapp', href));
  await awaitAnswer(session, answer, what, context.signal);
  await writeMetadata(session, href, { [MARKER_KEY]: context.marker }, context.signal);
  return { entry: made, href };
}

/** InstantiateVAppTemplateParams; elements in the order of the schema. */
function parameters(work: Instantiation, name: string, template: XmlElement): string {
  const { context, description, networks, request } = work;
  const used = new Map([...networks.values()].map((network) => [network.name, network.href]));
  const names = new Map([...networks].map(([key, network]) => [key, network.name]));
  const vms = machinesOf(template);
  return body(
    'InstantiateVAppTemplateParams',
    { name, deploy: false, powerOn: false },
    tag('Description', {}, `cloudspan ${context.marker}`),
    tag('InstantiationParams', {}, networkConfigs(used)),
    tag('Source', { href: template.attributes.href }),
    tag('IsSourceDelete', {}, false),
    description.machines.map((machine, index) => {
      const vm = machineIn(vms, machine, index);
      return vm === undefined ? undefined : sourcedItem(work, machine, vm, names);
    }),
    tag('AllEULAsAccepted', {}, request.acceptEulas || !hasEulas(description)),
  );
}

export function hasEulas(description: PackageDescription): boolean {
  return description.eulas.length > 0 || description.machines.some(({ eulas }) => eulas.length > 0);
}

/** The VM of a vApp or template that was made of this machine: by name, else by place. */
export function machineIn(
  vms: readonly XmlElement[],
  machine: MachineDescription,
  index: number,
): XmlElement | undefined {
  const scoped = vms.filter((vm) => textAt(vm, 'VAppScopedLocalId') === machine.id);
  const named = vms.filter(({ attributes }) => attributes.name === machine.name);
  return scoped.length === 1 ? scoped[0] : named.length === 1 ? named[0] : vms[index];
}

/** A directly connected vApp network has to carry the name of its parent. */
function networkConfigs(networks: ReadonlyMap<string, string>): Markup {
  return tag(
    'NetworkConfigSection',
    {},
    tag('ovf:Info', {}, 'Networks of the vApp'),
    [...networks].map(([networkName, href]) =>
      tag(
        'NetworkConfig',
        { networkName },
        tag('Configuration', {}, tag('ParentNetwork', { href }), tag('FenceMode', {}, 'bridged')),
      ),
    ),
  );
}

function sourcedItem(
  { request, placement }: Instantiation,
  machine: MachineDescription,
  vm: XmlElement,
  networks: ReadonlyMap<string, string>,
): Markup {
  return tag(
    'SourcedItem',
    {},
    tag('Source', { href: vm.attributes.href }),
    tag('VmGeneralParams', {}, tag('Name', {}, machine.name), tag('NeedsCustomization', {}, false)),
    tag(
      'InstantiationParams',
      {},
      connectionSection(connectionsFor(machine, networks, request.keepMac)),
      tag('GuestCustomizationSection', {}, tag('ovf:Info', {}, 'Guest customization'), tag('Enabled', {}, false)),
    ),
    placement.policy === undefined ? undefined : tag('StorageProfile', { href: placement.policy.href }),
  );
}
