import type { InventoryObject, MachineFacts, ObjectAbility, ObjectKind, PowerState } from '../../model/inventory.ts';
import { isNic, networkIdOf } from './devices.ts';
import { childrenOf, flagOf, numberOf, type Ref, refOf, textOf } from './element.ts';
import { decodeName } from './names.ts';
import type { ObjectContent, PropertySet } from './property-collector.ts';

const MACHINE_PATHS = [
  'name',
  'parent',
  'parentVApp',
  'customValue',
  'config.template',
  'config.annotation',
  'config.guestFullName',
  'config.hardware.numCPU',
  'config.hardware.memoryMB',
  'config.hardware.device',
  'config.version',
  'runtime.powerState',
  'runtime.host',
  'guest.hostName',
  'guest.net',
  'guest.ipAddress',
] as const;

/**
 * What the inventory reads, by type. Subtypes come before their base, so that a server that takes the first that fits
 * and one that takes all of them give the same.
 */
export const inventoryProperties: readonly PropertySet[] = [
  { type: 'Datacenter', paths: ['name', 'parent'] },
  { type: 'Folder', paths: ['name', 'parent', 'childType'] },
  { type: 'ComputeResource', paths: ['name', 'parent'] },
  { type: 'HostSystem', paths: ['name', 'parent', 'runtime.connectionState', 'runtime.inMaintenanceMode'] },
  {
    type: 'VirtualApp',
    paths: ['name', 'parent', 'parentFolder', 'parentVApp', 'customValue', 'vAppConfig.annotation'],
  },
  { type: 'ResourcePool', paths: ['name', 'parent'] },
  { type: 'Datastore', paths: ['name', 'parent', 'summary.capacity', 'summary.freeSpace', 'summary.type'] },
  { type: 'DistributedVirtualPortgroup', paths: ['name', 'parent', 'key'] },
  { type: 'Network', paths: ['name', 'parent'] },
  { type: 'VirtualMachine', paths: MACHINE_PATHS },
];

/** Types of the container view: base types cover theirs. */
export const inventoryTypes = [
  'Datacenter',
  'Folder',
  'ComputeResource',
  'HostSystem',
  'ResourcePool',
  'Datastore',
  'Network',
  'VirtualMachine',
];

/** What is around an object and needed to describe it. */
export interface Surroundings {
  /** By id, and by portgroup key. */
  networkName(id: string): string | undefined;
  hostName(id: string): string | undefined;
  /** Name of a custom attribute by its key. */
  attributeName(key: string): string | undefined;
  machinesOf(vapp: string): ObjectContent[];
  rootFolder: string;
}

function isTemplate(content: ObjectContent): boolean {
  return content.ref.type === 'VirtualMachine' && flagOf(content.props.get('config.template')) === true;
}

function kindOf(content: ObjectContent): ObjectKind | undefined {
  switch (content.ref.type) {
    case 'Datacenter':
      return 'datacenter';
    case 'Folder':
    case 'StoragePod':
      return 'folder';
    case 'ComputeResource':
    case 'ClusterComputeResource':
      return 'cluster';
    case 'HostSystem':
      return 'host';
    case 'ResourcePool':
      return 'pool';
    case 'VirtualApp':
      return 'vapp';
    case 'Datastore':
      return 'datastore';
    case 'Network':
    case 'OpaqueNetwork':
    case 'DistributedVirtualPortgroup':
      return 'network';
    case 'VirtualMachine':
      return isTemplate(content) ? 'template' : 'vm';
    default:
      return undefined;
  }
}

export function parentOf(content: ObjectContent): Ref | undefined {
  const { props } = content;
  if (content.ref.type === 'VirtualMachine') return refOf(props.get('parentVApp')) ?? refOf(props.get('parent'));
  if (content.ref.type === 'VirtualApp') {
    return refOf(props.get('parentVApp')) ?? refOf(props.get('parentFolder')) ?? refOf(props.get('parent'));
  }
  return refOf(props.get('parent'));
}

function powerOf(content: ObjectContent): PowerState {
  const state = content.props.get('runtime.powerState')?.text;
  return state === 'poweredOn'
    ? 'on'
    : state === 'poweredOff'
      ? 'off'
      : state === 'suspended'
        ? 'suspended'
        : 'unknown';
}

/** The object as the contract wants it; undefined for types that are not shown. */
export function describeObject(content: ObjectContent, around: Surroundings): InventoryObject | undefined {
  const kind = kindOf(content);
  if (kind === undefined) return undefined;
  const { props } = content;
  const parent = parentOf(content)?.id ?? null;
  const object: InventoryObject = {
    id: content.ref.id,
    kind,
    name: decodeName(props.get('name')?.text ?? content.ref.id),
    parent: parent === around.rootFolder ? null : parent,
    abilities: abilitiesOf(content, kind),
  };
  if (kind === 'vm' || kind === 'template') object.machine = machineFacts(content, around);
  if (kind === 'vapp') object.machine = vappFacts(content, around);
  if (kind === 'datastore') {
    const totalBytes = numberOf(props.get('summary.capacity'));
    const freeBytes = numberOf(props.get('summary.freeSpace'));
    object.capacity = {
      ...(totalBytes === undefined ? {} : { totalBytes }),
      ...(freeBytes === undefined ? {} : { freeBytes }),
    };
  }
  Object.assign(object, attributesOf(content, around));
  const facts = factsOf(content);
  if (Object.keys(facts).length > 0) object.facts = facts;
  return object;
}

function abilitiesOf(content: ObjectContent, kind: ObjectKind): ObjectAbility[] {
  switch (kind) {
    case 'vm':
    case 'vapp':
      return ['power', 'export'];
    case 'template':
      return ['export'];
    case 'datacenter':
      return ['hold-machines', 'hold-templates', 'hold-media'];
    case 'datastore':
      return ['hold-media'];
    case 'folder': {
      const types = childrenOf(content.props.get('childType'), 'string').map((item) => item.text);
      return types.includes('VirtualMachine') ? ['hold-machines', 'hold-templates', 'hold-media'] : [];
    }
    case 'cluster':
    case 'host':
    case 'pool':
      return ['hold-machines', 'hold-media'];
    default:
      return [];
  }
}

function factsOf(content: ObjectContent): Record<string, string> {
  const facts: Record<string, string> = {};
  const { props, ref } = content;
  if (ref.type === 'VirtualMachine') {
    const host = refOf(props.get('runtime.host'))?.id;
    if (host !== undefined) facts.host = host;
  }
  const take = (name: string, path: string) => {
    const text = props.get(path)?.text;
    if (text !== undefined && text !== '') facts[name] = text;
  };
  take('hardware', 'config.version');
  take('type', 'summary.type');
  take('connection', 'runtime.connectionState');
  if (flagOf(props.get('runtime.inMaintenanceMode'))) facts.maintenance = 'true';
  if (ref.type === 'DistributedVirtualPortgroup') facts.type = 'distributed port group';
  if (ref.type === 'ComputeResource') facts.type = 'standalone host';
  return facts;
}

/**
 * Custom attributes as tags, `name=value`; who owns something is told by the attribute that people call "owner". (Tags of
 * the vendor's tagging service are not part of this API.)
 */
function attributesOf(content: ObjectContent, around: Surroundings): Pick<InventoryObject, 'owner' | 'tags'> {
  const set = (content.props.get('customValue')?.children ?? []).flatMap((item) => {
    const name = around.attributeName(textOf(item, 'key') ?? '') ?? '';
    const value = textOf(item, 'value') ?? '';
    return name === '' || value === '' ? [] : [{ name, value }];
  });
  const owner = set.find(({ name }) => name.toLowerCase() === 'owner')?.value;
  const tags = set.map(({ name, value }) => `${name}=${value}`).sort();
  return { ...(owner === undefined ? {} : { owner }), ...(tags.length === 0 ? {} : { tags }) };
}

/** Keys of the custom attributes that an object has. */
export function attributeKeys(content: ObjectContent): string[] {
  return (content.props.get('customValue')?.children ?? []).flatMap((item) => textOf(item, 'key') ?? []);
}

function machineFacts(content: ObjectContent, around: Surroundings): MachineFacts {
  const { props } = content;
  const devices = props.get('config.hardware.device')?.children ?? [];
  const disks = devices.filter((device) => device.type === 'VirtualDisk');
  const hostName = props.get('guest.hostName')?.text;
  const host = around.hostName(refOf(props.get('runtime.host'))?.id ?? '');
  return {
    power: powerOf(content),
    cpus: numberOf(props.get('config.hardware.numCPU')) ?? 0,
    memoryMib: numberOf(props.get('config.hardware.memoryMB')) ?? 0,
    guest: props.get('config.guestFullName')?.text ?? '',
    ...(hostName === undefined || hostName === '' ? {} : { hostName }),
    ...(host === undefined ? {} : { host }),
    notes: props.get('config.annotation')?.text ?? '',
    diskBytes: disks.reduce((sum, disk) => sum + (numberOf(disk, 'capacityInKB') ?? 0) * 1024, 0),
    disks: disks.length,
    nics: devices.filter(isNic).map((device) => {
      const mac = textOf(device, 'macAddress')?.toLowerCase();
      const network = around.networkName(networkIdOf(device) ?? '') ?? textOf(device, 'backing', 'deviceName');
      return {
        ...(mac === undefined || mac === '' ? {} : { mac }),
        ...(network === undefined ? {} : { network: decodeName(network) }),
        connected: flagOf(device, 'connectable', powerOf(content) === 'on' ? 'connected' : 'startConnected') ?? false,
      };
    }),
    ips: addresses(content),
  };
}

function addresses(content: ObjectContent): string[] {
  const found = (content.props.get('guest.net')?.children ?? []).flatMap((nic) =>
    childrenOf(nic, 'ipAddress').map((item) => item.text),
  );
  const main = content.props.get('guest.ipAddress')?.text;
  return [...new Set([...(main === undefined || main === '' ? [] : [main]), ...found])];
}

function vappFacts(content: ObjectContent, around: Surroundings): MachineFacts {
  const machines = around.machinesOf(content.ref.id);
  const facts = machines.map((machine) => machineFacts(machine, around));
  const states = new Set(facts.map((fact) => fact.power));
  const sum = (pick: (fact: MachineFacts) => number) => facts.reduce((total, fact) => total + pick(fact), 0);
  return {
    power: states.size === 0 ? 'off' : states.size === 1 ? [...states][0]! : 'mixed',
    cpus: sum((fact) => fact.cpus),
    memoryMib: sum((fact) => fact.memoryMib),
    guest: '',
    notes: content.props.get('vAppConfig.annotation')?.text ?? '',
    diskBytes: sum((fact) => fact.diskBytes),
    disks: sum((fact) => fact.disks),
    nics: facts.flatMap((fact) => fact.nics),
    ips: facts.flatMap((fact) => fact.ips),
    machines: machines.length,
  };
}

/** Ids of the networks (by id or portgroup key) that a machine's adapters use. */
export function networksUsed(content: ObjectContent): string[] {
  return (content.props.get('config.hardware.device')?.children ?? [])
    .filter(isNic)
    .map(networkIdOf)
    .filter((id) => id !== undefined);
}
