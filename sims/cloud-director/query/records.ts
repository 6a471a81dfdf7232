import type { View } from '../call.ts';
import { mayUse } from '../call.ts';
import type { Kind } from '../entities.ts';
import { type Entity, statusNames, type Vm } from '../entities.ts';
import { usedMb } from '../quota.ts';
import { pathOf } from '../references.ts';
import { vappStatus } from '../vapp.ts';
import { vmsOf } from '../vapp-template.ts';
import { machinesIn } from '../vdc.ts';
import { networkRows, taskRows, vappNetworkRows } from './more-records.ts';

/** One row of a query result before it is filtered and written. */
export interface QueryRow {
  kind: Kind | 'vappNetwork';
  id: string;
  href: string;
  name: string;
  /** Text, number and flag values; undefined = left out. Hrefs begin with `https://`. */
  values: Record<string, string | number | boolean | undefined>;
  metadata: Entity['metadata'];
}

export interface QueryType {
  type: string;
  /** Type name for a System user's client; null = there is none. */
  admin: string | null;
  element: string;
  adminElement: string;
  references: string;
  rows(view: View): QueryRow[];
}

export function row(
  view: View,
  kind: Kind,
  entity: Entity,
  values: QueryRow['values'],
  path = pathOf(kind, entity.id),
): QueryRow {
  return { kind, id: entity.id, href: view.href(path), name: entity.name, values, metadata: entity.metadata };
}

export function seen<T extends Entity>(view: View, entities: T[]): T[] {
  return entities.filter((entity) => mayUse(view, entity.org));
}

export function userName(view: View, id: string): string {
  return view.sim.store.get('user', id)?.name ?? '';
}

export function hrefTo(view: View, kind: Kind, id: string): string {
  return view.href(pathOf(kind, id));
}

function storageKb(vms: readonly Vm[]): number {
  return vms.flatMap((vm) => vm.disks).reduce((sum, disk) => sum + disk.sizeMb * 1024, 0);
}

function vmRows(view: View): QueryRow[] {
  const { store } = view.sim;
  return seen(view, store.all('vm')).map((vm) => {
    const isTemplate = vm.parent.kind === 'template';
    const container = store.must(vm.parent.kind, vm.parent.id);
    const nic = vm.nics.find(({ index }) => index === vm.primaryNic) ?? vm.nics[0];
    const item = isTemplate ? store.all('catalogItem').find((one) => one.entity.id === vm.parent.id) : undefined;
    const vapp = isTemplate ? undefined : store.must('vapp', vm.parent.id);
    return row(
      view,
      'vm',
      vm,
      {
        container: view.href(pathOf(vm.parent.kind, vm.parent.id)),
        containerName: container.name,
        containerStatus: statusNames[vapp === undefined ? 8 : vappStatus(vapp, vmsOf(view.sim, 'vapp', vapp.id))],
        vdc: hrefTo(view, 'vdc', container.vdc),
        vdcName: store.get('vdc', container.vdc)?.name,
        org: hrefTo(view, 'org', vm.org),
        isVAppTemplate: isTemplate,
        isDeleted: false,
        isDeployed: vm.deployed,
        isPublished: false,
        isBusy: view.sim.tasks.openOn(vm.id, vm.parent.id).length > 0,
        isAutoNature: vapp?.autoNature ?? false,
        isInMaintenanceMode: vapp?.maintenance ?? false,
        isVdcEnabled: true,
        status: statusNames[vm.status],
        guestOs: vm.osDescription || vm.osType,
        numberOfCpus: vm.cpus,
        memoryMB: vm.memoryMb,
        hardwareVersion: Number(vm.hardwareVersion.replace('vmx-', '')),
        catalogName: item === undefined ? undefined : store.get('catalog', item.catalog)?.name,
        networkName: nic === undefined || nic.network === 'none' ? undefined : nic.network,
        network:
          nic === undefined || nic.network === 'none' ? undefined : networkHref(view, container.networks, nic.network),
        ipAddress: nic?.ip === '' ? undefined : nic?.ip,
        macAddress: nic?.mac,
        storageProfileName: store.get('storageProfile', vm.storageProfile)?.name,
        isVmToolsInstalled: false,
        vmToolsStatus: 'NOT_INSTALLED',
        gcStatus: 'NO_PENDING',
        snapshot: vm.snapshot !== null,
        snapshotCreated: vm.snapshot?.created,
        dateCreated: vm.created,
        totalStorageAllocatedMb: vm.disks.reduce((sum, disk) => sum + disk.sizeMb, 0),
        numberOfNics: vm.nics.length,
        description: vm.description,
      },
      pathOf('vm', vm.id, vm.parent.kind),
    );
  });
}

function networkHref(view: View, networks: readonly { id: string; name: string }[], name: string): string | undefined {
  const found = networks.find((network) => network.name === name);
  return found === undefined ? undefined : view.href(`/api/network/${found.id}`);
}

function vappRows(view: View): QueryRow[] {
  const { store } = view.sim;
  return seen(view, store.all('vapp'))
    .filter((vapp) => !vapp.autoNature)
    .map((vapp) => {
      const vms = vmsOf(view.sim, 'vapp', vapp.id);
      return row(view, 'vapp', vapp, {
        status: statusNames[vappStatus(vapp, vms)],
        isDeployed: vapp.deployed,
        isBusy: view.sim.tasks.openOn(vapp.id).length > 0,
        isEnabled: true,
        isExpired: false,
        isInMaintenanceMode: vapp.maintenance,
        isVdcEnabled: true,
        isPublic: false,
        ownerName: userName(view, vapp.owner),
        owner: hrefTo(view, 'user', vapp.owner),
        org: hrefTo(view, 'org', vapp.org),
        vdc: hrefTo(view, 'vdc', vapp.vdc),
        vdcName: store.get('vdc', vapp.vdc)?.name,
        creationDate: vapp.created,
        numberOfVMs: vms.length,
        numberOfCpus: vms.reduce((sum, vm) => sum + vm.cpus, 0),
        cpuAllocationInMhz: 0,
        cpuAllocationMhz: 0,
        memoryAllocationMB: vms.reduce((sum, vm) => sum + vm.memoryMb, 0),
        storageKB: storageKb(vms),
        description: vapp.description,
      });
    });
}

function templateRows(view: View): QueryRow[] {
  const { store } = view.sim;
  return seen(view, store.all('template')).map((template) => {
    const vms = vmsOf(view.sim, 'template', template.id);
    const item = store.all('catalogItem').find((one) => one.entity.id === template.id);
    return row(view, 'template', template, {
      status: template.status === 8 ? 'RESOLVED' : statusNames[template.status],
      catalog: item === undefined ? undefined : hrefTo(view, 'catalog', item.catalog),
      catalogName: item === undefined ? undefined : store.get('catalog', item.catalog)?.name,
      catalogItem: item === undefined ? undefined : hrefTo(view, 'catalogItem', item.id),
      vdc: hrefTo(view, 'vdc', template.vdc),
      vdcName: store.get('vdc', template.vdc)?.name,
      org: hrefTo(view, 'org', template.org),
      owner: hrefTo(view, 'user', template.owner),
      ownerName: userName(view, template.owner),
      isPublished: false,
      isExpired: false,
      isDeployed: false,
      isGoldMaster: template.goldMaster,
      isBusy: view.sim.tasks.openOn(template.id).length > 0,
      isEnabled: true,
      isVdcEnabled: true,
      isInCatalog: item !== undefined,
      creationDate: template.created,
      numberOfVMs: vms.length,
      numberOfCpus: vms.reduce((sum, vm) => sum + vm.cpus, 0),
      memoryAllocationMB: vms.reduce((sum, vm) => sum + vm.memoryMb, 0),
      storageKB: storageKb(vms),
      storageProfileName: store.get('storageProfile', template.storageProfile)?.name,
      version: item?.version ?? 1,
      description: template.description,
    });
  });
}

function catalogRows(view: View): QueryRow[] {
  const { store } = view.sim;
  return seen(view, store.all('catalog')).map((catalog) => {
    const items = store.all('catalogItem').filter((item) => item.catalog === catalog.id);
    return row(view, 'catalog', catalog, {
      org: hrefTo(view, 'org', catalog.org),
      orgName: store.get('org', catalog.org)?.name,
      owner: hrefTo(view, 'user', catalog.owner),
      ownerName: userName(view, catalog.owner),
      isPublished: catalog.isPublished,
      isShared: catalog.access !== null,
      isLocal: true,
      creationDate: catalog.created,
      numberOfVAppTemplates: items.filter((item) => item.entity.kind === 'template').length,
      numberOfMedia: items.filter((item) => item.entity.kind === 'media').length,
      publishSubscriptionType: catalog.external === null ? 'UNPUBLISHED' : 'PUBLISHED',
      version: catalog.version,
      status: 'READY',
      description: catalog.description,
    });
  });
}

function itemRows(view: View): QueryRow[] {
  const { store } = view.sim;
  return seen(view, store.all('catalogItem')).map((item) => {
    const catalog = store.must('catalog', item.catalog);
    const entity = store.get(item.entity.kind, item.entity.id);
    const ready = entity?.status === 8 || entity?.status === 1;
    return row(view, 'catalogItem', item, {
      entity: hrefTo(view, item.entity.kind, item.entity.id),
      entityName: entity?.name,
      entityType: item.entity.kind === 'template' ? 'vapptemplate' : 'media',
      catalog: hrefTo(view, 'catalog', catalog.id),
      catalogName: catalog.name,
      owner: hrefTo(view, 'user', catalog.owner),
      ownerName: userName(view, catalog.owner),
      vdc: entity === undefined ? undefined : hrefTo(view, 'vdc', entity.vdc),
      vdcName: entity === undefined ? undefined : store.get('vdc', entity.vdc)?.name,
      status: ready ? 'RESOLVED' : statusNames[entity?.status ?? 0],
      creationDate: item.created,
      isPublished: false,
      isExpired: false,
      isVdcEnabled: true,
      description: item.description,
    });
  });
}

function mediaRows(view: View): QueryRow[] {
  const { store } = view.sim;
  return seen(view, store.all('media')).map((media) => {
    const item = store.all('catalogItem').find((one) => one.entity.id === media.id);
    return row(view, 'media', media, {
      catalog: item === undefined ? undefined : hrefTo(view, 'catalog', item.catalog),
      catalogName: item === undefined ? undefined : store.get('catalog', item.catalog)?.name,
      catalogItem: item === undefined ? undefined : hrefTo(view, 'catalogItem', item.id),
      storageB: media.bytes,
      status: statusNames[media.status],
      vdc: hrefTo(view, 'vdc', media.vdc),
      vdcName: store.get('vdc', media.vdc)?.name,
      org: hrefTo(view, 'org', media.org),
      owner: hrefTo(view, 'user', media.owner),
      ownerName: userName(view, media.owner),
      isIso: true,
      isBusy: false,
      isPublished: false,
      isInCatalog: item !== undefined,
      isVdcEnabled: true,
      creationDate: media.created,
      storageProfileName: store.get('storageProfile', media.storageProfile)?.name,
    });
  });
}

function vdcRows(view: View): QueryRow[] {
  const { store } = view.sim;
  return seen(view, store.all('vdc')).map((vdc) => {
    const count = (entities: { vdc: string }[]) => entities.filter((entity) => entity.vdc === vdc.id).length;
    return row(view, 'vdc', vdc, {
      org: hrefTo(view, 'org', vdc.org),
      orgName: store.get('org', vdc.org)?.name,
      isEnabled: true,
      isBusy: false,
      status: 'READY',
      numberOfVApps: count(store.all('vapp')),
      numberOfVMs: machinesIn(view, vdc.id).length,
      numberOfVAppTemplates: count(store.all('template')),
      numberOfMedia: count(store.all('media')),
      numberOfDisks: count(store.all('disk')),
      numberOfStorageProfiles: count(store.all('storageProfile')),
      cpuLimitMhz: vdc.cpuLimitMhz,
      memoryLimitMB: vdc.memoryLimitMb,
      description: vdc.description,
    });
  });
}

function profileRows(view: View): QueryRow[] {
  const { store } = view.sim;
  return seen(view, store.all('storageProfile')).map((profile) =>
    row(view, 'storageProfile', profile, {
      vdc: hrefTo(view, 'vdc', profile.vdc),
      vdcName: store.get('vdc', profile.vdc)?.name,
      isEnabled: true,
      isDefaultStorageProfile: profile.isDefault,
      isVdcBusy: false,
      storageLimitMB: profile.limitMb,
      storageUsedMB: usedMb(view.sim, profile.id),
    }),
  );
}

function diskRows(view: View): QueryRow[] {
  const { store } = view.sim;
  return seen(view, store.all('disk')).map((disk) =>
    row(view, 'disk', disk, {
      sizeB: disk.sizeMb * 2 ** 20,
      sizeMb: disk.sizeMb,
      status: 'RESOLVED',
      vdc: hrefTo(view, 'vdc', disk.vdc),
      vdcName: store.get('vdc', disk.vdc)?.name,
      ownerName: userName(view, disk.owner),
      isAttached: store.all('vm').some((vm) => vm.disks.some((one) => one.independent === disk.id)),
      storageProfile: hrefTo(view, 'storageProfile', disk.storageProfile),
      storageProfileName: store.get('storageProfile', disk.storageProfile)?.name,
      busType: disk.busType,
      busSubType: disk.busSubtype,
      description: disk.description,
    }),
  );
}

function type(
  name: string,
  admin: string | null,
  element: string,
  rows: QueryType['rows'],
  adminElement = `Admin${element}`,
): QueryType {
  return {
    type: name,
    admin,
    element: `${element}Record`,
    adminElement: `${adminElement}Record`,
    references: `${element}Reference`,
    rows,
  };
}

export const queryTypes: readonly QueryType[] = [
  type('vm', 'adminVM', 'VM', vmRows),
  type('vApp', 'adminVApp', 'VApp', vappRows),
  type('vAppTemplate', 'adminVAppTemplate', 'VAppTemplate', templateRows),
  type('catalog', 'adminCatalog', 'Catalog', catalogRows),
  type('catalogItem', 'adminCatalogItem', 'CatalogItem', itemRows),
  type('media', 'adminMedia', 'Media', mediaRows),
  type('orgVdc', 'adminOrgVdc', 'OrgVdc', vdcRows, 'AdminVdc'),
  type('orgVdcNetwork', null, 'OrgVdcNetwork', networkRows),
  type('task', 'adminTask', 'Task', taskRows),
  type('vAppNetwork', 'adminVAppNetwork', 'VAppNetwork', vappNetworkRows),
  type('disk', 'adminDisk', 'Disk', diskRows),
  type('orgVdcStorageProfile', 'adminOrgVdcStorageProfile', 'OrgVdcStorageProfile', profileRows),
  type('organization', null, 'Org', (view) =>
    seen(view, view.sim.store.all('org')).map((org) =>
      row(view, 'org', org, {
        displayName: org.fullName,
        isEnabled: true,
        isReadOnly: false,
        canPublishCatalogs: org.canPublishCatalogs,
      }),
    ),
  ),
  type('user', 'adminUser', 'User', (view) =>
    seen(view, view.sim.store.all('user')).map((user) =>
      row(view, 'user', user, {
        fullName: user.name,
        isEnabled: true,
        org: hrefTo(view, 'org', user.org),
        roleNames: user.role,
      }),
    ),
  ),
  // The lab has none of these; a client that asks gets the empty answer of a cloud without them.
  type('edgeGateway', null, 'EdgeGateway', () => []),
  type('role', null, 'Role', () => []),
  type('networkPool', null, 'NetworkPool', () => []),
  type('providerVdc', null, 'VMWProviderVdc', () => []),
];
