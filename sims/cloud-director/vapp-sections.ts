import { type Call, document, get, put, type Reply, type Route } from './call.ts';
import type { StartupItem, VApp, Vm } from './entities.ts';
import { mediaTypes } from './media-types.ts';
import { networkConfigSection, noneNetwork, readConfigSection } from './network-config.ts';
import { startupSection } from './ovf/write.ts';
import { badRequest } from './refusal.ts';
import { accepted, begin } from './task-document.ts';
import { isVm, machine, refuseBusyVapp, refuseBusyVm, vappPath } from './vapp.ts';
import { leaseSection, vmsOf } from './vapp-template.ts';
import { apiDeclarations, apiPrefixes } from './xml/namespaces.ts';
import { attributeOf, booleanOf, childrenOf, textOf, toMarkup } from './xml/tree.ts';
import { el } from './xml/writer.ts';

function changeVapp(call: Call, vapp: VApp, operationName: string, fields: Partial<VApp>): Reply {
  refuseBusyVapp(call.sim, vapp);
  return accepted(
    call,
    begin(
      call,
      operationName,
      `Updating Virtual Application ${vapp.name}(${vapp.id})`,
      { ...vapp, kind: 'vapp' },
      {
        kind: 'vappChange',
        args: { id: vapp.id, fields },
      },
    ),
  );
}

export function changeVm(call: Call, vm: Vm, operationName: string, fields: Partial<Vm>): Reply {
  refuseBusyVm(call.sim, vm);
  return accepted(
    call,
    begin(
      call,
      operationName,
      `Updating Virtual Machine ${vm.name}(${vm.id})`,
      { ...vm, kind: 'vm' },
      {
        kind: 'vmChange',
        args: { id: vm.id, fields },
      },
    ),
  );
}

async function updateLease(call: Call): Promise<Reply> {
  const vapp = call.entity('vapp');
  const body = await call.xml('LeaseSettingsSection');
  const seconds = (name: string, now: number) => {
    const text = textOf(body, name);
    if (text === undefined || text === '') return now;
    if (!/^\d+$/.test(text)) throw badRequest(`${name} "${text}" is not a number of seconds.`);
    return Number(text);
  };
  return changeVapp(call, vapp, 'vappUpdateVapp', {
    lease: {
      deploymentSeconds: seconds('DeploymentLeaseInSeconds', vapp.lease.deploymentSeconds),
      storageSeconds: seconds('StorageLeaseInSeconds', vapp.lease.storageSeconds),
    },
  });
}

async function updateStartup(call: Call): Promise<Reply> {
  const vapp = call.entity('vapp');
  const body = await call.xml('StartupSection');
  const names = new Set(vmsOf(call.sim, 'vapp', vapp.id).map(({ name }) => name));
  const startup = childrenOf(body, 'Item').map((item): StartupItem => {
    const id = attributeOf(item, 'id') ?? '';
    if (!names.has(id)) throw badRequest(`The vApp "${vapp.name}" has no VM "${id}" to put into its start order.`);
    return {
      id,
      order: Number(attributeOf(item, 'order') ?? 0),
      startAction: attributeOf(item, 'startAction') ?? 'powerOn',
      startDelay: Number(attributeOf(item, 'startDelay') ?? 0),
      stopAction: attributeOf(item, 'stopAction') ?? 'powerOff',
      stopDelay: Number(attributeOf(item, 'stopDelay') ?? 0),
      waitingForGuest: booleanOf(attributeOf(item, 'waitingForGuest')) ?? false,
    };
  });
  return changeVapp(call, vapp, 'vappUpdateVapp', { startup });
}

async function updateNetworks(call: Call): Promise<Reply> {
  const vapp = call.entity('vapp');
  const body = await call.xml('NetworkConfigSection');
  const networks = readConfigSection(call, body, vapp.networks).filter(({ name }) => name !== noneNetwork);
  const lost = vapp.networks.filter((old) => !networks.some(({ name }) => name === old.name));
  for (const vm of vmsOf(call.sim, 'vapp', vapp.id)) {
    const nic = vm.nics.find((one) => lost.some(({ name }) => name === one.network));
    if (nic !== undefined) throw badRequest(`The network "${nic.network}" is in use by the VM "${vm.name}".`);
  }
  return changeVapp(call, vapp, 'vappUpdateVapp', { networks });
}

function products(call: Call): Reply {
  const template = call.path.startsWith('/api/vAppTemplate');
  const entity = isVm(call) ? call.entity('vm') : template ? call.entity('template') : call.entity('vapp');
  return document(
    mediaTypes.productSections,
    el(
      'ProductSectionList',
      { ...apiDeclarations, href: call.href(call.path), type: mediaTypes.productSections },
      entity.products.map((section) => toMarkup(section, apiPrefixes)),
    ),
  );
}

async function updateProducts(call: Call): Promise<Reply> {
  const body = await call.xml('ProductSectionList');
  const sections = childrenOf(body, 'ProductSection');
  if (isVm(call)) return changeVm(call, machine(call), 'vappUpdateVm', { products: sections });
  return changeVapp(call, call.entity('vapp'), 'vappUpdateVapp', { products: sections });
}

function showNetworks(call: Call): Reply {
  const vapp = call.entity('vapp');
  const withNone = vmsOf(call.sim, 'vapp', vapp.id).some((vm) => vm.nics.some((nic) => nic.network === noneNetwork));
  return document(
    mediaTypes.networkConfig,
    networkConfigSection(call, vapp.networks, vappPath(vapp.id), vapp.deployed, withNone, apiDeclarations),
  );
}

function showStartup(call: Call): Reply {
  const vapp = call.entity('vapp');
  const section = startupSection(vapp.startup, call.href(`${vappPath(vapp.id)}/startupSection/`));
  if (section === null) throw badRequest('There is no start order.');
  const declarations = Object.entries(apiDeclarations)
    .map(([name, uri]) => ` ${name}="${uri}"`)
    .join('');
  return document(mediaTypes.startupSection, {
    markup: section.markup.replace('<ovf:StartupSection', `<ovf:StartupSection${declarations}`),
  });
}

export const sectionRoutes: Route[] = [
  get('/api/vApp/:id/leaseSettingsSection', (call) =>
    document(
      mediaTypes.leaseSettings,
      leaseSection(call, vappPath(call.entity('vapp').id), call.entity('vapp'), apiDeclarations),
    ),
  ),
  put('/api/vApp/:id/leaseSettingsSection', updateLease),
  get('/api/vApp/:id/startupSection', showStartup),
  put('/api/vApp/:id/startupSection', updateStartup),
  get('/api/vApp/:id/networkConfigSection', showNetworks),
  put('/api/vApp/:id/networkConfigSection', updateNetworks),
  get('/api/vApp/:id/productSections', products),
  get('/api/vAppTemplate/:id/productSections', products),
  put('/api/vApp/:id/productSections', updateProducts),
];
