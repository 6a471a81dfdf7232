import { randomUUID } from 'node:crypto';
import { type Call, document, get, mayUse, post, put, type Reply, type Route, remove, type View } from './call.ts';
import type { FenceMode, Network, NetworkConfig, VApp } from './entities.ts';
import { mediaTypes } from './media-types.ts';
import { configurationMarkup, readScope } from './network-config.ts';
import { ipScope, prefixLength } from './ovf/write.ts';
import { parseFilter } from './query/filter.ts';
import { link, urn } from './references.ts';
import { badRequest, duplicateName, forbidden } from './refusal.ts';
import type { Simulator } from './simulator.ts';
import { accepted, begin, tasksOf } from './task-document.ts';
import { apiDeclarations } from './xml/namespaces.ts';
import { attributeOf, booleanOf, child, path, textOf } from './xml/tree.ts';
import { el, leaf } from './xml/writer.ts';

/** Networks of VDCs and of vApps share one id space. */
function findVappNetwork(view: View, id: string): { vapp: VApp; network: NetworkConfig } {
  for (const vapp of view.sim.store.all('vapp')) {
    const network = vapp.networks.find((one) => one.id === id);
    if (network !== undefined && mayUse(view, vapp.org)) return { vapp, network };
  }
  throw forbidden(`network ${id}`);
}

function networkDocument(call: Call, admin: boolean): Reply {
  const network = call.sim.store.get('network', call.id);
  if (network === undefined) return vappNetworkDocument(call);
  return orgNetworkReply(call, call.entity('network'), admin, 200);
}

function orgNetworkReply(view: View, network: Network, admin: boolean, status: number): Reply {
  const own = `/api/${admin ? 'admin/' : ''}network/${network.id}`;
  return document(
    mediaTypes.orgVdcNetwork,
    el(
      'OrgVdcNetwork',
      {
        ...apiDeclarations,
        name: network.name,
        status: 1,
        id: urn('network', network.id),
        href: view.href(own),
        type: mediaTypes.orgVdcNetwork,
      },
      link(view, 'up', `/api/vdc/${network.vdc}`, mediaTypes.vdc),
      admin ? [link(view, 'edit', own, mediaTypes.orgVdcNetwork), link(view, 'remove', own)] : null,
      link(view, 'down', `${own}/metadata`, mediaTypes.metadata),
      leaf('Description', network.description),
      tasksOf(view, network.id),
      el(
        'Configuration',
        {},
        el('IpScopes', {}, ipScope(network.scope, '')),
        leaf('FenceMode', network.fence),
        leaf('RetainNetInfoAcrossDeployments', false),
        leaf('GuestVlanAllowed', false),
      ),
      leaf('IsShared', network.shared),
    ),
    status,
  );
}

function vappNetworkDocument(call: Call): Reply {
  const { vapp, network } = findVappNetwork(call, call.id);
  return document(
    mediaTypes.vappNetwork,
    el(
      'VAppNetwork',
      {
        ...apiDeclarations,
        name: network.name,
        deployed: vapp.deployed,
        id: urn('network', network.id),
        href: call.href(`/api/network/${network.id}`),
        type: mediaTypes.vappNetwork,
      },
      link(call, 'up', `/api/vApp/vapp-${vapp.id}`, mediaTypes.vapp),
      leaf('Description', network.description),
      configurationMarkup(call, network),
    ),
  );
}

async function updateVappNetwork(call: Call): Promise<Reply> {
  const { vapp, network } = findVappNetwork(call, call.id);
  const body = await call.xml('VAppNetwork');
  const next: NetworkConfig = {
    ...network,
    description: textOf(body, 'Description') ?? network.description,
    features: path(body, 'Configuration', 'Features') ?? network.features,
  };
  return changeNetworks(
    call,
    vapp,
    vapp.networks.map((one) => (one.id === next.id ? next : one)),
    `Updating network ${network.name}`,
  );
}

function changeNetworks(call: Call, vapp: VApp, networks: NetworkConfig[], operation: string): Reply {
  call.sim.tasks.refuseWhenBusy('vApp', vapp.name, vapp.id);
  return accepted(
    call,
    begin(
      call,
      'vappUpdateVappNetworks',
      `${operation} of ${vapp.name}(${vapp.id})`,
      { ...vapp, kind: 'vapp' },
      {
        kind: 'vappChange',
        args: { id: vapp.id, fields: { networks } },
      },
    ),
  );
}

function deleteVappNetwork(call: Call): Reply {
  const { vapp, network } = findVappNetwork(call, call.id);
  const used = call.sim.store
    .all('vm')
    .find((vm) => vm.parent.id === vapp.id && vm.nics.some((nic) => nic.network === network.name));
  if (used !== undefined) throw badRequest(`The network "${network.name}" is in use by the VM "${used.name}".`);
  return changeNetworks(
    call,
    vapp,
    vapp.networks.filter((one) => one.id !== network.id),
    `Removing network ${network.name}`,
  );
}

async function createOrgNetwork(call: Call): Promise<Reply> {
  const vdc = call.entity('vdc');
  const body = await call.xml('OrgVdcNetwork');
  const fence = textOf(body, 'Configuration', 'FenceMode');
  if (fence !== 'isolated' && fence !== 'natRouted' && fence !== 'bridged')
    throw badRequest(`The fence mode "${fence ?? ''}" is unknown.`);
  const network = newNetwork(call, vdc.id, attributeOf(body, 'name') ?? '', textOf(body, 'Description') ?? '', fence);
  network.scope = readScope(path(body, 'Configuration', 'IpScopes', 'IpScope'));
  network.shared = booleanOf(textOf(body, 'IsShared')) ?? false;
  call.sim.store.atomically(() => {
    call.sim.store.put('network', network);
    begin(
      call,
      'networkCreateOrgVdcNetwork',
      `Creating network ${network.name}(${network.id})`,
      { ...network, kind: 'network' },
      { kind: 'nothing', args: null },
    );
  });
  return orgNetworkReply(call, network, true, 201);
}

function newNetwork(call: Call, vdcId: string, name: string, description: string, fence: FenceMode): Network {
  const vdc = call.entity('vdc', vdcId);
  if (name === '') throw badRequest('The network needs a name.');
  if (call.sim.store.all('network').some((one) => one.org === vdc.org && one.name === name))
    throw duplicateName('network', name);
  return {
    id: randomUUID(),
    name,
    description,
    org: vdc.org,
    created: new Date().toISOString(),
    metadata: [],
    vdc: vdc.id,
    fence,
    scope: readScope(undefined),
    shared: false,
  };
}

async function updateOrgNetwork(call: Call): Promise<Reply> {
  const network = call.entity('network');
  const body = await call.xml('OrgVdcNetwork');
  const scope = path(child(body, 'Configuration'), 'IpScopes', 'IpScope');
  const fields: Partial<Network> = {
    name: attributeOf(body, 'name') ?? network.name,
    description: textOf(body, 'Description') ?? network.description,
    scope: scope === undefined ? network.scope : readScope(scope),
    shared: booleanOf(textOf(body, 'IsShared')) ?? network.shared,
  };
  return accepted(
    call,
    begin(
      call,
      'networkUpdateNetwork',
      `Updating network ${network.name}(${network.id})`,
      { ...network, kind: 'network' },
      {
        kind: 'networkChange',
        args: { id: network.id, fields },
      },
    ),
  );
}

function deletion(call: Call, network: Network) {
  const vapp = call.sim.store.all('vapp').find((one) => one.networks.some(({ parent }) => parent === network.id));
  if (vapp !== undefined)
    throw badRequest(
      `The network "${network.name}" cannot be deleted, because it is in use by the vApp "${vapp.name}".`,
    );
  return begin(
    call,
    'networkDelete',
    `Deleting network ${network.name}(${network.id})`,
    { ...network, kind: 'network' },
    { kind: 'networkDelete', args: network.id },
  );
}

export function defineNetworkWork(sim: Simulator): void {
  sim.tasks.define('networkDelete', {
    run:
      async ({ args }) =>
      () =>
        sim.store.remove('network', String(args)),
  });
  sim.tasks.define('networkChange', {
    run:
      async ({ args }) =>
      () => {
        const { id, fields } = args as { id: string; fields: Partial<Network> };
        sim.store.change('network', id, fields);
      },
  });
}

function networkJson(view: View, network: Network): Record<string, unknown> {
  const vdc = view.sim.store.get('vdc', network.vdc);
  const { scope } = network;
  return {
    id: urn('network', network.id),
    name: network.name,
    description: network.description,
    ownerRef: { name: vdc?.name, id: urn('vdc', network.vdc) },
    orgVdc: { name: vdc?.name, id: urn('vdc', network.vdc) },
    networkType: { natRouted: 'NAT_ROUTED', isolated: 'ISOLATED', bridged: 'DIRECT' }[network.fence],
    connection: null,
    backingNetworkId: network.id,
    backingNetworkType: 'NSXT_FLEXIBLE_SEGMENT',
    parentNetworkId: null,
    subnets: {
      values: [
        {
          gateway: scope.gateway,
          prefixLength: prefixLength(scope.netmask),
          dnsServer1: scope.dns1,
          dnsServer2: scope.dns2,
          dnsSuffix: scope.dnsSuffix,
          ipRanges: { values: scope.ranges.map(({ start, end }) => ({ startAddress: start, endAddress: end })) },
          enabled: true,
        },
      ],
    },
    guestVlanTaggingAllowed: false,
    shared: network.shared,
    status: 'REALIZED',
    orgVdcIsNsxTBacked: true,
  };
}

function listJson(call: Call): Reply {
  const raw = call.rawQuery
    .split('&')
    .find((part) => part.startsWith('filter='))
    ?.slice(7);
  const predicate = raw === undefined || raw === '' ? undefined : parseFilter(raw);
  const rows = call.sim.store
    .all('network')
    .filter((network) => mayUse(call, network.org))
    .filter(
      (network) =>
        predicate?.({
          metadata: [],
          attributes: {
            id: urn('network', network.id),
            name: network.name,
            'orgVdc.id': urn('vdc', network.vdc),
            'ownerRef.id': urn('vdc', network.vdc),
            'orgRef.id': urn('org', network.org),
            _context: urn('vdc', network.vdc),
          },
        }) ?? true,
    );
  const pageSize = Math.min(128, Number(call.query.get('pageSize') ?? 25) || 25);
  const page = Number(call.query.get('page') ?? 1) || 1;
  const pageCount = Math.ceil(rows.length / pageSize);
  const next: Record<string, string> =
    page < pageCount
      ? {
          Link: `<${call.href(`${call.path}?page=${page + 1}&pageSize=${pageSize}${raw === undefined ? '' : `&filter=${raw}`}`)}>;rel="nextPage"`,
        }
      : {};
  const values = rows.slice((page - 1) * pageSize, page * pageSize).map((network) => networkJson(call, network));
  return {
    status: 200,
    json: { resultTotal: rows.length, pageCount, page, pageSize, associations: null, values },
    headers: next,
  };
}

function byUrn(call: Call): Network {
  return call.entity('network', call.id.replace('urn:vcloud:network:', ''));
}

export const networkRoutes: Route[] = [
  get('/api/network/:id', (call) => networkDocument(call, false)),
  get('/api/admin/network/:id', (call) => networkDocument(call, true)),
  put('/api/network/:id', updateVappNetwork),
  remove('/api/network/:id', deleteVappNetwork),
  post('/api/admin/vdc/:id/networks', createOrgNetwork),
  put('/api/admin/network/:id', updateOrgNetwork),
  remove('/api/admin/network/:id', (call) => accepted(call, deletion(call, call.entity('network')))),
  get('/cloudapi/1.0.0/orgVdcNetworks', listJson),
  get('/cloudapi/1.0.0/orgVdcNetworks/:id', (call) => ({ status: 200, json: networkJson(call, byUrn(call)) })),
  remove('/cloudapi/1.0.0/orgVdcNetworks/:id', (call) => {
    const task = deletion(call, byUrn(call));
    return { status: 202, headers: { Location: call.href(`/api/task/${task.id}`) } };
  }),
];
