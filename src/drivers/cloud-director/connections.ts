import type { MachineDescription, NicDescription } from '../../model/machine.ts';
import { adapterOf, connectionsOf, NO_NETWORK } from './hardware.ts';
import { type Markup, tag, textAt, type XmlElement } from './xml.ts';

/** How one NIC shall be attached. */
export interface Connection {
  network: string;
  connected: boolean;
  mode: 'POOL' | 'DHCP' | 'MANUAL' | 'NONE';
  address: string | undefined;
  mac: string | undefined;
  adapter: string;
}

/**
 * The connections of a machine in slot order. `networks`: name of the network here by the package's name; a NIC whose
 * network is not in it arrives disconnected. An address that was set by hand goes along only with its MAC address:
 * that is the same machine in another place, where a copy with the same address would disturb the first one.
 */
export function connectionsFor(
  machine: MachineDescription,
  networks: ReadonlyMap<string, string>,
  keepMac: boolean,
): Connection[] {
  return machine.nics.map((nic) => {
    const network = nic.network === null ? undefined : networks.get(nic.network);
    const mac = keepMac ? nic.mac : undefined;
    const adapter = adapterOf(nic.kind).type;
    if (network === undefined)
      return { network: NO_NETWORK, connected: false, mode: 'NONE', address: undefined, mac, adapter };
    return { network, connected: nic.connected, ...addressing(nic, keepMac), mac, adapter };
  });
}

function addressing({ ip }: NicDescription, keep: boolean): Pick<Connection, 'mode' | 'address'> {
  if (ip?.mode === 'manual' && ip.address !== undefined && keep) return { mode: 'MANUAL', address: ip.address };
  if (ip?.mode === 'pool') return { mode: 'POOL', address: undefined };
  if (ip?.mode === 'none') return { mode: 'NONE', address: undefined };
  return { mode: 'DHCP', address: undefined };
}

/** Elements in the order of the schema (NetworkConnectionType), which Cloud Director insists on. */
export function connectionSection(connections: readonly Connection[]): Markup {
  return tag(
    'NetworkConnectionSection',
    {},
    tag('ovf:Info', {}, 'Network connections'),
    connections.length === 0 ? undefined : tag('PrimaryNetworkConnectionIndex', {}, 0),
    connections.map(({ network, connected, mode, address, mac, adapter }, index) =>
      tag(
        'NetworkConnection',
        { network, needsCustomization: false },
        tag('NetworkConnectionIndex', {}, index),
        address === undefined ? undefined : tag('IpAddress', {}, address),
        tag('IsConnected', {}, connected),
        mac === undefined ? undefined : tag('MACAddress', {}, mac),
        tag('IpAddressAllocationMode', {}, mode),
        tag('NetworkAdapterType', {}, adapter),
      ),
    ),
  );
}

/** Whether the VM is attached as wanted; a MAC address counts only where one was asked for. */
export function isAttached(vm: XmlElement, connections: readonly Connection[]): boolean {
  const present = connectionsOf(vm);
  return (
    present.length === connections.length &&
    connections.every((wanted, index) => {
      const found = present[index];
      return (
        (found?.attributes.network ?? NO_NETWORK) === wanted.network &&
        (textAt(found, 'IsConnected') === 'true') === wanted.connected &&
        textAt(found, 'NetworkAdapterType').toUpperCase() === wanted.adapter &&
        (wanted.mac === undefined || textAt(found, 'MACAddress').toLowerCase() === wanted.mac) &&
        (wanted.address === undefined || textAt(found, 'IpAddress') === wanted.address)
      );
    })
  );
}
