import { randomUUID } from 'node:crypto';
import { type Call, document, post, type Reply, type Route, referred } from './call.ts';
import { addItem, refuseTakenName, touchCatalog } from './catalog.ts';
import { type Catalog, type CatalogItem, powerOff, type Task, type Template, type Vm } from './entities.ts';
import { mediaTypes } from './media-types.ts';
import { defaultProfile, refuseWhenFull } from './quota.ts';
import { badRequest, Refusal } from './refusal.ts';
import { removeTemplate } from './removal.ts';
import type { Simulator } from './simulator.ts';
import { accepted, begin } from './task-document.ts';
import { vdcOf } from './upload.ts';
import { refuseBusyVapp } from './vapp.ts';
import { templateMarkup, vmsOf } from './vapp-template.ts';
import { attributeOf, booleanOf, child, textOf, type XmlElement } from './xml/tree.ts';

interface FillArgs {
  template: string;
  fields: Partial<Template>;
  vms: Vm[];
  /** Template that the new one replaces, with its item; null = none. */
  replaces: string | null;
}

export function defineTemplateCopyWork(sim: Simulator): void {
  sim.tasks.define('templateFill', {
    run:
      async ({ args }) =>
      () => {
        const { template, fields, vms, replaces } = args as FillArgs;
        for (const vm of vms) sim.store.put('vm', vm);
        sim.store.change('template', template, { ...fields, status: 8, descriptorUploaded: true });
        if (replaces === null) return;
        const item = sim.store.all('catalogItem').find((one) => one.entity.id === replaces);
        if (item !== undefined) {
          sim.store.change('catalogItem', item.id, {
            entity: { kind: 'template', id: template },
            version: item.version + 1,
          });
          touchCatalog(sim, item.catalog);
        }
        removeTemplate(sim, replaces);
      },
    failed: ({ args }, canceled) => {
      const { template } = args as FillArgs;
      if (canceled) removeTemplate(sim, template);
      else sim.store.change('template', template, { status: -1 });
    },
  });
  sim.tasks.define('itemMove', {
    run:
      async ({ args }) =>
      () => {
        const { item, catalog, name, description } = args as {
          item: string;
          catalog: string;
          name: string;
          description: string;
        };
        const before = sim.store.must('catalogItem', item);
        sim.store.change('catalogItem', item, { catalog, name, description, version: before.version + 1 });
        sim.store.change('template', before.entity.id, { name, description });
        touchCatalog(sim, before.catalog);
        touchCatalog(sim, catalog);
      },
  });
}

function newTemplate(
  call: Call,
  vdc: { id: string; org: string },
  name: string,
  description: string,
  profile: string,
): Template {
  return {
    id: randomUUID(),
    name,
    description,
    org: vdc.org,
    created: new Date().toISOString(),
    metadata: [],
    vdc: vdc.id,
    owner: call.caller.user.id,
    networks: [],
    startup: [],
    products: [],
    lease: { deploymentSeconds: 0, storageSeconds: 0 },
    eulas: [],
    staged: null,
    status: 0,
    descriptorUploaded: false,
    goldMaster: false,
    customizeOnInstantiate: true,
    storageProfile: profile,
    upload: null,
  };
}

function copiesInto(template: Template, vms: readonly Vm[]): Vm[] {
  return vms.map((vm) => ({
    ...structuredClone(vm),
    id: randomUUID(),
    org: template.org,
    created: new Date().toISOString(),
    parent: { kind: 'template', id: template.id },
    status: powerOff,
    deployed: false,
    storageProfile: template.storageProfile,
    disks: vm.disks.map((disk) => ({ ...disk, storageProfile: template.storageProfile, independent: null })),
    drives: vm.drives.map((drive) => ({ ...drive, media: null })),
    snapshot: null,
  }));
}

/** Starts a copy or move of a template's item into another catalog. */
export function copyTemplate(
  call: Call,
  item: CatalogItem,
  catalog: Catalog,
  name: string,
  description: string,
  move: boolean,
): Task {
  const { store } = call.sim;
  const source = store.must('template', item.entity.id);
  if (source.status !== 8) throw badRequest(`The vApp template "${source.name}" is not ready.`);
  if (move) {
    return begin(
      call,
      'catalogMoveItem',
      `Moving ${item.name}(${item.id})`,
      { ...item, kind: 'catalogItem' },
      {
        kind: 'itemMove',
        args: { item: item.id, catalog: catalog.id, name, description },
      },
    );
  }
  const vdc = vdcOf(call.sim, catalog);
  const profile = catalog.storageProfile ?? defaultProfile(call.sim, vdc.id).id;
  const template = newTemplate(call, vdc, name, description, profile);
  const vms = copiesInto(template, vmsOf(call.sim, 'template', source.id));
  refuseTooBig(call.sim, template, vms);
  const { networks, startup, products, lease, eulas, goldMaster, customizeOnInstantiate } = source;
  const args: FillArgs = {
    template: template.id,
    fields: { networks, startup, products, lease, eulas, goldMaster, customizeOnInstantiate },
    vms,
    replaces: null,
  };
  return store.atomically(() => {
    store.put('template', template);
    addItem(call.sim, catalog, name, description, { kind: 'template', id: template.id });
    return begin(
      call,
      'catalogCopyItem',
      `Copying ${item.name}(${item.id})`,
      { ...template, kind: 'template' },
      { kind: 'templateFill', args },
    );
  });
}

function refuseTooBig(sim: Simulator, template: Template, vms: readonly Vm[]): void {
  const wanted = vms.flatMap((vm) => vm.disks).reduce((sum, disk) => sum + disk.sizeMb, 0);
  refuseWhenFull(sim, sim.store.must('storageProfile', template.storageProfile), wanted);
}

function capture(
  call: Call,
  body: XmlElement,
  vdc: { id: string; org: string },
  catalog: Catalog | undefined,
): { template: Template; task: Task } {
  const { store } = call.sim;
  const source = referred(call, 'vapp', attributeOf(child(body, 'Source'), 'href'));
  const before = vmsOf(call.sim, 'vapp', source.id);
  refuseBusyVapp(call.sim, source);
  if (before.length === 0) throw badRequest(`The vApp "${source.name}" has no VM to capture.`);
  if (before.some((vm) => vm.status !== powerOff))
    throw new Refusal(400, 'BAD_REQUEST', `The vApp "${source.name}" must be powered off before it can be captured.`);
  const name = attributeOf(body, 'name') ?? source.name;
  const target = attributeOf(child(body, 'TargetCatalogItem'), 'href');
  const replaced = target === undefined ? undefined : referred(call, 'catalogItem', target);
  if (catalog !== undefined && replaced === undefined) refuseTakenName(call.sim, catalog, name);
  const profile = catalog?.storageProfile ?? defaultProfile(call.sim, vdc.id).id;
  const template = newTemplate(call, vdc, name, textOf(body, 'Description') ?? '', profile);
  const vms = copiesInto(template, before);
  refuseTooBig(call.sim, template, vms);
  const customization = child(body, 'CustomizationSection');
  const args: FillArgs = {
    template: template.id,
    fields: {
      networks: source.networks.map((network) => ({ ...network, id: randomUUID() })),
      startup: source.startup,
      products: source.products,
      goldMaster: booleanOf(attributeOf(customization, 'goldMaster')) ?? false,
      customizeOnInstantiate: booleanOf(textOf(customization, 'CustomizeOnInstantiate')) ?? true,
    },
    vms,
    replaces: replaced?.entity.id ?? null,
  };
  return store.atomically(() => {
    store.put('template', template);
    if (catalog !== undefined && replaced === undefined)
      addItem(call.sim, catalog, name, template.description, { kind: 'template', id: template.id });
    const task = begin(
      call,
      'vdcCaptureTemplate',
      `Capturing ${source.name} as vApp template ${name}(${template.id})`,
      { ...template, kind: 'template' },
      { kind: 'templateFill', args },
    );
    return { template, task };
  });
}

async function captureToCatalog(call: Call): Promise<Reply> {
  const catalog = call.entity('catalog');
  const body = await call.xml('CaptureVAppParams');
  return accepted(call, capture(call, body, vdcOf(call.sim, catalog), catalog).task);
}

async function captureToVdc(call: Call): Promise<Reply> {
  const vdc = call.entity('vdc');
  const { template } = capture(call, await call.xml('CaptureVAppParams'), vdc, undefined);
  return document(mediaTypes.template, templateMarkup(call, template, true), 201);
}

export const captureRoutes: Route[] = [
  post('/api/catalog/:id/action/captureVApp', captureToCatalog),
  post('/api/vdc/:id/action/captureVApp', captureToVdc),
];
