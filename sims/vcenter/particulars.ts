import { isDisk } from './device.ts';
import type { Lab } from './lab.ts';
import type { VmRecord } from './record.ts';
import { type Data, number, object, ref, text } from './value.ts';
import type { WorldVm } from './world.ts';

type Particular = WorldVm['disks'][number]['particular'][number];

/** The devices of a machine with what its world says is particular about them. */
export function withParticulars(lab: Lab, vm: VmRecord, wanted: WorldVm): Data[] {
  let index = -1;
  const shared = new Set<number | undefined>();
  const devices = vm.devices.map((device) => {
    if (!isDisk(device)) return device;
    index++;
    const particular = wanted.disks[index]?.particular ?? [];
    if (particular.includes('shared')) shared.add(number(device, 'controllerKey'));
    return { ...device, backing: backingWith(object(device, 'backing') ?? {}, particular) };
  });
  const label = (name: string): Data => ({ _type: 'Description', label: name, summary: name });
  const file = (name: string) => `[${lab.find('Datastore', vm.home.datastore)?.name ?? ''}] ISO/${name}`;
  const more: Record<string, Data> = {
    usb: { _type: 'VirtualUSB', key: 7100, deviceInfo: label('USB 1'), connected: true },
    pci: { _type: 'VirtualPCIPassthrough', key: 13000, deviceInfo: label('PCI device 0') },
    serial: { _type: 'VirtualSerialPort', key: 9000, deviceInfo: label('Serial port 1'), yieldOnPoll: true },
    tpm: { _type: 'VirtualTPM', key: 11000, deviceInfo: label('Virtual TPM') },
    iso: {
      _type: 'VirtualCdrom',
      key: 3050,
      deviceInfo: label('CD/DVD drive 2'),
      backing: { _type: 'VirtualCdromIsoBackingInfo', fileName: file('setup.iso') },
    },
    floppy: {
      _type: 'VirtualFloppy',
      key: 8000,
      deviceInfo: label('Floppy drive 1'),
      backing: { _type: 'VirtualFloppyImageBackingInfo', fileName: file('drivers.flp') },
    },
  };
  const shownShared = devices.map((device) =>
    shared.has(number(device, 'key')) ? { ...device, sharedBus: 'physicalSharing' } : device,
  );
  const added = wanted.particular.map((name) => more[name]).filter((device) => device !== undefined);
  return [...shownShared, ...added];
}

function backingWith(backing: Data, particular: readonly Particular[]): Data {
  const fileName = text(backing, 'fileName') ?? '';
  const raw = particular.includes('rdm-physical') || particular.includes('rdm-virtual');
  const mode = particular.includes('nonpersistent')
    ? 'independent_nonpersistent'
    : particular.includes('independent')
      ? 'independent_persistent'
      : text(backing, 'diskMode');
  if (raw) {
    return {
      _type: 'VirtualDiskRawDiskMappingVer1BackingInfo',
      fileName,
      datastore: backing.datastore ?? ref('Datastore', ''),
      lunUuid: 'lab-lun',
      deviceName: 'vml.lab',
      compatibilityMode: particular.includes('rdm-physical') ? 'physicalMode' : 'virtualMode',
      diskMode: mode,
    };
  }
  return {
    ...backing,
    diskMode: mode,
    ...(particular.includes('shared') ? { sharing: 'sharingMultiWriter' } : {}),
    ...(particular.includes('linked')
      ? {
          parent: {
            _type: 'VirtualDiskFlatVer2BackingInfo',
            fileName: fileName.replace('.vmdk', '-base.vmdk'),
            diskMode: 'persistent',
          },
        }
      : {}),
    ...(particular.includes('encrypted') ? { keyId: { _type: 'CryptoKeyId', keyId: 'lab-key' } } : {}),
  };
}
