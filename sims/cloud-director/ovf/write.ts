import type { IpScope, NetworkConfig, StartupItem, Vm } from '../entities.ts';
import { customizationChildren, hardwareItems } from '../hardware.ts';
import {
  ovfNamespace,
  ovfPrefixes,
  rasdNamespace,
  vcloudNamespace,
  vmwNamespace,
  vssdNamespace,
  xsiNamespace,
} from '../xml/namespaces.ts';
import { toMarkup, type XmlElement } from '../xml/tree.ts';
import { el, leaf, type Markup, xmlDocument } from '../xml/writer.ts';

export interface ExportedFile {
  /** The machine and the disk (its `DiskId`) whose data it is. */
  vm: string;
  disk: string;
  href: string;
  bytes: number;
}

export interface ExportedPackage {
  name: string;
  description: string;
  networks: NetworkConfig[];
  startup: StartupItem[];
  products: XmlElement[];
  eulas: string[];
  goldMaster: boolean;
  customizeOnInstantiate: boolean;
  vms: Vm[];
  /** Files of the disks; empty for a descriptor that is only looked at. */
  files: ExportedFile[];
}

/** Writes the descriptor as Cloud Director exports it; `identity` keeps MAC addresses and BIOS UUIDs. */
export function writeOvf(source: ExportedPackage, identity: boolean): string {
  const fileIndex = new Map(source.files.map((file, index) => [`${file.vm}/${file.disk}`, `file${index + 1}`]));
  const networks = [
    ...new Set([
      ...source.networks.map(({ name }) => name),
      ...source.vms.flatMap((vm) => vm.nics.map((nic) => nic.network)),
    ]),
  ];
  const declarations = {
    'xmlns:ovf': ovfNamespace,
    'xmlns:rasd': rasdNamespace,
    'xmlns:vssd': vssdNamespace,
    'xmlns:vmw': vmwNamespace,
    'xmlns:vcloud': vcloudNamespace,
    'xmlns:xsi': xsiNamespace,
  };
  const collectionSections = [
    el(
      'vcloud:NetworkConfigSection',
      { 'ovf:required': false },
      leaf('ovf:Info', 'The configuration parameters for logical networks'),
      source.networks.map((network) => networkConfig(network)),
    ),
    el(
      'vcloud:CustomizationSection',
      { goldMaster: source.goldMaster, 'ovf:required': false },
      leaf('ovf:Info', 'VApp template customization section'),
      leaf('vcloud:CustomizeOnInstantiate', source.customizeOnInstantiate),
    ),
  ];
  const startup = startupSection(source.startup);
  const systems = source.vms.map((vm) => virtualSystem(vm, identity));
  const sections = [source.products.map((section) => toMarkup(section, ovfPrefixes)), source.eulas.map(eulaSection)];
  return xmlDocument(
    el(
      'ovf:Envelope',
      declarations,
      el(
        'ovf:References',
        {},
        source.files.map((file) =>
          el('ovf:File', {
            'ovf:href': file.href,
            'ovf:id': fileIndex.get(`${file.vm}/${file.disk}`),
            'ovf:size': file.bytes,
          }),
        ),
      ),
      el(
        'ovf:DiskSection',
        {},
        leaf('ovf:Info', 'Virtual disk information'),
        source.vms.flatMap((vm) =>
          vm.disks.map((disk) =>
            el('ovf:Disk', {
              'ovf:capacity': disk.sizeMb,
              'ovf:capacityAllocationUnits': 'byte * 2^20',
              'ovf:diskId': diskReference(vm, disk.id),
              'ovf:fileRef': fileIndex.get(`${vm.id}/${disk.id}`),
              'ovf:format': 'http://www.vmware.com/interfaces/specifications/vmdk.html#streamOptimized',
            }),
          ),
        ),
      ),
      el(
        'ovf:NetworkSection',
        {},
        leaf('ovf:Info', 'The list of logical networks'),
        networks.map((name) =>
          el(
            'ovf:Network',
            { 'ovf:name': name },
            leaf('ovf:Description', source.networks.find((network) => network.name === name)?.description ?? ''),
          ),
        ),
      ),
      el(
        'ovf:VirtualSystemCollection',
        { 'ovf:id': source.name },
        leaf('ovf:Info', 'A collection of virtual machines'),
        leaf('ovf:Name', source.name),
        source.description === '' ? null : annotation(source.description),
        collectionSections,
        startup,
        sections,
        systems,
      ),
    ),
  );
}

function diskReference(vm: Vm, disk: string): string {
  return `vmdisk-${vm.id}-${disk}`;
}

function annotation(text: string): Markup {
  return el('ovf:AnnotationSection', {}, leaf('ovf:Info', 'A human-readable annotation'), leaf('ovf:Annotation', text));
}

function eulaSection(text: string): Markup {
  return el('ovf:EulaSection', {}, leaf('ovf:Info', 'An end-user license agreement'), leaf('ovf:License', text));
}

export function startupSection(items: StartupItem[], href?: string): Markup | null {
  if (items.length === 0 && href === undefined) return null;
  return el(
    'ovf:StartupSection',
    href === undefined
      ? {}
      : { 'vcloud:href': href, 'vcloud:type': 'application/vnd.vmware.vcloud.startupSection+xml' },
    leaf('ovf:Info', 'VApp startup section'),
    items.map((item) =>
      el('ovf:Item', {
        'ovf:id': item.id,
        'ovf:order': item.order,
        'ovf:startAction': item.startAction,
        'ovf:startDelay': item.startDelay,
        'ovf:stopAction': item.stopAction,
        'ovf:stopDelay': item.stopDelay,
        'ovf:waitingForGuest': item.waitingForGuest ? true : null,
      }),
    ),
  );
}

function networkConfig(network: NetworkConfig): Markup {
  return el(
    'vcloud:NetworkConfig',
    { networkName: network.name },
    leaf('vcloud:Description', network.description),
    el(
      'vcloud:Configuration',
      {},
      el('vcloud:IpScopes', {}, ipScope(network.scope, 'vcloud:')),
      leaf('vcloud:FenceMode', network.parent === null ? 'isolated' : network.fence),
      leaf('vcloud:RetainNetInfoAcrossDeployments', network.retain),
      network.features === null ? null : toMarkup(network.features, ovfPrefixes),
    ),
    leaf('vcloud:IsDeployed', false),
  );
}

export function ipScope(scope: IpScope, prefix: string): Markup {
  const optional = (name: string, text: string) => (text === '' ? null : leaf(`${prefix}${name}`, text));
  return el(
    `${prefix}IpScope`,
    {},
    leaf(`${prefix}IsInherited`, scope.inherited),
    leaf(`${prefix}Gateway`, scope.gateway),
    leaf(`${prefix}Netmask`, scope.netmask),
    leaf(`${prefix}SubnetPrefixLength`, prefixLength(scope.netmask)),
    optional('Dns1', scope.dns1),
    optional('Dns2', scope.dns2),
    optional('DnsSuffix', scope.dnsSuffix),
    leaf(`${prefix}IsEnabled`, true),
    scope.ranges.length === 0
      ? null
      : el(
          `${prefix}IpRanges`,
          {},
          scope.ranges.map((range) =>
            el(
              `${prefix}IpRange`,
              {},
              leaf(`${prefix}StartAddress`, range.start),
              leaf(`${prefix}EndAddress`, range.end),
            ),
          ),
        ),
  );
}

export function prefixLength(netmask: string): number {
  return netmask.split('.').reduce((bits, part) => bits + Number(part).toString(2).replaceAll('0', '').length, 0);
}

function virtualSystem(vm: Vm, identity: boolean): Markup {
  return el(
    'ovf:VirtualSystem',
    { 'ovf:id': vm.localId },
    leaf('ovf:Info', 'A virtual machine'),
    leaf('ovf:Name', vm.name),
    el(
      'ovf:OperatingSystemSection',
      { 'ovf:id': vm.osId, 'vmw:osType': vm.osType },
      leaf('ovf:Info', 'Specifies the operating system installed'),
      leaf('ovf:Description', vm.osDescription),
    ),
    vm.description === '' ? null : annotation(vm.description),
    el(
      'ovf:VirtualHardwareSection',
      { 'ovf:transport': vm.transport },
      leaf('ovf:Info', 'Virtual hardware requirements'),
      el(
        'ovf:System',
        {},
        leaf('vssd:ElementName', 'Virtual Hardware Family'),
        leaf('vssd:InstanceID', 0),
        identity ? leaf('vssd:VirtualSystemIdentifier', vm.name) : null,
        leaf('vssd:VirtualSystemType', vm.hardwareVersion),
      ),
      hardwareItems(vm, {
        kind: 'export',
        identity,
        diskReference: (disk) => `ovf:/disk/${diskReference(vm, disk.id)}`,
      }),
      configEntries(vm),
      identity
        ? el('vmw:ExtraConfig', { 'ovf:required': false, 'vmw:key': 'uuid.bios', 'vmw:value': vm.biosUuid })
        : null,
    ),
    vm.products.map((section) => toMarkup(section, ovfPrefixes)),
    el(
      'vcloud:GuestCustomizationSection',
      { 'ovf:required': false },
      leaf('ovf:Info', 'Specifies Guest OS Customization Settings'),
      customizationChildren(vm, 'vcloud:'),
    ),
  );
}

/** `vmw:Config` entries: firmware first, from the machine's own setting, then what came with the machine. */
export function configEntries(vm: Vm): Markup[] {
  const kept = vm.configs.filter(
    ({ key, element }) => key !== 'firmware' && !(element === 'ExtraConfig' && key === 'uuid.bios'),
  );
  return [{ element: 'Config', key: 'firmware', value: vm.firmware }, ...kept].map(({ element, key, value }) =>
    el(`vmw:${element}`, { 'ovf:required': false, 'vmw:key': key, 'vmw:value': value }),
  );
}
