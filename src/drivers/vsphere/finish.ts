import type { MachineDescription, PackageDescription } from '../../model/machine.ts';
import type { ImportRequest } from '../driver.ts';
import { isDisk, isNic, keyOf } from './devices.ts';
import { child, childrenOf, type Element, flagOf, type Ref, textOf } from './element.ts';
import { COMPLETE_KEY, optionValue } from './extras.ts';
import { isMapped, put } from './import-spec.ts';
import { readObject } from './property-collector.ts';
import type { Session } from './session.ts';
import { element, groupElement, leafElement, written } from './soap.ts';
import { runTask } from './tasks.ts';

/**
 * Sets what could not be said before the devices existed, or what the server left out of the import spec, and notes
 * that the machine is complete. One ReconfigVM_Task; the same again changes nothing.
 */
export async function finishMachine(
  session: Session,
  ref: Ref,
  machine: MachineDescription,
  request: ImportRequest,
  signal: AbortSignal,
): Promise<void> {
  const props = await readObject(session, ref, ['config'], signal);
  const config = props.get('config');
  const members: Element[] = [];
  if (request.keepUuid && machine.uuid !== undefined && textOf(config, 'uuid')?.toLowerCase() !== machine.uuid) {
    members.push(leafElement('uuid', machine.uuid));
  }
  if ((textOf(config, 'annotation') ?? '') !== machine.notes) members.push(leafElement('annotation', machine.notes));
  const devices = childrenOf(child(config, 'hardware'), 'device').sort((one, other) => keyOf(one) - keyOf(other));
  members.push(...cardChanges(devices.filter(isNic), machine, request));
  members.push(optionValue(COMPLETE_KEY, 'true'));
  members.push(...bootOptions(config, devices, machine));
  if ((textOf(config, 'firmware') ?? 'bios') !== machine.firmware)
    members.push(leafElement('firmware', machine.firmware));
  const spec = element('spec', ...members.map((member) => written(member)));
  await runTask(session, 'ReconfigVM_Task', ref, signal, spec);
}

function cardChanges(cards: readonly Element[], machine: MachineDescription, request: ImportRequest): Element[] {
  const changes: Element[] = [];
  for (const [index, card] of cards.entries()) {
    const nic = machine.nics[index];
    if (nic === undefined) continue;
    const connected = nic.connected && isMapped(nic.network, request);
    const mac = request.keepMac ? nic.mac : undefined;
    const rightState = (flagOf(card, 'connectable', 'startConnected') ?? true) === connected;
    const rightMac = mac === undefined || textOf(card, 'macAddress')?.toLowerCase() === mac;
    if (rightState && rightMac) continue;
    const changed: Element = { ...card, children: [...card.children] };
    if (!rightState) {
      const members = [
        leafElement('startConnected', connected),
        leafElement('allowGuestControl', flagOf(card, 'connectable', 'allowGuestControl') ?? true),
        leafElement('connected', false),
      ];
      put(changed, groupElement('connectable', members), CARD_ORDER);
    }
    if (mac !== undefined) {
      put(changed, leafElement('addressType', 'manual'), CARD_ORDER);
      put(changed, leafElement('macAddress', mac), CARD_ORDER);
    }
    changes.push(groupElement('deviceChange', [leafElement('operation', 'edit'), { ...changed, name: 'device' }]));
  }
  return changes;
}

const CARD_ORDER =
  'key deviceInfo backing connectable slotInfo controllerKey unitNumber numaNode deviceGroupInfo addressType macAddress'.split(
    ' ',
  );

/** Boot order by device class; the vendor wants every disk and adapter by its key, in slot order. */
function bootOptions(config: Element | undefined, devices: readonly Element[], machine: MachineDescription): Element[] {
  const order = machine.bootOrder.flatMap((kind) => {
    if (kind === 'disk') return devices.filter(isDisk).map((disk) => bootDevice('Disk', keyOf(disk)));
    if (kind === 'network') return devices.filter(isNic).map((nic) => bootDevice('Ethernet', keyOf(nic)));
    const name = kind === 'cdrom' ? 'Cdrom' : 'Floppy';
    return [groupElement('bootOrder', [], `VirtualMachineBootOptionsBootable${name}Device`)];
  });
  const secure = machine.secureBoot === true;
  if (order.length === 0 && (!secure || flagOf(config, 'bootOptions', 'efiSecureBootEnabled'))) return [];
  const members = secure ? [leafElement('efiSecureBootEnabled', true)] : [];
  return [groupElement('bootOptions', [...members, ...order])];
}

function bootDevice(kind: 'Disk' | 'Ethernet', key: number): Element {
  return groupElement('bootOrder', [leafElement('deviceKey', key)], `VirtualMachineBootOptionsBootable${kind}Device`);
}

/** Which machine of the description a made machine is: by name, else by order. */
export function pairMachines(
  made: readonly { ref: Ref; name: string }[],
  description: PackageDescription,
): { ref: Ref; machine: MachineDescription }[] {
  if (made.length === 1 && description.machines.length === 1) {
    return [{ ref: made[0]!.ref, machine: description.machines[0]! }];
  }
  return made.flatMap(({ ref, name }, index) => {
    const machine = description.machines.find((item) => item.name === name) ?? description.machines[index];
    return machine === undefined ? [] : [{ ref, machine }];
  });
}
