import { type Call, post, type Reply, type Route } from './call.ts';
import { buildArgs } from './composition.ts';
import type { VApp } from './entities.ts';
import {
  type NewVm,
  newVapp,
  refuseUnacceptedEula,
  settle,
  sourcedVms,
  sourceEulas,
  startupFor,
} from './instantiation.ts';
import { defaultProfile } from './quota.ts';
import { badRequest } from './refusal.ts';
import { accepted, begin } from './task-document.ts';
import { newVmFromSpec } from './vm-creation.ts';
import { attributeOf, booleanOf, child, childrenOf, type XmlElement } from './xml/tree.ts';

/** A VM without a vApp is a hidden vApp around exactly one VM; the task's owner is that vApp. */
function finish(call: Call, vapp: VApp, added: NewVm, body: XmlElement, operationName: string): Reply {
  const { vm } = added;
  settle(call, vapp, [], [vm]);
  vapp.name = vm.name;
  vapp.startup = startupFor([vm], [], new Map());
  const task = call.sim.store.atomically(() => {
    call.sim.store.put('vapp', vapp);
    return begin(
      call,
      operationName,
      `Creating Virtual Machine ${vm.name}(${vm.id})`,
      { ...vapp, kind: 'vapp' },
      {
        kind: 'build',
        args: buildArgs(vapp.id, { vms: [vm], powerOn: booleanOf(attributeOf(body, 'powerOn')) ?? false }),
      },
    );
  });
  return accepted(call, task);
}

async function createVm(call: Call): Promise<Reply> {
  const vdc = call.entity('vdc');
  const body = await call.xml('CreateVmParams');
  const spec = child(body, 'CreateVm');
  if (spec === undefined) throw badRequest('CreateVmParams has no CreateVm.');
  const vapp = { ...newVapp(call, vdc, '', ''), autoNature: true };
  const vm = newVmFromSpec(call, spec, vapp, defaultProfile(call.sim, vdc.id).id);
  return finish(call, vapp, { vm, removeSource: null }, body, 'vdcCreateVm');
}

async function instantiateVm(call: Call): Promise<Reply> {
  const vdc = call.entity('vdc');
  const body = await call.xml('InstantiateVmTemplateParams');
  const items = childrenOf(body, 'SourcedVmTemplateItem');
  const vapp = { ...newVapp(call, vdc, '', ''), autoNature: true };
  refuseUnacceptedEula(body, sourceEulas(call, items));
  const [added] = sourcedVms(call, items, vapp, () => defaultProfile(call.sim, vdc.id).id);
  if (added === undefined) throw badRequest('InstantiateVmTemplateParams has no SourcedVmTemplateItem.');
  added.vm.name = attributeOf(body, 'name') || added.vm.name;
  return finish(call, vapp, added, body, 'vdcInstantiateVmTemplate');
}

export const standaloneRoutes: Route[] = [
  post('/api/vdc/:id/action/createVm', createVm),
  post('/api/vdc/:id/action/instantiateVmFromTemplate', instantiateVm),
];
