import type { ControllerKind, NicKind } from '../../model/machine.ts';

export const OVF_1 = 'http://schemas.dmtf.org/ovf/envelope/1';
export const OVF_2 = 'http://schemas.dmtf.org/ovf/envelope/2';
export const RASD = 'http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_ResourceAllocationSettingData';
export const VSSD = 'http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_VirtualSystemSettingData';
export const VMW = 'http://www.vmware.com/schema/ovf';
export const VCLOUD = 'http://www.vmware.com/vcloud/v1.5';
export const STREAM_OPTIMIZED = 'http://www.vmware.com/interfaces/specifications/vmdk.html#streamOptimized';

/** CIM_ResourceAllocationSettingData.ResourceType. */
export const CIM = {
  other: 1,
  cpu: 3,
  memory: 4,
  ide: 5,
  scsi: 6,
  ethernet: 10,
  disk: 17,
  storage: 20,
  graphics: 24,
  logicalDisk: 31,
} as const;

export const CONTROLLER_TYPE: Record<ControllerKind, number> = {
  ide: CIM.ide,
  sata: CIM.storage,
  nvme: CIM.storage,
  lsilogic: CIM.scsi,
  'lsilogic-sas': CIM.scsi,
  buslogic: CIM.scsi,
  pvscsi: CIM.scsi,
  'virtio-scsi': CIM.scsi,
};

/** ResourceSubType as VMware writes it; IDE has none. */
export const CONTROLLER_SUBTYPE: Record<ControllerKind, string | undefined> = {
  ide: undefined,
  sata: 'vmware.sata.ahci',
  nvme: 'vmware.nvme.controller',
  lsilogic: 'lsilogic',
  'lsilogic-sas': 'lsilogicsas',
  buslogic: 'buslogic',
  pvscsi: 'VirtualSCSI',
  'virtio-scsi': 'virtio-scsi',
};

const CONTROLLER_NAMES: Record<string, ControllerKind> = {
  lsilogic: 'lsilogic',
  lsilogicsas: 'lsilogic-sas',
  buslogic: 'buslogic',
  virtualscsi: 'pvscsi',
  pvscsi: 'pvscsi',
  virtioscsi: 'virtio-scsi',
  ahci: 'sata',
  'vmware.sata.ahci': 'sata',
  'vmware.nvme.controller': 'nvme',
  nvme: 'nvme',
};

/** The first subtype of a list (`buslogic lsilogic`) that is known, in any case and spelling. */
function named<Kind>(names: Record<string, Kind>, subtypes: string): Kind | undefined {
  for (const word of subtypes.toLowerCase().split(/[\s,]+/)) {
    const name = word.replace(/[-_]/g, '');
    if (Object.hasOwn(names, name)) return names[name];
  }
  return undefined;
}

/** What a controller item is; undefined when it is none that is known. */
export function controllerKind(type: number, subtypes: string): ControllerKind | undefined {
  if (type === CIM.ide) return 'ide';
  const kind = named(CONTROLLER_NAMES, subtypes);
  if (type === CIM.scsi) return kind ?? (subtypes === '' ? 'lsilogic' : undefined);
  if (type === CIM.storage || type === CIM.other) return kind;
  return undefined;
}

const NIC_NAMES: Record<string, NicKind> = {
  e1000: 'e1000',
  e1000e: 'e1000e',
  vmxnet3: 'vmxnet3',
  vmxnet2: 'vmxnet2',
  vmxnet: 'vmxnet',
  pcnet32: 'pcnet32',
  flexible: 'flexible',
  virtio: 'virtio',
  virtionet: 'virtio',
  sriovethernetcard: 'sriov',
};

export function nicKind(subtypes: string): NicKind | undefined {
  return named(NIC_NAMES, subtypes);
}

const NIC_SUBTYPE: Record<NicKind, string> = {
  e1000: 'E1000',
  e1000e: 'E1000e',
  vmxnet3: 'VmxNet3',
  vmxnet2: 'VmxNet2',
  vmxnet: 'VmxNet',
  pcnet32: 'PCNet32',
  flexible: 'Flexible',
  virtio: 'virtio',
  sriov: 'SriovEthernetCard',
};

/** Cloud Director writes the names of adapters in capitals, save PCNet32 and FLEXIBLE's kin. */
export function nicSubtype(kind: NicKind, dialect: 'vsphere' | 'cloud-director'): string {
  const name = NIC_SUBTYPE[kind];
  return dialect === 'cloud-director' && kind !== 'pcnet32' ? name.toUpperCase() : name;
}

/** CIM_OperatingSystem.OsType by the start of VMware's guest id, 64 bit in the second place. */
const GUEST_IDS: readonly [prefix: string, bits32: number, bits64: number][] = [
  ['debian', 95, 96],
  ['ubuntu', 93, 94],
  ['rhel', 79, 80],
  ['centos', 106, 107],
  ['oracleLinux', 108, 109],
  ['sles', 84, 85],
  ['freebsd', 42, 78],
  ['windows', 1, 103],
];

export function osTypeNumber(guestId: string): number {
  const found = GUEST_IDS.find(([prefix]) => guestId.startsWith(prefix));
  const wide = guestId.includes('64');
  if (found) return wide ? found[2] : found[1];
  if (/linux|photon|fedora|coreos|rocky|alma/i.test(guestId)) return wide ? 101 : 36;
  return wide ? 102 : 1;
}

/** A guest id for a descriptor that has only CIM's number. */
export function guestIdOf(osType: number): string {
  switch (osType) {
    case 36:
    case 79:
    case 84:
    case 93:
    case 95:
    case 106:
      return 'otherLinuxGuest';
    case 80:
    case 85:
    case 94:
    case 96:
    case 97:
    case 99:
    case 100:
    case 101:
    case 107:
    case 109:
      return 'otherLinux64Guest';
    case 42:
      return 'freebsdGuest';
    case 78:
      return 'freebsd64Guest';
    case 1:
      return 'otherGuest';
    default:
      return 'otherGuest64';
  }
}
