import type { ConfigEntry, ControllerKind } from '../entities.ts';
import { badRequest } from '../refusal.ts';
import { attributeOf, booleanOf, child, childrenOf, textOf, type XmlElement } from '../xml/tree.ts';
import type { OvfSystem } from './package.ts';
import { readEulas, vendorSections } from './sections.ts';
import { unitBytes } from './units.ts';

interface Controller {
  kind: ControllerKind;
  subtype: string;
  bus: number;
}

const scsiSubtypes = ['lsilogic', 'lsilogicsas', 'buslogic', 'VirtualSCSI'];

/** Reads one VirtualSystem; items without a meaning to Cloud Director are passed over, as it does. */
export function readSystem(system: XmlElement, strings: Map<string, string>): OvfSystem {
  const id = attributeOf(system, 'id') ?? '';
  const hardware = child(system, 'VirtualHardwareSection');
  const os = child(system, 'OperatingSystemSection');
  const items = hardware?.children.filter(({ local }) => /^(Item|StorageItem|EthernetPortItem)$/.test(local)) ?? [];
  const controllers = readControllers(items);
  const read: OvfSystem = {
    id,
    name: textOf(system, 'Name') || id,
    annotation: textOf(system, 'AnnotationSection', 'Annotation') ?? '',
    osId: Number(attributeOf(os, 'id') ?? 1),
    osType: attributeOf(os, 'osType') ?? 'otherGuest',
    osDescription: textOf(os, 'Description') ?? '',
    hardwareVersion: hardwareVersionOf(textOf(hardware, 'System', 'VirtualSystemType')),
    transport: attributeOf(hardware, 'transport') ?? '',
    cpus: 1,
    coresPerSocket: 1,
    memoryMb: 512,
    disks: [],
    nics: [],
    drives: [],
    configs: readConfigs(hardware),
    products: childrenOf(system, 'ProductSection'),
    eulas: readEulas(system, strings),
    vendor: vendorSections(system),
  };
  const nics: { order: number; nic: OvfSystem['nics'][number] }[] = [];
  for (const item of items) {
    const type = Number(textOf(item, 'ResourceType'));
    if (type === 3) {
      read.cpus = positive(item, textOf(item, 'VirtualQuantity'), 'number of CPUs');
      read.coresPerSocket = Number(textOf(item, 'CoresPerSocket') ?? 1);
    } else if (type === 4) {
      const units = unitBytes(textOf(item, 'AllocationUnits'), 2 ** 20);
      read.memoryMb = Math.ceil((positive(item, textOf(item, 'VirtualQuantity'), 'memory') * units) / 2 ** 20);
    } else if (type === 10) {
      nics.push({ order: Number(textOf(item, 'AddressOnParent') ?? nics.length), nic: readNic(item) });
    } else if (type === 17) {
      read.disks.push(readDiskItem(item, controllers, read.disks));
    } else if (type === 14 || type === 15 || type === 16) {
      read.drives.push({ type: type === 14 ? 14 : 15, name: textOf(item, 'ElementName') ?? '' });
    }
  }
  read.nics = nics.sort((a, b) => a.order - b.order).map(({ nic }) => nic);
  return read;
}

function positive(item: XmlElement, text: string | undefined, what: string): number {
  const number = Number(text);
  if (!Number.isSafeInteger(number) || number < 1) {
    throw badRequest(
      `The ${what} of item "${textOf(item, 'InstanceID') ?? ''}" is "${text ?? ''}", which is not a positive number.`,
    );
  }
  return number;
}

function hardwareVersionOf(types: string | undefined): string {
  const versions = (types ?? '').split(/[\s,]+/).filter((type) => /^vmx-\d+$/.test(type));
  return versions.at(-1) ?? 'vmx-19';
}

function readControllers(items: XmlElement[]): Map<string, Controller> {
  const controllers = new Map<string, Controller>();
  const next: Record<ControllerKind, number> = { ide: 0, scsi: 0, sata: 0, nvme: 0 };
  for (const item of items) {
    const type = Number(textOf(item, 'ResourceType'));
    if (type !== 5 && type !== 6 && type !== 20) continue;
    const named = textOf(item, 'ResourceSubType') ?? '';
    const kind = type === 5 ? 'ide' : type === 6 ? 'scsi' : /nvme/i.test(named) ? 'nvme' : 'sata';
    const address = textOf(item, 'Address') ?? '';
    const bus = /^\d+$/.test(address) ? Number(address) : next[kind];
    next[kind] = Math.max(next[kind], bus + 1);
    controllers.set(textOf(item, 'InstanceID') ?? '', { kind, subtype: subtypeOf(kind, named), bus });
  }
  return controllers;
}

function subtypeOf(kind: ControllerKind, named: string): string {
  if (kind === 'ide') return '';
  if (kind === 'sata') return 'vmware.sata.ahci';
  if (kind === 'nvme') return 'vmware.nvme.controller';
  const wanted = named.split(/\s+/)[0]?.toLowerCase() ?? '';
  return scsiSubtypes.find((subtype) => subtype.toLowerCase() === wanted) ?? 'lsilogic';
}

function readDiskItem(
  item: XmlElement,
  controllers: Map<string, Controller>,
  before: OvfSystem['disks'],
): OvfSystem['disks'][number] {
  const resource = textOf(item, 'HostResource') ?? '';
  const reference = /^(?:ovf:)?\/disk\/(.+)$/.exec(resource);
  if (reference === null)
    throw badRequest(`The disk item "${textOf(item, 'ElementName') ?? ''}" refers to "${resource}".`);
  const parent = controllers.get(textOf(item, 'Parent') ?? '') ?? { kind: 'scsi', subtype: 'lsilogic', bus: 0 };
  const taken = before
    .filter((disk) => disk.controller === parent.kind && disk.bus === parent.bus)
    .map(({ unit }) => unit);
  const address = textOf(item, 'AddressOnParent') ?? '';
  let unit = /^\d+$/.test(address) ? Number(address) : 0;
  while (taken.includes(unit)) unit += 1;
  return {
    disk: reference[1]!,
    name: textOf(item, 'ElementName') ?? '',
    controller: parent.kind,
    subtype: parent.subtype,
    bus: parent.bus,
    unit,
  };
}

function readNic(item: XmlElement): OvfSystem['nics'][number] {
  return {
    network: textOf(item, 'Connection') || 'none',
    mac: (textOf(item, 'Address') ?? '').toLowerCase(),
    adapter: (textOf(item, 'ResourceSubType') || 'VMXNET3')
      .split(/\s+/)[0]!
      .toUpperCase()
      .replace(/^PCNET32$/, 'VLANCE'),
    connected: booleanOf(textOf(item, 'AutomaticAllocation')) ?? true,
    connection: child(item, 'Connection'),
  };
}

function readConfigs(hardware: XmlElement | undefined): ConfigEntry[] {
  return (hardware?.children ?? []).flatMap((entry) => {
    if (entry.local !== 'Config' && entry.local !== 'ExtraConfig') return [];
    return [{ element: entry.local, key: attributeOf(entry, 'key') ?? '', value: attributeOf(entry, 'value') ?? '' }];
  });
}
