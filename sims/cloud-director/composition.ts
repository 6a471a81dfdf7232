import { type Call, document, post, type Reply, type Route, referred, uuidIn } from './call.ts';
import { powerOff, powerOn, type StartupItem, type VApp, type Vdc, type Vm } from './entities.ts';
import {
  copiesOfAll,
  type NewVm,
  networksFor,
  newVapp,
  refuseTakenVapp,
  refuseUnacceptedEula,
  settle,
  sourcedVms,
  sourceEulas,
  startupFor,
} from './instantiation.ts';
import { mediaTypes } from './media-types.ts';
import { defaultProfile, refuseWhenFull } from './quota.ts';
import { badRequest } from './refusal.ts';
import { removeVapp, removeVm } from './removal.ts';
import type { Simulator } from './simulator.ts';
import { accepted, begin } from './task-document.ts';
import { refuseBusyVapp, vappMarkup } from './vapp.ts';
import { vmsOf } from './vapp-template.ts';
import { newVmFromSpec } from './vm-creation.ts';
import { attributeOf, booleanOf, child, childrenOf, textOf, type XmlElement } from './xml/tree.ts';

interface BuildArgs {
  vapp: string;
  fields: Partial<VApp>;
  vms: Vm[];
  removeVms: string[];
  removeVapp: string | null;
  deploy: boolean;
  powerOn: boolean;
}

/**
 * Finishes a vApp in one transaction: the new VMs appear, the sources of a move and deleted ones go. The VMs are made
 * when the call comes in, so their ids, MACs and addresses survive a restart in the middle.
 */
export function defineCompositionWork(sim: Simulator): void {
  sim.tasks.define('build', {
    run:
      async ({ args }) =>
      () => {
        const { vapp, fields, vms, removeVms, removeVapp: source, deploy, powerOn: start } = args as BuildArgs;
        for (const id of removeVms) removeVm(sim, id);
        for (const vm of vms)
          sim.store.put('vm', start ? { ...vm, status: powerOn, deployed: true } : { ...vm, deployed: deploy });
        if (source !== null) removeVapp(sim, source);
        sim.store.change('vapp', vapp, {
          ...fields,
          fixedStatus: null,
          ...(deploy || start ? { deployed: true } : {}),
        });
      },
    failed: ({ args }, canceled) => {
      const { vapp } = args as BuildArgs;
      if (sim.store.get('vapp', vapp)?.fixedStatus !== 0) return;
      if (canceled) removeVapp(sim, vapp);
      else sim.store.change('vapp', vapp, { fixedStatus: -1 });
    },
  });
}

export function buildArgs(vapp: string, parts: Partial<Omit<BuildArgs, 'vapp'>>): BuildArgs {
  return { vapp, fields: {}, vms: [], removeVms: [], removeVapp: null, deploy: false, powerOn: false, ...parts };
}

function refuseQuota(sim: Simulator, vms: readonly Vm[]): void {
  const byProfile = Map.groupBy(
    vms.flatMap((vm) => vm.disks),
    (disk) => disk.storageProfile,
  );
  for (const [profile, disks] of byProfile) {
    refuseWhenFull(
      sim,
      sim.store.must('storageProfile', profile),
      disks.reduce((sum, disk) => sum + disk.sizeMb, 0),
    );
  }
}

function create(
  call: Call,
  vapp: VApp,
  added: NewVm[],
  operationName: string,
  verb: string,
  startup: StartupItem[],
  parts: Partial<BuildArgs>,
): Reply {
  const vms = added.map(({ vm }) => vm);
  refuseQuota(call.sim, vms);
  settle(call, vapp, [], vms);
  vapp.startup = startup;
  const removeVms = added.flatMap(({ removeSource }) => (removeSource === null ? [] : [removeSource]));
  call.sim.store.atomically(() => {
    call.sim.store.put('vapp', vapp);
    begin(
      call,
      operationName,
      `${verb} Virtual Application ${vapp.name}(${vapp.id})`,
      { ...vapp, kind: 'vapp' },
      {
        kind: 'build',
        args: buildArgs(vapp.id, { vms, removeVms, ...parts }),
      },
    );
  });
  return document(mediaTypes.vapp, vappMarkup(call, vapp), 201);
}

function head(call: Call, body: XmlElement): { vdc: Vdc; vapp: VApp; profileOf: () => string } {
  const vdc = call.entity('vdc');
  const name = attributeOf(body, 'name') ?? '';
  refuseTakenVapp(call, vdc.id, name);
  return {
    vdc,
    vapp: newVapp(call, vdc, name, textOf(body, 'Description') ?? ''),
    profileOf: () => defaultProfile(call.sim, vdc.id).id,
  };
}

function powerOf(body: XmlElement): { deploy: boolean; powerOn: boolean } {
  return {
    deploy: booleanOf(attributeOf(body, 'deploy')) ?? booleanOf(attributeOf(body, 'powerOn')) ?? false,
    powerOn: booleanOf(attributeOf(body, 'powerOn')) ?? false,
  };
}

async function instantiate(call: Call): Promise<Reply> {
  const body = await call.xml('InstantiateVAppTemplateParams');
  const { vapp, profileOf } = head(call, body);
  const template = referred(call, 'template', attributeOf(child(body, 'Source'), 'href'));
  if (template.status !== 8)
    throw badRequest(`The vApp template "${template.name}" is not ready (status ${template.status}).`);
  refuseUnacceptedEula(body, template.eulas);
  const added = copiesOfAll(call, 'template', template.id, vapp, body, profileOf);
  const vms = added.map(({ vm }) => vm);
  vapp.products = template.products;
  vapp.description = textOf(body, 'Description') ?? template.description;
  vapp.networks = networksFor(call, body, template.networks, vms, []);
  const startup = startupFor(vms, template.startup, renames(vmsOf(call.sim, 'template', template.id), vms));
  return create(call, vapp, added, 'vdcInstantiateVapp', 'Creating', startup, powerOf(body));
}

/** From what the start order calls a VM (its OVF id or its name) to the name it has now. */
function renames(sources: readonly Vm[], copies: readonly Vm[]): Map<string, string> {
  return new Map(
    sources.flatMap((source, index) => {
      const name = copies[index]?.name ?? source.name;
      return [
        [source.localId, name],
        [source.name, name],
      ] as [string, string][];
    }),
  );
}

async function compose(call: Call): Promise<Reply> {
  const body = await call.xml('ComposeVAppParams');
  const { vapp, profileOf } = head(call, body);
  const items = childrenOf(body, 'SourcedItem');
  refuseUnacceptedEula(body, sourceEulas(call, items));
  const added = [...sourcedVms(call, items, vapp, profileOf), ...createdItems(call, body, vapp, profileOf)];
  const vms = added.map(({ vm }) => vm);
  vapp.networks = networksFor(call, body, sourceNetworks(call, items), vms, []);
  return create(call, vapp, added, 'vdcComposeVapp', 'Composing', startupFor(vms, [], new Map()), powerOf(body));
}

function createdItems(call: Call, body: XmlElement, vapp: VApp, profileOf: () => string): NewVm[] {
  return childrenOf(body, 'CreateItem').map((item) => ({
    vm: newVmFromSpec(call, item, vapp, profileOf()),
    removeSource: null,
  }));
}

function sourceNetworks(call: Call, items: XmlElement[]) {
  return items.flatMap((item) => {
    const vm = call.sim.store.get('vm', uuidIn(attributeOf(child(item, 'Source'), 'href')) ?? '');
    return vm === undefined ? [] : (call.sim.store.get(vm.parent.kind, vm.parent.id)?.networks ?? []);
  });
}

async function clone(call: Call): Promise<Reply> {
  const body = await call.xml('CloneVAppParams');
  const { vapp, profileOf } = head(call, body);
  const source = referred(call, 'vapp', attributeOf(child(body, 'Source'), 'href'));
  const move = booleanOf(textOf(body, 'IsSourceDelete')) ?? false;
  const before = vmsOf(call.sim, 'vapp', source.id);
  refuseBusyVapp(call.sim, source);
  if (move && (source.deployed || before.some((vm) => vm.status !== powerOff))) {
    throw badRequest(`The vApp "${source.name}" must be undeployed before it can be moved.`);
  }
  const added = copiesOfAll(call, 'vapp', source.id, vapp, body, profileOf);
  const vms = added.map(({ vm }) => vm);
  vapp.description = textOf(body, 'Description') ?? source.description;
  vapp.products = source.products;
  vapp.networks = networksFor(call, body, source.networks, vms, []);
  const startup = startupFor(vms, source.startup, renames(before, vms));
  return create(call, vapp, added, 'vdcCopyVapp', 'Copying', startup, { removeVapp: move ? source.id : null });
}

async function recompose(call: Call): Promise<Reply> {
  const before = call.entity('vapp');
  const body = await call.xml('RecomposeVAppParams');
  refuseBusyVapp(call.sim, before);
  const vapp = structuredClone(before);
  const name = attributeOf(body, 'name') ?? vapp.name;
  if (name !== vapp.name) refuseTakenVapp(call, vapp.vdc, name, vapp.id);
  const profileOf = () => defaultProfile(call.sim, vapp.vdc).id;
  const items = childrenOf(body, 'SourcedItem');
  refuseUnacceptedEula(body, sourceEulas(call, items));
  const existing = vmsOf(call.sim, 'vapp', vapp.id);
  const removed = childrenOf(body, 'DeleteItem').map((item) => referred(call, 'vm', attributeOf(item, 'href')));
  for (const vm of removed) {
    if (vm.parent.id !== vapp.id) throw badRequest(`The VM "${vm.name}" is not in the vApp "${vapp.name}".`);
    if (vm.deployed || vm.status !== powerOff)
      throw badRequest(`The VM "${vm.name}" is running; stop it before you delete it.`);
  }
  const added = [...sourcedVms(call, items, vapp, profileOf), ...createdItems(call, body, vapp, profileOf)];
  const vms = added.map(({ vm }) => vm);
  refuseQuota(call.sim, vms);
  vapp.networks = networksFor(call, body, sourceNetworks(call, items), vms, vapp.networks);
  const staying = existing.filter((vm) => !removed.some(({ id }) => id === vm.id));
  settle(call, vapp, staying, vms);
  const gone = new Set(removed.map((vm) => vm.name));
  const fields = {
    name,
    description: textOf(body, 'Description') ?? vapp.description,
    networks: vapp.networks,
    startup: [...vapp.startup.filter((item) => !gone.has(item.id)), ...startupFor(vms, [], new Map())],
  };
  const removeVms = [
    ...removed.map(({ id }) => id),
    ...added.flatMap(({ removeSource }) => (removeSource === null ? [] : [removeSource])),
  ];
  const { powerOn: start } = powerOf(body);
  return accepted(
    call,
    begin(
      call,
      'vdcRecomposeVapp',
      `Recomposing Virtual Application ${vapp.name}(${vapp.id})`,
      { ...vapp, kind: 'vapp' },
      {
        kind: 'build',
        args: buildArgs(vapp.id, { fields, vms, removeVms, powerOn: start }),
      },
    ),
  );
}

export const compositionRoutes: Route[] = [
  post('/api/vdc/:id/action/instantiateVAppTemplate', instantiate),
  post('/api/vdc/:id/action/composeVApp', compose),
  post('/api/vdc/:id/action/cloneVApp', clone),
  post('/api/vApp/:id/action/recomposeVApp', recompose),
];
