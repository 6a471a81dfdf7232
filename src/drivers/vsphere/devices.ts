import type { ControllerKind, DiskFormat, NicKind } from '../../model/machine.ts';
import { type Element, flagOf, numberOf, textOf } from './element.ts';

/** Vendor types of devices (vSphere Web Services API Reference, VirtualDevice) and their nouns in our model. */
const CONTROLLERS: Record<string, ControllerKind> = {
  VirtualIDEController: 'ide',
  VirtualAHCIController: 'sata',
  VirtualNVMEController: 'nvme',
  VirtualLsiLogicController: 'lsilogic',
  VirtualLsiLogicSASController: 'lsilogic-sas',
  VirtualBusLogicController: 'buslogic',
  ParaVirtualSCSIController: 'pvscsi',
};

const NICS: Record<string, NicKind> = {
  VirtualE1000: 'e1000',
  VirtualE1000e: 'e1000e',
  VirtualVmxnet3: 'vmxnet3',
  VirtualVmxnet3Vrdma: 'vmxnet3',
  VirtualVmxnet2: 'vmxnet2',
  VirtualVmxnet: 'vmxnet',
  VirtualPCNet32: 'pcnet32',
  VirtualSriovEthernetCard: 'sriov',
};

export function controllerKindOf(device: Element): ControllerKind | undefined {
  return CONTROLLERS[device.type ?? ''];
}

export function nicKindOf(device: Element): NicKind | undefined {
  return NICS[device.type ?? ''];
}

export function isNic(device: Element): boolean {
  return nicKindOf(device) !== undefined;
}

export function isDisk(device: Element): boolean {
  return device.type === 'VirtualDisk';
}

export function keyOf(device: Element): number {
  return numberOf(device, 'key') ?? 0;
}

/** Id of the network that an adapter is attached to, or the key of its distributed port group. */
export function networkIdOf(device: Element): string | undefined {
  return (
    textOf(device, 'backing', 'port', 'portgroupKey') ??
    textOf(device, 'backing', 'network') ??
    textOf(device, 'backing', 'opaqueNetworkId')
  );
}

export function diskFormatOf(disk: Element): DiskFormat | undefined {
  const thin = flagOf(disk, 'backing', 'thinProvisioned');
  if (thin === undefined) return undefined;
  if (thin) return 'thin';
  return flagOf(disk, 'backing', 'eagerlyScrub') ? 'eager-thick' : 'thick';
}

export function capacityOf(disk: Element): number {
  return numberOf(disk, 'capacityInBytes') ?? (numberOf(disk, 'capacityInKB') ?? 0) * 1024;
}
