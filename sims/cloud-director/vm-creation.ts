import { randomUUID } from 'node:crypto';
import { referred, type View } from './call.ts';
import { powerOff, type VApp, type Vm, type VmDisk } from './entities.ts';
import { computerNameOf, readCustomization } from './guest-customization.ts';
import { adapterTypes, diskIdAt, freeUnit } from './hardware.ts';
import { applyConnections } from './nics.ts';
import { badRequest } from './refusal.ts';
import { attributeOf, child, childrenOf, path, textOf, type XmlElement } from './xml/tree.ts';

/** A VM from scratch, as `CreateItem` and `CreateVm` describe it. */
export function newVmFromSpec(view: View, item: XmlElement, vapp: VApp, profile: string): Vm {
  const name = attributeOf(item, 'name') ?? '';
  if (name === '') throw badRequest('The new VM needs a name.');
  const profileHref = attributeOf(child(item, 'StorageProfile'), 'href');
  const vm: Vm = {
    id: randomUUID(),
    name,
    description: textOf(item, 'Description') ?? '',
    org: vapp.org,
    created: new Date().toISOString(),
    metadata: [],
    parent: { kind: 'vapp', id: vapp.id },
    localId: name,
    status: powerOff,
    deployed: false,
    osType: 'otherGuest64',
    osId: 1,
    osDescription: '',
    hardwareVersion: 'vmx-19',
    firmware: 'bios',
    cpus: 1,
    coresPerSocket: 1,
    memoryMb: 512,
    disks: [],
    nics: [],
    primaryNic: 0,
    configs: [],
    drives: [{ type: 15, name: 'CD/DVD Drive 1', media: null }],
    customization: { enabled: false, computerName: computerNameOf(name, ''), rest: {} },
    products: [],
    transport: '',
    biosUuid: randomUUID(),
    storageProfile: profileHref === undefined ? profile : referred(view, 'storageProfile', profileHref).id,
    nested: false,
    snapshot: null,
  };
  applySpec(view, vm, child(item, 'VmSpecSection'));
  const connections = child(item, 'NetworkConnectionSection');
  if (connections !== undefined) applyConnections(view, vm, connections, undefined);
  vm.customization = readCustomization(child(item, 'GuestCustomizationSection'), vm.customization);
  return vm;
}

/** Applies a VmSpecSection to a VM in place; what the section leaves out stays. The disks are the whole wanted set. */
export function applySpec(view: View, vm: Vm, spec: XmlElement | undefined): void {
  if (spec === undefined) return;
  const number = (text: string | undefined, now: number): number => {
    if (text === undefined || text === '') return now;
    if (!/^[1-9]\d*$/.test(text)) throw badRequest(`"${text}" is not a positive number.`);
    return Number(text);
  };
  vm.osType = textOf(spec, 'OsType') || vm.osType;
  const firmware = textOf(spec, 'Firmware');
  if (firmware === 'bios' || firmware === 'efi') vm.firmware = firmware;
  vm.cpus = number(textOf(spec, 'NumCpus'), vm.cpus);
  vm.coresPerSocket = number(textOf(spec, 'NumCoresPerSocket'), vm.coresPerSocket);
  if (vm.cpus % vm.coresPerSocket !== 0)
    throw badRequest(`${vm.cpus} CPUs cannot be split into sockets of ${vm.coresPerSocket} cores.`);
  vm.memoryMb = number(textOf(spec, 'MemoryResourceMb', 'Configured'), vm.memoryMb);
  vm.hardwareVersion = textOf(spec, 'HardwareVersion') || vm.hardwareVersion;
  const sync = textOf(spec, 'TimeSyncWithHost');
  if (sync !== undefined && sync !== '') {
    vm.configs = [
      ...vm.configs.filter(({ key }) => key !== 'tools.syncTimeWithHost'),
      { element: 'Config', key: 'tools.syncTimeWithHost', value: sync },
    ];
  }
  const disks = child(spec, 'DiskSection');
  if (disks !== undefined) vm.disks = readDiskSettings(view, vm, childrenOf(disks, 'DiskSettings'));
}

function readDiskSettings(view: View, vm: Vm, settings: XmlElement[]): VmDisk[] {
  const disks: VmDisk[] = [];
  for (const one of settings) {
    const id = textOf(one, 'DiskId') ?? '';
    const before = id === '' ? undefined : vm.disks.find((disk) => disk.id === id);
    const type = textOf(one, 'AdapterType');
    const adapter =
      type === undefined || type === '' ? undefined : adapterTypes.find((entry) => entry.type === Number(type));
    if (type !== undefined && type !== '' && adapter === undefined)
      throw badRequest(`The adapter type ${type} is unknown.`);
    const sizeMb = Number(textOf(one, 'SizeMb') ?? before?.sizeMb);
    if (!Number.isSafeInteger(sizeMb) || sizeMb < 1) throw badRequest('A disk needs its size in MB.');
    if (before !== undefined && sizeMb < before.sizeMb)
      throw badRequest(`The disk ${id} of "${vm.name}" cannot shrink.`);
    const controller = adapter?.kind ?? before?.controller ?? 'scsi';
    const bus = Number(textOf(one, 'BusNumber') || before?.bus || 0);
    const unitText = textOf(one, 'UnitNumber') ?? '';
    const unit = unitText !== '' ? Number(unitText) : (before?.unit ?? freeUnit(disks, controller, bus));
    if (disks.some((disk) => disk.controller === controller && disk.bus === bus && disk.unit === unit)) {
      throw badRequest(`Two disks of "${vm.name}" claim ${controller} ${bus}:${unit}.`);
    }
    const profileHref = attributeOf(path(one, 'StorageProfile'), 'href');
    disks.push({
      id: diskIdAt(controller, bus, unit),
      name: before?.name ?? '',
      sizeMb,
      file: before?.file ?? null,
      controller,
      subtype: adapter?.subtype ?? before?.subtype ?? 'lsilogic',
      bus,
      unit,
      storageProfile:
        profileHref === undefined
          ? (before?.storageProfile ?? vm.storageProfile)
          : referred(view, 'storageProfile', profileHref).id,
      independent: before?.independent ?? null,
    });
  }
  return disks;
}
