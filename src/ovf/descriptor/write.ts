import { Fault } from '../../model/fault.ts';
import type { MachineDescription, OvfProperty, PackageDescription } from '../../model/machine.ts';
import { disksOf } from '../../model/machine.ts';
import { OVF_1, osTypeNumber, RASD, STREAM_OPTIMIZED, VCLOUD, VMW, VSSD } from './vocabulary.ts';
import { type Dialect, type HardwareOptions, writeHardware } from './write-hardware.ts';
import { element, textElement, type XmlText, xmlDocument } from './xml-text.ts';

interface DescriptorFile {
  /** File name of the disk beside the descriptor: `disk-1.vmdk`. Written as it is. */
  href: string;
  /** Left out where it is not known: Cloud Director then says size −1. */
  sizeBytes?: number;
}

export interface WriteOptions {
  dialect: Dialect;
  /** The stream-optimized VMDK of each disk, by `DiskDescription.id`; a disk without one is written as empty. */
  files: ReadonlyMap<string, DescriptorFile>;
  /** Whether MAC addresses and BIOS UUIDs go along; false when left out. */
  identity?: boolean;
}

function productSections(properties: OvfProperty[], extras: Record<string, string>): XmlText[] {
  const product = Object.entries(extras).filter(([key]) => key.startsWith('product.'));
  const groups = new Map<string, OvfProperty[]>();
  if (product.length > 0) groups.set('|', []);
  for (const property of properties) {
    const key = `${property.classId ?? ''}|${property.instanceId ?? ''}`;
    groups.set(key, [...(groups.get(key) ?? []), property]);
  }
  return Array.from(groups, ([key, group]) =>
    element(
      'ProductSection',
      { 'ovf:class': group[0]?.classId, 'ovf:instance': group[0]?.instanceId },
      textElement('Info', 'Information about the installed software'),
      ...(key === '|' ? PRODUCT_FIELDS : []).map((name) => {
        const value = extras[`product.${name}`];
        return value === undefined ? undefined : textElement(name, value);
      }),
      ...group.map((property) =>
        element(
          'Property',
          {
            'ovf:key': property.key,
            'ovf:type': property.type,
            'ovf:value': property.value,
            'ovf:userConfigurable': property.userConfigurable,
            'ovf:password': property.password,
          },
          property.label !== undefined && textElement('Label', property.label),
          property.description !== undefined && textElement('Description', property.description),
        ),
      ),
    ),
  );
}

/** In the order of the schema. */
const PRODUCT_FIELDS = ['Product', 'Vendor', 'Version', 'FullVersion', 'ProductUrl', 'VendorUrl', 'AppUrl'];

function eulaSections(eulas: string[]): XmlText[] {
  return eulas.map((text) =>
    element('EulaSection', {}, textElement('Info', 'An end-user license agreement'), textElement('License', text)),
  );
}

function annotation(notes: string): XmlText | undefined {
  if (notes === '') return undefined;
  return element('AnnotationSection', {}, textElement('Info', 'Notes'), textElement('Annotation', notes));
}

function virtualSystem(machine: MachineDescription, options: HardwareOptions, eulas: string[]): XmlText {
  return element(
    'VirtualSystem',
    { 'ovf:id': machine.id },
    textElement('Info', 'A virtual machine'),
    textElement('Name', machine.name),
    annotation(machine.notes),
    ...productSections(machine.properties, machine.extras),
    ...eulaSections([...eulas, ...machine.eulas]),
    element(
      'OperatingSystemSection',
      { 'ovf:id': osTypeNumber(machine.guestId), 'vmw:osType': machine.guestId },
      textElement('Info', 'The kind of installed guest operating system'),
    ),
    ...writeHardware(machine, options),
  );
}

function startupSection({ startOrder }: PackageDescription): XmlText | undefined {
  if (startOrder.length === 0) return undefined;
  return element(
    'StartupSection',
    {},
    textElement('Info', 'Order in which the machines start and stop'),
    ...startOrder.map((entry) =>
      element('Item', {
        'ovf:id': entry.machine,
        'ovf:order': entry.order,
        'ovf:startAction': entry.startAction,
        'ovf:startDelay': entry.startDelaySeconds,
        'ovf:stopAction': entry.stopAction,
        'ovf:stopDelay': entry.stopDelaySeconds,
      }),
    ),
  );
}

function networkSection({ networks, machines }: PackageDescription, dialect: Dialect): XmlText | undefined {
  const all = [...networks];
  for (const { network } of machines.flatMap((machine) => machine.nics)) {
    if (network !== null && !all.some(({ name }) => name === network)) all.push({ name: network });
  }
  if (dialect === 'cloud-director' && machines.some(({ nics }) => nics.some(({ network }) => network === null))) {
    all.push({ name: 'none', description: 'Adapters without a network' });
  }
  if (all.length === 0) return undefined;
  return element(
    'NetworkSection',
    {},
    textElement('Info', 'The list of logical networks'),
    ...all.map(({ name, description }) =>
      element('Network', { 'ovf:name': name }, description !== undefined && textElement('Description', description)),
    ),
  );
}

/** Whether the package is written as a VirtualSystemCollection. */
function isCollection({ kind, machines, startOrder, properties }: PackageDescription): boolean {
  return kind === 'vapp' || machines.length !== 1 || startOrder.length > 0 || properties.length > 0;
}

/**
 * An OVF 1.1 descriptor for a package whose disks are stream-optimized VMDKs. The same input gives the same text.
 * What the description holds and OVF has no place for is nothing: `readDescriptor` gives it back, save the format of
 * disks, the IP settings in the vSphere dialect and, without `identity`, MAC addresses and UUIDs.
 */
export function writeDescriptor(description: PackageDescription, options: WriteOptions): string {
  const { dialect, files, identity = false } = options;
  if (description.machines.length === 0) throw new Fault('ovf.invalid', `"${description.name}" has no machine`);
  const disks = disksOf(description).map((disk, index) => ({ disk, number: index + 1, file: files.get(disk.id) }));
  const hardware: HardwareOptions = {
    dialect,
    identity,
    diskIds: new Map(disks.map(({ disk, number }) => [disk.id, `vmdisk-${number}`])),
  };
  const collection = isCollection(description);
  const systems = description.machines.map((machine) =>
    virtualSystem(machine, hardware, collection ? [] : description.eulas),
  );
  const content = collection
    ? element(
        'VirtualSystemCollection',
        { 'ovf:id': description.name },
        textElement('Info', 'A collection of virtual machines'),
        textElement('Name', description.name),
        annotation(description.notes),
        ...productSections(description.properties, {}),
        ...eulaSections(description.eulas),
        startupSection(description),
        ...systems,
      )
    : systems[0];
  return xmlDocument(
    element(
      'Envelope',
      {
        xmlns: OVF_1,
        'xmlns:ovf': OVF_1,
        'xmlns:rasd': RASD,
        'xmlns:vssd': VSSD,
        'xmlns:vmw': VMW,
        'xmlns:vcloud': dialect === 'cloud-director' ? VCLOUD : undefined,
      },
      element(
        'References',
        {},
        ...disks.map(
          ({ file, number }) =>
            file && element('File', { 'ovf:href': file.href, 'ovf:id': `file-${number}`, 'ovf:size': file.sizeBytes }),
        ),
      ),
      disks.length > 0 &&
        element(
          'DiskSection',
          {},
          textElement('Info', 'Virtual disk information'),
          ...disks.map(({ disk, file, number }) =>
            element('Disk', {
              'ovf:capacity': disk.capacityBytes,
              'ovf:capacityAllocationUnits': 'byte',
              'ovf:diskId': `vmdisk-${number}`,
              'ovf:fileRef': file ? `file-${number}` : undefined,
              'ovf:format': STREAM_OPTIMIZED,
              'ovf:populatedSize': disk.usedBytes,
            }),
          ),
        ),
      networkSection(description, dialect),
      content,
    ),
  );
}
