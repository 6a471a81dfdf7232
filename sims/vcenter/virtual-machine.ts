import { readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { flatOf, onDisk, parsePlace, writePlace } from './datastore-files.ts';
import { capacityBytes, isDisk, isNic, keyOf, shownDevices } from './device.ts';
import { guestFamily, guestName } from './guest-id.ts';
import type { Lab } from './lab.ts';
import type { Reader } from './managed.ts';
import { entityReaders, refOf } from './managed-entity.ts';
import type { VmRecord } from './record.ts';
import { snapshotTree } from './snapshot-tree.ts';
import { type Data, flag, object, type Ref, ref, text } from './value.ts';

export function vmxPlace(vm: VmRecord): { datastore: string; path: string } {
  return { datastore: vm.home.datastore, path: `${vm.home.folder}/${vm.home.folder}.vmx` };
}

export function disksOf(vm: VmRecord): Data[] {
  return vm.devices.filter(isDisk);
}

/** Where the bytes of a disk are. */
export function diskPlace(lab: Lab, disk: Data): { datastore: string; path: string } {
  return parsePlace(lab, text(object(disk, 'backing'), 'fileName') ?? '');
}

function blocks(file: string): number {
  try {
    return statSync(file).blocks * 512;
  } catch {
    return 0;
  }
}

function usedByDisk(lab: Lab, disk: Data): number {
  return blocks(onDisk(lab, flatOf(diskPlace(lab, disk))));
}

function datastores(_lab: Lab, vm: VmRecord): Ref[] {
  const ids = new Set([vm.home.datastore]);
  for (const disk of disksOf(vm)) {
    const backing = object(disk, 'backing');
    const id = (backing?.datastore as Ref | undefined)?.id;
    if (id) ids.add(id);
  }
  return [...ids].map((id) => ref('Datastore', id));
}

function networks(_lab: Lab, vm: VmRecord): Ref[] {
  const found = new Map<string, Ref>();
  for (const nic of vm.devices.filter(isNic)) {
    const backing = object(nic, 'backing');
    const network = backing?.network as Ref | undefined;
    if (network) found.set(network.id, network);
    const group = text(object(backing, 'port'), 'portgroupKey');
    if (group) found.set(group, ref('DistributedVirtualPortgroup', group));
  }
  return [...found.values()];
}

function version(hardware: string): number {
  return Number(hardware.replace(/\D/g, '')) || 19;
}

export function configInfo(lab: Lab, vm: VmRecord): Data {
  const home = `[${lab.find('Datastore', vm.home.datastore)?.name ?? ''}] ${vm.home.folder}/`;
  return {
    _type: 'VirtualMachineConfigInfo',
    changeVersion: vm.changed,
    modified: vm.changed,
    name: vm.name,
    guestFullName: guestName(vm.guestId),
    version: vm.hardware,
    uuid: vm.uuid,
    createDate: vm.created,
    instanceUuid: vm.instanceUuid,
    locationId: '564d0000-0000-0000-0000-000000000000',
    template: vm.template,
    guestId: vm.guestId,
    alternateGuestName: '',
    annotation: vm.annotation,
    files: {
      vmPathName: writePlace(lab, vmxPlace(vm)),
      snapshotDirectory: home,
      suspendDirectory: home,
      logDirectory: home,
    },
    tools: {
      toolsVersion: 0,
      afterPowerOn: true,
      afterResume: true,
      beforeGuestStandby: true,
      beforeGuestShutdown: true,
      toolsUpgradePolicy: 'manual',
      syncTimeWithHost: false,
    },
    flags: { diskUuidEnabled: false, snapshotDisabled: false, snapshotLocked: false },
    defaultPowerOps: {
      powerOffType: 'soft',
      suspendType: 'hard',
      resetType: 'soft',
      defaultPowerOffType: 'soft',
      defaultSuspendType: 'hard',
      defaultResetType: 'soft',
      standbyAction: 'checkpoint',
    },
    hardware: {
      numCPU: vm.cpus,
      numCoresPerSocket: vm.coresPerSocket,
      memoryMB: vm.memoryMB,
      virtualICH7MPresent: false,
      virtualSMCPresent: false,
      device: shownDevices(vm.devices),
    },
    cpuAllocation: {
      reservation: 0,
      expandableReservation: false,
      limit: -1,
      shares: { shares: vm.cpus * 1000, level: 'normal' },
    },
    memoryAllocation: {
      reservation: 0,
      expandableReservation: false,
      limit: -1,
      shares: { shares: vm.memoryMB * 10, level: 'normal' },
    },
    latencySensitivity: { level: 'normal' },
    memoryHotAddEnabled: vm.memoryHotAdd ?? false,
    cpuHotAddEnabled: vm.cpuHotAdd ?? false,
    cpuHotRemoveEnabled: false,
    extraConfig: vm.extraConfig.map((one) => ({ _type: 'OptionValue', key: one.key, value: one.value })),
    bootOptions: {
      bootDelay: 0,
      enterBIOSSetup: false,
      efiSecureBootEnabled: false,
      bootRetryEnabled: false,
      bootRetryDelay: 10000,
      ...vm.bootOptions,
    },
    vAppConfig: vm.vApp && vmConfigInfo(vm.vApp),
    vAssertsEnabled: false,
    changeTrackingEnabled: vm.particular?.includes('change-tracking') ?? false,
    firmware: vm.firmware,
    guestAutoLockEnabled: true,
    nestedHVEnabled: vm.nestedHV ?? false,
    vPMCEnabled: false,
    memoryReservationLockedToMax: false,
    messageBusTunnelEnabled: false,
    migrateEncryption: 'opportunistic',
    ...(vm.particular?.includes('encrypted') ? { keyId: { _type: 'CryptoKeyId', keyId: 'lab-key' } } : {}),
  };
}

function vmConfigInfo(vApp: Data): Data {
  return {
    _type: 'VmConfigInfo',
    product: vApp.product ?? [],
    property: vApp.property ?? [],
    ipAssignment: vApp.ipAssignment ?? {
      supportedIpProtocol: ['IPv4'],
      ipAllocationPolicy: 'fixedPolicy',
      supportedAllocationScheme: [],
      ipProtocol: 'IPv4',
    },
    eula: vApp.eula ?? [],
    ovfSection: vApp.ovfSection ?? [],
    ovfEnvironmentTransport: vApp.ovfEnvironmentTransport ?? [],
    installBootRequired: vApp.installBootRequired ?? false,
    installBootStopDelay: vApp.installBootStopDelay ?? 0,
  };
}

function runtime(_lab: Lab, vm: VmRecord): Data {
  const on = vm.power === 'poweredOn';
  return {
    _type: 'VirtualMachineRuntimeInfo',
    host: ref('HostSystem', vm.host),
    connectionState: 'connected',
    powerState: vm.power,
    toolsInstallerMounted: false,
    bootTime: on ? vm.poweredAt : undefined,
    numMksConnections: 0,
    maxCpuUsage: on ? vm.cpus * 2400 : undefined,
    maxMemoryUsage: on ? vm.memoryMB : undefined,
    faultToleranceState: 'notConfigured',
    recordReplayState: 'inactive',
    consolidationNeeded: false,
    paused: false,
    snapshotInBackground: false,
  };
}

function toolsStatus(vm: VmRecord): string {
  if (vm.particular?.includes('no-tools')) return 'toolsNotInstalled';
  return vm.power === 'poweredOn' ? 'toolsOk' : 'toolsNotRunning';
}

function guest(_lab: Lab, vm: VmRecord): Data {
  const on = vm.power === 'poweredOn';
  return {
    _type: 'GuestInfo',
    toolsStatus: toolsStatus(vm),
    toolsVersionStatus2: 'guestToolsUnmanaged',
    toolsVersionStatus: 'guestToolsUnmanaged',
    toolsRunningStatus: on ? 'guestToolsRunning' : 'guestToolsNotRunning',
    toolsVersion: '12352',
    guestId: on ? vm.guestId : undefined,
    guestFamily: on ? guestFamily(vm.guestId) : undefined,
    guestFullName: on ? guestName(vm.guestId) : undefined,
    hostName: on ? vm.name : undefined,
    net: [],
    disk: [],
    guestState: on ? 'running' : 'notRunning',
    guestOperationsReady: on,
    interactiveGuestOperationsReady: false,
    guestStateChangeSupported: on,
    generationInfo: [],
  };
}

function storageUse(lab: Lab, vm: VmRecord): { committed: number; uncommitted: number } {
  let committed = 0;
  let capacity = 0;
  for (const disk of disksOf(vm)) {
    committed += usedByDisk(lab, disk);
    capacity += capacityBytes(disk);
  }
  return { committed, uncommitted: Math.max(0, capacity - committed) };
}

function storageSummary(lab: Lab, vm: VmRecord): Data {
  const { committed, uncommitted } = storageUse(lab, vm);
  return { committed, uncommitted, unshared: committed, timestamp: vm.changed };
}

function summary(lab: Lab, vm: VmRecord): Data {
  const nics = vm.devices.filter(isNic).length;
  return {
    _type: 'VirtualMachineSummary',
    vm: ref('VirtualMachine', vm.id),
    runtime: runtime(lab, vm),
    guest: {
      guestId: vm.power === 'poweredOn' ? vm.guestId : undefined,
      toolsStatus: toolsStatus(vm),
      toolsVersionStatus: 'guestToolsUnmanaged',
      toolsVersionStatus2: 'guestToolsUnmanaged',
      toolsRunningStatus: vm.power === 'poweredOn' ? 'guestToolsRunning' : 'guestToolsNotRunning',
    },
    config: {
      name: vm.name,
      template: vm.template,
      vmPathName: writePlace(lab, vmxPlace(vm)),
      memorySizeMB: vm.memoryMB,
      cpuReservation: 0,
      memoryReservation: 0,
      numCpu: vm.cpus,
      numEthernetCards: nics,
      numVirtualDisks: disksOf(vm).length,
      uuid: vm.uuid,
      instanceUuid: vm.instanceUuid,
      guestId: vm.guestId,
      guestFullName: guestName(vm.guestId),
      annotation: vm.annotation,
      installBootRequired: flag(vm.vApp, 'installBootRequired'),
      hwVersion: vm.hardware,
    },
    storage: storageSummary(lab, vm),
    quickStats: {
      guestHeartbeatStatus: vm.power === 'poweredOn' ? 'green' : 'gray',
      overallCpuUsage: 0,
      guestMemoryUsage: 0,
      hostMemoryUsage: 0,
      distributedCpuEntitlement: 0,
      distributedMemoryEntitlement: 0,
      staticCpuEntitlement: 0,
      staticMemoryEntitlement: 0,
      privateMemory: 0,
      sharedMemory: 0,
      swappedMemory: 0,
      balloonedMemory: 0,
      consumedOverheadMemory: 0,
      ftLogBandwidth: -1,
      ftSecondaryLatency: -1,
      ftLatencyStatus: 'gray',
      compressedMemory: 0,
      uptimeSeconds: 0,
      ssdSwappedMemory: 0,
    },
    overallStatus: 'green',
    customValue: entityReaders.customValue?.(lab, vm),
  };
}

const FILE_TYPES: [suffix: string, type: string][] = [
  ['-flat.vmdk', 'diskExtent'],
  ['.vmdk', 'diskDescriptor'],
  ['.vmx', 'config'],
  ['.nvram', 'nvram'],
  ['.vmsd', 'snapshotList'],
];

function layoutEx(lab: Lab, vm: VmRecord): Data {
  const folder = onDisk(lab, { datastore: vm.home.datastore, path: vm.home.folder });
  let names: string[] = [];
  try {
    names = readdirSync(folder).sort();
  } catch {
    names = [];
  }
  const file = names.map((name, key): Data => {
    const size = statSync(path.join(folder, name), { throwIfNoEntry: false });
    return {
      key,
      name: writePlace(lab, { datastore: vm.home.datastore, path: `${vm.home.folder}/${name}` }),
      type: FILE_TYPES.find(([suffix]) => name.endsWith(suffix))?.[1] ?? 'log',
      size: size?.size ?? 0,
      uniqueSize: (size?.blocks ?? 0) * 512,
      accessible: true,
    };
  });
  const disk = disksOf(vm).map((one): Data => {
    const base = path.basename(diskPlace(lab, one).path);
    const keys = names.flatMap((name, key) =>
      name === base || name === base.replace(/\.vmdk$/, '-flat.vmdk') ? [key] : [],
    );
    return { key: keyOf(one), chain: [{ fileKey: keys }] };
  });
  return { _type: 'VirtualMachineFileLayoutEx', file, disk, snapshot: [], timestamp: vm.changed };
}

export const vmReaders: Record<string, Reader<VmRecord>> = {
  ...(entityReaders as Record<string, Reader<VmRecord>>),
  capability: (_lab, vm) => ({
    snapshotOperationsSupported: true,
    multipleSnapshotsSupported: true,
    snapshotConfigSupported: true,
    poweredOffSnapshotsSupported: true,
    memorySnapshotsSupported: true,
    revertToSnapshotSupported: true,
    quiescedSnapshotsSupported: true,
    disableSnapshotsSupported: false,
    lockSnapshotsSupported: false,
    consolePreferencesSupported: false,
    cpuFeatureMaskSupported: true,
    s1AcpiManagementSupported: true,
    settingScreenResolutionSupported: false,
    toolsAutoUpdateSupported: false,
    vmNpivWwnSupported: true,
    npivWwnOnNonRdmVmSupported: true,
    vmNpivWwnDisableSupported: true,
    vmNpivWwnUpdateSupported: true,
    swapPlacementSupported: true,
    toolsSyncTimeSupported: false,
    virtualMmuUsageSupported: true,
    diskSharesSupported: true,
    bootOptionsSupported: true,
    bootRetryOptionsSupported: true,
    settingVideoRamSizeSupported: true,
    settingDisplayTopologySupported: true,
    changeTrackingSupported: version(vm.hardware) >= 7,
  }),
  config: configInfo,
  summary,
  runtime,
  guest,
  guestHeartbeatStatus: (_lab, vm) => (vm.power === 'poweredOn' ? 'green' : 'gray'),
  datastore: datastores,
  network: networks,
  storage: (lab, vm) => {
    const { committed, uncommitted } = storageUse(lab, vm);
    const usage = datastores(lab, vm).map(
      (one, index): Data => ({
        datastore: one,
        committed: index ? 0 : committed,
        uncommitted: index ? 0 : uncommitted,
        unshared: index ? 0 : committed,
      }),
    );
    return { _type: 'VirtualMachineStorageInfo', perDatastoreUsage: usage, timestamp: vm.changed };
  },
  layoutEx,
  environmentBrowser: (_lab, vm) => ref('EnvironmentBrowser', `envbrowser-${vm.id.replace(/\D/g, '')}`),
  resourcePool: (lab, vm) => (vm.template ? undefined : refOf(lab.any(vm.pool))),
  parentVApp: (lab, vm) => refOf(lab.find('VirtualApp', vm.pool)),
  snapshot: (lab, vm) => snapshotTree(lab, vm),
  rootSnapshot: (lab, vm) =>
    lab
      .all('VirtualMachineSnapshot')
      .filter((one) => one.vm === vm.id && !one.before)
      .map((one) => ref('VirtualMachineSnapshot', one.id)),
};
