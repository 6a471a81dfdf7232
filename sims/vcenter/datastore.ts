import { readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { isNic } from './device.ts';
import type { Lab } from './lab.ts';
import { kind, type Method } from './managed.ts';
import { entityMethods, entityReaders } from './managed-entity.ts';
import type { DatastoreRecord, NetworkRecord, PortgroupRecord, SwitchRecord, VmRecord } from './record.ts';
import { type Data, object, type Ref, ref, text } from './value.ts';
import { disksOf } from './virtual-machine.ts';

/** Bytes that the files of a datastore take; read again at most twice a second. */
const used = new WeakMap<Lab, Map<string, { at: number; bytes: number }>>();

function usedBytes(lab: Lab, id: string): number {
  const known = used.get(lab) ?? new Map<string, { at: number; bytes: number }>();
  used.set(lab, known);
  const last = known.get(id);
  if (last && Date.now() - last.at < 500) return last.bytes;
  let bytes = 0;
  try {
    for (const entry of readdirSync(lab.datastoreFolder(id), { recursive: true, withFileTypes: true })) {
      if (entry.isFile())
        bytes += (statSync(path.join(entry.parentPath, entry.name), { throwIfNoEntry: false })?.blocks ?? 0) * 512;
    }
  } catch {
    bytes = 0;
  }
  known.set(id, { at: Date.now(), bytes });
  return bytes;
}

function freeSpace(lab: Lab, store: DatastoreRecord): number {
  return Math.max(0, store.capacityBytes - usedBytes(lab, store.id));
}

function url(store: DatastoreRecord): string {
  return `ds:///vmfs/volumes/${store.id}/`;
}

function vmsOn(lab: Lab, store: DatastoreRecord): VmRecord[] {
  return lab
    .all('VirtualMachine')
    .filter(
      (vm) =>
        vm.home.datastore === store.id ||
        disksOf(vm).some((disk) => (object(disk, 'backing')?.datastore as Ref | undefined)?.id === store.id),
    );
}

function hostsOf(lab: Lab, member: string, list: 'datastores' | 'networks'): Ref[] {
  const owners = new Set(
    lab
      .all('ClusterComputeResource', 'ComputeResource')
      .filter((one) => one[list].includes(member))
      .map((one) => one.id),
  );
  return lab
    .all('HostSystem')
    .filter((host) => owners.has(host.parent ?? ''))
    .map((host) => ref('HostSystem', host.id));
}

export const datastore = kind<DatastoreRecord>(
  'Datastore',
  (lab, id) => lab.find('Datastore', id),
  {
    ...entityReaders,
    info: (lab, one) => ({
      _type: 'VmfsDatastoreInfo',
      name: one.name,
      url: url(one),
      freeSpace: freeSpace(lab, one),
      maxFileSize: 70368744177664,
      maxVirtualDiskCapacity: 68169720922112,
      maxMemoryFileSize: 35184372088832,
      maxPhysicalRDMFileSize: 70368744177664,
      maxVirtualRDMFileSize: 68169720922112,
    }),
    summary: (lab, one) => ({
      _type: 'DatastoreSummary',
      datastore: ref('Datastore', one.id),
      name: one.name,
      url: url(one),
      capacity: one.capacityBytes,
      freeSpace: freeSpace(lab, one),
      uncommitted: 0,
      accessible: true,
      multipleHostAccess: true,
      type: one.kind,
      maintenanceMode: 'normal',
    }),
    host: (lab, one) =>
      hostsOf(lab, one.id, 'datastores').map(
        (host): Data => ({
          key: host,
          mountInfo: { path: `/vmfs/volumes/${one.id}`, accessMode: 'readWrite', mounted: true, accessible: true },
        }),
      ),
    vm: (lab, one) => vmsOn(lab, one).map((vm) => ref('VirtualMachine', vm.id)),
    browser: (_lab, one) => ref('HostDatastoreBrowser', `datastoreBrowser-${one.id}`),
    capability: () => ({
      directoryHierarchySupported: true,
      rawDiskMappingsSupported: false,
      perFileThinProvisioningSupported: true,
      storageIORMSupported: true,
      nativeSnapshotSupported: false,
      topLevelDirectoryCreateSupported: true,
      seSparseSupported: true,
    }),
  },
  {
    ...(entityMethods as Record<string, Method<DatastoreRecord>>),
    RefreshDatastore(call, one) {
      used.get(call.lab)?.delete(one.id);
      call.lab.changed();
      return undefined;
    },
  },
);

function vmsOnNetwork(lab: Lab, id: string): Ref[] {
  const uses = (vm: VmRecord) =>
    vm.devices.filter(isNic).some((nic) => {
      const backing = object(nic, 'backing');
      return (backing?.network as Ref | undefined)?.id === id || text(object(backing, 'port'), 'portgroupKey') === id;
    });
  return lab
    .all('VirtualMachine')
    .filter(uses)
    .map((vm) => ref('VirtualMachine', vm.id));
}

export const network = kind<NetworkRecord>(
  'Network',
  (lab, id) => lab.find('Network', id),
  {
    ...entityReaders,
    summary: (_lab, one) => ({
      _type: 'NetworkSummary',
      network: ref('Network', one.id),
      name: one.name,
      accessible: true,
      ipPoolName: '',
    }),
    host: (lab, one) => hostsOf(lab, one.id, 'networks'),
    vm: (lab, one) => vmsOnNetwork(lab, one.id),
  },
  entityMethods as Record<string, Method<NetworkRecord>>,
);

export const portgroup = kind<PortgroupRecord>(
  'DistributedVirtualPortgroup',
  (lab, id) => lab.find('DistributedVirtualPortgroup', id),
  {
    ...entityReaders,
    summary: (_lab, one) => ({
      _type: 'NetworkSummary',
      network: ref('DistributedVirtualPortgroup', one.id),
      name: one.name,
      accessible: true,
      ipPoolName: '',
    }),
    host: (lab, one) => hostsOf(lab, one.id, 'networks'),
    vm: (lab, one) => vmsOnNetwork(lab, one.id),
    key: (_lab, one) => one.id,
    config: (_lab, one) => ({
      key: one.id,
      name: one.name,
      numPorts: 8,
      distributedVirtualSwitch: ref('VmwareDistributedVirtualSwitch', one.dvs),
      defaultPortConfig: {
        _type: 'VMwareDVSPortSetting',
        vlan: { _type: 'VmwareDistributedVirtualSwitchVlanIdSpec', inherited: false, vlanId: one.vlan },
      },
      type: 'earlyBinding',
      backingType: 'standard',
      policy: {
        _type: 'VMwareDVSPortgroupPolicy',
        blockOverrideAllowed: true,
        shapingOverrideAllowed: false,
        vendorConfigOverrideAllowed: false,
        livePortMovingAllowed: false,
        portConfigResetAtDisconnect: true,
        vlanOverrideAllowed: false,
        uplinkTeamingOverrideAllowed: false,
        securityPolicyOverrideAllowed: false,
      },
      configVersion: '1',
      autoExpand: true,
      uplink: false,
    }),
    portKeys: () => ['0', '1', '2', '3', '4', '5', '6', '7'],
  },
  entityMethods as Record<string, Method<PortgroupRecord>>,
);

function groupsOf(lab: Lab, one: SwitchRecord): PortgroupRecord[] {
  return lab.all('DistributedVirtualPortgroup').filter((group) => group.dvs === one.id);
}

export const distributedSwitch = kind<SwitchRecord>(
  'VmwareDistributedVirtualSwitch',
  (lab, id) => lab.find('VmwareDistributedVirtualSwitch', id),
  {
    ...entityReaders,
    uuid: (_lab, one) => one.uuid,
    summary: (lab, one) => ({
      name: one.name,
      uuid: one.uuid,
      numPorts: groupsOf(lab, one).length * 8,
      portgroupName: groupsOf(lab, one).map((group) => group.name),
    }),
    config: (lab, one) => ({
      _type: 'VMwareDVSConfigInfo',
      uuid: one.uuid,
      name: one.name,
      numStandalonePorts: 0,
      numPorts: groupsOf(lab, one).length * 8,
      maxPorts: 2147483647,
      uplinkPortPolicy: { _type: 'DVSNameArrayUplinkPortPolicy', uplinkPortName: ['Uplink 1'] },
      defaultPortConfig: { _type: 'VMwareDVSPortSetting' },
      productInfo: { name: 'DVS', vendor: 'VMware, Inc.', version: '8.0.3' },
      configVersion: '1',
      contact: {},
      createTime: '2026-01-05T08:00:00Z',
      networkResourceManagementEnabled: true,
      maxMtu: 1500,
    }),
    portgroup: (lab, one) => groupsOf(lab, one).map((group) => ref('DistributedVirtualPortgroup', group.id)),
  },
  entityMethods as Record<string, Method<SwitchRecord>>,
);
