import { autoStartManagerRef } from './auto-start-manager.ts';
import type { Lab } from './lab.ts';
import type { Method } from './managed.ts';
import { kind } from './managed.ts';
import { entityMethods, entityReaders } from './managed-entity.ts';
import type { ComputeRecord, HostRecord } from './record.ts';
import { type Data, type Ref, ref } from './value.ts';

function hosts(lab: Lab, one: ComputeRecord): HostRecord[] {
  return lab.all('HostSystem').filter((host) => host.parent === one.id);
}

function rootPool(lab: Lab, one: ComputeRecord): Ref | undefined {
  const pool = lab.all('ResourcePool').find((candidate) => candidate.parent === one.id);
  return pool && ref('ResourcePool', pool.id);
}

function networkRefs(lab: Lab, ids: string[]): Ref[] {
  return ids.flatMap((id) => {
    const found = lab.any(id);
    return found ? [ref(found.type, id)] : [];
  });
}

function totals(lab: Lab, one: ComputeRecord): Data {
  const all = hosts(lab, one);
  const cores = all.reduce((sum, host) => sum + host.cores, 0);
  const memory = all.reduce((sum, host) => sum + host.memoryMB, 0);
  return {
    totalCpu: cores * 2400,
    totalMemory: memory * 1024 * 1024,
    numCpuCores: cores,
    numCpuThreads: cores * 2,
    effectiveCpu: cores * 2400,
    effectiveMemory: memory,
    numHosts: all.length,
    numEffectiveHosts: all.length,
    overallStatus: 'green',
  };
}

const readers = {
  ...entityReaders,
  resourcePool: rootPool,
  host: (lab: Lab, one: ComputeRecord) => hosts(lab, one).map((host) => ref('HostSystem', host.id)),
  datastore: (_lab: Lab, one: ComputeRecord) => one.datastores.map((id) => ref('Datastore', id)),
  network: (lab: Lab, one: ComputeRecord) => networkRefs(lab, one.networks),
  environmentBrowser: (_lab: Lab, one: ComputeRecord) => ref('EnvironmentBrowser', `envbrowser-${one.id}`),
};

const methods = entityMethods as Record<string, Method<ComputeRecord>>;

export const computeResource = kind<ComputeRecord>(
  'ComputeResource',
  (lab, id) => lab.find('ComputeResource', id),
  {
    ...readers,
    summary: (lab, one) => ({ _type: 'ComputeResourceSummary', ...totals(lab, one) }),
    configurationEx: () => ({ _type: 'ComputeResourceConfigInfo', vmSwapPlacement: 'vmDirectory' }),
  },
  methods,
);

export const cluster = kind<ComputeRecord>(
  'ClusterComputeResource',
  (lab, id) => lab.find('ClusterComputeResource', id),
  {
    ...readers,
    summary: (lab, one) => ({
      _type: 'ClusterComputeResourceSummary',
      ...totals(lab, one),
      currentFailoverLevel: 0,
      numVmotions: 0,
    }),
    configuration: () => ({
      dasConfig: { enabled: false },
      drsConfig: { enabled: false, defaultVmBehavior: 'fullyAutomated' },
    }),
    configurationEx: () => ({
      _type: 'ClusterConfigInfoEx',
      vmSwapPlacement: 'vmDirectory',
      dasConfig: { enabled: false },
      drsConfig: { enabled: false, defaultVmBehavior: 'fullyAutomated' },
    }),
  },
  methods,
);

function product(): Data {
  return {
    name: 'VMware ESXi',
    fullName: 'VMware ESXi 8.0.3 build-24022510',
    vendor: 'VMware, Inc.',
    version: '8.0.3',
    build: '24022510',
    localeVersion: 'INTL',
    localeBuild: '000',
    osType: 'vmnix-x86',
    productLineId: 'embeddedEsx',
    apiType: 'HostAgent',
    apiVersion: '8.0.3.0',
    licenseProductName: 'VMware ESX Server',
    licenseProductVersion: '8.0',
  };
}

function owner(lab: Lab, host: HostRecord): ComputeRecord | undefined {
  return lab.find('ClusterComputeResource', host.parent) ?? lab.find('ComputeResource', host.parent);
}

function vms(lab: Lab, host: HostRecord): Ref[] {
  return lab
    .all('VirtualMachine')
    .filter((vm) => vm.host === host.id)
    .map((vm) => ref('VirtualMachine', vm.id));
}

export const hostSystem = kind<HostRecord>(
  'HostSystem',
  (lab, id) => lab.find('HostSystem', id),
  {
    ...entityReaders,
    runtime: () => ({
      connectionState: 'connected',
      powerState: 'poweredOn',
      standbyMode: 'none',
      inMaintenanceMode: false,
      bootTime: '2026-01-05T08:00:00Z',
    }),
    summary: (lab, host) => ({
      host: ref('HostSystem', host.id),
      hardware: {
        vendor: 'Cloudspan',
        model: 'Lab host',
        uuid: `00000000-0000-4000-8000-${host.id.replace(/\D/g, '').padStart(12, '0')}`,
        memorySize: host.memoryMB * 1024 * 1024,
        cpuModel: 'Simulated',
        cpuMhz: 2400,
        numCpuPkgs: 1,
        numCpuCores: host.cores,
        numCpuThreads: host.cores * 2,
        numNics: 2,
        numHBAs: 1,
      },
      runtime: {
        connectionState: 'connected',
        powerState: 'poweredOn',
        standbyMode: 'none',
        inMaintenanceMode: false,
        bootTime: '2026-01-05T08:00:00Z',
      },
      config: {
        name: host.name,
        port: 443,
        sslThumbprint: lab.host.thumbprint,
        product: product(),
        vmotionEnabled: true,
        faultToleranceEnabled: false,
      },
      quickStats: { overallCpuUsage: 0, overallMemoryUsage: 0 },
      overallStatus: 'green',
      rebootRequired: false,
      managementServerIp: '127.0.0.1',
    }),
    datastore: (lab, host) => owner(lab, host)?.datastores.map((id) => ref('Datastore', id)) ?? [],
    network: (lab, host) => networkRefs(lab, owner(lab, host)?.networks ?? []),
    vm: vms,
    configManager: (_lab, host) => ({ autoStartManager: autoStartManagerRef(host) }),
    datastoreBrowser: (_lab, host) => ref('HostDatastoreBrowser', `datastoreBrowser-${host.id}`),
  },
  entityMethods as Record<string, Method<HostRecord>>,
);
