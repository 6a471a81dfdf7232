import { stat, truncate } from 'node:fs/promises';
import path from 'node:path';
import {
  createDisk,
  deleteDisk,
  exists,
  flatOf,
  freeFolder,
  onDisk,
  parsePlace,
  writePlace,
} from './datastore-files.ts';
import {
  adapterOf,
  addDevice,
  basicDevices,
  capacityBytes,
  connection,
  isController,
  isDisk,
  isNic,
  keyOf,
  rebackNic,
} from './device.ts';
import { entityName, type Lab } from './lab.ts';
import { checkName } from './managed-entity.ts';
import type { VmRecord } from './record.ts';
import { type Data, flag, number, object, objects, ref, text, typeOf, type Value } from './value.ts';
import { invalidArgument, VimFault } from './vim-fault.ts';
import { diskPlace } from './virtual-machine.ts';
import { deleteVm, writeVmx } from './vm-files.ts';

export type Placement = {
  folder: string | undefined;
  pool: string;
  host?: string | undefined;
  datastore?: string | undefined;
};

/** A host of the cluster that the pool belongs to. */
export function hostFor(lab: Lab, pool: string, wanted?: string): string {
  if (wanted) return lab.get('HostSystem', wanted).id;
  const compute = lab.above('ClusterComputeResource', pool) ?? lab.above('ComputeResource', pool);
  const hosts = lab.all('HostSystem').filter((host) => host.parent === compute?.id);
  const busy = (id: string) => lab.all('VirtualMachine').filter((vm) => vm.host === id).length;
  const chosen = hosts.sort((a, b) => busy(a.id) - busy(b.id))[0];
  if (!chosen) throw invalidArgument('pool', 'no host behind it');
  return chosen.id;
}

/**
 * Makes a machine from a `VirtualMachineConfigSpec`: its folder, disks and record. What was made is removed again when a step fails.
 * @param importing the machine belongs to an open import lease
 */
export async function createVm(lab: Lab, spec: Data, placement: Placement, importing = false): Promise<VmRecord> {
  const wanted = text(spec, 'name') ?? '';
  const name = checkName(lab, lab.find('VirtualApp', placement.pool) ? placement.pool : placement.folder, wanted);
  const host = hostFor(lab, placement.pool, placement.host);
  const vmPath = text(object(spec, 'files'), 'vmPathName');
  const datacenter = lab.above('Datacenter', placement.pool)?.id;
  if (!vmPath && !placement.datastore) throw invalidArgument('configSpec.files');
  const datastore = placement.datastore ?? parsePlace(lab, `${vmPath}`, datacenter).datastore;
  const folder = await freeFolder(lab, datastore, wanted);
  const now = new Date().toISOString();
  const vm: VmRecord = {
    type: 'VirtualMachine',
    id: lab.id('VirtualMachine'),
    name,
    ...(placement.folder && !lab.find('VirtualApp', placement.pool) ? { parent: placement.folder } : {}),
    host,
    pool: placement.pool,
    home: { datastore, folder },
    uuid: text(spec, 'uuid') ?? crypto.randomUUID(),
    instanceUuid: text(spec, 'instanceUuid') ?? crypto.randomUUID(),
    template: false,
    power: 'poweredOff',
    annotation: '',
    guestId: 'otherGuest',
    firmware: 'bios',
    hardware: text(spec, 'version') ?? 'vmx-19',
    cpus: 1,
    coresPerSocket: 1,
    memoryMB: 128,
    devices: basicDevices(),
    extraConfig: [],
    bootOptions: {},
    changed: now,
    created: now,
    ...(importing ? { importing } : {}),
  };
  lab.put(vm);
  try {
    const made = await applySpec(lab, vm, { ...spec, name: undefined, uuid: undefined, instanceUuid: undefined });
    await writeVmx(lab, made);
    return lab.put(made);
  } catch (error) {
    await deleteVm(lab, lab.get('VirtualMachine', vm.id));
    throw error;
  }
}

function checkHardware(vm: VmRecord): void {
  if (vm.cpus < 1 || vm.cpus > 768)
    throw new VimFault('InvalidVmConfig', 'The number of CPUs is out of range.', { property: 'configSpec.numCPUs' });
  if (vm.memoryMB < 4 || vm.memoryMB % 4)
    throw new VimFault('InvalidVmConfig', 'The memory size is not a multiple of 4 MB.', {
      property: 'configSpec.memoryMB',
    });
  if (vm.coresPerSocket < 1 || vm.cpus % vm.coresPerSocket) {
    throw new VimFault('InvalidVmConfig', 'The CPUs do not divide into the cores per socket.', {
      property: 'configSpec.numCoresPerSocket',
    });
  }
  if (vm.firmware !== 'bios' && vm.firmware !== 'efi')
    throw new VimFault('InvalidVmConfig', `Firmware '${vm.firmware}' is not known.`, {
      property: 'configSpec.firmware',
    });
}

/** Applies a `VirtualMachineConfigSpec` and gives the machine as it is then; the caller stores it. */
export async function applySpec(lab: Lab, vm: VmRecord, spec: Data): Promise<VmRecord> {
  const on = vm.power === 'poweredOn';
  const cold = ['numCPUs', 'memoryMB', 'firmware', 'numCoresPerSocket', 'guestId', 'nestedHVEnabled'].filter(
    (one) => spec[one] !== undefined,
  );
  const hot = (one: string) => (one === 'numCPUs' && vm.cpuHotAdd) || (one === 'memoryMB' && vm.memoryHotAdd);
  if (vm.power !== 'poweredOff' && cold.some((one) => !hot(one))) {
    throw new VimFault(
      'InvalidPowerState',
      'The attempted operation cannot be performed in the current state (Powered on).',
      {
        requestedState: 'poweredOff',
        existingState: vm.power,
      },
    );
  }
  const name = text(spec, 'name');
  const place = lab.find('VirtualApp', vm.pool)?.id ?? vm.parent;
  const next: VmRecord = {
    ...vm,
    name: name !== undefined && entityName(name) !== vm.name ? checkName(lab, place, name, vm.id) : vm.name,
    uuid: text(spec, 'uuid') ?? vm.uuid,
    instanceUuid: text(spec, 'instanceUuid') ?? vm.instanceUuid,
    annotation: text(spec, 'annotation') ?? vm.annotation,
    guestId: text(spec, 'guestId') ?? vm.guestId,
    firmware: text(spec, 'firmware') ?? vm.firmware,
    hardware: text(spec, 'version') ?? vm.hardware,
    cpus: number(spec, 'numCPUs') ?? vm.cpus,
    coresPerSocket: number(spec, 'numCoresPerSocket') || vm.coresPerSocket,
    memoryMB: number(spec, 'memoryMB') ?? vm.memoryMB,
    cpuHotAdd: flag(spec, 'cpuHotAddEnabled') ?? vm.cpuHotAdd ?? false,
    memoryHotAdd: flag(spec, 'memoryHotAddEnabled') ?? vm.memoryHotAdd ?? false,
    nestedHV: flag(spec, 'nestedHVEnabled') ?? vm.nestedHV ?? false,
    devices: [...vm.devices],
    changed: new Date().toISOString(),
  };
  checkHardware(next);
  const extra = new Map(vm.extraConfig.map((one) => [one.key, one.value]));
  for (const one of objects(spec, 'extraConfig')) {
    const value = one.value === undefined ? '' : String(one.value as string | number | boolean);
    if (value === '') extra.delete(text(one, 'key') ?? '');
    else extra.set(text(one, 'key') ?? '', value);
  }
  next.extraConfig = [...extra].map(([key, value]) => ({ key, value }));
  const made: Data[] = [];
  const keys = new Map<number, number>();
  try {
    for (const [index, change] of objects(spec, 'deviceChange').entries()) {
      const disk = await changeDevice(lab, next, change, keys, index, on);
      if (disk) made.push(disk);
    }
  } catch (error) {
    for (const disk of made) await deleteDisk(lab, diskPlace(lab, disk));
    throw error;
  }
  const boot = object(spec, 'bootOptions');
  if (boot)
    next.bootOptions = { ...next.bootOptions, ...boot, bootOrder: bootOrder(boot, keys) ?? next.bootOptions.bootOrder };
  const vApp = object(spec, 'vAppConfig');
  if (vApp) next.vApp = mergeVApp(next.vApp, vApp);
  if (flag(spec, 'vAppConfigRemoved')) next.vApp = undefined as unknown as Data;
  return next;
}

function bootOrder(boot: Data, keys: Map<number, number>): Value {
  if (boot.bootOrder === undefined) return undefined;
  return objects(boot, 'bootOrder').map((one) => {
    const key = number(one, 'deviceKey');
    return key === undefined ? one : { ...one, deviceKey: keys.get(key) ?? key };
  });
}

/** Array updates of a `VmConfigSpec` onto the machine's vApp settings. */
export function mergeVApp(before: Data | undefined, spec: Data): Data {
  const merged: Record<string, Value> = { ...before };
  for (const member of ['property', 'product'] as const) {
    if (spec[member] === undefined) continue;
    const now = new Map(objects(before, member).map((one) => [number(one, 'key') ?? 0, one]));
    for (const update of objects(spec, member)) {
      const info = object(update, 'info');
      const key = number(info, 'key') ?? number(update, 'removeKey') ?? 0;
      if (text(update, 'operation') === 'remove') now.delete(key);
      else if (info) now.set(key, { ...now.get(key), ...info });
    }
    merged[member] = [...now.values()];
  }
  if (spec.ovfSection !== undefined)
    merged.ovfSection = objects(spec, 'ovfSection').flatMap((one) => object(one, 'info') ?? []);
  for (const member of [
    'ipAssignment',
    'eula',
    'ovfEnvironmentTransport',
    'installBootRequired',
    'installBootStopDelay',
  ]) {
    if (spec[member] !== undefined) merged[member] = spec[member];
  }
  return merged;
}

/** Adds, edits or removes one device; gives the disk whose files were made. */
async function changeDevice(
  lab: Lab,
  vm: VmRecord,
  change: Data,
  keys: Map<number, number>,
  index: number,
  on: boolean,
): Promise<Data | undefined> {
  const wanted = object(change, 'device');
  if (!wanted)
    throw new VimFault('InvalidDeviceSpec', `Invalid configuration for device '${index}'.`, { deviceIndex: index });
  const operation = text(change, 'operation');
  if (operation === 'add') {
    // Devices that every machine has are completed, not doubled.
    const type = typeOf(wanted);
    const fixed = vm.devices.find(
      (one) =>
        typeOf(one) === type &&
        [
          'VirtualMachineVideoCard',
          'VirtualPCIController',
          'VirtualPS2Controller',
          'VirtualKeyboard',
          'VirtualPointingDevice',
        ].includes(type),
    );
    if (fixed) {
      keys.set(keyOf(wanted), keyOf(fixed));
      return undefined;
    }
    const device = addDevice(lab, vm.devices, wanted, keys, index, on);
    return isDisk(device) ? await attachDisk(lab, vm, device, text(change, 'fileOperation')) : undefined;
  }
  const at = vm.devices.findIndex((one) => keyOf(one) === keyOf(wanted));
  const current = vm.devices[at];
  if (!current)
    throw new VimFault(
      'InvalidDeviceSpec',
      `Invalid configuration for device '${index}': there is no device ${keyOf(wanted)}.`,
      { deviceIndex: index, property: 'key' },
    );
  if (operation === 'remove') {
    if (isController(current) && vm.devices.some((one) => number(one, 'controllerKey') === keyOf(current))) {
      throw new VimFault(
        'InvalidDeviceSpec',
        `Invalid configuration for device '${index}': the controller is in use.`,
        { deviceIndex: index },
      );
    }
    vm.devices.splice(at, 1);
    if (isDisk(current) && text(change, 'fileOperation') === 'destroy') await deleteDisk(lab, diskPlace(lab, current));
    return undefined;
  }
  let edited: Data = {
    ...current,
    ...Object.fromEntries(Object.entries(wanted).filter(([, value]) => value !== undefined)),
    key: keyOf(current),
  };
  const connectable = object(wanted, 'connectable');
  if (connectable) edited = { ...edited, connectable: connection(connectable, on) };
  if (isNic(edited)) edited = rebackNic(lab, edited, index);
  if (isDisk(edited)) {
    const kilobytes = number(wanted, 'capacityInKB') ?? number(current, 'capacityInKB') ?? 0;
    const bytes = wanted.capacityInKB !== current.capacityInKB ? kilobytes * 1024 : capacityBytes(edited);
    if (bytes < capacityBytes(current))
      throw new VimFault('InvalidDeviceSpec', `Invalid configuration for device '${index}': a disk cannot shrink.`, {
        deviceIndex: index,
        property: 'capacityInKB',
      });
    if (bytes > capacityBytes(current)) await truncate(onDisk(lab, flatOf(diskPlace(lab, current))), bytes);
    edited = {
      ...edited,
      backing: object(current, 'backing'),
      capacityInKB: Math.ceil(bytes / 1024),
      capacityInBytes: bytes,
    };
  }
  vm.devices[at] = edited;
  return undefined;
}

/** Gives a new disk its files, or takes over files that exist. */
async function attachDisk(
  lab: Lab,
  vm: VmRecord,
  disk: Data,
  operation: string | undefined,
): Promise<Data | undefined> {
  const backing = object(disk, 'backing');
  const at = vm.devices.indexOf(disk);
  const asked = text(backing, 'fileName') ?? '';
  const datastore = /^\[[^\]]+\]/.test(asked) ? parsePlace(lab, asked).datastore : vm.home.datastore;
  const existing = operation === undefined && asked.endsWith('.vmdk');
  const place = existing ? parsePlace(lab, asked) : await freeDisk(lab, vm, datastore);
  const bytes = capacityBytes(disk);
  const controller = vm.devices.find((one) => keyOf(one) === number(disk, 'controllerKey'));
  let size = bytes;
  if (existing) {
    const found = await stat(onDisk(lab, flatOf(place))).catch(() => undefined);
    if (!found) throw new VimFault('FileNotFound', `File ${asked} was not found`, { file: asked });
    size = found.size;
  } else {
    if (bytes < 512)
      throw new VimFault('InvalidDeviceSpec', `Invalid configuration for device '${at}': a disk needs a capacity.`, {
        deviceIndex: at,
        property: 'capacityInKB',
      });
    await createDisk(lab, place, bytes, adapterOf(controller));
  }
  const complete: Data = {
    ...disk,
    backing: {
      _type: 'VirtualDiskFlatVer2BackingInfo',
      fileName: writePlace(lab, place),
      datastore: ref('Datastore', place.datastore),
      diskMode: text(backing, 'diskMode') ?? 'persistent',
      split: false,
      writeThrough: false,
      thinProvisioned: flag(backing, 'thinProvisioned') ?? true,
      uuid: `6000C29${crypto.randomUUID().slice(7)}`,
      digestEnabled: false,
      sharing: 'sharingNone',
    },
    capacityInKB: Math.ceil(size / 1024),
    capacityInBytes: size,
    shares: { shares: 1000, level: 'normal' },
    diskObjectId: `${vm.id.replace(/\D/g, '')}-${keyOf(disk)}`,
    nativeUnmanagedLinkedClone: false,
  };
  vm.devices[at] = complete;
  return existing ? undefined : complete;
}

async function freeDisk(lab: Lab, vm: VmRecord, datastore: string): Promise<{ datastore: string; path: string }> {
  for (let count = 0; ; count++) {
    const place = {
      datastore,
      path: path.posix.join(vm.home.folder, `${vm.home.folder}${count ? `_${count}` : ''}.vmdk`),
    };
    if (!(await exists(onDisk(lab, place)))) return place;
  }
}
