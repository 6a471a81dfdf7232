import { Fault } from '../../model/fault.ts';
import type { MachineDescription } from '../../model/machine.ts';
import { pathOfHref } from './href.ts';
import type { OvfDiskSource, OvfFile, OvfPackage } from './package.ts';
import { bytesOf, wholeNumber } from './quantity.ts';
import { type HardwareContext, readHardware } from './read-hardware.ts';
import { readBootOrder, readEulas, readProduct, readProperties, readStartOrder } from './read-sections.ts';
import { guestIdOf, OVF_1, OVF_2 } from './vocabulary.ts';
import { childOf, childrenOf, parseXml, textOf, type XmlElement } from './xml-tree.ts';

const MAX_BYTES = Number.MAX_SAFE_INTEGER;
/** Sections of which the description holds what matters, or that say nothing about the machines. */
const UNDERSTOOD = new Set([
  'References',
  'DiskSection',
  'NetworkSection',
  'DeploymentOptionSection',
  'VirtualSystem',
  'VirtualSystemCollection',
  'Strings',
  'Info',
  'Name',
  'OperatingSystemSection',
  'VirtualHardwareSection',
  'AnnotationSection',
  'ProductSection',
  'EulaSection',
  'StartupSection',
  'BootOrderSection',
]);

function readFiles(envelope: XmlElement): OvfFile[] {
  return childrenOf(childOf(envelope, 'References'), 'File').map((file) => {
    const href = file.attributes.get('href') ?? '';
    const size = file.attributes.get('size');
    const compression = file.attributes.get('compression');
    const chunk = file.attributes.get('chunkSize');
    return {
      id: file.attributes.get('id') ?? '',
      href,
      path: pathOfHref(href),
      ...(size === undefined ? {} : { sizeBytes: wholeNumber(size, 0, MAX_BYTES, `the size of ${href}`) }),
      ...(compression && compression !== 'identity' ? { compression } : {}),
      ...(chunk === undefined ? {} : { chunkBytes: wholeNumber(chunk, 1, MAX_BYTES, `the chunks of ${href}`) }),
    };
  });
}

interface DiskElement {
  capacityBytes: number;
  usedBytes?: number;
  file: OvfFile | null;
  format: string;
}

/** A capacity may be the name of a property: `${disk.size}` (OVF 1.1, section 9.1). */
function resolved(text: string | undefined, envelope: XmlElement): string | undefined {
  const key = /^\$\{(.+)\}$/.exec(text ?? '')?.[1];
  if (key === undefined) return text;
  const systems = [envelope, ...systemsOf(envelope), ...childrenOf(envelope, 'VirtualSystemCollection')];
  return systems.flatMap(readProperties).find((property) => property.key === key)?.value;
}

function readDisks(envelope: XmlElement, files: OvfFile[]): Map<string, DiskElement> {
  const disks = new Map<string, DiskElement>();
  for (const disk of childrenOf(childOf(envelope, 'DiskSection'), 'Disk')) {
    const id = disk.attributes.get('diskId') ?? '';
    const reference = disk.attributes.get('fileRef') || undefined;
    const file = files.find((one) => one.id === reference) ?? null;
    if (reference !== undefined && !file) {
      throw new Fault('ovf.invalid', `disk ${id} lies in the file ${reference}, which the descriptor does not have`);
    }
    if (disk.attributes.has('parentRef')) {
      throw new Fault('ovf.invalid', `disk ${id} holds only the changes to another one: export it whole`);
    }
    if (disks.has(id)) throw new Fault('ovf.invalid', `the descriptor has two disks with the id ${id}`);
    const unit = disk.attributes.get('capacityAllocationUnits') ?? 'byte';
    const used = disk.attributes.get('populatedSize');
    disks.set(id, {
      capacityBytes: bytesOf(resolved(disk.attributes.get('capacity'), envelope), unit, `the capacity of disk ${id}`),
      ...(used === undefined ? {} : { usedBytes: bytesOf(used, 'byte', `the use of disk ${id}`) }),
      file,
      format: disk.attributes.get('format') ?? '',
    });
  }
  return disks;
}

/** All machines, through collections inside of collections. */
function systemsOf(owner: XmlElement): XmlElement[] {
  return owner.children.flatMap((child) => {
    if (child.name === 'VirtualSystem') return [child];
    return child.name === 'VirtualSystemCollection' ? systemsOf(child) : [];
  });
}

function readMachine(system: XmlElement, context: HardwareContext) {
  const sections = childrenOf(system, 'VirtualHardwareSection');
  const section = sections.find((one) => childOf(one, 'System')?.children.some(isVmwareType)) ?? sections[0];
  if (!section) throw new Fault('ovf.invalid', `the OVF descriptor gives no hardware of "${context.machine}"`);
  const { disks, ...hardware } = readHardware(section, context);
  const os = childOf(system, 'OperatingSystemSection');
  const machine: MachineDescription = {
    id: context.machine,
    name: textOf(system, 'Name') ?? context.machine,
    notes: childOf(childOf(system, 'AnnotationSection'), 'Annotation')?.text ?? '',
    guestId: os?.attributes.get('osType') ?? guestIdOf(Number(os?.attributes.get('id') ?? 0)),
    ...hardware,
    disks: disks.map(({ diskId: _, ...disk }) => disk),
    bootOrder: readBootOrder(system),
    properties: readProperties(system),
    eulas: readEulas(system),
    extras: { ...readProduct(system), ...hardware.extras },
  };
  return { machine, diskIds: disks.map(({ id, diskId }) => ({ id, diskId })) };
}

function isVmwareType(element: XmlElement): boolean {
  return element.name === 'VirtualSystemType' && /\bvmx-\d+\b/.test(element.text);
}

function defaultConfiguration(envelope: XmlElement): string | undefined {
  const configurations = childrenOf(childOf(envelope, 'DeploymentOptionSection'), 'Configuration');
  const chosen = configurations.find(({ attributes }) => /^(true|1)$/.test(attributes.get('default') ?? ''));
  return (chosen ?? configurations[0])?.attributes.get('id');
}

function noteSections(owner: XmlElement, where: string, notCarried: string[]): void {
  for (const { name } of owner.children) if (!UNDERSTOOD.has(name)) notCarried.push(`${name} of ${where}`);
}

/**
 * Reads an OVF 1.x or 2.0 descriptor. Prefixes, element order and unknown sections do not matter; of several
 * deployment options the default one is taken. Extras hold the section's vmw:Config by key, its vmw:ExtraConfig as
 * `extraConfig.<key>`, `ovf.transport`, and the product's name and version as `product.<element>`. Faults: `ovf.hostile` (see `parseXml` and `pathOfHref`), `ovf.invalid`.
 */
export function readDescriptor(bytes: Uint8Array): OvfPackage {
  const envelope = parseXml(bytes);
  if (envelope.name !== 'Envelope' || (envelope.namespace !== OVF_1 && envelope.namespace !== OVF_2)) {
    const found = `<${envelope.name}> of ${envelope.namespace || 'no namespace'}`;
    throw new Fault('ovf.invalid', `the document is no OVF 1 or 2 descriptor: it begins with ${found}`);
  }
  const files = readFiles(envelope);
  const elements = readDisks(envelope, files);
  const systems = systemsOf(envelope);
  if (systems.length === 0) throw new Fault('ovf.invalid', 'the OVF descriptor has no machine');
  const collection = childOf(envelope, 'VirtualSystemCollection');
  const notCarried: string[] = [];
  noteSections(envelope, 'the package', notCarried);
  if (collection) noteSections(collection, 'the vApp', notCarried);
  const configuration = defaultConfiguration(envelope);
  const machines: MachineDescription[] = [];
  const disks: OvfDiskSource[] = [];
  for (const [index, system] of systems.entries()) {
    const id = system.attributes.get('id') || `vm-${index + 1}`;
    if (machines.some((machine) => machine.id === id))
      throw new Fault('ovf.invalid', `two machines have the id "${id}"`);
    noteSections(system, `"${id}"`, notCarried);
    const { machine, diskIds } = readMachine(system, { machine: id, configuration, disks: elements, notCarried });
    machines.push(machine);
    for (const { id: disk, diskId } of diskIds) {
      const { file, format } = elements.get(diskId)!;
      disks.push({ disk, diskId, file, format });
    }
  }
  for (const file of files) {
    if (!disks.some((disk) => disk.file === file)) notCarried.push(`the file ${file.href}`);
  }
  const networks = childrenOf(childOf(envelope, 'NetworkSection'), 'Network').flatMap((network) => {
    const name = network.attributes.get('name') ?? '';
    const description = textOf(network, 'Description');
    return name === '' || name.toLowerCase() === 'none' ? [] : [{ name, ...(description ? { description } : {}) }];
  });
  for (const { network } of machines.flatMap((machine) => machine.nics)) {
    if (network !== null && !networks.some(({ name }) => name === network)) networks.push({ name: network });
  }
  return {
    version: envelope.namespace === OVF_2 ? 2 : 1,
    description: {
      kind: collection ? 'vapp' : 'vm',
      name: collection ? (textOf(collection, 'Name') ?? collection.attributes.get('id') ?? 'vApp') : machines[0]!.name,
      notes: collection
        ? (childOf(childOf(collection, 'AnnotationSection'), 'Annotation')?.text ?? '')
        : machines[0]!.notes,
      machines,
      networks,
      startOrder: collection ? readStartOrder(collection) : [],
      properties: collection ? readProperties(collection) : [],
      eulas: [...readEulas(envelope), ...(collection ? readEulas(collection) : [])],
    },
    files,
    disks,
    notCarried,
  };
}
