import { type Call, document, get, type Reply, type Route, type View } from './call.ts';
import type { Kind, Vdc } from './entities.ts';
import { mediaTypes } from './media-types.ts';
import { usedMb } from './quota.ts';
import { link, reference, urn } from './references.ts';
import { forbidden } from './refusal.ts';
import { apiDeclarations } from './xml/namespaces.ts';
import { el, leaf, type Markup } from './xml/writer.ts';

const hardwareVersions = [21, 20, 19, 18, 17, 15, 14, 13, 11, 10, 9, 8].map((version) => `vmx-${version}`);

/** Vms outside of templates whose vApp lies in the VDC. */
export function machinesIn(view: View, vdc: string) {
  const { store } = view.sim;
  return store.all('vm').filter((vm) => vm.parent.kind === 'vapp' && store.get('vapp', vm.parent.id)?.vdc === vdc);
}

function capacity(element: string, units: string, limit: number, used: number): Markup {
  return el(
    element,
    {},
    leaf('Units', units),
    leaf('Allocated', limit),
    leaf('Limit', limit),
    leaf('Reserved', 0),
    leaf('Used', used),
  );
}

function vdcChildren(view: View, vdc: Vdc, admin: boolean): Markup[] {
  const { store } = view.sim;
  const on = machinesIn(view, vdc.id).filter((vm) => vm.status === 4);
  const inVdc = <T extends { vdc: string }>(entities: T[]) => entities.filter((entity) => entity.vdc === vdc.id);
  const refs = (kind: Kind, entities: { id: string; name: string }[]) =>
    entities.map((entity) => reference(view, 'ResourceEntity', kind, entity));
  const networks = store
    .all('network')
    .filter((network) => network.vdc === vdc.id || (network.shared && network.org === vdc.org));
  const profiles = inVdc(store.all('storageProfile'));
  return [
    leaf('Description', vdc.description),
    leaf('AllocationModel', 'Flex'),
    el(
      'ComputeCapacity',
      {},
      capacity(
        'Cpu',
        'MHz',
        vdc.cpuLimitMhz,
        on.reduce((sum, vm) => sum + vm.cpus * 1000, 0),
      ),
      capacity(
        'Memory',
        'MB',
        vdc.memoryLimitMb,
        on.reduce((sum, vm) => sum + vm.memoryMb, 0),
      ),
    ),
    el(
      'ResourceEntities',
      {},
      refs('vapp', inVdc(store.all('vapp'))),
      refs('template', inVdc(store.all('template'))),
      refs('media', inVdc(store.all('media'))),
      refs('disk', inVdc(store.all('disk'))),
    ),
    el(
      'AvailableNetworks',
      {},
      networks.map((network) =>
        el('Network', {
          href: view.href(`/api/${admin ? 'admin/' : ''}network/${network.id}`),
          id: urn('network', network.id),
          name: network.name,
          type: mediaTypes.network,
        }),
      ),
    ),
    el(
      'Capabilities',
      {},
      el(
        'SupportedHardwareVersions',
        {},
        hardwareVersions.map((version) =>
          el(
            'SupportedHardwareVersion',
            {
              name: version,
              href: view.href(`/api/vdc/${vdc.id}/hwv/${version}`),
              type: mediaTypes.hardwareVersion,
              default: version === 'vmx-19' ? true : null,
            },
            version,
          ),
        ),
      ),
    ),
    leaf('NicQuota', 0),
    leaf('NetworkQuota', 20),
    leaf('UsedNetworkCount', networks.length),
    leaf('VmQuota', vdc.vmQuota ?? 0),
    leaf('IsEnabled', true),
    el(
      'VdcStorageProfiles',
      {},
      profiles.map((profile) => reference(view, 'VdcStorageProfile', 'storageProfile', profile)),
    ),
    el('DefaultComputePolicy', {
      href: view.href(`/cloudapi/1.0.0/vdcComputePolicies/urn:vcloud:vdcComputePolicy:${vdc.id}`),
      id: `urn:vcloud:vdcComputePolicy:${vdc.id}`,
      name: 'System Default',
    }),
  ];
}

function vdcDocument(call: Call, admin: boolean): Reply {
  const vdc = call.entity('vdc');
  const base = `/api/vdc/${vdc.id}`;
  const type = admin ? mediaTypes.adminVdc : mediaTypes.vdc;
  const vcloud = (name: string) => `application/vnd.vmware.vcloud.${name}+xml`;
  return document(
    type,
    el(
      admin ? 'AdminVdc' : 'Vdc',
      {
        ...apiDeclarations,
        status: 1,
        name: vdc.name,
        id: urn('vdc', vdc.id),
        href: call.href(admin ? `/api/admin/vdc/${vdc.id}` : base),
        type,
      },
      admin
        ? link(call, 'up', `/api/admin/org/${vdc.org}`, mediaTypes.adminOrg)
        : link(call, 'up', `/api/org/${vdc.org}`, mediaTypes.org),
      admin ? link(call, 'alternate', base, mediaTypes.vdc) : null,
      link(call, 'down', `${admin ? '/api/admin/vdc/' : '/api/vdc/'}${vdc.id}/metadata`, mediaTypes.metadata),
      link(call, 'add', `${base}/action/uploadVAppTemplate`, mediaTypes.uploadParams),
      link(call, 'add', `${base}/media`, mediaTypes.media),
      link(call, 'add', `${base}/action/instantiateVAppTemplate`, mediaTypes.instantiateParams),
      link(call, 'add', `${base}/action/cloneVApp`, mediaTypes.cloneParams),
      link(call, 'add', `${base}/action/composeVApp`, mediaTypes.composeParams),
      link(call, 'add', `${base}/action/captureVApp`, mediaTypes.captureParams),
      link(call, 'add', `${base}/disk`, mediaTypes.diskCreateParams),
      link(call, 'add', `${base}/action/createVm`, vcloud('CreateVmParams')),
      link(call, 'add', `${base}/action/instantiateVmFromTemplate`, vcloud('instantiateVmTemplateParams')),
      link(call, 'add', `/api/admin/vdc/${vdc.id}/networks`, mediaTypes.orgVdcNetwork),
      link(call, 'down', `${base}/controlAccess/`, mediaTypes.controlAccess),
      link(call, 'controlAccess', `${base}/action/controlAccess`, mediaTypes.controlAccess),
      link(
        call,
        'orgVdcNetworks',
        `/api/query?type=orgVdcNetwork&format=records&filter=vdc==${vdc.id}`,
        mediaTypes.records,
      ),
      vdcChildren(call, vdc, admin),
    ),
  );
}

function storageProfileDocument(call: Call): Reply {
  const profile = call.entity('storageProfile');
  const vdc = call.sim.store.must('vdc', profile.vdc);
  const used = usedMb(call.sim, profile.id);
  return document(
    mediaTypes.storageProfile,
    el(
      'VdcStorageProfile',
      {
        ...apiDeclarations,
        name: profile.name,
        id: urn('storageProfile', profile.id),
        href: call.href(`/api/vdcStorageProfile/${profile.id}`),
        type: mediaTypes.storageProfile,
      },
      link(call, 'up', `/api/vdc/${vdc.id}`, mediaTypes.vdc),
      leaf('Enabled', true),
      leaf('Units', 'MB'),
      leaf('Limit', profile.limitMb),
      leaf('Default', profile.isDefault),
      leaf('IopsAllocated', 0),
      leaf('StorageUsedMB', used),
    ),
  );
}

const guests: readonly [string, string, string][] = [
  ['Linux', 'debian12_64Guest', 'Debian GNU/Linux 12 (64-bit)'],
  ['Linux', 'debian11_64Guest', 'Debian GNU/Linux 11 (64-bit)'],
  ['Linux', 'centos7_64Guest', 'CentOS 7 (64-bit)'],
  ['Linux', 'sles10_64Guest', 'SUSE Linux Enterprise 10 (64-bit)'],
  ['Linux', 'sles15_64Guest', 'SUSE Linux Enterprise 15 (64-bit)'],
  ['Linux', 'ubuntu64Guest', 'Ubuntu Linux (64-bit)'],
  ['Linux', 'rhel9_64Guest', 'Red Hat Enterprise Linux 9 (64-bit)'],
  ['Microsoft Windows', 'windows2019srv_64Guest', 'Microsoft Windows Server 2019 (64-bit)'],
  ['Microsoft Windows', 'windows2019srvNext_64Guest', 'Microsoft Windows Server 2022 (64-bit)'],
  ['Other', 'otherGuest', 'Other (32-bit)'],
  ['Other', 'otherGuest64', 'Other (64-bit)'],
];

function hardwareVersionDocument(call: Call): Reply {
  const vdc = call.entity('vdc');
  const version = call.params.version ?? '';
  if (!hardwareVersions.includes(version)) throw forbidden(`hardware version ${version}`);
  const families = [...new Set(guests.map(([family]) => family))];
  return document(
    mediaTypes.hardwareVersion,
    el(
      'VirtualHardwareVersion',
      apiDeclarations,
      link(call, 'up', `/api/vdc/${vdc.id}`, mediaTypes.vdc),
      leaf('name', version),
      leaf('maxCPUs', 128),
      leaf('maxCoresPerSocket', 64),
      leaf('maxMemorySizeMb', 6_128_000),
      leaf('maxNICs', 10),
      el(
        'supportedOperatingSystems',
        {},
        families.map((family, index) =>
          el(
            'OperatingSystemFamilyInfo',
            {},
            leaf('Name', family),
            leaf('OperatingSystemFamilyId', index + 1),
            guests
              .filter((guest) => guest[0] === family)
              .map(([, internal, name], number) =>
                el(
                  'OperatingSystem',
                  {},
                  leaf('OperatingSystemId', (index + 1) * 100 + number),
                  leaf('Name', name),
                  leaf('InternalName', internal),
                  leaf('Supported', true),
                  leaf('x64', internal.includes('64')),
                ),
              ),
          ),
        ),
      ),
    ),
  );
}

export const vdcRoutes: Route[] = [
  get('/api/vdc/:id', (call) => vdcDocument(call, false)),
  get('/api/admin/vdc/:id', (call) => vdcDocument(call, true)),
  get('/api/vdcStorageProfile/:id', storageProfileDocument),
  get('/api/admin/vdcStorageProfile/:id', storageProfileDocument),
  get('/api/vdc/:id/hwv/:version', hardwareVersionDocument),
  get('/cloudapi/1.0.0/vdcs/:id/capabilities', (call) => {
    call.entity('vdc', call.id.replace('urn:vcloud:vdc:', ''));
    const values = [{ name: 'networkProvider', category: 'Networking', value: 'NSX_T' }];
    return { status: 200, json: { resultTotal: 1, pageCount: 1, page: 1, pageSize: 128, associations: null, values } };
  }),
];
