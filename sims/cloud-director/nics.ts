import type { View } from './call.ts';
import type { AllocationMode, Nic, VApp, Vm } from './entities.ts';
import { newMac } from './import.ts';
import { noneNetwork } from './network-config.ts';
import { badRequest } from './refusal.ts';
import type { Simulator } from './simulator.ts';
import { attributeOf, booleanOf, childrenOf, textOf, type XmlElement } from './xml/tree.ts';

const modes: readonly string[] = ['POOL', 'DHCP', 'MANUAL', 'NONE'];
const adapters = [
  'VLANCE',
  'E1000',
  'E1000E',
  'VMXNET',
  'VMXNET2',
  'VMXNET3',
  'FLEXIBLE',
  'SRIOVETHERNETCARD',
  'VMXNET3VRDMA',
];

function addressNumber(text: string): number {
  return text.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
}

function addressText(number: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(number / 2 ** shift) % 256).join('.');
}

/**
 * Replaces a VM's NICs by those of a NetworkConnectionSection. A missing MAC address means a new one; the list is the
 * whole wanted set. `networks` limits the names that may be used, undefined = checked later.
 */
export function applyConnections(
  view: View,
  vm: Vm,
  section: XmlElement,
  networks: readonly string[] | undefined,
): void {
  const nics = childrenOf(section, 'NetworkConnection')
    .map((connection, position): Nic => {
      const network = attributeOf(connection, 'network') || noneNetwork;
      if (networks !== undefined && network !== noneNetwork && !networks.includes(network)) {
        throw badRequest(`The vApp of "${vm.name}" has no network "${network}".`);
      }
      const mode = textOf(connection, 'IpAddressAllocationMode') || (network === noneNetwork ? 'NONE' : 'POOL');
      if (!modes.includes(mode)) throw badRequest(`The IP allocation mode "${mode}" is unknown.`);
      const adapter = (textOf(connection, 'NetworkAdapterType') || 'VMXNET3').toUpperCase();
      if (!adapters.includes(adapter)) throw badRequest(`The network adapter type "${adapter}" is unknown.`);
      const mac = (textOf(connection, 'MACAddress') ?? '').toLowerCase();
      if (mac !== '' && !/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/.test(mac))
        throw badRequest(`The MAC address "${mac}" is not valid.`);
      const ip = textOf(connection, 'IpAddress') ?? '';
      if (mode === 'MANUAL' && !/^\d{1,3}(\.\d{1,3}){3}$/.test(ip))
        throw badRequest(`Mode MANUAL needs an IP address, not "${ip}".`);
      return {
        index: Number(textOf(connection, 'NetworkConnectionIndex') ?? position),
        network,
        mac: mac === '' ? newMac() : mac,
        adapter,
        connected: booleanOf(textOf(connection, 'IsConnected')) ?? network !== noneNetwork,
        mode: mode as AllocationMode,
        ip: mode === 'MANUAL' ? ip : '',
      };
    })
    .sort((a, b) => a.index - b.index);
  if (nics.length > 10) throw badRequest('A VM has at most 10 network adapters.');
  if (new Set(nics.map(({ index }) => index)).size !== nics.length)
    throw badRequest('Two network connections have the same index.');
  refuseUsedMac(view.sim, vm, nics);
  vm.nics = nics;
  vm.primaryNic = Number(textOf(section, 'PrimaryNetworkConnectionIndex') ?? 0);
}

function refuseUsedMac(sim: Simulator, vm: Vm, nics: readonly Nic[]): void {
  const macs = nics.map(({ mac }) => mac);
  if (new Set(macs).size !== macs.length) throw badRequest(`Two adapters of "${vm.name}" have the same MAC address.`);
  const others = sim.store.all('vm').filter((other) => other.id !== vm.id && other.parent.kind === 'vapp');
  const used = others.flatMap((other) => other.nics.map(({ mac }) => mac)).find((mac) => macs.includes(mac));
  if (used !== undefined) throw badRequest(`The MAC address ${used} is in use by another VM.`);
}

/** Gives each POOL adapter without an address the first free one of its network. */
export function assignAddresses(sim: Simulator, vapp: VApp, vm: Vm): void {
  for (const nic of vm.nics) {
    const network = vapp.networks.find(({ name }) => name === nic.network);
    if (network === undefined || nic.mode !== 'POOL' || nic.ip !== '') continue;
    const taken = addressesOn(sim, network.parent ?? network.id);
    for (const one of vm.nics) taken.add(one.ip);
    const free = network.scope.ranges.flatMap(({ start, end }) => firstFree(start, end, taken))[0];
    if (free === undefined) throw badRequest(`The network "${network.name}" has no free IP address left.`);
    nic.ip = free;
  }
}

function firstFree(start: string, end: string, taken: ReadonlySet<string>): string[] {
  for (let number = addressNumber(start); number <= addressNumber(end); number++) {
    if (!taken.has(addressText(number))) return [addressText(number)];
  }
  return [];
}

function addressesOn(sim: Simulator, network: string): Set<string> {
  const taken = new Set<string>();
  for (const vapp of sim.store.all('vapp')) {
    const names = vapp.networks
      .filter(({ id, parent }) => id === network || parent === network)
      .map(({ name }) => name);
    if (names.length === 0) continue;
    for (const vm of sim.store.all('vm')) {
      if (vm.parent.id !== vapp.id) continue;
      for (const nic of vm.nics) if (names.includes(nic.network) && nic.ip !== '') taken.add(nic.ip);
    }
  }
  return taken;
}
