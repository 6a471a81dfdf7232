import { type Call, document, get, post, put, type Reply, type Route, remove, type View } from './call.ts';
import { refuseTakenName } from './catalog.ts';
import { beginStaging, downloadLinks, dropDownload, packageOf } from './download.ts';
import type { Template, Transfer, Vm } from './entities.ts';
import { mediaTypes } from './media-types.ts';
import { networkConfigSection, noneNetwork, ovfNetworkSection } from './network-config.ts';
import { writeOvf } from './ovf/write.ts';
import { link, reference, urn } from './references.ts';
import { badRequest } from './refusal.ts';
import { removeTemplate } from './removal.ts';
import type { Simulator } from './simulator.ts';
import { accepted, begin, tasksOf } from './task-document.ts';
import { transferPath } from './transfer.ts';
import { vmMarkup } from './vm-document.ts';
import { connectionSection, customizationSection, hardwareSection } from './vm-sections.ts';
import { apiDeclarations } from './xml/namespaces.ts';
import { attributeOf, textOf } from './xml/tree.ts';
import { el, leaf, type Markup } from './xml/writer.ts';

export function vmsOf(sim: Simulator, parent: 'vapp' | 'template', id: string): Vm[] {
  return sim.store.all('vm').filter((vm) => vm.parent.kind === parent && vm.parent.id === id);
}

/** The `Files` of an upload under way. */
export function filesMarkup(view: View, transfer: Transfer | undefined): Markup | null {
  if (transfer === undefined || transfer.direction !== 'upload') return null;
  return el(
    'Files',
    {},
    transfer.files.map((file) =>
      el(
        'File',
        { name: file.name, size: file.bytes, bytesTransferred: file.transferred },
        transfer.complete ? null : link(view, 'upload:default', transferPath(transfer.id, file.name)),
      ),
    ),
  );
}

/** The storage lease runs from the making of a template, and from when a vApp was last stopped; the lab counts from the making. */
function expiry(entity: { created: string; lease: { storageSeconds: number } }): string {
  return new Date(Date.parse(entity.created) + entity.lease.storageSeconds * 1000).toISOString();
}

export function leaseSection(
  view: View,
  own: string,
  entity: { created: string; lease: { deploymentSeconds: number; storageSeconds: number } },
  declarations: Record<string, string> = {},
): Markup {
  const path = `${own}/leaseSettingsSection/`;
  return el(
    'LeaseSettingsSection',
    { ...declarations, href: view.href(path), type: mediaTypes.leaseSettings, 'ovf:required': false },
    leaf('ovf:Info', 'Lease settings section'),
    link(view, 'edit', path, mediaTypes.leaseSettings),
    leaf('DeploymentLeaseInSeconds', entity.lease.deploymentSeconds),
    leaf('StorageLeaseInSeconds', entity.lease.storageSeconds),
    // Where the lease is not unlimited (0), and the entity does not run.
    entity.lease.storageSeconds === 0 ? null : leaf('StorageLeaseExpiration', expiry(entity)),
  );
}

export function templateMarkup(view: View, template: Template, root = false): Markup {
  const { store } = view.sim;
  const own = `/api/vAppTemplate/vappTemplate-${template.id}`;
  const owner = store.get('user', template.owner);
  const item = store.all('catalogItem').find((one) => one.entity.id === template.id);
  const vms = vmsOf(view.sim, 'template', template.id);
  const ready = template.status === 8;
  const upload = template.upload === null ? undefined : store.get('transfer', template.upload);
  const withNone = vms.some((vm) => vm.nics.some((nic) => nic.network === noneNetwork));
  return el(
    'VAppTemplate',
    {
      ...(root ? apiDeclarations : {}),
      ovfDescriptorUploaded: template.descriptorUploaded,
      goldMaster: template.goldMaster,
      status: template.status,
      name: template.name,
      id: urn('template', template.id),
      href: view.href(own),
      type: mediaTypes.template,
    },
    item === undefined
      ? null
      : link(view, 'catalogItem', `/api/catalogItem/${item.id}`, mediaTypes.catalogItem, item.name),
    link(view, 'up', `/api/vdc/${template.vdc}`, mediaTypes.vdc),
    ready
      ? [
          link(view, 'enable', `${own}/action/enableDownload`),
          link(view, 'disable', `${own}/action/disableDownload`),
          link(view, 'ovf', `${own}/ovf`, 'text/xml'),
        ]
      : null,
    downloadLinks(view, template.staged),
    link(
      view,
      'storageProfile',
      `/api/vdcStorageProfile/${template.storageProfile}`,
      mediaTypes.storageProfile,
      store.get('storageProfile', template.storageProfile)?.name,
    ),
    link(view, 'down', `${own}/metadata`, mediaTypes.metadata),
    link(view, 'down', `${own}/productSections/`, mediaTypes.productSections),
    link(view, 'down', `${own}/owner`, mediaTypes.owner),
    link(view, 'edit', own, mediaTypes.template),
    link(view, 'remove', own),
    leaf('Description', template.description),
    tasksOf(view, template.id),
    filesMarkup(view, upload),
    owner === undefined ? null : el('Owner', { type: mediaTypes.owner }, reference(view, 'User', 'user', owner)),
    vms.length === 0
      ? null
      : el(
          'Children',
          {},
          vms.map((vm) => vmMarkup(view, vm)),
        ),
    ovfNetworkSection(template.networks),
    networkConfigSection(view, template.networks, undefined, false, withNone),
    leaseSection(view, own, template),
    el(
      'CustomizationSection',
      {
        goldMaster: template.goldMaster,
        type: 'application/vnd.vmware.vcloud.customizationSection+xml',
        'ovf:required': false,
      },
      leaf('ovf:Info', 'VApp template customization section'),
      leaf('CustomizeOnInstantiate', template.customizeOnInstantiate),
    ),
    leaf('DateCreated', template.created),
    el('DefaultStorageProfile', {}, store.get('storageProfile', template.storageProfile)?.name),
  );
}

async function updateTemplate(call: Call): Promise<Reply> {
  const template = call.entity('template');
  const body = await call.xml('VAppTemplate');
  const name = attributeOf(body, 'name') ?? template.name;
  const item = call.sim.store.all('catalogItem').find((one) => one.entity.id === template.id);
  if (item !== undefined) refuseTakenName(call.sim, call.sim.store.must('catalog', item.catalog), name, item.id);
  call.sim.tasks.refuseWhenBusy('vApp template', template.name, template.id);
  const args = { id: template.id, name, description: textOf(body, 'Description') ?? template.description };
  return accepted(
    call,
    begin(
      call,
      'vdcUpdateTemplate',
      `Updating Virtual Application Template ${template.name}(${template.id})`,
      { ...template, kind: 'template' },
      { kind: 'templateUpdate', args },
    ),
  );
}

function deleteTemplate(call: Call): Reply {
  const template = call.entity('template');
  if (template.upload === null) call.sim.tasks.refuseWhenBusy('vApp template', template.name, template.id);
  return accepted(
    call,
    begin(
      call,
      'vdcDeleteTemplate',
      `Deleting Virtual Application Template ${template.name}(${template.id})`,
      { ...template, kind: 'template' },
      { kind: 'templateDelete', args: template.id },
    ),
  );
}

export function defineTemplateWork(sim: Simulator): void {
  sim.tasks.define('templateDelete', {
    run:
      async ({ args }) =>
      () =>
        removeTemplate(sim, String(args)),
  });
  sim.tasks.define('templateUpdate', {
    run:
      async ({ args }) =>
      () => {
        const { id, name, description } = args as { id: string; name: string; description: string };
        sim.store.change('template', id, { name, description });
        for (const item of sim.store.all('catalogItem')) {
          if (item.entity.id === id)
            sim.store.change('catalogItem', item.id, { name, description, version: item.version + 1 });
        }
      },
  });
}

/** `/api/vAppTemplate/…` names templates and the VMs inside; the prefix says which. */
function isVm(call: Call): boolean {
  return (call.params.id ?? '').startsWith('vm-');
}

function templateVm(call: Call): Vm {
  const vm = call.entity('vm');
  if (vm.parent.kind !== 'template') throw badRequest('This VM is not part of a template.');
  return vm;
}

function enable(call: Call): Reply {
  const template = call.entity('template');
  if (template.status !== 8) throw badRequest(`The vApp template "${template.name}" is not ready.`);
  return accepted(call, beginStaging(call, 'template', template));
}

export const templateRoutes: Route[] = [
  get('/api/vAppTemplate/:id', (call) =>
    isVm(call)
      ? document(mediaTypes.vm, vmMarkup(call, templateVm(call), true))
      : document(mediaTypes.template, templateMarkup(call, call.entity('template'), true)),
  ),
  put('/api/vAppTemplate/:id', updateTemplate),
  remove('/api/vAppTemplate/:id', deleteTemplate),
  post('/api/vAppTemplate/:id/action/enableDownload', enable),
  post('/api/vAppTemplate/:id/action/disableDownload', (call) =>
    dropDownload(call, 'template', call.entity('template')),
  ),
  get('/api/vAppTemplate/:id/ovf', (call) => ({
    status: 200,
    type: 'text/xml',
    text: writeOvf(packageOf(call.sim, 'template', call.entity('template'), []), false),
  })),
  get('/api/vAppTemplate/:id/virtualHardwareSection', (call) =>
    document(mediaTypes.virtualHardware, hardwareSection(call, templateVm(call), apiDeclarations)),
  ),
  get('/api/vAppTemplate/:id/networkConnectionSection', (call) =>
    document(mediaTypes.networkConnection, connectionSection(call, templateVm(call), apiDeclarations)),
  ),
  get('/api/vAppTemplate/:id/guestCustomizationSection', (call) =>
    document(mediaTypes.guestCustomization, customizationSection(call, templateVm(call), apiDeclarations)),
  ),
  get('/api/vAppTemplate/:id/networkConfigSection', (call) =>
    document(
      mediaTypes.networkConfig,
      networkConfigSection(call, call.entity('template').networks, undefined, false, false, apiDeclarations),
    ),
  ),
  get('/api/vAppTemplate/:id/leaseSettingsSection', (call) => {
    const template = call.entity('template');
    return document(
      mediaTypes.leaseSettings,
      leaseSection(call, `/api/vAppTemplate/vappTemplate-${template.id}`, template, apiDeclarations),
    );
  }),
];
