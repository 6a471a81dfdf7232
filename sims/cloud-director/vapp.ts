import { type Call, document, get, noContent, put, type Reply, type Route, referred, type View } from './call.ts';
import { beginStaging, downloadLinks, dropDownload, packageOf } from './download.ts';
import { powerOff, powerOn, suspended, type VApp, type Vm } from './entities.ts';
import { refuseTakenVapp } from './instantiation.ts';
import { mediaTypes } from './media-types.ts';
import { networkConfigSection, noneNetwork, ovfNetworkSection } from './network-config.ts';
import { startupSection, writeOvf } from './ovf/write.ts';
import { link, reference, urn } from './references.ts';
import { badRequest } from './refusal.ts';
import { removeVapp } from './removal.ts';
import type { Simulator } from './simulator.ts';
import { accepted, begin, tasksOf } from './task-document.ts';
import { leaseSection, vmsOf } from './vapp-template.ts';
import { powerLinks, snapshotLinks, vmMarkup } from './vm-document.ts';
import { snapshotSection } from './vm-sections.ts';
import { apiDeclarations } from './xml/namespaces.ts';
import { attributeOf, child, textOf } from './xml/tree.ts';
import { el, leaf, type Markup } from './xml/writer.ts';

/** The vApp's status follows from its machines; without any it follows from what was done to it. */
export function vappStatus(vapp: VApp, vms: readonly Vm[]): number {
  if (vapp.fixedStatus !== null) return vapp.fixedStatus;
  const states = new Set(vms.map((vm) => vm.status));
  if (vapp.bareState === 'on') states.add(powerOn);
  if (states.size === 0) return vapp.bareState === 'off' ? powerOff : 1;
  if (states.size > 1) return 10;
  return [...states][0] ?? powerOff;
}

export function vappPath(id: string): string {
  return `/api/vApp/vapp-${id}`;
}

function vappLinks(view: View, vapp: VApp, vms: readonly Vm[], own: string): Markup[] {
  const states = new Set(vms.map((vm) => vm.status));
  if (vapp.bareState === 'on') states.add(powerOn);
  const off = !vapp.deployed && !states.has(powerOn) && !states.has(suspended);
  const down = (part: string, type: string) => link(view, 'down', `${own}/${part}`, type);
  return [
    ...powerLinks(view, own, states, vapp.deployed),
    down('metadata', mediaTypes.metadata),
    down('owner', mediaTypes.owner),
    down('controlAccess/', mediaTypes.controlAccess),
    link(view, 'controlAccess', `${own}/action/controlAccess`, mediaTypes.controlAccess),
    link(view, 'up', `/api/vdc/${vapp.vdc}`, mediaTypes.vdc),
    link(view, 'edit', own, mediaTypes.vapp),
    ...(off ? [link(view, 'remove', own)] : []),
    link(view, 'recompose', `${own}/action/recomposeVApp`, mediaTypes.recomposeParams),
    ...(off
      ? [link(view, 'enable', `${own}/action/enableDownload`), link(view, 'disable', `${own}/action/disableDownload`)]
      : []),
    ...downloadLinks(view, vapp.staged),
    link(view, 'ovf', `${own}/ovf`, 'text/xml'),
    ...snapshotLinks(
      view,
      own,
      vms.some((vm) => vm.snapshot !== null),
    ),
    link(
      view,
      vapp.maintenance ? 'exitMaintenanceMode' : 'enterMaintenanceMode',
      `${own}/action/${vapp.maintenance ? 'exit' : 'enter'}MaintenanceMode`,
    ),
    down('productSections/', mediaTypes.productSections),
  ];
}

export function vappMarkup(view: View, vapp: VApp): Markup {
  const own = vappPath(vapp.id);
  const owner = view.sim.store.get('user', vapp.owner);
  const vms = vmsOf(view.sim, 'vapp', vapp.id);
  const withNone = vms.some((vm) => vm.nics.some((nic) => nic.network === noneNetwork));
  const snapshot = vms.find((vm) => vm.snapshot !== null)?.snapshot;
  return el(
    'VApp',
    {
      ...apiDeclarations,
      ovfDescriptorUploaded: true,
      deployed: vapp.deployed,
      status: vappStatus(vapp, vms),
      name: vapp.name,
      id: urn('vapp', vapp.id),
      href: view.href(own),
      type: mediaTypes.vapp,
    },
    vappLinks(view, vapp, vms, own),
    leaf('Description', vapp.description),
    tasksOf(view, vapp.id),
    leaf('DateCreated', vapp.created),
    leaseSection(view, own, vapp),
    startupSection(vapp.startup, view.href(`${own}/startupSection/`)),
    ovfNetworkSection(vapp.networks),
    networkConfigSection(view, vapp.networks, own, vapp.deployed, withNone),
    snapshotSection(view, own, snapshot?.created, snapshot?.poweredOn ?? false, 0),
    owner === undefined ? null : el('Owner', { type: mediaTypes.owner }, reference(view, 'User', 'user', owner)),
    leaf('autoNature', vapp.autoNature),
    leaf('InMaintenanceMode', vapp.maintenance),
    vms.length === 0
      ? null
      : el(
          'Children',
          {},
          vms.map((vm) => vmMarkup(view, vm)),
        ),
  );
}

/** `/api/vApp/…` names vApps and their VMs; the prefix says which. */
export function isVm(call: Call): boolean {
  return (call.params.id ?? '').startsWith('vm-');
}

/** A VM of a vApp (not of a template). */
export function machine(call: Call): Vm {
  const vm = call.entity('vm');
  if (vm.parent.kind !== 'vapp') throw badRequest('This VM is part of a template and cannot be changed.');
  return vm;
}

export function refuseBusyVapp(sim: Simulator, vapp: VApp): void {
  sim.tasks.refuseWhenBusy('vApp', vapp.name, vapp.id, ...vmsOf(sim, 'vapp', vapp.id).map(({ id }) => id));
}

export function refuseBusyVm(sim: Simulator, vm: Vm): void {
  sim.tasks.refuseWhenBusy('VM', vm.name, vm.id, vm.parent.id);
}

async function updateVapp(call: Call): Promise<Reply> {
  const vapp = call.entity('vapp');
  const body = await call.xml('VApp');
  const name = attributeOf(body, 'name') ?? vapp.name;
  refuseTakenVapp(call, vapp.vdc, name, vapp.id);
  refuseBusyVapp(call.sim, vapp);
  const fields = { name, description: textOf(body, 'Description') ?? vapp.description };
  return accepted(
    call,
    begin(
      call,
      'vdcUpdateVapp',
      `Updating Virtual Application ${vapp.name}(${vapp.id})`,
      { ...vapp, kind: 'vapp' },
      { kind: 'vappChange', args: { id: vapp.id, fields } },
    ),
  );
}

function deleteVapp(call: Call): Reply {
  const vapp = call.entity('vapp');
  refuseBusyVapp(call.sim, vapp);
  const vms = vmsOf(call.sim, 'vapp', vapp.id);
  if (vapp.deployed || vms.some((vm) => vm.status !== powerOff || vm.deployed)) {
    throw badRequest(`The vApp "${vapp.name}" is running; stop it (undeploy) before you delete it.`);
  }
  if (vms.some((vm) => vm.disks.some((disk) => disk.independent !== null))) {
    throw badRequest(`The vApp "${vapp.name}" has VMs with attached independent disks; detach them first.`);
  }
  return accepted(
    call,
    begin(
      call,
      'vdcDeleteVapp',
      `Deleting Virtual Application ${vapp.name}(${vapp.id})`,
      { ...vapp, kind: 'vapp' },
      { kind: 'vappDelete', args: vapp.id },
    ),
  );
}

function enableVappDownload(call: Call): Reply {
  const vapp = call.entity('vapp');
  const vms = vmsOf(call.sim, 'vapp', vapp.id);
  if (vapp.deployed || vms.some((vm) => vm.status !== powerOff)) {
    throw badRequest(`The vApp "${vapp.name}" must be stopped and undeployed before it can be downloaded.`);
  }
  return accepted(call, beginStaging(call, 'vapp', vapp));
}

export function defineVappWork(sim: Simulator): void {
  sim.tasks.define('vappDelete', {
    run:
      async ({ args }) =>
      () =>
        removeVapp(sim, String(args)),
  });
  sim.tasks.define('vappChange', {
    run:
      async ({ args }) =>
      () => {
        const { id, fields } = args as { id: string; fields: Partial<VApp> };
        sim.store.change('vapp', id, fields);
      },
  });
  sim.tasks.define('vmChange', {
    run:
      async ({ args }) =>
      () => {
        const { id, fields } = args as { id: string; fields: Partial<Vm> };
        const before = sim.store.get('vm', id);
        sim.store.change('vm', id, fields);
        if (before !== undefined && fields.name !== undefined && fields.name !== before.name)
          renameStartup(sim, before, fields.name);
      },
  });
}

function renameStartup(sim: Simulator, vm: Vm, name: string): void {
  const vapp = sim.store.get('vapp', vm.parent.id);
  if (vapp === undefined) return;
  sim.store.change('vapp', vapp.id, {
    startup: vapp.startup.map((item) => (item.id === vm.name ? { ...item, id: name } : item)),
  });
}

async function changeOwner(call: Call): Promise<Reply> {
  const user = referred(call, 'user', attributeOf(child(await call.xml('Owner'), 'User'), 'href'));
  call.sim.store.change('vapp', call.entity('vapp').id, { owner: user.id });
  return noContent;
}

function showOwner(call: Call): Reply {
  const template = call.path.includes('/vAppTemplate/');
  const entity = call.path.includes('/media/')
    ? call.entity('media')
    : template
      ? call.entity('template')
      : call.entity('vapp');
  const user = call.sim.store.must('user', entity.owner);
  return document(
    mediaTypes.owner,
    el('Owner', { ...apiDeclarations, type: mediaTypes.owner }, reference(call, 'User', 'user', user)),
  );
}

export const vappRoutes: Route[] = [
  get('/api/vApp/:id', (call) =>
    isVm(call)
      ? document(mediaTypes.vm, vmMarkup(call, machine(call), true))
      : document(mediaTypes.vapp, vappMarkup(call, call.entity('vapp'))),
  ),
  get('/api/vApp/:id/owner', showOwner),
  get('/api/vAppTemplate/:id/owner', showOwner),
  get('/api/media/:id/owner', showOwner),
  put('/api/vApp/:id/owner', changeOwner),
  { method: 'POST', path: '/api/vApp/:id/action/enableDownload', handler: enableVappDownload },
  {
    method: 'POST',
    path: '/api/vApp/:id/action/disableDownload',
    handler: (call) => dropDownload(call, 'vapp', call.entity('vapp')),
  },
  get('/api/vApp/:id/ovf', (call) => ({
    status: 200,
    type: 'text/xml',
    text: writeOvf(packageOf(call.sim, 'vapp', call.entity('vapp'), []), false),
  })),
];

/** PUT and DELETE on `/api/vApp/vapp-…`; the VM forms live with the VMs. */
export const vappChanges = { update: updateVapp, remove: deleteVapp } as const;
