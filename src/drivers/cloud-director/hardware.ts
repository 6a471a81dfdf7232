import type {
  Controller,
  ControllerKind,
  DiskDescription,
  Firmware,
  MachineDescription,
  NicDescription,
  NicKind,
} from '../../model/machine.ts';
import { at, child, childrenOf, numberAt, textAt, type XmlElement } from './xml.ts';

const MIB = 1024 * 1024;
/** rasd:ResourceType (CIM_ResourceAllocationSettingData). */
const RESOURCE = { cpu: '3', memory: '4', disk: '17' } as const;
const CONTROLLERS = new Set(['5', '6', '20']);

const SUBTYPES: Readonly<Record<string, ControllerKind>> = {
  lsilogic: 'lsilogic',
  lsilogicsas: 'lsilogic-sas',
  buslogic: 'buslogic',
  virtualscsi: 'pvscsi',
  'vmware.sata.ahci': 'sata',
  ahci: 'sata',
  'vmware.nvme.controller': 'nvme',
  nvmecontroller: 'nvme',
};

/** `NetworkAdapterType` of a NetworkConnection. */
const ADAPTERS: Readonly<Record<string, NicKind>> = {
  E1000: 'e1000',
  E1000E: 'e1000e',
  VMXNET3: 'vmxnet3',
  VMXNET3VRDMA: 'vmxnet3',
  VMXNET2: 'vmxnet2',
  VMXNET: 'vmxnet',
  VLANCE: 'pcnet32',
  PCNET32: 'pcnet32',
  FLEXIBLE: 'flexible',
  SRIOVETHERNETCARD: 'sriov',
};

/** The adapter type for a NIC; kinds that Cloud Director does not have become VMXNET3. */
export function adapterOf(kind: NicKind): { type: string; exact: boolean } {
  const exact = Object.entries(ADAPTERS).find(([, known]) => known === kind);
  return exact === undefined ? { type: 'VMXNET3', exact: false } : { type: exact[0], exact: true };
}

/** Name of the network that a NIC without one is attached to. */
export const NO_NETWORK = 'none';

/** A `Vm` of a vApp or template as a machine; what only the OVF tells is added by `describe.ts`. */
export function machineOf(vm: XmlElement, id: string): MachineDescription {
  const items = childrenOf(child(vm, 'ovf:VirtualHardwareSection'), 'ovf:Item');
  const spec = child(vm, 'VmSpecSection');
  const system = at(vm, 'ovf:VirtualHardwareSection', 'ovf:System');
  const cpu = itemOf(items, RESOURCE.cpu);
  const hardwareVersion = textAt(spec, 'HardwareVersion') || textAt(system, 'vssd:VirtualSystemType');
  const secureBoot = textAt(vm, 'BootOptions', 'EfiSecureBootEnabled');
  const controllers: Controller[] = [];
  return {
    id,
    name: vm.attributes.name ?? id,
    notes: child(vm, 'Description')?.text ?? '',
    guestId: child(vm, 'ovf:OperatingSystemSection')?.attributes['vmw:osType'] ?? textAt(spec, 'OsType'),
    ...(hardwareVersion === '' ? {} : { hardwareVersion }),
    cpus: numberAt(cpu, 'rasd:VirtualQuantity') ?? numberAt(spec, 'NumCpus') ?? 1,
    coresPerSocket: numberAt(cpu, 'vmw:CoresPerSocket') ?? numberAt(spec, 'NumCoresPerSocket') ?? 1,
    memoryMib: memoryOf(items) ?? numberAt(spec, 'MemoryResourceMb', 'Configured') ?? 0,
    firmware: firmwareOf(vm) ?? 'bios',
    ...(secureBoot === '' ? {} : { secureBoot: secureBoot === 'true' }),
    disks: disksOf(items, id, controllers),
    controllers,
    nics: nicsOf(vm),
    bootOrder: [],
    properties: [],
    eulas: [],
    extras: {},
  };
}

/** `VmSpecSection/Firmware`, which exists from API 37.1 on. */
export function firmwareOf(vm: XmlElement): Firmware | undefined {
  const text = textAt(vm, 'VmSpecSection', 'Firmware').toLowerCase();
  return text === 'efi' || text === 'bios' ? text : undefined;
}

function itemOf(items: readonly XmlElement[], type: string): XmlElement | undefined {
  return items.find((item) => textAt(item, 'rasd:ResourceType') === type);
}

function memoryOf(items: readonly XmlElement[]): number | undefined {
  const item = itemOf(items, RESOURCE.memory);
  const quantity = numberAt(item, 'rasd:VirtualQuantity');
  if (quantity === undefined) return undefined;
  return /2\s*\^\s*30|gigabyte/i.test(textAt(item, 'rasd:AllocationUnits')) ? quantity * 1024 : quantity;
}

function disksOf(items: readonly XmlElement[], machine: string, controllers: Controller[]): DiskDescription[] {
  const disks: DiskDescription[] = [];
  for (const item of items) {
    if (textAt(item, 'rasd:ResourceType') !== RESOURCE.disk) continue;
    const controller = controllerOf(items, item);
    if (!controllers.some(({ id }) => id === controller.id)) controllers.push(controller);
    const index = disks.length;
    disks.push({
      id: `${machine}/disk-${index}`,
      label: textAt(item, 'rasd:ElementName') || `Hard disk ${index + 1}`,
      capacityBytes: capacityOf(item),
      controller: controller.id,
      unit: numberAt(item, 'rasd:AddressOnParent') ?? index,
    });
  }
  return disks;
}

function capacityOf(item: XmlElement): number {
  const quantity = numberAt(item, 'rasd:VirtualQuantity');
  if (quantity !== undefined && /^byte$/i.test(textAt(item, 'rasd:VirtualQuantityUnits'))) return quantity;
  return Number(child(item, 'rasd:HostResource')?.attributes['vcloud:capacity'] ?? 0) * MIB;
}

function controllerOf(items: readonly XmlElement[], disk: XmlElement): Controller {
  const parent = textAt(disk, 'rasd:Parent');
  const item = items.find(
    (candidate) =>
      CONTROLLERS.has(textAt(candidate, 'rasd:ResourceType')) && textAt(candidate, 'rasd:InstanceID') === parent,
  );
  const resource = child(disk, 'rasd:HostResource');
  const subtype = textAt(item, 'rasd:ResourceSubType') || (resource?.attributes['vcloud:busSubType'] ?? '');
  const type = textAt(item, 'rasd:ResourceType') || (resource?.attributes['vcloud:busType'] ?? '');
  const kind = SUBTYPES[subtype.toLowerCase()] ?? (type === '5' ? 'ide' : type === '20' ? 'sata' : 'lsilogic');
  const bus = numberAt(item, 'rasd:Address') ?? 0;
  return { id: `${kind}-${bus}`, kind, bus };
}

function nicsOf(vm: XmlElement): NicDescription[] {
  return connectionsOf(vm).map((connection) => {
    const network = connection.attributes.network ?? NO_NETWORK;
    const mac = textAt(connection, 'MACAddress').toLowerCase().replaceAll('-', ':');
    const address = textAt(connection, 'IpAddress');
    const mode = modeOf(textAt(connection, 'IpAddressAllocationMode'));
    return {
      label: `Network adapter ${textAt(connection, 'NetworkConnectionIndex')}`,
      kind: ADAPTERS[textAt(connection, 'NetworkAdapterType').toUpperCase()] ?? 'vmxnet3',
      ...(mac === '' ? {} : { mac }),
      network: network === NO_NETWORK ? null : network,
      connected: textAt(connection, 'IsConnected') === 'true' && network !== NO_NETWORK,
      ip: { mode, ...(address === '' ? {} : { address }) },
    };
  });
}

/** The connections of a VM in slot order. */
export function connectionsOf(vm: XmlElement): XmlElement[] {
  return childrenOf(child(vm, 'NetworkConnectionSection'), 'NetworkConnection').toSorted(
    (a, b) => (numberAt(a, 'NetworkConnectionIndex') ?? 0) - (numberAt(b, 'NetworkConnectionIndex') ?? 0),
  );
}

function modeOf(text: string): 'dhcp' | 'pool' | 'manual' | 'none' {
  const mode = text.toLowerCase();
  return mode === 'dhcp' || mode === 'pool' || mode === 'manual' ? mode : 'none';
}
