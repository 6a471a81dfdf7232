import { type Call, document, get, mayUse, put, type Reply, type Route, type View } from './call.ts';
import type { Org } from './entities.ts';
import { mediaTypes } from './media-types.ts';
import { link, reference, urn } from './references.ts';
import { apiDeclarations } from './xml/namespaces.ts';
import { booleanOf, path, textOf } from './xml/tree.ts';
import { el, leaf, type Markup } from './xml/writer.ts';

function orgsOf(view: View): Org[] {
  return view.sim.store.all('org').filter((org) => mayUse(view, org.id));
}

function orgList(call: Call): Reply {
  return document(
    mediaTypes.orgList,
    el(
      'OrgList',
      {
        ...apiDeclarations,
        href: call.href('/api/org/'),
        type: mediaTypes.orgList,
      },
      orgsOf(call).map((org) => reference(call, 'Org', 'org', org)),
    ),
  );
}

/** From 33.0 on the children are found through query links only; before, each one had its own link. */
function childLinks(view: View, org: Org): Markup[] {
  if (view.version >= 33) {
    return ['orgVdc', 'orgVdcNetwork', 'catalog', 'catalogItem'].map((type) =>
      link(view, 'down', `/api/query?type=${type}&format=records`, mediaTypes.records),
    );
  }
  const { store } = view.sim;
  const mine = <T extends { org: string }>(entities: T[]) => entities.filter((entity) => entity.org === org.id);
  return [
    ...mine(store.all('vdc')).map((vdc) => link(view, 'down', `/api/vdc/${vdc.id}`, mediaTypes.vdc, vdc.name)),
    ...mine(store.all('catalog')).flatMap((catalog) => [
      link(view, 'down', `/api/catalog/${catalog.id}`, mediaTypes.catalog, catalog.name),
      link(
        view,
        'down',
        `/api/org/${org.id}/catalog/${catalog.id}/controlAccess/`,
        mediaTypes.controlAccess,
        catalog.name,
      ),
    ]),
    ...mine(store.all('network')).map((network) =>
      link(view, 'down', `/api/network/${network.id}`, mediaTypes.orgNetwork, network.name),
    ),
  ];
}

function orgDocument(call: Call): Reply {
  const org = call.entity('org');
  return document(
    mediaTypes.org,
    el(
      'Org',
      {
        ...apiDeclarations,
        name: org.name,
        id: urn('org', org.id),
        href: call.href(`/api/org/${org.id}`),
        type: mediaTypes.org,
      },
      childLinks(call, org),
      link(call, 'down', `/api/tasksList/${org.id}`, mediaTypes.tasksList),
      link(call, 'add', `/api/admin/org/${org.id}/catalogs`, mediaTypes.adminCatalog),
      link(call, 'alternate', `/api/admin/org/${org.id}`, mediaTypes.adminOrg),
      link(call, 'down', `/api/org/${org.id}/metadata`, mediaTypes.metadata),
      leaf('Description', org.description),
      leaf('FullName', org.fullName),
      leaf('IsEnabled', true),
    ),
  );
}

function leaseSettings(element: string): Markup {
  const vapp = element === 'VAppLeaseSettings';
  return el(
    element,
    {},
    leaf('DeleteOnStorageLeaseExpiration', false),
    vapp ? [leaf('DeploymentLeaseSeconds', 0)] : null,
    leaf('StorageLeaseSeconds', 0),
    vapp ? leaf('PowerOffOnRuntimeLeaseExpiration', false) : null,
  );
}

function adminOrgDocument(call: Call): Reply {
  const org = call.entity('org');
  const { store } = call.sim;
  const vdcs = store.all('vdc').filter((vdc) => vdc.org === org.id);
  const users = store.all('user').filter((user) => user.org === org.id);
  const catalogs = store.all('catalog').filter((catalog) => catalog.org === org.id);
  const networks = store.all('network').filter((network) => network.org === org.id);
  return document(
    mediaTypes.adminOrg,
    el(
      'AdminOrg',
      {
        ...apiDeclarations,
        name: org.name,
        id: urn('org', org.id),
        href: call.href(`/api/admin/org/${org.id}`),
        type: mediaTypes.adminOrg,
      },
      link(call, 'alternate', `/api/org/${org.id}`, mediaTypes.org),
      link(call, 'edit', `/api/admin/org/${org.id}`, mediaTypes.adminOrg),
      link(call, 'add', `/api/admin/org/${org.id}/catalogs`, mediaTypes.adminCatalog),
      link(call, 'add', `/api/admin/org/${org.id}/users`, mediaTypes.adminUser),
      link(call, 'down', `/api/admin/org/${org.id}/metadata`, mediaTypes.metadata),
      leaf('Description', org.description),
      leaf('FullName', org.fullName),
      leaf('IsEnabled', true),
      el(
        'Settings',
        {},
        el(
          'OrgGeneralSettings',
          {},
          leaf('CanPublishCatalogs', org.canPublishCatalogs),
          leaf('CanPublishExternally', org.canPublishExternally),
          leaf('CanSubscribe', org.canSubscribe),
          leaf('DeployedVMQuota', 0),
          leaf('StoredVmQuota', 0),
          leaf('UseServerBootSequence', false),
          leaf('DelayAfterPowerOnSeconds', 0),
        ),
        leaseSettings('VAppLeaseSettings'),
        leaseSettings('VAppTemplateLeaseSettings'),
      ),
      el(
        'Users',
        {},
        users.map((user) => reference(call, 'UserReference', 'user', user)),
      ),
      el('Groups', {}),
      el(
        'Catalogs',
        {},
        catalogs.map((catalog) =>
          el('CatalogReference', {
            href: call.href(`/api/admin/catalog/${catalog.id}`),
            id: urn('catalog', catalog.id),
            name: catalog.name,
            type: mediaTypes.adminCatalog,
          }),
        ),
      ),
      el(
        'Vdcs',
        {},
        vdcs.map((vdc) =>
          el('Vdc', {
            href: call.href(`/api/admin/vdc/${vdc.id}`),
            id: urn('vdc', vdc.id),
            name: vdc.name,
            type: mediaTypes.adminVdc,
          }),
        ),
      ),
      el(
        'Networks',
        {},
        networks.map((network) =>
          el('Network', {
            href: call.href(`/api/admin/network/${network.id}`),
            id: urn('network', network.id),
            name: network.name,
            type: 'application/vnd.vmware.admin.network+xml',
          }),
        ),
      ),
    ),
  );
}

async function updateOrg(call: Call): Promise<Reply> {
  const org = call.entity('org');
  const body = await call.xml('AdminOrg');
  const general = path(body, 'Settings', 'OrgGeneralSettings');
  const flag = (name: string, now: boolean) => booleanOf(textOf(general, name)) ?? now;
  call.sim.store.change('org', org.id, {
    description: textOf(body, 'Description') ?? org.description,
    fullName: textOf(body, 'FullName') ?? org.fullName,
    canPublishCatalogs: flag('CanPublishCatalogs', org.canPublishCatalogs),
    canPublishExternally: flag('CanPublishExternally', org.canPublishExternally),
    canSubscribe: flag('CanSubscribe', org.canSubscribe),
  });
  return adminOrgDocument(call);
}

function adminDocument(call: Call): Reply {
  const release = '10.4.2.21954589 Thu Jun 15 18:07:31 UTC 2023';
  return document(
    mediaTypes.vcloud,
    el(
      'VCloud',
      {
        ...apiDeclarations,
        name: 'VMware Cloud Director',
        href: call.href('/api/admin/'),
        type: mediaTypes.vcloud,
      },
      leaf('Description', release),
      el(
        'OrganizationReferences',
        {},
        orgsOf(call).map((org) =>
          el('OrganizationReference', {
            href: call.href(`/api/admin/org/${org.id}`),
            id: urn('org', org.id),
            name: org.name,
            type: mediaTypes.adminOrg,
          }),
        ),
      ),
      el('ProviderVdcReferences', {}),
      el('RolesReferences', {}),
      el('Networks', {}),
    ),
  );
}

function userDocument(call: Call): Reply {
  const user = call.entity('user');
  return document(
    mediaTypes.adminUser,
    el(
      'User',
      {
        ...apiDeclarations,
        name: user.name,
        id: urn('user', user.id),
        href: call.href(`/api/admin/user/${user.id}`),
        type: mediaTypes.adminUser,
      },
      leaf('FullName', user.name),
      leaf('IsEnabled', true),
      leaf('IsLocked', false),
    ),
  );
}

export const orgRoutes: Route[] = [
  get('/api/org', orgList),
  get('/api/org/:id', orgDocument),
  get('/api/admin', adminDocument),
  get('/api/admin/org/:id', adminOrgDocument),
  put('/api/admin/org/:id', updateOrg),
  get('/api/admin/user/:id', userDocument),
  get('/cloudapi/1.0.0/orgs', (call) => {
    const values = orgsOf(call).map((org) => ({
      id: urn('org', org.id),
      name: org.name,
      displayName: org.fullName,
      description: org.description,
      isEnabled: true,
    }));
    return {
      status: 200,
      json: { resultTotal: values.length, pageCount: 1, page: 1, pageSize: 128, associations: null, values },
    };
  }),
];
