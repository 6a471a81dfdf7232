import { capacityBytes, isController, isDisk, isNic, keyOf, placeName } from '../device.ts';
import { guestCim, guestName } from '../guest-id.ts';
import type { Lab } from '../lab.ts';
import type { VAppRecord, VmRecord } from '../record.ts';
import { orderEntry } from '../resource-pool.ts';
import { isA } from '../schema/types.ts';
import { escapeXml } from '../soap/element.ts';
import { type Data, flag, number, object, objects, reference, text, typeOf } from '../value.ts';
import { notFound } from '../vim-fault.ts';

type WantedFile = {
  deviceId: string;
  path: string;
  size: number;
  capacity: number | undefined;
  populated: number | undefined;
};
type Numbered = { file: WantedFile; fileId: string; diskId: string };

const SCSI: Record<string, string> = {
  ParaVirtualSCSIController: 'VirtualSCSI',
  VirtualLsiLogicSASController: 'lsilogicsas',
  VirtualLsiLogicController: 'lsilogic',
  VirtualBusLogicController: 'buslogic',
};
const NICS: Record<string, string> = {
  VirtualVmxnet3: 'VmxNet3',
  VirtualE1000: 'E1000',
  VirtualE1000e: 'E1000e',
  VirtualPCNet32: 'PCNet32',
  VirtualVmxnet2: 'VmxNet2',
};

/** A name as people gave it: the descriptor carries no escapes of the inventory. */
function plain(name: string): string {
  return name.replace(/%(2f|5c|25)/gi, (found) => decodeURIComponent(found));
}

function networkName(lab: Lab, nic: Data): string {
  const backing = object(nic, 'backing');
  const group = lab.find('DistributedVirtualPortgroup', text(object(backing, 'port'), 'portgroupKey'));
  return plain(group?.name ?? text(backing, 'deviceName') ?? 'none');
}

function item(fields: [name: string, value: string | number | undefined][], extra = '', required = true): string {
  const body = fields
    .filter(([, value]) => value !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `        <rasd:${name}>${escapeXml(String(value))}</rasd:${name}>`);
  return `      <Item${required ? '' : ' ovf:required="false"'}>\n${body.join('\n')}\n${extra}      </Item>\n`;
}

function config(key: string, value: string | number | boolean): string {
  return `<vmw:Config ovf:required="false" vmw:key="${key}" vmw:value="${escapeXml(String(value))}"/>\n`;
}

function controllerItem(controller: Data, id: number): string {
  const type = typeOf(controller);
  const bus = number(controller, 'busNumber') ?? 0;
  const fields: [string, string | number | undefined][] = [
    ['Address', bus],
    ['InstanceID', id],
  ];
  if (isA(type, 'VirtualSCSIController'))
    return item([
      ...fields,
      ['ElementName', `SCSI Controller ${bus}`],
      ['ResourceSubType', SCSI[type]],
      ['ResourceType', 6],
    ]);
  if (isA(type, 'VirtualIDEController')) return item([...fields, ['ElementName', `IDE ${bus}`], ['ResourceType', 5]]);
  const sata = isA(type, 'VirtualSATAController');
  return item([
    ...fields,
    ['ElementName', `${sata ? 'SATA' : 'NVME'} Controller ${bus}`],
    ['ResourceSubType', sata ? 'vmware.sata.ahci' : 'vmware.nvme.controller'],
    ['ResourceType', 20],
  ]);
}

function isStorageController(device: Data): boolean {
  return ['VirtualSCSIController', 'VirtualIDEController', 'VirtualSATAController', 'VirtualNVMEController'].some(
    (base) => isA(typeOf(device), base),
  );
}

function hardware(lab: Lab, vm: VmRecord, disks: Map<number, string>, withExtra: boolean): string {
  const ids = new Map<number, number>();
  let next = 3;
  const cores =
    vm.coresPerSocket > 1
      ? `        <vmw:CoresPerSocket ovf:required="false">${vm.coresPerSocket}</vmw:CoresPerSocket>\n`
      : '';
  let body = item(
    [
      ['AllocationUnits', 'hertz * 10^6'],
      ['Description', 'Number of Virtual CPUs'],
      ['ElementName', `${vm.cpus} virtual CPU(s)`],
      ['InstanceID', 1],
      ['ResourceType', 3],
      ['VirtualQuantity', vm.cpus],
    ],
    cores,
  );
  body += item([
    ['AllocationUnits', 'byte * 2^20'],
    ['Description', 'Memory Size'],
    ['ElementName', `${vm.memoryMB}MB of memory`],
    ['InstanceID', 2],
    ['ResourceType', 4],
    ['VirtualQuantity', vm.memoryMB],
  ]);
  const used = new Set(vm.devices.filter((one) => !isController(one)).map((one) => number(one, 'controllerKey')));
  for (const controller of vm.devices.filter(
    (one) => isStorageController(one) && (!isA(typeOf(one), 'VirtualIDEController') || used.has(keyOf(one))),
  )) {
    ids.set(keyOf(controller), next);
    body += controllerItem(controller, next++);
  }
  for (const device of vm.devices) {
    const parent = ids.get(number(device, 'controllerKey') ?? -1);
    const unit = number(device, 'unitNumber');
    const label = text(object(device, 'deviceInfo'), 'label') ?? 'device';
    if (isDisk(device)) {
      ids.set(keyOf(device), next);
      const mode = text(object(device, 'backing'), 'diskMode') ?? 'persistent';
      body += item(
        [
          ['AddressOnParent', unit],
          ['ElementName', label],
          ['HostResource', `ovf:/disk/${disks.get(keyOf(device))}`],
          ['InstanceID', next++],
          ['Parent', parent],
          ['ResourceType', 17],
        ],
        mode === 'persistent' ? '' : `        ${config('backing.diskMode', mode)}`,
      );
    } else if (isA(typeOf(device), 'VirtualCdrom') && parent !== undefined) {
      ids.set(keyOf(device), next);
      body += item(
        [
          ['AddressOnParent', unit],
          ['AutomaticAllocation', 'false'],
          ['ElementName', label],
          ['InstanceID', next++],
          ['Parent', parent],
          ['ResourceSubType', 'vmware.cdrom.remotepassthrough'],
          ['ResourceType', 15],
        ],
        '',
        false,
      );
    } else if (isNic(device)) {
      ids.set(keyOf(device), next);
      const name = networkName(lab, device);
      const wake = `        ${config('wakeOnLanEnabled', flag(device, 'wakeOnLanEnabled') ?? true)}`;
      const subType = NICS[typeOf(device)] ?? 'E1000';
      const manual = text(device, 'addressType') === 'manual' ? text(device, 'macAddress') : undefined;
      body += item(
        [
          ['Address', manual],
          ['AddressOnParent', unit],
          ['AutomaticAllocation', String(flag(object(device, 'connectable'), 'startConnected') ?? true)],
          ['Connection', name],
          ['Description', `${subType} ethernet adapter on "${name}"`],
          ['ElementName', label],
          ['InstanceID', next++],
          ['ResourceSubType', subType],
          ['ResourceType', 10],
        ],
        wake,
      );
    }
  }
  const secure = flag(vm.bootOptions, 'efiSecureBootEnabled');
  const settings = [
    config('cpuHotAddEnabled', vm.cpuHotAdd ?? false),
    config('memoryHotAddEnabled', vm.memoryHotAdd ?? false),
    config('nestedHVEnabled', vm.nestedHV ?? false),
    config('firmware', vm.firmware),
    ...(secure === undefined ? [] : [config('bootOptions.efiSecureBootEnabled', secure)]),
  ];
  body += settings.map((one) => `      ${one}`).join('');
  if (withExtra)
    for (const one of vm.extraConfig)
      body += `      <vmw:ExtraConfig ovf:required="false" vmw:key="${escapeXml(one.key)}" vmw:value="${escapeXml(one.value)}"/>\n`;
  const order = objects(vm.bootOptions, 'bootOrder')
    .map((one) => ids.get(number(one, 'deviceKey') ?? -1))
    .filter((one) => one !== undefined);
  if (order.length)
    body += `      <vmw:BootOrderSection vmw:instanceId="${next}" vmw:type="disk"><Info>Virtual hardware device boot order</Info>${order.map((id) => `<vmw:BootOrder vmw:instanceId="${id}"/>`).join('')}</vmw:BootOrderSection>\n`;
  const transport = Array.isArray(vm.vApp?.ovfEnvironmentTransport) ? vm.vApp.ovfEnvironmentTransport.join(' ') : '';
  return `    <VirtualHardwareSection${transport ? ` ovf:transport="${escapeXml(transport)}"` : ''}>
      <Info>Virtual hardware requirements</Info>
      <System>
        <vssd:ElementName>Virtual Hardware Family</vssd:ElementName>
        <vssd:InstanceID>0</vssd:InstanceID>
        <vssd:VirtualSystemIdentifier>${escapeXml(plain(vm.name))}</vssd:VirtualSystemIdentifier>
        <vssd:VirtualSystemType>${vm.hardware}</vssd:VirtualSystemType>
      </System>
${body}    </VirtualHardwareSection>
`;
}

function productSections(products: Data[], properties: Data[]): string {
  const keys = new Map<string, Data>();
  for (const one of [...products, ...properties]) {
    const key = `${text(one, 'classId') ?? ''} ${text(one, 'instanceId') ?? ''}`;
    if (!keys.has(key)) keys.set(key, one);
  }
  return [...keys]
    .map(([key, first]) => {
      const own = properties.filter((one) => `${text(one, 'classId') ?? ''} ${text(one, 'instanceId') ?? ''}` === key);
      const element = (name: string, member: string) =>
        text(first, member) && products.includes(first)
          ? `      <${name}>${escapeXml(text(first, member) ?? '')}</${name}>\n`
          : '';
      let category = '';
      const body = own.map((one) => {
        const head =
          text(one, 'category') && text(one, 'category') !== category
            ? `      <Category>${escapeXml(text(one, 'category') ?? '')}</Category>\n`
            : '';
        category = text(one, 'category') ?? category;
        const value = text(one, 'value') || text(one, 'defaultValue') || '';
        const inside = (['label', 'description'] as const)
          .filter((member) => text(one, member))
          .map(
            (member) =>
              `<${member === 'label' ? 'Label' : 'Description'}>${escapeXml(text(one, member) ?? '')}</${member === 'label' ? 'Label' : 'Description'}>`,
          );
        return `${head}      <Property ovf:key="${escapeXml(text(one, 'id') ?? '')}" ovf:type="${escapeXml(text(one, 'type') ?? 'string')}" ovf:userConfigurable="${flag(one, 'userConfigurable') ?? true}" ovf:value="${escapeXml(value)}">${inside.join('')}</Property>\n`;
      });
      const attribute = (name: string, member: string) =>
        text(first, member) ? ` ovf:${name}="${escapeXml(text(first, member) ?? '')}"` : '';
      return `    <ProductSection${attribute('class', 'classId')}${attribute('instance', 'instanceId')}>\n      <Info>Information about the installed software</Info>\n${element('Product', 'name')}${element('Vendor', 'vendor')}${element('Version', 'version')}${element('FullVersion', 'fullVersion')}${element('ProductUrl', 'productUrl')}${element('VendorUrl', 'vendorUrl')}${element('AppUrl', 'appUrl')}${body.join('')}    </ProductSection>\n`;
    })
    .join('');
}

function annotationSection(annotation: string): string {
  return annotation
    ? `    <AnnotationSection>\n      <Info>A human-readable annotation</Info>\n      <Annotation>${escapeXml(annotation)}</Annotation>\n    </AnnotationSection>\n`
    : '';
}

function system(
  lab: Lab,
  vm: VmRecord,
  name: string,
  annotation: string,
  disks: Map<number, string>,
  withExtra: boolean,
): string {
  const eulas = (Array.isArray(vm.vApp?.eula) ? vm.vApp.eula : []).map(
    (one) =>
      `    <EulaSection>\n      <Info>An end-user license agreement</Info>\n      <License>${escapeXml(String(one))}</License>\n    </EulaSection>\n`,
  );
  return `  <VirtualSystem ovf:id="${escapeXml(plain(vm.name))}">
    <Info>A virtual machine</Info>
    <Name>${escapeXml(name)}</Name>
    <OperatingSystemSection ovf:id="${guestCim(vm.guestId)}" vmw:osType="${escapeXml(vm.guestId)}">
      <Info>The kind of installed guest operating system</Info>
      <Description>${escapeXml(guestName(vm.guestId))}</Description>
    </OperatingSystemSection>
${hardware(lab, vm, disks, withExtra)}${annotationSection(annotation)}${productSections(objects(vm.vApp, 'product'), objects(vm.vApp, 'property'))}${eulas.join('')}  </VirtualSystem>
`;
}

function startup(app: VAppRecord, machines: VmRecord[]): string {
  const items = machines.map((vm) => {
    const entry = app.order.find((one) => one.vm === vm.id) ?? orderEntry(vm.id, {});
    return `      <Item ovf:id="${escapeXml(plain(vm.name))}" ovf:order="${entry.startOrder}" ovf:startAction="${entry.startAction}" ovf:startDelay="${entry.startDelay}" ovf:stopAction="${entry.stopAction}" ovf:stopDelay="${entry.stopDelay}" ovf:waitingForGuest="${entry.waitingForGuest}"/>\n`;
  });
  return `    <StartupSection>\n      <Info>Specifies the order in which entities are powered on and shut down</Info>\n${items.join('')}    </StartupSection>\n`;
}

/** `OvfManager.CreateDescriptor` for a machine, a snapshot of it or a vApp, with the file sizes the client says it has received. */
export function createDescriptor(lab: Lab, args: Data): Data {
  const target = reference(args, 'obj');
  const params = object(args, 'cdp') ?? {};
  const app = lab.find('VirtualApp', target?.id);
  const vm = lab.find('VirtualMachine', target?.id);
  if (!app && !vm) throw notFound(target?._ref ?? '', target?.id ?? '');
  const snapshot = lab.find('VirtualMachineSnapshot', reference(params, 'snapshot')?.id);
  const machines = app
    ? lab.all('VirtualMachine').filter((one) => one.pool === app.id)
    : [snapshot ? { ...snapshot.frozen, id: vm?.id ?? '' } : (vm as VmRecord)];
  const files = objects(params, 'ovfFiles').map(
    (one): WantedFile => ({
      deviceId: text(one, 'deviceId') ?? '',
      path: text(one, 'path') ?? '',
      size: number(one, 'size') ?? 0,
      capacity: number(one, 'capacity'),
      populated: number(one, 'populatedSize'),
    }),
  );
  const numbered = new Map<string, Numbered>(
    files.map((file, index) => [file.deviceId, { file, fileId: `file${index + 1}`, diskId: `vmdisk${index + 1}` }]),
  );
  let spare = files.length;
  let diskXml = '';
  const perVm = machines.map((one) => {
    const map = new Map<number, string>();
    for (const disk of one.devices.filter(isDisk)) {
      const found = numbered.get(`/${one.id}/${placeName(one.devices, disk)}`);
      const id = found?.diskId ?? `vmdisk${++spare}`;
      map.set(keyOf(disk), id);
      const populated = found?.file.populated === undefined ? '' : ` ovf:populatedSize="${found.file.populated}"`;
      const bytes = capacityBytes(disk);
      const whole =
        bytes % 2 ** 30 === 0
          ? [bytes / 2 ** 30, 'byte * 2^30']
          : bytes % 2 ** 20 === 0
            ? [bytes / 2 ** 20, 'byte * 2^20']
            : [bytes, 'byte'];
      diskXml += `    <Disk ovf:capacity="${whole[0]}" ovf:capacityAllocationUnits="${whole[1]}" ovf:diskId="${id}"${found ? ` ovf:fileRef="${found.fileId}"` : ''} ovf:format="http://www.vmware.com/interfaces/specifications/vmdk.html#streamOptimized"${populated}/>\n`;
    }
    return map;
  });
  const networks = new Set(machines.flatMap((one) => one.devices.filter(isNic).map((nic) => networkName(lab, nic))));
  const withExtra = Array.isArray(params.exportOption) && params.exportOption.includes('extraconfig');
  const name = text(params, 'name') || plain((app ?? vm)?.name ?? '');
  const annotation = text(params, 'description');
  const references = [...numbered.values()].map(
    ({ file, fileId }) => `    <File ovf:href="${escapeXml(file.path)}" ovf:id="${fileId}" ovf:size="${file.size}"/>\n`,
  );
  const networkXml = [...networks].map(
    (one) =>
      `    <Network ovf:name="${escapeXml(one)}">\n      <Description>The ${escapeXml(one)} network</Description>\n    </Network>\n`,
  );
  const inner = machines
    .map((one, index) =>
      system(
        lab,
        one,
        app ? plain(one.name) : name,
        app ? one.annotation : (annotation ?? one.annotation),
        perVm[index] ?? new Map(),
        withExtra,
      ),
    )
    .join('');
  const body = app
    ? `  <VirtualSystemCollection ovf:id="${escapeXml(plain(app.name))}">\n    <Info>A collection of virtual machines</Info>\n    <Name>${escapeXml(name)}</Name>\n${annotationSection(annotation ?? app.annotation)}${productSections(app.product, app.property)}${startup(app, machines)}${inner}  </VirtualSystemCollection>\n`
    : inner;
  const ovfDescriptor = `<?xml version="1.0" encoding="UTF-8"?>
<Envelope vmw:buildId="build-24022515" xmlns="http://schemas.dmtf.org/ovf/envelope/1" xmlns:cim="http://schemas.dmtf.org/wbem/wscim/1/common" xmlns:ovf="http://schemas.dmtf.org/ovf/envelope/1" xmlns:rasd="http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_ResourceAllocationSettingData" xmlns:vmw="http://www.vmware.com/schema/ovf" xmlns:vssd="http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_VirtualSystemSettingData" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
  <References>
${references.join('')}  </References>
  <DiskSection>
    <Info>Virtual disk information</Info>
${diskXml}  </DiskSection>
  <NetworkSection>
    <Info>The list of logical networks</Info>
${networkXml.join('')}  </NetworkSection>
${body}</Envelope>
`;
  return { ovfDescriptor, includeImageFiles: flag(params, 'includeImageFiles') ?? false };
}
