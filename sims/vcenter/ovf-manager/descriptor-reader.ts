import { type Element, parseXml, XmlError } from '../soap/element.ts';
import type { Data } from '../value.ts';
import { VimFault } from '../vim-fault.ts';

const OVF = 'http://schemas.dmtf.org/ovf/envelope/1';
const RASD = 'http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_ResourceAllocationSettingData';
const VMW = 'http://www.vmware.com/schema/ovf';

type OvfFileEntry = { id: string; href: string; size: number | undefined; compression: string };
type OvfDisk = { id: string; capacityBytes: number; file: OvfFileEntry | undefined };

/** One `Item` of a VirtualHardwareSection; `config` are its `vmw:Config` children. */
export type OvfItem = {
  line: number;
  required: boolean;
  type: number;
  subType: string;
  id: string;
  name: string;
  parent: string;
  address: string;
  addressOnParent: string;
  connections: string[];
  hostResource: string;
  quantity: number;
  units: string;
  automatic: boolean;
  coresPerSocket: number;
  config: Map<string, string>;
};

export type OvfSystem = {
  id: string;
  name: string;
  osType: string;
  cim: number;
  hardware: string;
  items: OvfItem[];
  config: Map<string, string>;
  extraConfig: { key: string; value: string }[];
  bootOrder: string[];
  annotation: string;
  eulas: string[];
  products: Data[];
  properties: Data[];
  transport: string[];
};

type OvfStart = {
  id: string;
  order: number;
  startDelay: number;
  stopDelay: number;
  startAction: string;
  stopAction: string;
  waitingForGuest: boolean;
};

export type OvfDescriptor = {
  files: Map<string, OvfFileEntry>;
  disks: Map<string, OvfDisk>;
  networks: { name: string; description: string }[];
  /** One machine, or the machines of a collection. */
  systems: OvfSystem[];
  collection:
    | { id: string; name: string; annotation: string; products: Data[]; properties: Data[]; start: OvfStart[] }
    | undefined;
  warnings: VimFault[];
};

function broken(element: Element | undefined, why: string): VimFault {
  return new VimFault('OvfXmlFormat', `The OVF descriptor is not valid: ${why}`, {
    lineNumber: element?.line ?? 0,
    description: why,
  });
}

function child(of: Element | undefined, name: string): Element | undefined {
  return of?.children.find((one) => one.name === name);
}

function children(of: Element | undefined, name: string): Element[] {
  return of?.children.filter((one) => one.name === name) ?? [];
}

function said(of: Element | undefined, name: string): string {
  return child(of, name)?.text.trim() ?? '';
}

function attribute(of: Element, name: string, space = OVF): string | undefined {
  return of.qualified.get(`{${space}}${name}`) ?? of.attributes.get(name);
}

/** `byte * 2^30` and its like as a number of bytes; also the old words. */
export function allocationUnit(units: string): number {
  const words: Record<string, number> = {
    kilobytes: 1024,
    megabytes: 2 ** 20,
    gigabytes: 2 ** 30,
    terabytes: 2 ** 40,
    byte: 1,
    bytes: 1,
  };
  const plain = units.trim().toLowerCase();
  if (plain === '') return 1;
  if (words[plain]) return words[plain];
  const power = /^bytes?\s*\*\s*(\d+)\s*\^\s*(\d+)$/.exec(plain);
  if (power) return Number(power[1]) ** Number(power[2]);
  const times = /^bytes?\s*\*\s*(\d+)$/.exec(plain);
  if (times) return Number(times[1]);
  throw new VimFault('OvfInvalidValue', `The allocation unit '${units}' is not known.`, {
    lineNumber: 0,
    elementName: 'AllocationUnits',
    attributeName: '',
    value: units,
  });
}

/** @throws OvfXmlFormat, OvfMissingElement, OvfInvalidValue */
export function readDescriptor(source: string): OvfDescriptor {
  let root: Element;
  try {
    root = parseXml(source.trimStart());
  } catch (error) {
    throw error instanceof XmlError ? broken(undefined, error.message) : error;
  }
  if (root.name !== 'Envelope' || root.space !== OVF) throw broken(root, 'the root is not an OVF 1.x Envelope');
  const files = new Map<string, OvfFileEntry>();
  for (const one of children(child(root, 'References'), 'File')) {
    const href = attribute(one, 'href') ?? '';
    const id = attribute(one, 'id') ?? '';
    if (!href || !id) throw broken(one, 'a File has no id or href');
    const size = attribute(one, 'size');
    files.set(id, {
      id,
      href,
      size: size === undefined ? undefined : Number(size),
      compression: attribute(one, 'compression') ?? '',
    });
  }
  const disks = new Map<string, OvfDisk>();
  for (const one of children(child(root, 'DiskSection'), 'Disk')) {
    const id = attribute(one, 'diskId') ?? '';
    const capacity = Number(attribute(one, 'capacity'));
    if (!id || !Number.isFinite(capacity) || capacity <= 0) throw broken(one, `disk '${id}' has no capacity`);
    const fileRef = attribute(one, 'fileRef');
    if (fileRef && !files.has(fileRef))
      throw broken(one, `disk '${id}' refers to file '${fileRef}', which is not there`);
    disks.set(id, {
      id,
      capacityBytes: capacity * allocationUnit(attribute(one, 'capacityAllocationUnits') ?? ''),
      file: fileRef ? files.get(fileRef) : undefined,
    });
  }
  const networks = children(child(root, 'NetworkSection'), 'Network').map((one) => ({
    name: attribute(one, 'name') ?? '',
    description: said(one, 'Description'),
  }));
  const warnings: VimFault[] = [];
  const group = child(root, 'VirtualSystemCollection');
  const single = child(root, 'VirtualSystem');
  if (!group && !single)
    throw new VimFault('OvfMissingElement', 'The descriptor has no VirtualSystem.', {
      lineNumber: root.line,
      name: 'VirtualSystem',
    });
  const systems = (group ? children(group, 'VirtualSystem') : [single as Element]).map(readSystem);
  return { files, disks, networks, systems, collection: group && readCollection(group), warnings };
}

function readCollection(group: Element): OvfDescriptor['collection'] {
  const id = attribute(group, 'id') ?? '';
  const start = children(child(group, 'StartupSection'), 'Item').map((one): OvfStart => {
    const act = (value: string | undefined, fallback: string) => value ?? fallback;
    return {
      id: attribute(one, 'id') ?? '',
      order: Number(attribute(one, 'order') ?? 0),
      startDelay: Number(attribute(one, 'startDelay') ?? 0),
      stopDelay: Number(attribute(one, 'stopDelay') ?? 0),
      startAction: act(attribute(one, 'startAction'), 'powerOn'),
      stopAction: act(attribute(one, 'stopAction'), 'powerOff'),
      waitingForGuest: attribute(one, 'waitingForGuest') === 'true',
    };
  });
  return { id, name: said(group, 'Name') || id, annotation: annotation(group), ...products(group), start };
}

function annotation(of: Element): string {
  return said(child(of, 'AnnotationSection'), 'Annotation');
}

function products(of: Element): { products: Data[]; properties: Data[] } {
  const found: Data[] = [];
  const properties: Data[] = [];
  for (const [key, section] of children(of, 'ProductSection').entries()) {
    const classId = attribute(section, 'class') ?? '';
    const instanceId = attribute(section, 'instance') ?? '';
    found.push({
      key,
      classId,
      instanceId,
      name: said(section, 'Product'),
      vendor: said(section, 'Vendor'),
      version: said(section, 'Version'),
      fullVersion: said(section, 'FullVersion'),
      vendorUrl: said(section, 'VendorUrl'),
      productUrl: said(section, 'ProductUrl'),
      appUrl: said(section, 'AppUrl'),
    });
    let category = '';
    for (const one of section.children) {
      if (one.name === 'Category') category = one.text.trim();
      if (one.name !== 'Property') continue;
      const type = attribute(one, 'type') ?? 'string';
      const value = attribute(one, 'value') ?? '';
      properties.push({
        key: properties.length,
        classId,
        instanceId,
        id: attribute(one, 'key') ?? '',
        category,
        label: said(one, 'Label'),
        type,
        userConfigurable: attribute(one, 'userConfigurable') === 'true',
        defaultValue: value,
        value: '',
        description: said(one, 'Description'),
      });
    }
  }
  return { products: found, properties };
}

function configs(of: Element | undefined, into: Map<string, string>): Map<string, string> {
  for (const one of children(of, 'Config'))
    if (one.space === VMW) into.set(attribute(one, 'key', VMW) ?? '', attribute(one, 'value', VMW) ?? '');
  return into;
}

function readSystem(element: Element): OvfSystem {
  const hardware = child(element, 'VirtualHardwareSection');
  const id = attribute(element, 'id') ?? '';
  if (!hardware)
    throw new VimFault('OvfMissingElement', `VirtualSystem '${id}' has no VirtualHardwareSection.`, {
      lineNumber: element.line,
      name: 'VirtualHardwareSection',
    });
  const os = child(element, 'OperatingSystemSection');
  const extraConfig = children(hardware, 'ExtraConfig').map((one) => ({
    key: attribute(one, 'key', VMW) ?? '',
    value: attribute(one, 'value', VMW) ?? '',
  }));
  const order = child(hardware, 'BootOrderSection') ?? child(element, 'BootOrderSection');
  return {
    id,
    name: said(element, 'Name') || id,
    osType: (os && attribute(os, 'osType', VMW)) ?? '',
    cim: Number((os && attribute(os, 'id')) ?? 0),
    hardware: said(child(hardware, 'System'), 'VirtualSystemType').split(' ').at(-1) ?? '',
    items: [
      ...children(hardware, 'Item'),
      ...children(hardware, 'StorageItem'),
      ...children(hardware, 'EthernetPortItem'),
    ].map(readItem),
    config: configs(hardware, new Map()),
    extraConfig,
    bootOrder: children(order, 'BootOrder').map((one) => attribute(one, 'instanceId', VMW) ?? ''),
    annotation: annotation(element),
    eulas: children(element, 'EulaSection').map((one) => said(one, 'License')),
    ...products(element),
    transport: (attribute(hardware, 'transport') ?? '').split(/\s+/).filter(Boolean),
  };
}

function readItem(element: Element): OvfItem {
  const value = (name: string) => said(element, name);
  const type = Number(value('ResourceType'));
  if (!Number.isInteger(type) || type <= 0) throw broken(element, 'an Item has no ResourceType');
  return {
    line: element.line,
    required: attribute(element, 'required') !== 'false',
    type,
    subType: value('ResourceSubType'),
    id: value('InstanceID'),
    name: value('ElementName'),
    parent: value('Parent'),
    address: value('Address'),
    addressOnParent: value('AddressOnParent'),
    connections: children(element, 'Connection')
      .filter((one) => one.space === RASD || one.space.endsWith('SettingData'))
      .map((one) => one.text.trim()),
    hostResource: value('HostResource'),
    quantity: Number(value('VirtualQuantity') || 0),
    units: value('AllocationUnits'),
    automatic: value('AutomaticAllocation') !== 'false',
    coresPerSocket: Number(child(element, 'CoresPerSocket')?.text.trim() || 0),
    config: configs(element, new Map()),
  };
}
