import { Fault } from '../../model/fault.ts';
import type { MachineDescription, PackageDescription } from '../../model/machine.ts';
import type { ImportRequest } from '../driver.ts';
import { isNic } from './devices.ts';
import { child, childrenOf, type Element, textOf } from './element.ts';
import { extrasAsSpec, MARKER_KEY, OWN_KEY, optionValue } from './extras.ts';
import { groupElement, leafElement } from './soap.ts';

/** Members of VirtualMachineConfigSpec that we set, between those that a server may have set, in the schema's order. */
const CONFIG_SPEC = (
  'changeVersion name version createDate uuid instanceUuid npivNodeWorldWideName npivPortWorldWideName ' +
  'npivWorldWideNameType npivDesiredNodeWwns npivDesiredPortWwns npivTemporaryDisabled npivOnNonRdmDisks ' +
  'npivWorldWideNameOp locationId guestId alternateGuestName annotation files tools flags consolePreferences ' +
  'powerOpInfo rebootPowerOff numCPUs vcpuConfig numCoresPerSocket memoryMB memoryHotAddEnabled cpuHotAddEnabled ' +
  'cpuHotRemoveEnabled virtualICH7MPresent virtualSMCPresent deviceChange cpuAllocation memoryAllocation ' +
  'latencySensitivity cpuAffinity memoryAffinity networkShaper cpuFeatureMask extraConfig swapPlacement bootOptions ' +
  'vAppConfig ftInfo repConfig vAppConfigRemoved vAssertsEnabled changeTrackingEnabled firmware maxMksConnections ' +
  'guestAutoLockEnabled managedBy memoryReservationLockedToMax nestedHVEnabled vPMCEnabled'
).split(' ');

/** VirtualEthernetCard behind VirtualDevice. */
const ETHERNET_CARD =
  'key deviceInfo backing connectable slotInfo controllerKey unitNumber numaNode deviceGroupInfo addressType macAddress'.split(
    ' ',
  );

const BOOT_OPTIONS = 'bootDelay enterBIOSSetup efiSecureBootEnabled bootRetryEnabled bootRetryDelay bootOrder'.split(
  ' ',
);

/** The specs of the machines inside an import spec, in the order of the descriptor. */
function machineSpecs(importSpec: Element): Element[] {
  if (importSpec.type === 'VirtualAppImportSpec') return childrenOf(importSpec, 'child').flatMap(machineSpecs);
  const spec = child(importSpec, 'configSpec');
  return spec === undefined ? [] : [spec];
}

/**
 * Puts into the server's import spec what a descriptor cannot say or servers leave out: the marker, what is kept of MAC
 * and UUID, adapters that arrive disconnected, firmware, advanced options. Everything stays in the schema's order.
 */
export function completeImportSpec(importSpec: Element, request: ImportRequest, marker: string, who: string): void {
  const specs = machineSpecs(importSpec);
  const machines = request.description.machines;
  if (specs.length !== machines.length) {
    throw new Fault('cloud.protocol', `${who}: the import spec has ${specs.length} machines for ${machines.length}`);
  }
  for (const [index, machine] of machines.entries()) {
    completeMachine(matching(specs, machine, index), machine, request, marker);
  }
}

function matching(specs: readonly Element[], machine: MachineDescription, index: number): Element {
  const named = specs.filter((spec) => textOf(spec, 'name') === machine.name);
  return named.length === 1 && specs.length > 1 ? named[0]! : specs[index]!;
}

function completeMachine(spec: Element, machine: MachineDescription, request: ImportRequest, marker: string): void {
  const set = (element: Element) => put(spec, element, CONFIG_SPEC);
  if (machine.notes !== '') set(leafElement('annotation', machine.notes));
  set(leafElement('guestId', machine.guestId));
  set(leafElement('numCoresPerSocket', machine.coresPerSocket));
  set(leafElement('firmware', machine.firmware));
  if (request.keepUuid && machine.uuid !== undefined) set(leafElement('uuid', machine.uuid));
  const bootDelay = machine.extras['bootOptions.bootDelay'];
  if (machine.secureBoot === true || bootDelay !== undefined) {
    const options = child(spec, 'bootOptions') ?? groupElement('bootOptions', []);
    if (bootDelay !== undefined) put(options, leafElement('bootDelay', bootDelay), BOOT_OPTIONS);
    if (machine.secureBoot) put(options, leafElement('efiSecureBootEnabled', true), BOOT_OPTIONS);
    set(options);
  }
  const members = extrasAsSpec(machine.extras);
  for (const member of members.filter(({ name }) => name !== 'extraConfig')) set(member);
  setOptions(spec, [...members.filter(({ name }) => name === 'extraConfig'), optionValue(MARKER_KEY, marker)]);
  sortMembers(spec, CONFIG_SPEC);
  const cards = childrenOf(spec, 'deviceChange')
    .map((change) => child(change, 'device'))
    .filter((device) => device !== undefined)
    .filter(isNic);
  for (const [index, nic] of machine.nics.entries()) {
    const card = cards[index];
    if (card !== undefined) completeCard(card, nic, request);
  }
}

/** Advanced options; what the server took out of the package goes where it is set again or is Cloudspan's own. */
function setOptions(spec: Element, options: readonly Element[]): void {
  const keyOf = (option: Element) => (textOf(option, 'key') ?? '').toLowerCase();
  const again = new Set(options.map(keyOf));
  const kept = spec.children.filter(
    (item) => item.name !== 'extraConfig' || !(OWN_KEY.test(keyOf(item)) || again.has(keyOf(item))),
  );
  spec.children = [...kept, ...options];
}

function completeCard(card: Element, nic: MachineDescription['nics'][number], request: ImportRequest): void {
  const connected = nic.connected && isMapped(nic.network, request);
  const connectable = child(card, 'connectable');
  if (connectable === undefined) {
    const members = [
      leafElement('startConnected', connected),
      leafElement('allowGuestControl', true),
      leafElement('connected', false),
    ];
    put(card, groupElement('connectable', members), ETHERNET_CARD);
  } else {
    put(connectable, leafElement('startConnected', connected), ['migrateConnect', 'startConnected']);
  }
  card.children = card.children.filter((item) => item.name !== 'macAddress' && item.name !== 'addressType');
  if (request.keepMac && nic.mac !== undefined) {
    put(card, leafElement('addressType', 'manual'), ETHERNET_CARD);
    put(card, leafElement('macAddress', nic.mac), ETHERNET_CARD);
  }
}

export function isMapped(network: string | null, request: Pick<ImportRequest, 'networks'>): boolean {
  return network !== null && (request.networks[network] ?? null) !== null;
}

/** Sets a member, replacing what was there, and sorts the members into the schema's order. */
export function put(spec: Element, member: Element, order: readonly string[]): void {
  const others = spec.children.filter((item) => item.name !== member.name);
  spec.children = [...others, member];
  sortMembers(spec, order);
}

function sortMembers(spec: Element, order: readonly string[]): void {
  const rank = (item: Element) => {
    const at = order.indexOf(item.name);
    return at < 0 ? order.length : at;
  };
  spec.children = spec.children
    .map((item, index) => ({ item, index }))
    .sort((one, other) => rank(one.item) - rank(other.item) || one.index - other.index)
    .map(({ item }) => item);
}

/** Names of the package's networks that machines really use. */
export function usedNetworks(description: PackageDescription): string[] {
  const used = description.machines.flatMap((machine) => machine.nics.map((nic) => nic.network));
  return [...new Set(used.filter((name) => name !== null))];
}
