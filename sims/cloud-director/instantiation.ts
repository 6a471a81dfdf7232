import { randomUUID } from 'node:crypto';
import { referred, uuidIn, type View } from './call.ts';
import { type NetworkConfig, powerOff, type StartupItem, type VApp, type Vm } from './entities.ts';
import { readCustomization } from './guest-customization.ts';
import { newMac } from './import.ts';
import { bridgedTo, noneNetwork, readConfigSection } from './network-config.ts';
import { applyConnections, assignAddresses } from './nics.ts';
import { badRequest, duplicateName, Refusal } from './refusal.ts';
import { vmsOf } from './vapp-template.ts';
import { attributeOf, booleanOf, child, childrenOf, path, textOf, type XmlElement } from './xml/tree.ts';

/** A VM to be made in a vApp, and the source that goes away once it is there. */
export interface NewVm {
  vm: Vm;
  removeSource: string | null;
}

export function refuseTakenVapp(view: View, vdc: string, name: string, except?: string): void {
  if (name === '' || name.length > 128) throw badRequest('The vApp name must have 1 to 128 characters.');
  if (view.sim.store.all('vapp').some((vapp) => vapp.vdc === vdc && vapp.name === name && vapp.id !== except)) {
    throw duplicateName('vApp', name);
  }
}

/** An empty vApp in the making. */
export function newVapp(view: View, vdc: { id: string; org: string }, name: string, description: string): VApp {
  return {
    id: randomUUID(),
    name,
    description,
    org: vdc.org,
    created: new Date().toISOString(),
    metadata: [],
    vdc: vdc.id,
    owner: view.caller.user.id,
    networks: [],
    startup: [],
    products: [],
    lease: { deploymentSeconds: 0, storageSeconds: 0 },
    eulas: [],
    staged: null,
    fixedStatus: 0,
    deployed: false,
    bareState: 'never',
    maintenance: false,
    autoNature: false,
    access: null,
  };
}

/** A copy of a VM with an id, MAC addresses and a BIOS UUID of its own; raw disks are shared, they never change. */
function copyOfVm(source: Vm, vapp: VApp, name: string, profile: string): Vm {
  return {
    ...structuredClone(source),
    id: randomUUID(),
    name,
    localId: name,
    org: vapp.org,
    created: new Date().toISOString(),
    parent: { kind: 'vapp', id: vapp.id },
    status: powerOff,
    deployed: false,
    biosUuid: randomUUID(),
    storageProfile: profile,
    disks: source.disks.map((disk) => ({ ...disk, storageProfile: profile, independent: null })),
    nics: source.nics.map((nic) => ({ ...nic, mac: newMac(), ip: nic.mode === 'MANUAL' ? nic.ip : '' })),
    drives: source.drives.map((drive) => ({ ...drive, media: null })),
    snapshot: null,
  };
}

/** Reads the `SourcedItem` elements of a compose, recompose or instantiate body. */
export function sourcedVms(view: View, items: XmlElement[], vapp: VApp, profileOf: () => string): NewVm[] {
  return items.map((item) => {
    const sourceElement = child(item, 'Source');
    const source = referred(view, 'vm', attributeOf(sourceElement, 'href'));
    if (source.parent.kind === 'vapp' && source.status !== powerOff) {
      throw badRequest(`The VM "${source.name}" is powered on or suspended; power it off to copy it.`);
    }
    const general = child(item, 'VmGeneralParams');
    const name = textOf(general, 'Name') || attributeOf(sourceElement, 'name') || source.name;
    const profileHref = attributeOf(child(item, 'StorageProfile'), 'href');
    const profile = profileHref === undefined ? profileOf() : referred(view, 'storageProfile', profileHref).id;
    const vm = copyOfVm(source, vapp, name, profile);
    vm.description = textOf(general, 'Description') ?? vm.description;
    applyParams(view, vm, item, textOf(general, 'NeedsCustomization'));
    return { vm, removeSource: booleanOf(attributeOf(item, 'sourceDelete')) === true ? source.id : null };
  });
}

function applyParams(view: View, vm: Vm, item: XmlElement, needsCustomization: string | undefined): void {
  for (const assignment of childrenOf(item, 'NetworkAssignment')) {
    const inner = attributeOf(assignment, 'innerNetwork');
    const outer = attributeOf(assignment, 'containerNetwork') ?? noneNetwork;
    for (const nic of vm.nics) if (nic.network === inner) nic.network = outer;
  }
  const params = child(item, 'InstantiationParams') ?? child(item, 'VmTemplateInstantiationParams');
  const connections = child(params, 'NetworkConnectionSection');
  if (connections !== undefined) applyConnections(view, vm, connections, undefined);
  vm.customization = readCustomization(child(params, 'GuestCustomizationSection'), vm.customization);
  if (needsCustomization !== undefined && child(params, 'GuestCustomizationSection') === undefined) {
    vm.customization = { ...vm.customization, enabled: booleanOf(needsCustomization) ?? vm.customization.enabled };
  }
  const products = childrenOf(child(params, 'ProductSectionList') ?? params, 'ProductSection');
  if (products.length > 0) vm.products = products;
}

/** The vApp's networks: those the body configures, and those of the source that its VMs still use. */
export function networksFor(
  view: View,
  body: XmlElement,
  inherited: readonly NetworkConfig[],
  vms: readonly Vm[],
  before: readonly NetworkConfig[],
): NetworkConfig[] {
  const section = path(body, 'InstantiationParams', 'NetworkConfigSection') ?? child(body, 'NetworkConfigSection');
  const given =
    section === undefined ? [] : readConfigSection(view, section, before).filter(({ name }) => name !== noneNetwork);
  const networks = [...before.filter((old) => !given.some(({ name }) => name === old.name)), ...given];
  const wanted = new Set(vms.flatMap((vm) => vm.nics.map((nic) => nic.network)));
  wanted.delete(noneNetwork);
  for (const name of wanted) {
    if (networks.some((network) => network.name === name)) continue;
    const source = inherited.find((network) => network.name === name);
    if (source !== undefined) networks.push({ ...source, id: randomUUID() });
  }
  return networks;
}

/** Checks what holds for every vApp (VM names unique, NICs on networks that exist) and hands out addresses. */
export function settle(view: View, vapp: VApp, existing: readonly Vm[], added: readonly Vm[]): void {
  const names = [...existing, ...added].map(({ name }) => name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) throw duplicateName('VM', twice);
  for (const vm of added) {
    for (const nic of vm.nics) {
      if (nic.network === noneNetwork) continue;
      if (!vapp.networks.some(({ name }) => name === nic.network)) {
        const direct = view.sim.store
          .all('network')
          .find((network) => network.vdc === vapp.vdc && network.name === nic.network);
        if (direct === undefined) {
          throw new Refusal(
            400,
            'BAD_REQUEST',
            `The VM "${vm.name}" is connected to the network "${nic.network}", which the vApp does not have.`,
          );
        }
        vapp.networks.push(bridgedTo(direct));
      }
    }
    assignAddresses(view.sim, vapp, vm);
  }
}

export function startupFor(
  vms: readonly Vm[],
  inherited: readonly StartupItem[],
  renamed: ReadonlyMap<string, string>,
): StartupItem[] {
  return vms.map((vm) => {
    const item = inherited.find((one) => (renamed.get(one.id) ?? one.id) === vm.name);
    const plain = {
      order: 0,
      startAction: 'powerOn',
      startDelay: 0,
      stopAction: 'powerOff',
      stopDelay: 0,
      waitingForGuest: false,
    };
    return { ...plain, ...item, id: vm.name };
  });
}

export function refuseUnacceptedEula(body: XmlElement, eulas: readonly string[]): void {
  if (eulas.length > 0 && booleanOf(textOf(body, 'AllEULAsAccepted')) !== true) {
    throw new Refusal(
      400,
      'EULA_NOT_ACCEPTED',
      'The template has license agreements that must be accepted (AllEULAsAccepted).',
    );
  }
}

export function sourceEulas(view: View, items: XmlElement[]): string[] {
  return items.flatMap((item) => {
    const vm = view.sim.store.get('vm', uuidIn(attributeOf(child(item, 'Source'), 'href')) ?? '');
    return vm?.parent.kind === 'template' ? (view.sim.store.get('template', vm.parent.id)?.eulas ?? []) : [];
  });
}

/** VMs of a whole template or vApp as copies for a new vApp, with the `SourcedItem` of each applied. */
export function copiesOfAll(
  view: View,
  kind: 'template' | 'vapp',
  id: string,
  vapp: VApp,
  body: XmlElement,
  profileOf: () => string,
): NewVm[] {
  const items = childrenOf(body, 'SourcedItem');
  return vmsOf(view.sim, kind, id).map((source) => {
    const item = items.find((one) => uuidIn(attributeOf(child(one, 'Source'), 'href')) === source.id);
    if (item !== undefined) return sourcedVms(view, [item], vapp, profileOf)[0]!;
    return { vm: copyOfVm(source, vapp, source.name, profileOf()), removeSource: null };
  });
}
