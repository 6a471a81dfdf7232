import { Fault } from '../../model/fault.ts';
import type { DiskDescription, MachineDescription, NicDescription } from '../../model/machine.ts';
import { CIM, CONTROLLER_SUBTYPE, CONTROLLER_TYPE, nicSubtype } from './vocabulary.ts';
import { element, textElement, type XmlText } from './xml-text.ts';

export type Dialect = 'vsphere' | 'cloud-director';

export interface HardwareOptions {
  dialect: Dialect;
  /** Whether MAC addresses and the BIOS UUID are part of it. */
  identity: boolean;
  /** ovf:diskId by `DiskDescription.id`. */
  diskIds: ReadonlyMap<string, string>;
}

/** Children of an Item; the schema wants them in alphabetical order, vendor elements behind. */
function item(fields: Record<string, string | number | boolean | XmlText | undefined>, ...vendor: XmlText[]): XmlText {
  const children = Object.entries(fields)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => {
      if (value === undefined) return undefined;
      return typeof value === 'object' ? value : textElement(`rasd:${name}`, value);
    });
  return element('Item', {}, ...children, ...vendor);
}

function config(key: string, value: string | boolean): XmlText {
  return element('vmw:Config', { 'ovf:required': 'false', 'vmw:key': key, 'vmw:value': String(value) });
}

const IP_MODE = { dhcp: 'DHCP', pool: 'POOL', manual: 'MANUAL', none: 'NONE' } as const;

/**
 * vSphere gets no Connection for an adapter without a network; Cloud Director wants one for every adapter and calls
 * the missing network "none".
 */
function connectionOf(nic: NicDescription, index: number, dialect: Dialect): XmlText | undefined {
  if (dialect === 'vsphere') return nic.network === null ? undefined : textElement('rasd:Connection', nic.network);
  const mode = nic.network === null ? 'NONE' : IP_MODE[nic.ip?.mode ?? 'dhcp'];
  return textElement('rasd:Connection', nic.network ?? 'none', {
    'vcloud:ipAddressingMode': mode,
    'vcloud:ipAddress': mode === 'MANUAL' ? nic.ip?.address : undefined,
    'vcloud:primaryNetworkConnection': index === 0,
  });
}

/** First number of an adapter's slot: VMware keeps the lower ones for the controllers. */
const FIRST_NIC_SLOT = { vsphere: 7, 'cloud-director': 0 } as const;

function diskItem(
  disk: DiskDescription,
  parent: number,
  id: number,
  machine: string,
  options: HardwareOptions,
): XmlText {
  const diskId = options.diskIds.get(disk.id);
  if (diskId === undefined)
    throw new Fault('internal', `disk ${disk.id} of "${machine}" has no element in the descriptor`);
  return item({
    AddressOnParent: disk.unit,
    ElementName: disk.label,
    HostResource: `ovf:/disk/${diskId}`,
    InstanceID: id,
    Parent: parent,
    ResourceType: CIM.disk,
  });
}

/** The VirtualHardwareSection and the boot order that names its items. */
export function writeHardware(machine: MachineDescription, options: HardwareOptions): XmlText[] {
  const { dialect, identity } = options;
  let lastId = 0;
  const parents = new Map<string, number>();
  const cpu = item(
    {
      AllocationUnits: 'hertz * 10^6',
      Description: 'Number of Virtual CPUs',
      ElementName: `${machine.cpus} virtual CPU(s)`,
      InstanceID: ++lastId,
      ResourceType: CIM.cpu,
      VirtualQuantity: machine.cpus,
    },
    textElement('vmw:CoresPerSocket', machine.coresPerSocket, { 'ovf:required': 'false' }),
  );
  const memory = item({
    AllocationUnits: 'byte * 2^20',
    Description: 'Memory Size',
    ElementName: `${machine.memoryMib}MB of memory`,
    InstanceID: ++lastId,
    ResourceType: CIM.memory,
    VirtualQuantity: machine.memoryMib,
  });
  const controllers = machine.controllers.map(({ id, kind, bus }) => {
    parents.set(id, ++lastId);
    return item({
      Address: bus,
      ElementName: `${kind} controller ${bus}`,
      InstanceID: lastId,
      ResourceSubType: CONTROLLER_SUBTYPE[kind],
      ResourceType: CONTROLLER_TYPE[kind],
    });
  });
  const firstDisk = lastId + 1;
  const disks = machine.disks.map((disk) => {
    const parent = parents.get(disk.controller);
    if (parent === undefined) {
      throw new Fault('ovf.invalid', `disk ${disk.id} sits on the controller ${disk.controller}, which is not there`);
    }
    return diskItem(disk, parent, ++lastId, machine.name, options);
  });
  const firstNic = lastId + 1;
  const nics = machine.nics.map((nic, index) =>
    item({
      Address: identity ? nic.mac : undefined,
      AddressOnParent: FIRST_NIC_SLOT[dialect] + index,
      AutomaticAllocation: nic.connected && nic.network !== null,
      Connection: connectionOf(nic, index, dialect),
      ElementName: nic.label,
      InstanceID: ++lastId,
      ResourceSubType: nicSubtype(nic.kind, dialect),
      ResourceType: CIM.ethernet,
    }),
  );
  const extras = Object.entries(machine.extras).flatMap(([key, value]) => {
    if (key.startsWith('product.') || key === 'ovf.transport') return [];
    if (!key.startsWith('extraConfig.')) return [config(key, value)];
    const name = key.slice('extraConfig.'.length);
    return [element('vmw:ExtraConfig', { 'ovf:required': 'false', 'vmw:key': name, 'vmw:value': value })];
  });
  const section = element(
    'VirtualHardwareSection',
    { 'ovf:transport': machine.extras['ovf.transport'] },
    textElement('Info', 'Virtual hardware requirements'),
    element(
      'System',
      {},
      textElement('vssd:ElementName', 'Virtual Hardware Family'),
      textElement('vssd:InstanceID', 0),
      textElement('vssd:VirtualSystemIdentifier', machine.name),
      machine.hardwareVersion !== undefined && textElement('vssd:VirtualSystemType', machine.hardwareVersion),
    ),
    cpu,
    memory,
    ...controllers,
    ...disks,
    ...nics,
    config('firmware', machine.firmware),
    machine.secureBoot !== undefined && config('bootOptions.efiSecureBootEnabled', machine.secureBoot),
    identity && machine.uuid !== undefined && config('uuid', machine.uuid),
    ...extras,
  );
  const ids = (first: number, count: number): string => Array.from({ length: count }, (_, at) => first + at).join(' ');
  const bootOrder = machine.bootOrder.map((type) =>
    element(
      'vmw:BootOrderSection',
      {
        'ovf:required': 'false',
        'vmw:instanceId':
          type === 'disk' ? ids(firstDisk, disks.length) : type === 'network' ? ids(firstNic, nics.length) : undefined,
        'vmw:type': type === 'network' ? 'net' : type,
      },
      textElement('Info', 'Virtual hardware device boot order'),
    ),
  );
  return [section, ...bootOrder];
}
