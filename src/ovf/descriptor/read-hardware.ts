import { Fault } from '../../model/fault.ts';
import type { Controller, DiskDescription, MachineDescription, NicDescription } from '../../model/machine.ts';
import { bytesOf, wholeNumber } from './quantity.ts';
import { CIM, controllerKind, nicKind } from './vocabulary.ts';
import { childOf, childrenOf, textOf, type XmlElement } from './xml-tree.ts';

type Hardware = Pick<
  MachineDescription,
  'hardwareVersion' | 'cpus' | 'coresPerSocket' | 'memoryMib' | 'firmware' | 'secureBoot' | 'uuid' | 'extras'
> & {
  controllers: Controller[];
  disks: (DiskDescription & { diskId: string })[];
  nics: NicDescription[];
};

export interface HardwareContext {
  /** ovf:id of the machine. */
  machine: string;
  /** Chosen configuration of the DeploymentOptionSection. */
  configuration: string | undefined;
  /** Capacity and use of the disks by ovf:diskId. */
  disks: ReadonlyMap<string, { capacityBytes: number; usedBytes?: number }>;
  notCarried: string[];
}

interface Item {
  element: XmlElement;
  type: number;
  id: string;
  subtypes: string;
  name: string;
}

const QUIET_TYPES: ReadonlySet<number> = new Set([CIM.graphics]);
/** Keys of the hardware section that have a field of their own. */
const OWN_KEYS = new Set(['firmware', 'bootOptions.efiSecureBootEnabled', 'uuid']);

/** Items of the chosen configuration; one that names a configuration replaces the general one with its InstanceID. */
function itemsOf(section: XmlElement, { configuration, machine }: HardwareContext): Item[] {
  const items = new Map<string, Item>();
  for (const element of childrenOf(section, 'Item', 'StorageItem', 'EthernetPortItem')) {
    const wanted = element.attributes.get('configuration')?.split(/\s+/);
    if (element.attributes.has('bound')) continue;
    if (wanted && (configuration === undefined || !wanted.includes(configuration))) continue;
    const id = textOf(element, 'InstanceID') ?? textOf(element, 'InstanceId') ?? '';
    const what = `the type of item ${id || items.size + 1} of "${machine}"`;
    const type = wholeNumber(textOf(element, 'ResourceType'), 0, 65_535, what);
    const subtypes = textOf(element, 'ResourceSubType') ?? '';
    const name = textOf(element, 'ElementName') ?? textOf(element, 'Caption') ?? `device ${id}`;
    items.set(id || `#${items.size}`, { element, type, id, subtypes, name });
  }
  return [...items.values()];
}

function readControllers(items: Item[]): { byItem: Map<string, Controller>; controllers: Controller[] } {
  const byItem = new Map<string, Controller>();
  const controllers: Controller[] = [];
  for (const { element, type, id, subtypes } of items) {
    const kind = controllerKind(type, subtypes);
    if (!kind) continue;
    const address = textOf(element, 'Address') ?? '';
    const taken = (bus: number): boolean => controllers.some((other) => other.kind === kind && other.bus === bus);
    let bus = /^\d{1,3}$/.test(address) ? Number(address) : 0;
    while (taken(bus)) bus++;
    const controller = { id: `${kind}-${bus}`, kind, bus };
    controllers.push(controller);
    byItem.set(id, controller);
  }
  return { byItem, controllers };
}

function readDisk(item: Item, context: HardwareContext, byItem: Map<string, Controller>, number: number) {
  const host = textOf(item.element, 'HostResource') ?? '';
  const diskId = /^(?:ovf:\/{1,2})?\/?disk\/(.+)$/.exec(host)?.[1];
  const disk = diskId === undefined ? undefined : context.disks.get(diskId);
  if (diskId === undefined || !disk) {
    throw new Fault(
      'ovf.invalid',
      `"${item.name}" of "${context.machine}" uses ${host || 'no disk'}, which is not there`,
    );
  }
  const parent = byItem.get(textOf(item.element, 'Parent') ?? '');
  if (!parent) throw new Fault('ovf.invalid', `"${item.name}" of "${context.machine}" has no controller`);
  const what = `the unit of "${item.name}" of "${context.machine}"`;
  return {
    id: `${context.machine}/disk-${number}`,
    label: item.name,
    capacityBytes: disk.capacityBytes,
    ...(disk.usedBytes === undefined ? {} : { usedBytes: disk.usedBytes }),
    controller: parent.id,
    unit: wholeNumber(textOf(item.element, 'AddressOnParent') ?? '0', 0, 1023, what),
    diskId,
  };
}

const IP_MODES: Record<string, 'dhcp' | 'pool' | 'manual' | 'none'> = {
  DHCP: 'dhcp',
  POOL: 'pool',
  MANUAL: 'manual',
  NONE: 'none',
};

function readNic(item: Item, context: HardwareContext): NicDescription {
  const kind = nicKind(item.subtypes);
  if (!kind) {
    const asked = item.subtypes || 'none';
    context.notCarried.push(`adapter type ${asked} of "${item.name}" of "${context.machine}": taken as e1000`);
  }
  const connection = childOf(item.element, 'Connection');
  const name = connection?.text.trim() ?? '';
  // Cloud Director attaches adapters without a network to one that it calls "none".
  const network = name === '' || name.toLowerCase() === 'none' ? null : name;
  const mac = textOf(item.element, 'Address')?.toLowerCase().replaceAll('-', ':');
  const mode = IP_MODES[connection?.attributes.get('ipAddressingMode') ?? ''];
  const address = connection?.attributes.get('ipAddress');
  return {
    label: item.name,
    kind: kind ?? 'e1000',
    ...(mac && /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/.test(mac) ? { mac } : {}),
    network,
    connected: network !== null && textOf(item.element, 'AutomaticAllocation')?.toLowerCase() !== 'false',
    ...(mode ? { ip: { mode, ...(address ? { address } : {}) } } : {}),
  };
}

function readExtras(section: XmlElement, context: HardwareContext): Map<string, string> {
  const values = new Map<string, string>();
  const transport = section.attributes.get('transport');
  if (transport) values.set('ovf.transport', transport);
  for (const config of childrenOf(section, 'Config', 'ExtraConfig')) {
    const key = config.attributes.get('key');
    const value = config.attributes.get('value');
    if (key === undefined || value === undefined) continue;
    if (key === 'nvram') context.notCarried.push(`the firmware's variables (nvram) of "${context.machine}"`);
    else values.set(config.name === 'Config' ? key : `extraConfig.${key}`, value);
  }
  return values;
}

/** The processor or memory item; one that is missing is noted and taken as `otherwise`. */
function amountOf(items: Item[], type: number, what: string, otherwise: string, notCarried: string[]) {
  const item = items.find((one) => one.type === type);
  if (!item) {
    notCarried.push(`${what} is not given: taken as ${otherwise}`);
    return { quantity: otherwise, unit: 'byte * 2^20', cores: '1' };
  }
  for (const name of ['Reservation', 'Limit'] as const) {
    const value = textOf(item.element, name);
    if (value !== undefined && value !== '0') notCarried.push(`${name.toLowerCase()} ${value} of ${what}`);
  }
  return {
    quantity: textOf(item.element, 'VirtualQuantity'),
    unit: textOf(item.element, 'AllocationUnits') ?? 'byte * 2^20',
    cores: textOf(item.element, 'CoresPerSocket') ?? '1',
  };
}

/** Orders by slot where slots are given; adapters without one stay behind, in the descriptor's order. */
function bySlot(left: Item, right: Item): number {
  const slot = (item: Item): number => Number(textOf(item.element, 'AddressOnParent') ?? Number.MAX_SAFE_INTEGER);
  return slot(left) - slot(right) || 0;
}

/** Reads one VirtualHardwareSection. Faults: `ovf.invalid`. */
export function readHardware(section: XmlElement, context: HardwareContext): Hardware {
  const { machine, notCarried } = context;
  const items = itemsOf(section, context);
  const cpu = amountOf(items, CIM.cpu, `the number of processors of "${machine}"`, '1', notCarried);
  const memory = amountOf(items, CIM.memory, `the memory of "${machine}"`, '1024', notCarried);
  const cpus = wholeNumber(cpu.quantity, 1, 4096, `the processors of "${machine}"`);
  const memoryBytes = bytesOf(memory.quantity, memory.unit, `the memory of "${machine}"`);
  const { byItem, controllers } = readControllers(items);
  const disks: Hardware['disks'] = [];
  for (const item of items) {
    if (item.type === CIM.disk || item.type === CIM.logicalDisk)
      disks.push(readDisk(item, context, byItem, disks.length));
    else if (item.type === CIM.cpu || item.type === CIM.memory || item.type === CIM.ethernet || byItem.has(item.id))
      continue;
    else if (!QUIET_TYPES.has(item.type) && item.subtypes !== 'vmware.vmci')
      notCarried.push(`"${item.name}" of "${machine}"`);
  }
  const config = readExtras(section, context);
  const types = textOf(childOf(section, 'System'), 'VirtualSystemType') ?? '';
  const versions = [...types.matchAll(/\bvmx-(\d+)\b/g)].map(([, version]) => Number(version));
  const secureBoot = config.get('bootOptions.efiSecureBootEnabled');
  const uuid = config.get('uuid')?.toLowerCase();
  return {
    ...(versions.length > 0 ? { hardwareVersion: `vmx-${String(Math.max(...versions)).padStart(2, '0')}` } : {}),
    cpus,
    coresPerSocket: wholeNumber(cpu.cores, 1, cpus, `the cores per socket of "${machine}"`),
    memoryMib: Math.ceil(memoryBytes / 2 ** 20),
    firmware: config.get('firmware')?.toLowerCase() === 'efi' ? 'efi' : 'bios',
    ...(secureBoot === undefined ? {} : { secureBoot: secureBoot.toLowerCase() === 'true' }),
    controllers,
    disks,
    nics: items
      .filter(({ type }) => type === CIM.ethernet)
      .sort(bySlot)
      .map((item) => readNic(item, context)),
    ...(uuid === undefined ? {} : { uuid }),
    extras: Object.fromEntries([...config].filter(([key]) => !OWN_KEYS.has(key))),
  };
}
