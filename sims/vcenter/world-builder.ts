import { createCipheriv, createHash, randomBytes } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { flatOf, onDisk } from './datastore-files.ts';
import { entityName, type Lab } from './lab.ts';
import { withParticulars } from './particulars.ts';
import type { FolderRecord } from './record.ts';
import { newVApp, orderEntry } from './resource-pool.ts';
import type { Data } from './value.ts';
import { diskPlace, disksOf } from './virtual-machine.ts';
import { createVm } from './vm-config.ts';
import type { World, WorldVm } from './world.ts';

const CHUNK = 4 * 1024 * 1024;
const CONTROLLERS: Record<string, string> = {
  pvscsi: 'ParaVirtualSCSIController',
  lsilogic: 'VirtualLsiLogicController',
  lsilogicsas: 'VirtualLsiLogicSASController',
  sata: 'VirtualAHCIController',
  nvme: 'VirtualNVMEController',
  ide: 'VirtualIDEController',
};
const NICS = { vmxnet3: 'VirtualVmxnet3', e1000: 'VirtualE1000', e1000e: 'VirtualE1000e' } as const;

/** Fills a disk from its start with the keystream of AES-CTR under a key: as fast as the machine encrypts, and the same again. */
async function fill(file: FileHandle, bytes: number, key: Buffer): Promise<void> {
  const cipher = createCipheriv('aes-128-ctr', key, Buffer.alloc(16));
  const zeros = Buffer.alloc(CHUNK);
  for (let at = 0; at < bytes; at += CHUNK) {
    const part = cipher.update(zeros.subarray(0, Math.min(CHUNK, bytes - at)));
    await file.write(part, 0, part.length, at);
  }
}

async function fillDisk(file: FileHandle, size: number, content: WorldVm['disks'][number]['content']): Promise<void> {
  if (content === 'empty') return;
  if ('file' in content) {
    await using source = await open(content.file, 'r');
    const buffer = Buffer.alloc(CHUNK);
    for (let at = 0; at < size; ) {
      const { bytesRead } = await source.read(buffer, 0, Math.min(CHUNK, size - at), at);
      if (!bytesRead) break;
      const part = buffer.subarray(0, bytesRead);
      if (part.some((byte) => byte !== 0)) await file.write(part, 0, bytesRead, at);
      at += bytesRead;
    }
    return;
  }
  const key =
    'seed' in content
      ? createHash('sha256').update(`lab disk ${content.seed}`).digest().subarray(0, 16)
      : randomBytes(16);
  await fill(file, Math.min(content.dataBytes, size), key);
}

function folderAt(lab: Lab, root: FolderRecord, path: string[]): FolderRecord {
  let at = root;
  for (const part of path) {
    const name = entityName(part.replaceAll('%', '%25'));
    const known = lab.children(at.id).find((one) => one.type === 'Folder' && one.name === name) as
      | FolderRecord
      | undefined;
    at = known ?? lab.put({ type: 'Folder', id: lab.id('Folder', 'group-v'), name, parent: at.id, holds: 'vm' });
  }
  return at;
}

function nicSpec(lab: Lab, datacenter: string, nic: WorldVm['nics'][number], key: number): Data {
  const found = lab
    .all('Network', 'DistributedVirtualPortgroup')
    .find((one) => one.name === nic.network && lab.above('Datacenter', one.id)?.id === datacenter);
  if (!found) throw new Error(`world: there is no network "${nic.network}"`);
  const backing: Data =
    found.type === 'Network'
      ? { _type: 'VirtualEthernetCardNetworkBackingInfo', deviceName: found.name }
      : {
          _type: 'VirtualEthernetCardDistributedVirtualPortBackingInfo',
          port: { switchUuid: lab.get('VmwareDistributedVirtualSwitch', found.dvs).uuid, portgroupKey: found.id },
        };
  return {
    _type: NICS[nic.type],
    key,
    backing,
    connectable: { startConnected: nic.connected, allowGuestControl: true, connected: nic.connected },
    ...(nic.mac ? { addressType: 'manual', macAddress: nic.mac } : {}),
  };
}

function configSpec(lab: Lab, datacenter: string, vm: WorldVm): Data {
  const add = (device: Data, operation?: string): Data => ({
    operation: 'add',
    ...(operation ? { fileOperation: operation } : {}),
    device,
  });
  const buses = new Map<string, number>();
  const controllers = vm.controllers.map((name, index) => {
    const family = ['pvscsi', 'lsilogic', 'lsilogicsas'].includes(name) ? 'scsi' : name;
    const bus = buses.get(family) ?? 0;
    buses.set(family, bus + 1);
    return add({ _type: CONTROLLERS[name] ?? '', key: -100 - index, busNumber: bus });
  });
  const disks = vm.disks.map((disk, index) =>
    add(
      {
        _type: 'VirtualDisk',
        key: -200 - index,
        controllerKey: -100 - disk.controller,
        ...(disk.unit === undefined ? {} : { unitNumber: disk.unit }),
        capacityInKB: Math.ceil(disk.size / 1024),
        capacityInBytes: disk.size,
        backing: {
          _type: 'VirtualDiskFlatVer2BackingInfo',
          fileName: '',
          diskMode: 'persistent',
          thinProvisioned: true,
        },
      },
      'create',
    ),
  );
  const ide =
    vm.cdrom && !vm.controllers.includes('ide')
      ? [add({ _type: 'VirtualIDEController', key: -150, busNumber: 0 })]
      : [];
  const cdrom = vm.cdrom
    ? [
        add({
          _type: 'VirtualCdrom',
          key: -300,
          controllerKey: vm.controllers.includes('ide') ? -100 - vm.controllers.indexOf('ide') : -150,
          backing: { _type: 'VirtualCdromRemotePassthroughBackingInfo', deviceName: '', exclusive: false },
        }),
      ]
    : [];
  const nics = vm.nics.map((nic, index) => add(nicSpec(lab, datacenter, nic, -400 - index)));
  const property = vm.properties.map((one, key) => ({
    operation: 'add',
    info: {
      key,
      id: one.id,
      type: one.type,
      label: one.label,
      userConfigurable: one.userConfigurable,
      defaultValue: one.value,
      value: '',
    },
  }));
  return {
    name: vm.name.replaceAll('%', '%25'),
    guestId: vm.guestId,
    version: vm.hardware,
    annotation: vm.notes,
    numCPUs: vm.cpus,
    numCoresPerSocket: vm.coresPerSocket,
    memoryMB: vm.memoryMB,
    firmware: vm.firmware,
    deviceChange: [...controllers, ...ide, ...disks, ...cdrom, ...nics],
    extraConfig: Object.entries(vm.extraConfig).map(([key, value]) => ({ key, value })),
    ...(property.length ? { vAppConfig: { _type: 'VmConfigSpec', property } } : {}),
  };
}

async function addVm(
  lab: Lab,
  datacenter: string,
  vm: WorldVm,
  folder: string | undefined,
  pool: string,
  datastore: string,
): Promise<string> {
  const made = await createVm(lab, configSpec(lab, datacenter, vm), { folder, pool, datastore });
  for (const [index, disk] of disksOf(made).entries()) {
    const wanted = vm.disks[index];
    if (!wanted) continue;
    await using file = await open(onDisk(lab, flatOf(diskPlace(lab, disk))), 'r+');
    await fillDisk(file, wanted.size, wanted.content);
  }
  const power = vm.power === 'on' ? 'poweredOn' : vm.power === 'off' ? 'poweredOff' : 'suspended';
  const { particular } = vm;
  const devices = withParticulars(lab, made, vm);
  lab.put({
    ...made,
    devices,
    particular,
    power,
    template: vm.template,
    ...(power === 'poweredOn' ? { poweredAt: made.created } : {}),
  });
  return made.id;
}

/** Builds the inventory of a world. Called once, on an empty data folder. */
export async function buildWorld(lab: Lab, world: World): Promise<void> {
  lab.put({ type: 'Folder', id: 'group-d1', name: 'Datacenters', holds: 'datacenter' });
  for (const datacenter of world.datacenters) await buildDatacenter(lab, datacenter);
}

async function buildDatacenter(lab: Lab, wanted: World['datacenters'][number]): Promise<void> {
  const dc = lab.put({
    type: 'Datacenter',
    id: lab.id('Datacenter'),
    name: entityName(wanted.name),
    parent: 'group-d1',
  });
  const fixed = (name: string, holds: FolderRecord['holds'], letter: string): FolderRecord =>
    lab.put({ type: 'Folder', id: lab.id('Folder', `group-${letter}`), name, parent: dc.id, holds });
  const vmFolder = fixed('vm', 'vm', 'v');
  const hostFolder = fixed('host', 'host', 'h');
  const storeFolder = fixed('datastore', 'datastore', 's');
  const networkFolder = fixed('network', 'network', 'n');
  const datastores = wanted.datastores.map((one) =>
    lab.put({
      type: 'Datastore',
      id: lab.id('Datastore'),
      name: entityName(one.name),
      parent: storeFolder.id,
      capacityBytes: one.capacity,
      kind: 'VMFS',
    }),
  );
  const networks = wanted.networks.map(
    (one) => lab.put({ type: 'Network', id: lab.id('Network'), name: entityName(one), parent: networkFolder.id }).id,
  );
  for (const one of wanted.switches) {
    const dvs = lab.put({
      type: 'VmwareDistributedVirtualSwitch',
      id: lab.id('VmwareDistributedVirtualSwitch'),
      name: entityName(one.name),
      parent: networkFolder.id,
      uuid: (randomBytes(16).toString('hex').match(/../g) ?? []).join(' ').replace(/^(.{23}) /, '$1-'),
    });
    for (const group of one.portgroups)
      networks.push(
        lab.put({
          type: 'DistributedVirtualPortgroup',
          id: lab.id('DistributedVirtualPortgroup'),
          name: entityName(group.name),
          parent: networkFolder.id,
          dvs: dvs.id,
          vlan: group.vlan,
        }).id,
      );
  }
  const pools = new Map<string, string>();
  let defaultPool = '';
  for (const one of wanted.clusters) {
    const type = one.cluster ? 'ClusterComputeResource' : 'ComputeResource';
    const compute = lab.put({
      type,
      id: lab.id(type),
      name: entityName(one.name),
      parent: hostFolder.id,
      datastores: datastores.map((store) => store.id),
      networks,
    });
    for (const host of one.hosts)
      lab.put({
        type: 'HostSystem',
        id: lab.id('HostSystem'),
        name: entityName(host.name),
        parent: compute.id,
        cores: host.cores,
        memoryMB: host.memoryMB,
      });
    const root = lab.put({ type: 'ResourcePool', id: lab.id('ResourcePool'), name: 'Resources', parent: compute.id });
    defaultPool ||= root.id;
    for (const name of one.pools)
      pools.set(
        name,
        lab.put({ type: 'ResourcePool', id: lab.id('ResourcePool'), name: entityName(name), parent: root.id }).id,
      );
  }
  const poolOf = (name: string | undefined) =>
    name === undefined ? defaultPool : (pools.get(name) ?? fail(`pool "${name}"`));
  const storeOf = (name: string | undefined) =>
    (name === undefined ? datastores[0] : datastores.find((one) => one.name === name))?.id ??
    fail(`datastore "${name}"`);
  for (const vm of wanted.vms)
    await addVm(lab, dc.id, vm, folderAt(lab, vmFolder, vm.folder).id, poolOf(vm.pool), storeOf(vm.datastore));
  for (const one of wanted.vApps) {
    const app = lab.put({
      ...newVApp(
        lab,
        poolOf(one.pool),
        entityName(one.name.replaceAll('%', '%25')),
        folderAt(lab, vmFolder, one.folder).id,
      ),
      annotation: one.notes,
    });
    const order = [];
    for (const [index, vm] of one.vms.entries()) {
      const id = await addVm(lab, dc.id, vm, undefined, app.id, storeOf(vm.datastore));
      order.push(orderEntry(id, { startOrder: vm.order ?? index + 1, startDelay: vm.startDelay }));
    }
    lab.put({ ...lab.get('VirtualApp', app.id), order });
  }
}

function fail(what: string): never {
  throw new Error(`world: there is no ${what}`);
}
