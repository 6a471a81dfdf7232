import type { View } from './call.ts';
import type { Vm } from './entities.ts';
import { powerOff, powerOn, suspended } from './entities.ts';
import { mediaTypes } from './media-types.ts';
import { link, reference, urn } from './references.ts';
import { tasksOf } from './task-document.ts';
import {
  connectionSection,
  customizationSection,
  hardwareSection,
  operatingSystemSection,
  snapshotSection,
  specSection,
  vmPath,
} from './vm-sections.ts';
import { apiDeclarations, apiPrefixes } from './xml/namespaces.ts';
import { toMarkup } from './xml/tree.ts';
import { el, leaf, type Markup } from './xml/writer.ts';

export function snapshotLinks(view: View, own: string, exists: boolean): Markup[] {
  return [
    link(view, 'snapshot:create', `${own}/action/createSnapshot`, mediaTypes.snapshotParams),
    ...(exists
      ? [
          link(view, 'snapshot:revertToCurrent', `${own}/action/revertToCurrentSnapshot`),
          link(view, 'snapshot:removeAll', `${own}/action/removeAllSnapshots`),
        ]
      : []),
  ];
}

/** The power links that a state allows. */
export function powerLinks(view: View, own: string, states: ReadonlySet<number>, deployed: boolean): Markup[] {
  const rels: string[] = [];
  if (states.size === 0 || states.has(powerOff) || states.has(suspended)) rels.push('powerOn');
  if (states.has(powerOn)) rels.push('powerOff', 'reboot', 'reset', 'shutdown', 'suspend');
  const links = rels.map((rel) => link(view, `power:${rel}`, `${own}/power/action/${rel}`));
  if (states.has(suspended)) links.push(link(view, 'discardState', `${own}/action/discardSuspendedState`));
  links.push(link(view, 'deploy', `${own}/action/deploy`, mediaTypes.deployParams));
  if (deployed) links.push(link(view, 'undeploy', `${own}/action/undeploy`, mediaTypes.undeployParams));
  return links;
}

function machineLinks(view: View, vm: Vm, own: string): Markup[] {
  const vcloud = (name: string) => `application/vnd.vmware.vcloud.${name}+xml`;
  return [
    ...powerLinks(view, own, new Set([vm.status]), vm.deployed),
    link(view, 'up', `/api/vApp/vapp-${vm.parent.id}`, mediaTypes.vapp),
    link(view, 'edit', own, mediaTypes.vm),
    ...(vm.deployed ? [] : [link(view, 'remove', own)]),
    link(view, 'down', `${own}/metadata`, mediaTypes.metadata),
    link(view, 'down', `${own}/productSections/`, mediaTypes.productSections),
    link(view, 'down', `${own}/vmCapabilities/`, vcloud('vmCapabilitiesSection')),
    link(view, 'reconfigureVm', `${own}/action/reconfigureVm`, mediaTypes.vm, vm.name),
    link(view, 'disk:attach', `${own}/disk/action/attach`, mediaTypes.diskAttachParams),
    link(view, 'disk:detach', `${own}/disk/action/detach`, mediaTypes.diskAttachParams),
    link(view, 'media:insertMedia', `${own}/media/action/insertMedia`, mediaTypes.mediaInsertParams),
    link(view, 'media:ejectMedia', `${own}/media/action/ejectMedia`, mediaTypes.mediaInsertParams),
    link(view, 'customizeAtNextPowerOn', `${own}/action/customizeAtNextPowerOn`),
    link(view, 'installVmwareTools', `${own}/action/installVMwareTools`),
    link(view, 'upgrade', `${own}/action/upgradeHardwareVersion`),
    link(view, 'consolidate', `${own}/action/consolidate`),
    ...snapshotLinks(view, own, vm.snapshot !== null),
  ];
}

/** A `Vm`, in a vApp or in a template, alone (`root`) or among its parent's children. */
export function vmMarkup(view: View, vm: Vm, root = false): Markup {
  const { store } = view.sim;
  const own = vmPath(vm);
  const machine = vm.parent.kind === 'vapp';
  const profile = store.get('storageProfile', vm.storageProfile);
  const config = (key: string) => vm.configs.some((entry) => entry.key === key && entry.value === 'true');
  return el(
    'Vm',
    {
      ...(root ? apiDeclarations : {}),
      ...(machine
        ? { needsCustomization: vm.customization.enabled, nestedHypervisorEnabled: vm.nested, deployed: vm.deployed }
        : {}),
      status: vm.status,
      name: vm.name,
      id: urn('vm', vm.id),
      href: view.href(own),
      type: mediaTypes.vm,
    },
    machine
      ? machineLinks(view, vm, own)
      : [
          link(view, 'up', `/api/vAppTemplate/vappTemplate-${vm.parent.id}`, mediaTypes.template),
          link(view, 'down', `${own}/metadata`, mediaTypes.metadata),
        ],
    leaf('Description', vm.description),
    machine ? tasksOf(view, vm.id) : null,
    hardwareSection(view, vm),
    operatingSystemSection(view, vm),
    connectionSection(view, vm),
    customizationSection(view, vm),
    machine
      ? el(
          'RuntimeInfoSection',
          { 'ovf:required': false },
          leaf('ovf:Info', 'Specifies Runtime info'),
          el('VMWareTools', { version: '' }),
        )
      : null,
    machine
      ? snapshotSection(
          view,
          own,
          vm.snapshot?.created,
          vm.snapshot?.poweredOn ?? false,
          vm.disks.reduce((sum, disk) => sum + disk.sizeMb, 0),
        )
      : null,
    vm.products.map((section) => toMarkup(section, apiPrefixes)),
    leaf('DateCreated', vm.created),
    leaf('VAppScopedLocalId', vm.localId),
    machine
      ? el(
          'VmCapabilities',
          {
            href: view.href(`${own}/vmCapabilities/`),
            type: 'application/vnd.vmware.vcloud.vmCapabilitiesSection+xml',
          },
          leaf('MemoryHotAddEnabled', config('memoryHotAddEnabled')),
          leaf('CpuHotAddEnabled', config('cpuHotAddEnabled')),
        )
      : null,
    profile === undefined
      ? null
      : reference(view, machine ? 'StorageProfile' : 'DefaultStorageProfile', 'storageProfile', profile),
    specSection(view, vm),
    machine && view.version >= 37.1
      ? el(
          'BootOptions',
          {},
          leaf('BootDelay', 0),
          leaf('EnterBiosSetup', false),
          leaf('EfiSecureBootEnabled', config('bootOptions.efiSecureBootEnabled')),
        )
      : null,
  );
}
