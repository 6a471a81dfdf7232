import type {
  Controller,
  DiskDescription,
  MachineDescription,
  NicDescription,
  OvfProperty,
} from '../../model/machine.ts';
import { capacityOf, controllerKindOf, diskFormatOf, isDisk, isNic, keyOf, networkIdOf, nicKindOf } from './devices.ts';
import { child, childrenOf, type Element, flagOf, numberOf, textOf } from './element.ts';
import { extrasOf } from './extras.ts';
import { decodeName } from './names.ts';

/** Where a disk of our description sits in the vendor's machine; by it the files of a lease are matched. */
export interface DiskPlace {
  disk: string;
  /** Managed object id of the machine. */
  machine: string;
  deviceKey: number;
  controllerType: string;
  bus: number;
  unit: number;
}

export interface DescribedMachine {
  description: MachineDescription;
  places: DiskPlace[];
}

export interface MachineSource {
  /** Managed object id. */
  id: string;
  name: string;
  /** VirtualMachine.config. */
  config: Element;
  /** Unique in the package. */
  machineId: string;
  /** Name of a network by id or port group key. */
  networkName(id: string): string | undefined;
}

const DEFAULT_CONTROLLERS = new Set(['ide']);

/** VirtualMachineConfigInfo in the words of the model. */
export function describeMachine(source: MachineSource): DescribedMachine {
  const { config, machineId } = source;
  const hardware = child(config, 'hardware');
  const devices = childrenOf(hardware, 'device');
  const { disks, places, used } = describeDisks(source, devices);
  const controllers = controllersOf(devices).filter(
    (controller) => used.has(controller.id) || !DEFAULT_CONTROLLERS.has(controller.kind),
  );
  const version = textOf(config, 'version');
  const secureBoot = flagOf(config, 'bootOptions', 'efiSecureBootEnabled');
  const uuid = textOf(config, 'uuid');
  const vapp = child(config, 'vAppConfig');
  const description: MachineDescription = {
    id: machineId,
    name: source.name,
    notes: textOf(config, 'annotation') ?? '',
    guestId: textOf(config, 'guestId') ?? 'otherGuest',
    ...(version === undefined ? {} : { hardwareVersion: version }),
    cpus: numberOf(hardware, 'numCPU') ?? 1,
    coresPerSocket: numberOf(hardware, 'numCoresPerSocket') || 1,
    memoryMib: numberOf(hardware, 'memoryMB') ?? 0,
    firmware: textOf(config, 'firmware') === 'efi' ? 'efi' : 'bios',
    ...(secureBoot === undefined ? {} : { secureBoot }),
    controllers,
    disks,
    nics: devices
      .filter(isNic)
      .sort(byKey)
      .map((device, index) => describeNic(device, index, source)),
    bootOrder: bootOrderOf(config),
    ...(uuid === undefined || uuid === '' ? {} : { uuid: uuid.toLowerCase() }),
    properties: propertiesOf(vapp),
    eulas: childrenOf(vapp, 'eula').map((eula) => eula.text),
    extras: extrasOf(config),
  };
  return { description, places };
}

function byKey(one: Element, other: Element): number {
  return keyOf(one) - keyOf(other);
}

function controllersOf(devices: readonly Element[]): Controller[] {
  const found: Controller[] = [];
  for (const device of [...devices].sort(byKey)) {
    const kind = controllerKindOf(device);
    if (kind === undefined) continue;
    const bus = numberOf(device, 'busNumber') ?? 0;
    found.push({ id: `${kind}-${bus}`, kind, bus });
  }
  return found;
}

function describeDisks(source: MachineSource, devices: readonly Element[]) {
  const controllers = new Map(devices.filter((device) => controllerKindOf(device)).map((item) => [keyOf(item), item]));
  const disks: DiskDescription[] = [];
  const places: DiskPlace[] = [];
  const used = new Set<string>();
  for (const device of devices.filter(isDisk).sort(byKey)) {
    const controller = controllers.get(numberOf(device, 'controllerKey') ?? -1);
    const kind = controller === undefined ? undefined : controllerKindOf(controller);
    const bus = numberOf(controller, 'busNumber') ?? 0;
    const unit = numberOf(device, 'unitNumber') ?? 0;
    const id = `${source.machineId}/disk-${disks.length}`;
    const format = diskFormatOf(device);
    const controllerId = `${kind ?? 'lsilogic'}-${bus}`;
    used.add(controllerId);
    disks.push({
      id,
      label: textOf(device, 'deviceInfo', 'label') ?? `Hard disk ${disks.length + 1}`,
      capacityBytes: capacityOf(device),
      controller: controllerId,
      unit,
      ...(format === undefined ? {} : { format }),
    });
    places.push({
      disk: id,
      machine: source.id,
      deviceKey: keyOf(device),
      controllerType: controller?.type ?? '',
      bus,
      unit,
    });
  }
  return { disks, places, used };
}

function describeNic(device: Element, index: number, source: MachineSource): NicDescription {
  const mac = textOf(device, 'macAddress')?.toLowerCase();
  const id = networkIdOf(device);
  const name = (id === undefined ? undefined : source.networkName(id)) ?? textOf(device, 'backing', 'deviceName');
  return {
    label: textOf(device, 'deviceInfo', 'label') ?? `Network adapter ${index + 1}`,
    kind: nicKindOf(device)!,
    ...(mac === undefined || mac === '' ? {} : { mac }),
    network: name === undefined || name === '' ? null : decodeName(name),
    connected: flagOf(device, 'connectable', 'startConnected') ?? true,
  };
}

const BOOT_DEVICES: Record<string, MachineDescription['bootOrder'][number]> = {
  VirtualMachineBootOptionsBootableDiskDevice: 'disk',
  VirtualMachineBootOptionsBootableEthernetDevice: 'network',
  VirtualMachineBootOptionsBootableCdromDevice: 'cdrom',
  VirtualMachineBootOptionsBootableFloppyDevice: 'floppy',
};

function bootOrderOf(config: Element): MachineDescription['bootOrder'] {
  const order = childrenOf(child(config, 'bootOptions'), 'bootOrder')
    .map((device) => BOOT_DEVICES[device.type ?? ''])
    .filter((device) => device !== undefined);
  return [...new Set(order)];
}

/** VAppPropertyInfo of a machine or vApp. The value of a password is not told by the server and is absent then. */
export function propertiesOf(vapp: Element | undefined): OvfProperty[] {
  return childrenOf(vapp, 'property').map((property) => {
    const type = textOf(property, 'type') ?? 'string';
    const optional = (name: 'classId' | 'instanceId' | 'label' | 'description') => {
      const text = textOf(property, name);
      return text === undefined || text === '' ? {} : { [name]: text };
    };
    const value = textOf(property, 'value') || textOf(property, 'defaultValue');
    return {
      key: textOf(property, 'id') ?? '',
      type,
      ...optional('classId'),
      ...optional('instanceId'),
      ...optional('label'),
      ...optional('description'),
      ...(value === undefined || value === '' ? {} : { value }),
      userConfigurable: flagOf(property, 'userConfigurable') ?? false,
      ...(type.startsWith('password') ? { password: true } : {}),
    };
  });
}
