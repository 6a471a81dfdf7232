import { type Call, document, get, noContent, post, put, type Reply, type Route, referred, remove } from './call.ts';
import { powerOff, powerOn, type Vm } from './entities.ts';
import { readCustomization } from './guest-customization.ts';
import { cpuItem, hardwareItems, memoryItem } from './hardware.ts';
import { mediaTypes } from './media-types.ts';
import { applyConnections, assignAddresses } from './nics.ts';
import { link } from './references.ts';
import { badRequest, duplicateName, forbidden } from './refusal.ts';
import { accepted, begin } from './task-document.ts';
import { isVm, machine, refuseBusyVm, vappChanges } from './vapp.ts';
import { changeVm } from './vapp-sections.ts';
import { vmsOf } from './vapp-template.ts';
import { applySpec } from './vm-creation.ts';
import { readDiskItems } from './vm-disks.ts';
import {
  connectionSection,
  customizationSection,
  hardwareSection,
  itemForm,
  operatingSystemSection,
  vmPath,
} from './vm-sections.ts';
import { apiDeclarations } from './xml/namespaces.ts';
import { attributeOf, booleanOf, child, childrenOf, textOf, type XmlElement } from './xml/tree.ts';
import { el, leaf } from './xml/writer.ts';

/** Applies the sections of a `Vm` body to a copy of the VM; omitted sections stay. */
function applyVm(call: Call, vm: Vm, body: XmlElement): Vm {
  const next = structuredClone(vm);
  const name = attributeOf(body, 'name');
  if (name !== undefined && name !== '' && name !== vm.name) {
    if (vmsOf(call.sim, 'vapp', vm.parent.id).some((other) => other.name === name)) throw duplicateName('VM', name);
    next.name = name;
  }
  next.description = textOf(body, 'Description') ?? vm.description;
  const hardware = child(body, 'VirtualHardwareSection');
  if (hardware !== undefined) applyItems(call, next, childrenOf(hardware, 'Item'));
  applySpec(call, next, child(body, 'VmSpecSection'));
  const connections = child(body, 'NetworkConnectionSection');
  if (connections !== undefined) connect(call, next, connections);
  next.customization = readCustomization(child(body, 'GuestCustomizationSection'), next.customization);
  const os = attributeOf(child(body, 'OperatingSystemSection'), 'osType');
  if (os !== undefined) next.osType = os;
  const profile = attributeOf(child(body, 'StorageProfile'), 'href');
  if (profile !== undefined) {
    const id = referred(call, 'storageProfile', profile).id;
    next.disks = next.disks.map((disk) =>
      disk.storageProfile === vm.storageProfile ? { ...disk, storageProfile: id } : disk,
    );
    next.storageProfile = id;
  }
  return next;
}

function applyItems(call: Call, vm: Vm, items: XmlElement[]): void {
  const disks = items.filter((item) => ['5', '6', '17', '20'].includes(textOf(item, 'ResourceType') ?? ''));
  for (const item of items) applyItem(vm, item);
  if (disks.length > 0) vm.disks = readDiskItems(call, vm, disks);
}

function applyItem(vm: Vm, item: XmlElement): void {
  const type = textOf(item, 'ResourceType');
  const quantity = Number(textOf(item, 'VirtualQuantity'));
  if (type !== '3' && type !== '4') return;
  if (!Number.isSafeInteger(quantity) || quantity < 1)
    throw badRequest('The VirtualQuantity is not a positive number.');
  if (type === '4') {
    vm.memoryMb = quantity;
    return;
  }
  vm.cpus = quantity;
  vm.coresPerSocket = Number(
    textOf(item, 'CoresPerSocket') ?? (quantity % vm.coresPerSocket === 0 ? vm.coresPerSocket : 1),
  );
  if (quantity % vm.coresPerSocket !== 0)
    throw badRequest(`${quantity} CPUs cannot be split into sockets of ${vm.coresPerSocket} cores.`);
}

function connect(call: Call, vm: Vm, section: XmlElement): void {
  const vapp = call.sim.store.must('vapp', vm.parent.id);
  applyConnections(
    call,
    vm,
    section,
    vapp.networks.map(({ name }) => name),
  );
  assignAddresses(call.sim, vapp, vm);
}

function refuseRunningHardware(before: Vm, after: Vm): void {
  if (before.status !== powerOn) return;
  const shape = (vm: Vm) => JSON.stringify([vm.cpus, vm.coresPerSocket, vm.memoryMb, vm.firmware, vm.hardwareVersion]);
  if (shape(before) !== shape(after))
    throw badRequest(`The VM "${before.name}" is running; power it off to change its hardware.`);
}

async function reconfigure(call: Call): Promise<Reply> {
  const vm = machine(call);
  const next = applyVm(call, vm, await call.xml('Vm'));
  refuseRunningHardware(vm, next);
  const { id: _id, metadata: _metadata, status: _status, deployed: _deployed, ...fields } = next;
  return changeVm(call, vm, 'vappUpdateVm', fields);
}

async function edited(
  call: Call,
  operation: string,
  root: string[],
  edit: (vm: Vm, body: XmlElement) => void,
): Promise<Reply> {
  const vm = machine(call);
  const next = structuredClone(vm);
  edit(next, await call.xml(...root));
  refuseRunningHardware(vm, next);
  const { id: _id, metadata: _metadata, status: _status, deployed: _deployed, ...fields } = next;
  return changeVm(call, vm, operation, fields);
}

function deleteVm(call: Call): Reply {
  const vm = machine(call);
  refuseBusyVm(call.sim, vm);
  if (vm.deployed || vm.status !== powerOff)
    throw badRequest(`The VM "${vm.name}" is running; stop it (undeploy) before you delete it.`);
  if (vm.disks.some((disk) => disk.independent !== null))
    throw badRequest(`The VM "${vm.name}" has an independent disk attached; detach it first.`);
  return accepted(
    call,
    begin(
      call,
      'vappDeleteVm',
      `Deleting Virtual Machine ${vm.name}(${vm.id})`,
      { ...vm, kind: 'vm' },
      { kind: 'vmDelete', args: vm.id },
    ),
  );
}

function itemList(call: Call, types: readonly number[]): Reply {
  const vm = call.entity('vm');
  const items = hardwareItems(vm, itemForm(call, vm)).filter(({ markup }) =>
    types.some((type) => markup.includes(`<rasd:ResourceType>${type}</rasd:ResourceType>`)),
  );
  const own = `${vmPath(vm)}/virtualHardwareSection/${call.path.replace(/\/$/, '').split('/').at(-1)}`;
  return document(
    mediaTypes.rasdItems,
    el(
      'RasdItemsList',
      { ...apiDeclarations, href: call.href(own), type: mediaTypes.rasdItems },
      link(call, 'edit', own, mediaTypes.rasdItems),
      items.map(({ markup }) => ({ markup: markup.replaceAll(/(<\/?)ovf:Item/g, '$1Item') })),
    ),
  );
}

function singleItem(call: Call, part: 'cpu' | 'memory'): Reply {
  const vm = call.entity('vm');
  const build = part === 'cpu' ? cpuItem : memoryItem;
  const edit = link(call, 'edit', `${vmPath(vm)}/virtualHardwareSection/${part}`, mediaTypes.rasdItem);
  const { markup } = build(vm, part === 'cpu' ? 4 : 5, itemForm(call, vm), edit);
  const declarations = Object.entries(apiDeclarations)
    .map(([name, uri]) => ` ${name}="${uri}"`)
    .join('');
  return document(mediaTypes.rasdItem, {
    markup: markup.replace('<ovf:Item', `<Item${declarations}`).replace(/<\/ovf:Item>$/, '</Item>'),
  });
}

async function updateCapabilities(call: Call): Promise<Reply> {
  return edited(call, 'vappUpdateVm', ['VmCapabilities'], (vm, body) => {
    for (const [element, key] of [
      ['MemoryHotAddEnabled', 'memoryHotAddEnabled'],
      ['CpuHotAddEnabled', 'cpuHotAddEnabled'],
    ] as const) {
      const value = booleanOf(textOf(body, element));
      if (value !== undefined)
        vm.configs = [
          ...vm.configs.filter((entry) => entry.key !== key),
          { element: 'Config', key, value: String(value) },
        ];
    }
  });
}

const vmOnly = (handler: (call: Call) => Reply | Promise<Reply>) => (call: Call) => {
  if (!isVm(call)) throw badRequest('This needs a VM, not a vApp.');
  return handler(call);
};

const section = '/api/vApp/:id';
export const vmRoutes: Route[] = [
  put(section, (call) => (isVm(call) ? reconfigure(call) : vappChanges.update(call))),
  remove(section, (call) => (isVm(call) ? deleteVm(call) : vappChanges.remove(call))),
  post(`${section}/action/reconfigureVm`, vmOnly(reconfigure)),
  get(
    `${section}/virtualHardwareSection`,
    vmOnly((call) => document(mediaTypes.virtualHardware, hardwareSection(call, machine(call), apiDeclarations))),
  ),
  put(
    `${section}/virtualHardwareSection`,
    vmOnly((call) =>
      edited(call, 'vappUpdateVm', ['VirtualHardwareSection'], (vm, body) =>
        applyItems(call, vm, childrenOf(body, 'Item')),
      ),
    ),
  ),
  get(
    `${section}/virtualHardwareSection/cpu`,
    vmOnly((call) => singleItem(call, 'cpu')),
  ),
  get(
    `${section}/virtualHardwareSection/memory`,
    vmOnly((call) => singleItem(call, 'memory')),
  ),
  put(
    `${section}/virtualHardwareSection/cpu`,
    vmOnly((call) => edited(call, 'vappUpdateVm', ['Item'], applyItem)),
  ),
  put(
    `${section}/virtualHardwareSection/memory`,
    vmOnly((call) => edited(call, 'vappUpdateVm', ['Item'], applyItem)),
  ),
  get(
    `${section}/virtualHardwareSection/disks`,
    vmOnly((call) => itemList(call, [5, 6, 17, 20])),
  ),
  put(
    `${section}/virtualHardwareSection/disks`,
    vmOnly((call) =>
      edited(call, 'vappUpdateVm', ['RasdItemsList'], (vm, body) => {
        vm.disks = readDiskItems(call, vm, childrenOf(body, 'Item'));
      }),
    ),
  ),
  get(
    `${section}/virtualHardwareSection/networkCards`,
    vmOnly((call) => itemList(call, [10])),
  ),
  get(
    `${section}/virtualHardwareSection/media`,
    vmOnly((call) => itemList(call, [14, 15])),
  ),
  get(
    `${section}/operatingSystemSection`,
    vmOnly((call) =>
      document(mediaTypes.operatingSystem, operatingSystemSection(call, machine(call), apiDeclarations)),
    ),
  ),
  put(
    `${section}/operatingSystemSection`,
    vmOnly((call) =>
      edited(call, 'vappUpdateVm', ['OperatingSystemSection'], (vm, body) => {
        vm.osType = attributeOf(body, 'osType') ?? vm.osType;
        vm.osDescription = textOf(body, 'Description') ?? vm.osDescription;
      }),
    ),
  ),
  get(
    `${section}/networkConnectionSection`,
    vmOnly((call) => document(mediaTypes.networkConnection, connectionSection(call, machine(call), apiDeclarations))),
  ),
  put(
    `${section}/networkConnectionSection`,
    vmOnly((call) => edited(call, 'vappUpdateVm', ['NetworkConnectionSection'], (vm, body) => connect(call, vm, body))),
  ),
  get(
    `${section}/guestCustomizationSection`,
    vmOnly((call) =>
      document(mediaTypes.guestCustomization, customizationSection(call, machine(call), apiDeclarations)),
    ),
  ),
  put(
    `${section}/guestCustomizationSection`,
    vmOnly((call) =>
      edited(call, 'vappUpdateVm', ['GuestCustomizationSection'], (vm, body) => {
        vm.customization = readCustomization(body, vm.customization);
      }),
    ),
  ),
  put(`${section}/vmCapabilities`, vmOnly(updateCapabilities)),
  get(
    `${section}/guestcustomizationstatus`,
    vmOnly(() =>
      document(
        'application/vnd.vmware.vcloud.guestcustomizationstatussection+xml',
        el('GuestCustomizationStatusSection', apiDeclarations, leaf('GuestCustStatus', 'GC_COMPLETE')),
      ),
    ),
  ),
  get(
    `${section}/question`,
    vmOnly((call) => {
      throw forbidden(`question of ${machine(call).name}`);
    }),
  ),
  post(
    `${section}/action/customizeAtNextPowerOn`,
    vmOnly((call) => {
      const vm = machine(call);
      call.sim.store.change('vm', vm.id, { customization: { ...vm.customization, enabled: true } });
      return noContent;
    }),
  ),
  post(
    `${section}/action/enableNestedHypervisor`,
    vmOnly((call) => changeVm(call, machine(call), 'vappUpdateVm', { nested: true })),
  ),
  post(
    `${section}/action/disableNestedHypervisor`,
    vmOnly((call) => changeVm(call, machine(call), 'vappUpdateVm', { nested: false })),
  ),
  post(
    `${section}/action/upgradeHardwareVersion`,
    vmOnly((call) => changeVm(call, machine(call), 'vappUpgradeHwVersion', { hardwareVersion: 'vmx-21' })),
  ),
  post(
    `${section}/action/consolidate`,
    vmOnly((call) => changeVm(call, machine(call), 'vappConsolidateVm', {})),
  ),
  post(
    `${section}/action/installVMwareTools`,
    vmOnly((call) => changeVm(call, machine(call), 'vappInstallVMwareTools', {})),
  ),
];
