import { referred, type View } from './call.ts';
import type { ControllerKind, Vm, VmDisk } from './entities.ts';
import { diskIdAt, freeUnit } from './hardware.ts';
import { badRequest } from './refusal.ts';
import { attributeOf, child, textOf, type XmlElement } from './xml/tree.ts';

const kinds: Readonly<Record<string, ControllerKind>> = { '5': 'ide', '6': 'scsi', '20': 'sata' };

function kindOf(type: string, subtype: string): ControllerKind {
  const kind = kinds[type] ?? 'scsi';
  return kind === 'sata' && /nvme/i.test(subtype) ? 'nvme' : kind;
}

/**
 * Reads the disk items of the older per-section write (`virtualHardwareSection/disks`): the list is the whole wanted
 * set, known by InstanceID; an item without a known one is a new disk.
 */
export function readDiskItems(view: View, vm: Vm, items: XmlElement[]): VmDisk[] {
  const controllers = new Map<string, { kind: ControllerKind; subtype: string; bus: number }>();
  for (const item of items) {
    const type = textOf(item, 'ResourceType') ?? '';
    if (kinds[type] === undefined) continue;
    const subtype = textOf(item, 'ResourceSubType') ?? '';
    controllers.set(textOf(item, 'InstanceID') ?? '', {
      kind: kindOf(type, subtype),
      subtype,
      bus: Number(textOf(item, 'Address') || 0),
    });
  }
  const disks: VmDisk[] = [];
  for (const item of items) {
    if (textOf(item, 'ResourceType') !== '17') continue;
    const before = vm.disks.find((disk) => disk.id === textOf(item, 'InstanceID'));
    const resource = child(item, 'HostResource');
    const quantity = textOf(item, 'VirtualQuantity');
    const sizeMb = Number(
      attributeOf(resource, 'capacity') ?? (quantity === undefined ? before?.sizeMb : Number(quantity) / 2 ** 20),
    );
    if (!Number.isSafeInteger(sizeMb) || sizeMb < 1) throw badRequest('A disk item needs its capacity in MB.');
    if (before !== undefined && sizeMb < before.sizeMb)
      throw badRequest(`The disk ${before.id} of "${vm.name}" cannot shrink.`);
    const parent = controllers.get(textOf(item, 'Parent') ?? '');
    const named = attributeOf(resource, 'busSubType');
    const controller =
      before?.controller ?? parent?.kind ?? kindOf(attributeOf(resource, 'busType') ?? '6', named ?? '');
    const bus = before?.bus ?? parent?.bus ?? 0;
    const address = textOf(item, 'AddressOnParent') ?? '';
    const unit =
      before?.unit ?? (address === '' ? freeUnit([...vm.disks, ...disks], controller, bus) : Number(address));
    if (disks.some((disk) => disk.controller === controller && disk.bus === bus && disk.unit === unit)) {
      throw badRequest(`Two disks of "${vm.name}" claim ${controller} ${bus}:${unit}.`);
    }
    const profile = attributeOf(resource, 'storageProfileHref');
    disks.push({
      id: diskIdAt(controller, bus, unit),
      name: textOf(item, 'ElementName') ?? before?.name ?? '',
      sizeMb,
      file: before?.file ?? null,
      controller,
      subtype: before?.subtype ?? named ?? parent?.subtype ?? 'lsilogic',
      bus,
      unit,
      storageProfile:
        profile === undefined
          ? (before?.storageProfile ?? vm.storageProfile)
          : referred(view, 'storageProfile', profile).id,
      independent: before?.independent ?? null,
    });
  }
  return disks;
}
