import type { Lab } from './lab.ts';
import { isA } from './schema/types.ts';
import { type Data, number, object, reference, text, typeOf, type Value } from './value.ts';
import { VimFault } from './vim-fault.ts';

/** First keys of the kinds of devices, as vSphere numbers them. */
const KEYS: [type: string, first: number, step: number][] = [
  ['VirtualIDEController', 200, 1],
  ['VirtualPS2Controller', 300, 1],
  ['VirtualPCIController', 100, 1],
  ['VirtualSIOController', 400, 1],
  ['VirtualKeyboard', 600, 1],
  ['VirtualPointingDevice', 700, 1],
  ['VirtualMachineVideoCard', 500, 1],
  ['VirtualSCSIController', 1000, 1],
  ['VirtualCdrom', 3000, 1],
  ['VirtualEthernetCard', 4000, 1],
  ['VirtualUSBController', 7000, 1],
  ['VirtualFloppy', 8000, 1],
  ['VirtualSerialPort', 9000, 1],
  ['VirtualTPM', 11000, 1],
  ['VirtualAHCIController', 15000, 1],
  ['VirtualSATAController', 15000, 1],
  ['VirtualUSBXHCIController', 14000, 1],
  ['VirtualNVMEController', 31000, 1],
];

export function isDisk(device: Data): boolean {
  return isA(typeOf(device), 'VirtualDisk');
}

export function isNic(device: Data): boolean {
  return isA(typeOf(device), 'VirtualEthernetCard');
}

export function isController(device: Data): boolean {
  return isA(typeOf(device), 'VirtualController');
}

export function keyOf(device: Data): number {
  return number(device, 'key') ?? 0;
}

export function capacityBytes(disk: Data): number {
  return number(disk, 'capacityInBytes') ?? (number(disk, 'capacityInKB') ?? 0) * 1024;
}

/** `ParaVirtualSCSIController0:0`: the name of a disk's place in lease keys and OVF device ids. */
export function placeName(devices: readonly Data[], device: Data): string {
  const controller = devices.find((one) => keyOf(one) === number(device, 'controllerKey'));
  const type = controller ? typeOf(controller) : 'VirtualSCSIController';
  return `${type}${number(controller, 'busNumber') ?? 0}:${number(device, 'unitNumber') ?? 0}`;
}

export function adapterOf(controller: Data | undefined): string {
  const type = controller ? typeOf(controller) : '';
  if (isA(type, 'VirtualIDEController') || isA(type, 'VirtualSATAController')) return 'ide';
  return type === 'VirtualBusLogicController' ? 'buslogic' : 'lsilogic';
}

/** Units a controller has; on SCSI, 7 is the controller's own. */
function units(controller: string): number[] {
  if (isA(controller, 'VirtualIDEController')) return [0, 1];
  if (isA(controller, 'VirtualSATAController')) return Array.from({ length: 30 }, (_, index) => index);
  if (isA(controller, 'VirtualNVMEController')) return Array.from({ length: 15 }, (_, index) => index);
  const last = isA(controller, 'ParaVirtualSCSIController') ? 64 : 16;
  return Array.from({ length: last }, (_, index) => index).filter((unit) => unit !== 7);
}

function freeKey(devices: readonly Data[], device: Data): number {
  const used = new Set(devices.map(keyOf));
  const type = typeOf(device);
  if (isA(type, 'VirtualDisk')) {
    const controller = devices.find((one) => keyOf(one) === number(device, 'controllerKey'));
    const kind = controller ? typeOf(controller) : '';
    const bus = number(controller, 'busNumber') ?? 0;
    const unit = number(device, 'unitNumber') ?? 0;
    let base = 2000 + bus * 16;
    if (isA(kind, 'VirtualSATAController')) base = 16000 + bus * 30;
    else if (isA(kind, 'VirtualNVMEController')) base = 32000 + bus * 15;
    else if (isA(kind, 'VirtualIDEController')) base = 3000 + bus * 2;
    for (let key = base + unit; ; key++) if (!used.has(key)) return key;
  }
  const row = KEYS.find(([name]) => isA(type, name));
  for (let key = row?.[1] ?? 13000; ; key++) if (!used.has(key)) return key;
}

/** A fresh MAC in VMware's range for vCenter: 00:50:56:80–bf. */
export function newMac(lab: Lab): string {
  const used = new Set(
    lab.all('VirtualMachine').flatMap((vm) => vm.devices.map((device) => text(device, 'macAddress'))),
  );
  for (;;) {
    const bytes = crypto.getRandomValues(new Uint8Array(3));
    const tail = [0x80 | ((bytes[0] ?? 0) & 0x3f), bytes[1] ?? 0, bytes[2] ?? 0].map((one) =>
      one.toString(16).padStart(2, '0'),
    );
    const mac = `00:50:56:${tail.join(':')}`;
    if (!used.has(mac)) return mac;
  }
}

function badDevice(index: number, property: string, why: string): VimFault {
  return new VimFault('InvalidDeviceSpec', `Invalid configuration for device '${index}': ${why}.`, {
    deviceIndex: index,
    property,
  });
}

/** Fills the backing of a NIC: the network's name and reference, or the port group's keys. */
function nicBacking(lab: Lab, backing: Data | undefined, index: number): Data | undefined {
  if (!backing) return undefined;
  if (typeOf(backing) === 'VirtualEthernetCardNetworkBackingInfo') {
    const named =
      lab.find('Network', reference(backing, 'network')?.id) ??
      lab.all('Network').find((one) => one.name === text(backing, 'deviceName'));
    if (!named) throw badDevice(index, 'backing', `network '${text(backing, 'deviceName')}' is not known`);
    return { ...backing, deviceName: named.name, useAutoDetect: false, network: { _ref: 'Network', id: named.id } };
  }
  if (typeOf(backing) === 'VirtualEthernetCardDistributedVirtualPortBackingInfo') {
    const port = object(backing, 'port');
    const group = lab.find('DistributedVirtualPortgroup', text(port, 'portgroupKey'));
    if (!group) throw badDevice(index, 'backing.port', `port group '${text(port, 'portgroupKey')}' is not known`);
    const dvs = lab.get('VmwareDistributedVirtualSwitch', group.dvs);
    if (text(port, 'switchUuid') !== dvs.uuid) throw badDevice(index, 'backing.port', 'the switch is not known');
    return {
      _type: typeOf(backing),
      port: {
        switchUuid: dvs.uuid,
        portgroupKey: group.id,
        portKey: text(port, 'portKey') ?? '0',
        connectionCookie: 1,
      },
    };
  }
  return backing;
}

/**
 * Completes a device of a specification as the server does when it adds it: a real key for a temporary negative one, bus and unit
 * where none were given, label and summary, a MAC, connection state. Throws `InvalidDeviceSpec` where it does not fit.
 *
 * @param keys temporary keys of this specification and what became of them; extended here
 */
export function addDevice(
  lab: Lab,
  devices: Data[],
  wanted: Data,
  keys: Map<number, number>,
  index: number,
  on: boolean,
): Data {
  const type = typeOf(wanted);
  const draft: Record<string, Value> = { ...wanted };
  const asked = number(wanted, 'controllerKey');
  if (asked !== undefined) draft.controllerKey = keys.get(asked) ?? asked;
  if (isController(wanted)) {
    draft.device = undefined;
    const family = [
      'VirtualSCSIController',
      'VirtualSATAController',
      'VirtualNVMEController',
      'VirtualIDEController',
    ].find((base) => isA(type, base));
    const taken = new Set(
      devices.filter((one) => isA(typeOf(one), family ?? type)).map((one) => number(one, 'busNumber')),
    );
    const bus = number(wanted, 'busNumber') ?? 0;
    if (family && taken.has(bus) && wanted.busNumber !== undefined && keyOf(wanted) > 0)
      throw badDevice(index, 'busNumber', `bus ${bus} is taken`);
    let free = bus;
    while (family && taken.has(free)) free++;
    draft.busNumber = free;
    if (isA(type, 'VirtualSCSIController')) {
      draft.hotAddRemove = true;
      draft.sharedBus = wanted.sharedBus ?? 'noSharing';
      draft.scsiCtlrUnitNumber = 7;
    }
    if (type !== 'VirtualIDEController') {
      draft.controllerKey = 100;
      draft.unitNumber = 3 + devices.filter(isController).length;
    }
  } else if (isDisk(wanted) || isA(type, 'VirtualCdrom')) {
    const controller = devices.find((one) => keyOf(one) === draft.controllerKey);
    if (!controller) throw badDevice(index, 'controllerKey', `controller ${asked} is not known`);
    const taken = new Set(
      devices
        .filter((one) => number(one, 'controllerKey') === draft.controllerKey)
        .map((one) => number(one, 'unitNumber')),
    );
    const allowed = units(typeOf(controller));
    const unit = number(wanted, 'unitNumber') ?? -1;
    if (unit >= 0 && (taken.has(unit) || !allowed.includes(unit)))
      throw badDevice(index, 'unitNumber', `unit ${unit} is taken or does not exist`);
    const free = unit >= 0 ? unit : allowed.find((one) => !taken.has(one));
    if (free === undefined) throw badDevice(index, 'unitNumber', 'the controller is full');
    draft.unitNumber = free;
  } else if (isNic(wanted)) {
    if (devices.filter(isNic).length >= 10) throw badDevice(index, 'device', 'a machine has at most 10 NICs');
    draft.controllerKey = 100;
    draft.unitNumber = 7 + devices.filter(isNic).length;
    const mac = text(wanted, 'macAddress')?.toLowerCase();
    if (mac && !/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/.test(mac))
      throw badDevice(index, 'macAddress', `'${mac}' is not a MAC address`);
    const manual =
      mac !== undefined && mac !== '' && (text(wanted, 'addressType') ?? 'manual').toLowerCase() === 'manual';
    draft.addressType = manual ? 'manual' : 'assigned';
    draft.macAddress = manual ? mac : newMac(lab);
    draft.wakeOnLanEnabled = wanted.wakeOnLanEnabled ?? true;
    draft.backing = nicBacking(lab, object(wanted, 'backing'), index);
    draft.connectable = connection(object(wanted, 'connectable'), on);
  }
  if (isA(type, 'VirtualCdrom') || isA(type, 'VirtualFloppy'))
    draft.connectable = connection(object(wanted, 'connectable') ?? { startConnected: false }, on);
  const key =
    keyOf(wanted) > 0 && !devices.some((one) => keyOf(one) === keyOf(wanted)) ? keyOf(wanted) : freeKey(devices, draft);
  keys.set(keyOf(wanted), key);
  draft.key = key;
  draft.deviceInfo = described(draft, devices);
  devices.push(draft);
  return draft;
}

export function connection(wanted: Data | undefined, on: boolean): Data {
  const start = wanted?.startConnected !== false;
  return {
    _type: 'VirtualDeviceConnectInfo',
    startConnected: start,
    allowGuestControl: wanted?.allowGuestControl !== false,
    connected: on && (wanted?.connected ?? start) === true,
    status: on ? 'ok' : 'untried',
  };
}

/** Applies an edit of a NIC that names another network. */
export function rebackNic(lab: Lab, device: Data, index: number): Data {
  return { ...device, backing: nicBacking(lab, object(device, 'backing'), index) };
}

const LABELS: [type: string, label: string][] = [
  ['VirtualDisk', 'Hard disk'],
  ['VirtualEthernetCard', 'Network adapter'],
  ['VirtualCdrom', 'CD/DVD drive'],
  ['VirtualFloppy', 'Floppy drive'],
  ['VirtualSCSIController', 'SCSI controller'],
  ['VirtualSATAController', 'SATA controller'],
  ['VirtualNVMEController', 'NVME controller'],
  ['VirtualIDEController', 'IDE'],
  ['VirtualPCIController', 'PCI controller'],
  ['VirtualPS2Controller', 'PS2 controller'],
  ['VirtualMachineVideoCard', 'Video card'],
];

function described(device: Data, devices: readonly Data[]): Data {
  const type = typeOf(device);
  const [base, label] = LABELS.find(([name]) => isA(type, name)) ?? [type, type];
  const counted = isController(device)
    ? (number(device, 'busNumber') ?? 0)
    : devices.filter((one) => isA(typeOf(one), base)).length + 1;
  const backing = object(device, 'backing');
  const summary = isDisk(device)
    ? `${(number(device, 'capacityInKB') ?? 0).toLocaleString('en-US')} KB`
    : (text(backing, 'deviceName') ??
      (text(object(backing, 'port'), 'switchUuid')
        ? `DVSwitch: ${text(object(backing, 'port'), 'switchUuid')}`
        : label));
  return { _type: 'Description', label: `${label} ${counted}`, summary };
}

/** What every machine has before anything is added to it. */
export function basicDevices(): Data[] {
  const described = (label: string): Data => ({ _type: 'Description', label, summary: label });
  return [
    { _type: 'VirtualPCIController', key: 100, deviceInfo: described('PCI controller 0'), busNumber: 0 },
    { _type: 'VirtualPS2Controller', key: 300, deviceInfo: described('PS2 controller 0'), busNumber: 0 },
    {
      _type: 'VirtualMachineVideoCard',
      key: 500,
      deviceInfo: described('Video card'),
      controllerKey: 100,
      unitNumber: 0,
      videoRamSizeInKB: 4096,
      numDisplays: 1,
      useAutoDetect: false,
      enable3DSupport: false,
    },
    { _type: 'VirtualKeyboard', key: 600, deviceInfo: described('Keyboard'), controllerKey: 300, unitNumber: 0 },
    {
      _type: 'VirtualPointingDevice',
      key: 700,
      deviceInfo: described('Pointing device'),
      backing: {
        _type: 'VirtualPointingDeviceDeviceBackingInfo',
        deviceName: '',
        useAutoDetect: false,
        hostPointingDevice: 'autodetect',
      },
      controllerKey: 300,
      unitNumber: 1,
    },
  ];
}

/** Devices with the lists of what hangs on each controller, as they are shown. */
export function shownDevices(devices: readonly Data[]): Data[] {
  return devices.map((device) => {
    if (!isController(device)) return device;
    const hung = devices.filter((one) => number(one, 'controllerKey') === keyOf(device)).map(keyOf);
    return { ...device, device: hung };
  });
}
