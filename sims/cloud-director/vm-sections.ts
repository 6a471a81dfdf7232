import type { View } from './call.ts';
import type { Vm } from './entities.ts';
import { adapterTypeOf, customizationChildren, hardwareItems } from './hardware.ts';
import { mediaTypes } from './media-types.ts';
import { configEntries } from './ovf/write.ts';
import { link, pathOf, reference } from './references.ts';
import { el, leaf, type Markup } from './xml/writer.ts';

type Declarations = Readonly<Record<string, string>>;

export function vmPath(vm: Vm): string {
  return pathOf('vm', vm.id, vm.parent.kind);
}

export function itemForm(view: View, vm: Vm) {
  return {
    kind: 'api' as const,
    storageHref: (profile: string) => view.href(pathOf('storageProfile', profile)),
    itemHref: (part: string) => view.href(`${vmPath(vm)}/virtualHardwareSection/${part}`),
  };
}

export function hardwareSection(view: View, vm: Vm, declarations: Declarations = {}): Markup {
  const own = `${vmPath(vm)}/virtualHardwareSection`;
  const editable = vm.parent.kind === 'vapp';
  return el(
    'ovf:VirtualHardwareSection',
    {
      ...declarations,
      'ovf:transport': vm.transport,
      'vcloud:href': view.href(`${own}/`),
      'vcloud:type': mediaTypes.virtualHardware,
    },
    leaf('ovf:Info', 'Virtual hardware requirements'),
    el(
      'ovf:System',
      {},
      leaf('vssd:ElementName', 'Virtual Hardware Family'),
      leaf('vssd:InstanceID', 0),
      leaf('vssd:VirtualSystemIdentifier', vm.name),
      leaf('vssd:VirtualSystemType', vm.hardwareVersion),
    ),
    hardwareItems(vm, itemForm(view, vm)),
    configEntries(vm),
    editable
      ? [
          link(view, 'edit', `${own}/`, mediaTypes.virtualHardware),
          ...['cpu', 'memory'].flatMap((part) => [
            link(view, 'down', `${own}/${part}`, mediaTypes.rasdItem),
            link(view, 'edit', `${own}/${part}`, mediaTypes.rasdItem),
          ]),
          link(view, 'down', `${own}/disks`, mediaTypes.rasdItems),
          link(view, 'edit', `${own}/disks`, mediaTypes.rasdItems),
          link(view, 'down', `${own}/networkCards`, mediaTypes.rasdItems),
        ]
      : null,
  );
}

export function operatingSystemSection(view: View, vm: Vm, declarations: Declarations = {}): Markup {
  const own = `${vmPath(vm)}/operatingSystemSection/`;
  return el(
    'ovf:OperatingSystemSection',
    {
      ...declarations,
      'ovf:id': vm.osId,
      'vcloud:href': view.href(own),
      'vcloud:type': mediaTypes.operatingSystem,
      'vmw:osType': vm.osType,
    },
    leaf('ovf:Info', 'Specifies the operating system installed'),
    leaf('ovf:Description', vm.osDescription),
    vm.parent.kind === 'vapp' ? link(view, 'edit', own, mediaTypes.operatingSystem) : null,
  );
}

export function connectionSection(view: View, vm: Vm, declarations: Declarations = {}): Markup {
  const own = `${vmPath(vm)}/networkConnectionSection/`;
  return el(
    'NetworkConnectionSection',
    {
      ...declarations,
      href: view.href(own),
      type: mediaTypes.networkConnection,
      'ovf:required': false,
    },
    leaf('ovf:Info', 'Specifies the available VM network connections'),
    leaf('PrimaryNetworkConnectionIndex', vm.primaryNic),
    vm.nics.map((nic) =>
      el(
        'NetworkConnection',
        { network: nic.network, needsCustomization: false },
        leaf('NetworkConnectionIndex', nic.index),
        nic.ip === '' ? null : leaf('IpAddress', nic.ip),
        leaf('IpType', 'IPV_4'),
        leaf('IsConnected', nic.connected),
        leaf('MACAddress', nic.mac),
        leaf('IpAddressAllocationMode', nic.mode),
        leaf('SecondaryIpAddressAllocationMode', 'NONE'),
        leaf('NetworkAdapterType', nic.adapter),
      ),
    ),
    vm.parent.kind === 'vapp' ? link(view, 'edit', own, mediaTypes.networkConnection) : null,
  );
}

export function customizationSection(view: View, vm: Vm, declarations: Declarations = {}): Markup {
  const own = `${vmPath(vm)}/guestCustomizationSection/`;
  const safe: Vm = { ...vm, customization: { ...vm.customization, rest: withoutSecrets(vm.customization.rest) } };
  return el(
    'GuestCustomizationSection',
    {
      ...declarations,
      href: view.href(own),
      type: mediaTypes.guestCustomization,
      'ovf:required': false,
    },
    leaf('ovf:Info', 'Specifies Guest OS Customization Settings'),
    customizationChildren(safe, ''),
    vm.parent.kind === 'vapp' ? link(view, 'edit', own, mediaTypes.guestCustomization) : null,
  );
}

function withoutSecrets(rest: Record<string, string>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(rest).map(([name, text]) => [name, name === 'DomainUserPassword' && text !== '' ? '******' : text]),
  );
}

export function specSection(view: View, vm: Vm): Markup {
  const { store } = view.sim;
  return el(
    'VmSpecSection',
    {
      href: view.href(`${vmPath(vm)}/vmSpecSection/`),
      type: mediaTypes.vmSpec,
      Modified: false,
      'ovf:required': false,
    },
    leaf('ovf:Info', 'Virtual Machine specification'),
    leaf('OsType', vm.osType),
    view.version >= 37.1 ? leaf('Firmware', vm.firmware) : null,
    leaf('NumCpus', vm.cpus),
    leaf('NumCoresPerSocket', vm.coresPerSocket),
    el('CpuResourceMhz', {}, leaf('Configured', 0)),
    el('MemoryResourceMb', {}, leaf('Configured', vm.memoryMb)),
    el(
      'MediaSection',
      { 'ovf:required': false },
      leaf('ovf:Info', 'Virtual Machine media specification'),
      vm.drives.map((drive) =>
        el(
          'MediaSettings',
          {},
          leaf('DeviceId', drive.type === 15 ? 3002 : 8000),
          leaf('MediaType', drive.type === 15 ? 'ISO' : 'FLOPPY'),
          leaf('MediaState', drive.media === null ? 'DISCONNECTED' : 'CONNECTED'),
        ),
      ),
    ),
    el(
      'DiskSection',
      { 'ovf:required': false },
      leaf('ovf:Info', 'Virtual Machine disk specification'),
      vm.disks.map((disk) => {
        const profile = store.get('storageProfile', disk.storageProfile);
        const independent = disk.independent === null ? undefined : store.get('disk', disk.independent);
        return el(
          'DiskSettings',
          {},
          leaf('DiskId', disk.id),
          leaf('SizeMb', disk.sizeMb),
          leaf('UnitNumber', disk.unit),
          leaf('BusNumber', disk.bus),
          leaf('AdapterType', adapterTypeOf(disk)),
          leaf('ThinProvisioned', true),
          independent === undefined ? null : reference(view, 'Disk', 'disk', independent),
          profile === undefined ? null : reference(view, 'StorageProfile', 'storageProfile', profile),
          leaf('overrideVmDefault', disk.storageProfile !== vm.storageProfile),
          leaf('iops', 0),
          leaf('VirtualQuantity', disk.sizeMb * 2 ** 20),
          leaf('VirtualQuantityUnit', 'byte'),
        );
      }),
    ),
    leaf('HardwareVersion', vm.hardwareVersion),
    leaf('VmToolsVersion', ''),
    leaf('VirtualCpuType', 'VM64'),
    leaf(
      'TimeSyncWithHost',
      vm.configs.some(({ key, value }) => key === 'tools.syncTimeWithHost' && value === 'true'),
    ),
  );
}

export function snapshotSection(
  view: View,
  path: string,
  created: string | undefined,
  poweredOn: boolean,
  sizeMb: number,
): Markup {
  return el(
    'SnapshotSection',
    { href: view.href(`${path}/snapshotSection`), type: mediaTypes.snapshotSection, 'ovf:required': false },
    leaf('ovf:Info', 'Snapshot information section'),
    created === undefined ? null : el('Snapshot', { created, poweredOn, size: sizeMb * 2 ** 20 }),
  );
}
