import { Fault } from '../../model/fault.ts';
import { disksOf, type MachineDescription, type PackageDescription } from '../../model/machine.ts';
import { writeDescriptor } from '../../ovf/descriptor/write.ts';
import type { ImportRequest } from '../driver.ts';
import { childrenOf, type Element, type Ref, textOf } from './element.ts';
import { OWN_KEY } from './extras.ts';
import { faultOfMethod, toFault } from './faults.ts';
import { usedNetworks } from './import-spec.ts';
import { encodeName } from './names.ts';
import { type Placement, placementOf } from './placement.ts';
import type { Session } from './session.ts';
import { readSite, type Site } from './site.ts';
import { element, leaf, reference } from './soap.ts';

/** How a request is carried out here. */
export interface Plan {
  site: Site;
  placement: Placement;
  /** What is built: parts that vSphere does not know replaced by the nearest that it does. */
  description: PackageDescription;
  /** What was replaced, in words for people. */
  replaced: string[];
  /** File name of each disk in the descriptor. */
  hrefs: Map<string, string>;
}

export async function planImport(session: Session, request: ImportRequest, signal: AbortSignal): Promise<Plan> {
  const site = await readSite(session, request.destination, signal);
  const placement = placementOf(site, request.placement, session.who);
  const { description, replaced } = adapt(request, placement);
  for (const [name, id] of Object.entries(request.networks)) {
    if (id === null || site.networks.some(({ ref }) => ref.id === id)) continue;
    throw new Fault(
      'object.missing',
      `${session.who}: network "${name}" is mapped to ${id}, which is not in this datacenter`,
    );
  }
  const hrefs = new Map(disksOf(description).map((disk, index) => [disk.id, `disk-${index}.vmdk`]));
  return { site, placement, description, replaced, hrefs };
}

export interface ImportSpec {
  spec: Element;
  /** `deviceId` of each disk: the `importKey` of its file in the lease. */
  deviceIds: Map<string, string>;
  warnings: string[];
}

/** OvfManager.CreateImportSpec: changes nothing. Faults: what the server finds wrong with the package here. */
export async function createImportSpec(
  session: Session,
  plan: Plan,
  request: ImportRequest,
  entityName: string,
  signal: AbortSignal,
): Promise<ImportSpec> {
  const files = new Map([...plan.hrefs].map(([disk, href]) => [disk, { href }]));
  const descriptor = writeDescriptor(plan.description, { dialect: 'vsphere', files, identity: false });
  const { pool, datastore, provisioning } = plan.placement;
  const content =
    leaf('ovfDescriptor', descriptor) +
    reference('resourcePool', pool.pool) +
    reference('datastore', datastore.ref) +
    element(
      'cisp',
      leaf('locale', 'en_US'),
      leaf('deploymentOption', ''),
      leaf('entityName', encodeName(entityName)),
      reference('hostSystem', pool.host),
      ...networkMappings(plan, request),
      ...Object.entries(request.properties).map(([key, value]) =>
        element('propertyMapping', leaf('key', key), leaf('value', value)),
      ),
      leaf('diskProvisioning', provisioning),
    );
  const what = `preparing the import of "${request.name}"`;
  const answer = await session.ask('CreateImportSpec', session.service('ovfManager'), signal, what, content);
  const result = answer.children.find((item) => item.name === 'returnval');
  const errors = childrenOf(result, 'error').map(faultOfMethod);
  const spec = result?.children.find((item) => item.name === 'importSpec');
  if (errors.length > 0 || spec === undefined) {
    const [first] = errors;
    const texts = errors.map((error) => error.message).join('; ');
    if (first === undefined) throw new Fault('cloud.protocol', `${session.who}: ${what}: the server gave no spec`);
    throw new Fault('cloud.failed', `${session.who}: ${what}: ${texts}`, { cause: first, retry: 'never' });
  }
  const byHref = new Map([...plan.hrefs].map(([disk, href]) => [href, disk]));
  const deviceIds = new Map<string, string>();
  for (const item of childrenOf(result, 'fileItem')) {
    const disk = byHref.get(textOf(item, 'path') ?? '');
    if (disk !== undefined) deviceIds.set(disk, textOf(item, 'deviceId') ?? '');
  }
  const lost = [...plan.hrefs.keys()].filter((disk) => !deviceIds.has(disk));
  if (lost.length > 0) {
    throw new Fault('cloud.protocol', `${session.who}: ${what}: the server wants no file for ${lost.join(', ')}`);
  }
  return {
    spec,
    deviceIds,
    warnings: childrenOf(result, 'warning').map(
      (warning) => toFault(faultOfMethod(warning), session.who, what).message,
    ),
  };
}

/**
 * An adapter of vSphere is always attached to something: those without a mapping get the first network there is, and
 * arrive disconnected.
 */
function networkMappings(plan: Plan, request: ImportRequest): string[] {
  const spare = spareNetwork(plan);
  return usedNetworks(plan.description).flatMap((name) => {
    const wanted = request.networks[name] ?? null;
    const network = plan.site.networks.find(({ ref }) => ref.id === wanted)?.ref ?? spare;
    return network === undefined ? [] : [element('networkMapping', leaf('name', name), reference('network', network))];
  });
}

function spareNetwork({ site, placement }: Plan): Ref | undefined {
  const seen = site.seenBy(placement.pool.compute).networks;
  const usable = site.networks.filter(({ ref, name }) => seen.has(ref.id) && !/uplink/i.test(name));
  return (usable.find(({ ref }) => ref.type === 'Network') ?? usable[0])?.ref;
}

function adapt(request: ImportRequest, placement: Placement): { description: PackageDescription; replaced: string[] } {
  const replaced: string[] = [];
  const source = request.description;
  const machines = source.machines.map((machine) => adaptMachine(machine, placement, replaced));
  const plain = machines.length === 1 && source.properties.length === 0 && source.eulas.length === 0;
  if (source.kind === 'template' && machines.length > 1) {
    replaced.push('a template of vSphere holds one machine: a vApp is made');
  }
  const kind = machines.length > 1 ? 'vapp' : source.kind === 'vapp' && plain ? 'vm' : source.kind;
  const startOrder = kind === 'vapp' ? source.startOrder : [];
  return { description: { ...source, kind, name: request.name, machines, startOrder }, replaced };
}

function adaptMachine(machine: MachineDescription, placement: Placement, replaced: string[]): MachineDescription {
  const renamed = new Map<string, string>();
  const controllers = machine.controllers.map((controller) => {
    if (controller.kind !== 'virtio-scsi') return controller;
    const id = `pvscsi-${controller.bus}`;
    renamed.set(controller.id, id);
    replaced.push(`controller virtio-scsi ${controller.bus} of "${machine.name}" becomes pvscsi`);
    return { ...controller, id, kind: 'pvscsi' as const };
  });
  const nics = machine.nics.map((nic) => {
    if (nic.kind !== 'virtio' && nic.kind !== 'sriov') return nic;
    replaced.push(`adapter "${nic.label}" of "${machine.name}" becomes vmxnet3`);
    return { ...nic, kind: 'vmxnet3' as const };
  });
  const disks = machine.disks.map((disk) => ({
    ...disk,
    controller: renamed.get(disk.controller) ?? disk.controller,
    capacityBytes: Math.max(1, Math.ceil(disk.capacityBytes / 1024)) * 1024,
  }));
  const version = placement.hardwareVersion ?? machine.hardwareVersion ?? 'vmx-13';
  const extras = Object.fromEntries(
    Object.entries(machine.extras).filter(([key]) => !OWN_KEY.test(key.replace(/^extraConfig\./, ''))),
  );
  return { ...machine, controllers, nics, disks, hardwareVersion: version, extras };
}
