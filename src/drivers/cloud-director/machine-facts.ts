import type { InventoryObject, MachineFacts, PowerState } from '../../model/inventory.ts';
import { isDeployed, machinesOf, STATUS, statusOf, statusWord } from './entity.ts';
import { machineOf } from './hardware.ts';
import { at, child, textAt, type XmlElement } from './xml.ts';

/** Power of an entity by its number. */
function powerOf(element: XmlElement): PowerState {
  switch (statusOf(element)) {
    case STATUS.on:
      return 'on';
    case STATUS.suspended:
      return 'suspended';
    case STATUS.mixed:
      return 'mixed';
    case STATUS.off:
    case STATUS.resolved:
    case STATUS.partiallyOff:
      return 'off';
    default:
      return 'unknown';
  }
}

/** Power by the word of a query record; the word for "powered off but still deployed" differs between releases. */
export function powerOfWord(word: string | undefined): PowerState {
  switch (word) {
    case 'POWERED_ON':
      return 'on';
    case 'SUSPENDED':
      return 'suspended';
    case 'MIXED':
      return 'mixed';
    case 'POWERED_OFF':
    case 'RESOLVED':
    case 'PARTIALLY_POWERED_OFF':
      return 'off';
    default:
      return 'unknown';
  }
}

/** What the documents of machines, vApps and templates tell for the inventory. */
export type Detail = Required<Pick<InventoryObject, 'machine' | 'facts'>> & Pick<InventoryObject, 'owner' | 'tags'>;

/** The detail of a `Vm`, `VApp` or `VAppTemplate`. A VM is its vApp's owner's: it does not say so itself. */
export function detailOf(element: XmlElement, tags: readonly string[], owner = ownerOf(element)): Detail {
  const marks = {
    ...(owner === undefined ? {} : { owner }),
    ...(tags.length === 0 ? {} : { tags: [...tags] }),
  };
  if (element.name === 'Vm') return { machine: factsOfVm(element), facts: wordsOfVm(element), ...marks };
  const template = element.name === 'VAppTemplate';
  const inside = machinesOf(element).map(factsOfVm);
  return {
    machine: {
      ...sumOf(inside, template ? 'off' : powerOf(element)),
      notes: child(element, 'Description')?.text ?? '',
    },
    facts: template ? { status: statusWord(element) } : { deployed: String(isDeployed(element)) },
    ...marks,
  };
}

/** Name of the user that a vApp, template, medium or catalog belongs to. */
export function ownerOf(element: XmlElement): string | undefined {
  return at(element, 'Owner', 'User')?.attributes.name;
}

function factsOfVm(vm: XmlElement): MachineFacts {
  const { cpus, memoryMib, guestId, notes, disks, nics } = machineOf(vm, '');
  const hostName = textAt(vm, 'GuestCustomizationSection', 'ComputerName');
  return {
    power: powerOf(vm),
    cpus,
    memoryMib,
    guest: guestId,
    ...(hostName === '' ? {} : { hostName }),
    notes,
    diskBytes: disks.reduce((total, disk) => total + disk.capacityBytes, 0),
    disks: disks.length,
    nics: nics.map(({ mac, network, connected }) => ({
      ...(mac === undefined ? {} : { mac }),
      ...(network === null ? {} : { network }),
      connected,
    })),
    ips: nics.flatMap(({ ip }) => (ip?.address === undefined ? [] : [ip.address])),
  };
}

function wordsOfVm(vm: XmlElement): Record<string, string> {
  const { hardwareVersion } = machineOf(vm, '');
  const policy = child(vm, 'StorageProfile')?.attributes.name;
  return {
    deployed: String(isDeployed(vm)),
    ...(hardwareVersion === undefined ? {} : { hardwareVersion }),
    ...(policy === undefined ? {} : { storagePolicy: policy }),
  };
}

/** Facts of a vApp or template out of those of its machines. */
export function sumOf(inside: readonly MachineFacts[], power: PowerState): MachineFacts {
  const sum = (of: (facts: MachineFacts) => number) => inside.reduce((total, facts) => total + of(facts), 0);
  return {
    power,
    cpus: sum(({ cpus }) => cpus),
    memoryMib: sum(({ memoryMib }) => memoryMib),
    guest: [...new Set(inside.map(({ guest }) => guest))].join(', '),
    notes: '',
    diskBytes: sum(({ diskBytes }) => diskBytes),
    disks: sum(({ disks }) => disks),
    nics: inside.flatMap(({ nics }) => nics),
    ips: inside.flatMap(({ ips }) => ips),
    machines: inside.length,
  };
}
