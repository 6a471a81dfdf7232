import type { ControllerKind, Vm, VmDisk } from './entities.ts';
import { el, leaf, type Markup } from './xml/writer.ts';

/** Vendor numbers of `DiskSettings/AdapterType`. */
export const adapterTypes: readonly { type: number; kind: ControllerKind; subtype: string }[] = [
  { type: 1, kind: 'ide', subtype: '' },
  { type: 2, kind: 'scsi', subtype: 'buslogic' },
  { type: 3, kind: 'scsi', subtype: 'lsilogic' },
  { type: 4, kind: 'scsi', subtype: 'lsilogicsas' },
  { type: 5, kind: 'scsi', subtype: 'VirtualSCSI' },
  { type: 6, kind: 'sata', subtype: 'vmware.sata.ahci' },
  { type: 7, kind: 'nvme', subtype: 'vmware.nvme.controller' },
];

const controllerResourceTypes: Readonly<Record<ControllerKind, number>> = {
  ide: 5,
  scsi: 6,
  sata: 20,
  nvme: 20,
};
const controllerNames: Readonly<Record<ControllerKind, string>> = {
  ide: 'IDE Controller',
  scsi: 'SCSI Controller',
  sata: 'SATA Controller',
  nvme: 'NVMe Controller',
};
const firstDiskId: Readonly<Record<ControllerKind, number>> = { ide: 3000, scsi: 2000, sata: 16_000, nvme: 32_000 };
const unitsPerBus: Readonly<Record<ControllerKind, number>> = { ide: 2, scsi: 16, sata: 30, nvme: 15 };

export function adapterTypeOf(disk: VmDisk): number {
  return adapterTypes.find(({ kind, subtype }) => kind === disk.controller && subtype === disk.subtype)?.type ?? 3;
}

/** The device key that a disk has at its place: the same place always gives the same key. */
export function diskIdAt(kind: ControllerKind, bus: number, unit: number): string {
  return String(firstDiskId[kind] + bus * unitsPerBus[kind] + unit);
}

/** First free unit of a bus; unit 7 of a SCSI bus is the adapter itself. */
export function freeUnit(disks: readonly VmDisk[], kind: ControllerKind, bus: number): number {
  const taken = new Set(disks.filter((disk) => disk.controller === kind && disk.bus === bus).map(({ unit }) => unit));
  let unit = 0;
  while (taken.has(unit) || (kind === 'scsi' && unit === 7)) unit += 1;
  return unit;
}

export type ItemForm =
  | { kind: 'export'; identity: boolean; diskReference: (disk: VmDisk) => string }
  | { kind: 'api'; storageHref: (profile: string) => string; itemHref: (part: string) => string };

/** The hardware items, as an OVF descriptor has them (`export`) or as a `Vm` shows them (`api`). */
export function hardwareItems(vm: Vm, form: ItemForm): Markup[] {
  const items: Markup[] = [];
  let instance = 1;
  for (const nic of vm.nics) items.push(nicItem(vm, nic.index, instance++, form));
  const controllerIds = new Map<string, number>();
  for (const disk of vm.disks) {
    const key = `${disk.controller}:${disk.bus}:${disk.subtype}`;
    if (controllerIds.has(key)) continue;
    controllerIds.set(key, instance);
    items.push(
      el(
        'ovf:Item',
        {},
        leaf('rasd:Address', disk.bus),
        leaf('rasd:Description', controllerNames[disk.controller]),
        leaf('rasd:ElementName', `${controllerNames[disk.controller]} ${disk.bus}`),
        leaf('rasd:InstanceID', instance++),
        disk.subtype === '' ? null : leaf('rasd:ResourceSubType', disk.subtype),
        leaf('rasd:ResourceType', controllerResourceTypes[disk.controller]),
      ),
    );
  }
  vm.disks.forEach((disk, index) => {
    const parent = controllerIds.get(`${disk.controller}:${disk.bus}:${disk.subtype}`);
    const resource =
      form.kind === 'export'
        ? leaf('rasd:HostResource', form.diskReference(disk))
        : el('rasd:HostResource', {
            'vcloud:capacity': disk.sizeMb,
            'vcloud:busType': controllerResourceTypes[disk.controller],
            'vcloud:busSubType': disk.subtype,
            'vcloud:storageProfileHref': form.storageHref(disk.storageProfile),
            'vcloud:storageProfileOverrideVmDefault': disk.storageProfile !== vm.storageProfile,
          });
    items.push(
      el(
        'ovf:Item',
        {},
        leaf('rasd:AddressOnParent', disk.unit),
        leaf('rasd:Description', 'Hard disk'),
        leaf('rasd:ElementName', disk.name || `Hard disk ${index + 1}`),
        resource,
        leaf('rasd:InstanceID', form.kind === 'api' ? disk.id : instance++),
        leaf('rasd:Parent', parent ?? 0),
        leaf('rasd:ResourceType', 17),
        form.kind === 'api'
          ? [leaf('rasd:VirtualQuantity', disk.sizeMb * 2 ** 20), leaf('rasd:VirtualQuantityUnits', 'byte')]
          : null,
      ),
    );
  });
  for (const drive of vm.drives) {
    items.push(
      el(
        'ovf:Item',
        {},
        leaf('rasd:AutomaticAllocation', drive.media !== null),
        leaf('rasd:Description', drive.type === 15 ? 'CD/DVD Drive' : 'Floppy Drive'),
        leaf('rasd:ElementName', drive.name || (drive.type === 15 ? 'CD/DVD Drive 1' : 'Floppy Drive 1')),
        leaf('rasd:InstanceID', form.kind === 'api' ? (drive.type === 15 ? 3002 : 8000) : instance++),
        leaf('rasd:ResourceType', drive.type),
      ),
    );
  }
  items.push(
    cpuItem(vm, form.kind === 'api' ? 4 : instance++, form),
    memoryItem(vm, form.kind === 'api' ? 5 : instance++, form),
  );
  return items;
}

function itemAttributes(form: ItemForm, part: string): Record<string, string> {
  if (form.kind === 'export') return {};
  return { 'vcloud:href': form.itemHref(part), 'vcloud:type': 'application/vnd.vmware.vcloud.rasdItem+xml' };
}

export function cpuItem(vm: Vm, instance: number, form: ItemForm, ...links: Markup[]): Markup {
  return el(
    'ovf:Item',
    itemAttributes(form, 'cpu'),
    leaf('rasd:AllocationUnits', 'hertz * 10^6'),
    leaf('rasd:Description', 'Number of Virtual CPUs'),
    leaf('rasd:ElementName', `${vm.cpus} virtual CPU(s)`),
    leaf('rasd:InstanceID', instance),
    leaf('rasd:Reservation', 0),
    leaf('rasd:ResourceType', 3),
    leaf('rasd:VirtualQuantity', vm.cpus),
    leaf('rasd:Weight', 0),
    el('vmw:CoresPerSocket', { 'ovf:required': false }, vm.coresPerSocket),
    links,
  );
}

export function memoryItem(vm: Vm, instance: number, form: ItemForm, ...links: Markup[]): Markup {
  return el(
    'ovf:Item',
    itemAttributes(form, 'memory'),
    leaf('rasd:AllocationUnits', 'byte * 2^20'),
    leaf('rasd:Description', 'Memory Size'),
    leaf('rasd:ElementName', `${vm.memoryMb} MB of memory`),
    leaf('rasd:InstanceID', instance),
    leaf('rasd:Reservation', 0),
    leaf('rasd:ResourceType', 4),
    leaf('rasd:VirtualQuantity', vm.memoryMb),
    leaf('rasd:Weight', 0),
    links,
  );
}

function nicItem(vm: Vm, index: number, instance: number, form: ItemForm): Markup {
  const nic = vm.nics.find((candidate) => candidate.index === index)!;
  return el(
    'ovf:Item',
    {},
    form.kind === 'api' || form.identity ? leaf('rasd:Address', nic.mac) : null,
    leaf('rasd:AddressOnParent', nic.index),
    leaf('rasd:AutomaticAllocation', nic.connected),
    el(
      'rasd:Connection',
      {
        'vcloud:ipAddressingMode': nic.mode,
        'vcloud:ipAddress': nic.ip === '' ? null : nic.ip,
        'vcloud:primaryNetworkConnection': nic.index === vm.primaryNic,
      },
      nic.network,
    ),
    leaf('rasd:Description', `${nic.adapter} ethernet adapter on "${nic.network}"`),
    leaf('rasd:ElementName', `Network adapter ${nic.index}`),
    leaf('rasd:InstanceID', form.kind === 'api' ? 7 + nic.index * 10_000 : instance),
    leaf('rasd:ResourceSubType', nic.adapter),
    leaf('rasd:ResourceType', 10),
  );
}

const customizationOrder = [
  'ChangeSid',
  'VirtualMachineId',
  'JoinDomainEnabled',
  'UseOrgSettings',
  'DomainName',
  'DomainUserName',
  'DomainUserPassword',
  'MachineObjectOU',
  'AdminPasswordEnabled',
  'AdminPasswordAuto',
  'AdminPassword',
  'AdminAutoLogonEnabled',
  'AdminAutoLogonCount',
  'ResetPasswordRequired',
  'CustomizationScript',
];
const customizationDefaults: Readonly<Record<string, string>> = {
  ChangeSid: 'false',
  JoinDomainEnabled: 'false',
  UseOrgSettings: 'false',
  AdminPasswordEnabled: 'false',
  AdminPasswordAuto: 'true',
  AdminAutoLogonEnabled: 'false',
  AdminAutoLogonCount: '0',
  ResetPasswordRequired: 'false',
};

/** Children of a GuestCustomizationSection in schema order, after `ovf:Info`. */
export function customizationChildren(vm: Vm, prefix: string): Markup[] {
  const { enabled, computerName, rest } = vm.customization;
  const middle = customizationOrder.flatMap((name) => {
    const text = name === 'VirtualMachineId' ? vm.id : (rest[name] ?? customizationDefaults[name]);
    return text === undefined ? [] : [leaf(`${prefix}${name}`, text)];
  });
  return [leaf(`${prefix}Enabled`, enabled), ...middle, leaf(`${prefix}ComputerName`, computerName)];
}
