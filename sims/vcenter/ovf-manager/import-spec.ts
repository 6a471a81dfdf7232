import { guestByCim } from '../guest-id.ts';
import { entityName, type Lab } from '../lab.ts';
import { type Data, object, objects, type Ref, ref, reference, text, type Value } from '../value.ts';
import { invalidArgument, VimFault } from '../vim-fault.ts';
import { allocationUnit, type OvfDescriptor, type OvfItem, type OvfSystem } from './descriptor-reader.ts';

export type Params = {
  name: string;
  pool: string;
  datastore: string;
  networks: Map<string, Ref>;
  properties: Map<string, string>;
  thin: boolean;
};
export type Problems = { errors: VimFault[]; warnings: VimFault[] };
export type FileItem = { deviceId: string; path: string; size: number | undefined; compression: string };

const SCSI: Record<string, string> = {
  lsilogic: 'VirtualLsiLogicController',
  lsilogicsas: 'VirtualLsiLogicSASController',
  virtualscsi: 'ParaVirtualSCSIController',
  buslogic: 'VirtualBusLogicController',
  '': 'VirtualLsiLogicController',
};
const NICS: Record<string, string> = {
  vmxnet3: 'VirtualVmxnet3',
  e1000: 'VirtualE1000',
  e1000e: 'VirtualE1000e',
  pcnet32: 'VirtualPCNet32',
  vmxnet2: 'VirtualVmxnet2',
  '': 'VirtualE1000',
};
/** Types the machine has anyway, or that change nothing a lab machine could show. */
const SILENT = new Set([1, 24]);

function unsupported(item: OvfItem): VimFault {
  return new VimFault(
    'OvfUnsupportedType',
    `Unsupported hardware: '${item.name}' (resource type ${item.type} ${item.subType}).`,
    { lineNumber: item.line, name: item.name, instanceId: item.id, deviceType: item.type },
  );
}

function nicBacking(lab: Lab, item: OvfItem, params: Params, problems: Problems): Data | undefined {
  const name = item.connections[0];
  if (name === undefined) return undefined;
  const mapped =
    params.networks.get(name) ??
    lab
      .all('Network', 'DistributedVirtualPortgroup')
      .filter((one) => lab.above('Datacenter', one.id)?.id === lab.above('Datacenter', params.pool)?.id)
      .map((one) => ref(one.type, one.id))
      .find((one, _index, all) => nameOf(lab, one) === name || all.length === 1);
  if (!mapped) {
    problems.errors.push(new VimFault('OvfNoHostNic', `No network is mapped for '${name}'.`, {}));
    return undefined;
  }
  const group = lab.find('DistributedVirtualPortgroup', mapped.id);
  if (group) {
    const { uuid } = lab.get('VmwareDistributedVirtualSwitch', group.dvs);
    return {
      _type: 'VirtualEthernetCardDistributedVirtualPortBackingInfo',
      port: { switchUuid: uuid, portgroupKey: group.id },
    };
  }
  return { _type: 'VirtualEthernetCardNetworkBackingInfo', deviceName: lab.get('Network', mapped.id).name };
}

function nameOf(lab: Lab, one: Ref): string | undefined {
  const record = lab.any(one.id);
  return record && 'name' in record ? record.name : undefined;
}

function controllerType(item: OvfItem): string | undefined {
  const sub = item.subType.toLowerCase();
  if (item.type === 5) return 'VirtualIDEController';
  if (item.type === 6) return SCSI[sub];
  if (item.type === 20) {
    if (sub === 'vmware.sata.ahci' || sub === 'ahci') return 'VirtualAHCIController';
    if (sub === 'vmware.nvme.controller' || sub === 'nvme') return 'VirtualNVMEController';
  }
  if (item.type === 23) return sub === 'vmware.usb.xhci' ? 'VirtualUSBXHCIController' : 'VirtualUSBController';
  return undefined;
}

/** A machine's `VirtualMachineImportSpec`, the files it wants and what cannot be carried. */
export function systemSpec(
  lab: Lab,
  ovf: OvfDescriptor,
  system: OvfSystem,
  params: Params,
  problems: Problems,
): { spec: Data; files: FileItem[] } {
  const changes: Data[] = [];
  const files: FileItem[] = [];
  const keys = new Map<string, number>();
  const places = new Map<string, string>();
  const buses = new Map<string, number>();
  const spec: Record<string, Value> = {};
  let next = -101;
  const add = (item: OvfItem, device: Data, operation?: string): void => {
    const key = next--;
    keys.set(item.id, key);
    changes.push({
      _type: 'VirtualDeviceConfigSpec',
      operation: 'add',
      ...(operation ? { fileOperation: operation } : {}),
      device: { ...device, key },
    });
  };
  const parentOf = (item: OvfItem): { key: number; place: string } | undefined => {
    const key = keys.get(item.parent);
    const place = places.get(item.parent);
    if (key !== undefined && place !== undefined) return { key, place };
    problems.errors.push(
      new VimFault('OvfElementInvalidValue', `'${item.name}' names a parent that is no controller: '${item.parent}'.`, {
        lineNumber: item.line,
        name: 'Parent',
        value: item.parent,
      }),
    );
    return undefined;
  };
  const units = new Map<number, number>();
  // Controllers first, whatever the order of the items.
  const sorted = [...system.items].sort(
    (a, b) => Number(controllerType(b) !== undefined) - Number(controllerType(a) !== undefined),
  );
  for (const item of sorted) {
    const refuse = () => (item.required ? problems.errors : problems.warnings).push(unsupported(item));
    if (item.type === 3) {
      spec.numCPUs = item.quantity || 1;
      spec.numCoresPerSocket = item.coresPerSocket || 1;
    } else if (item.type === 4) {
      spec.memoryMB = Math.round((item.quantity * allocationUnit(item.units || 'byte * 2^20')) / 2 ** 20);
    } else if (controllerType(item)) {
      const type = controllerType(item) as string;
      const family = item.type === 20 ? type : String(item.type);
      const bus = Math.max(Number(item.address) || 0, 0);
      const taken =
        buses.get(`${family} ${bus}`) !== undefined
          ? [...buses.keys()].filter((one) => one.startsWith(`${family} `)).length
          : bus;
      buses.set(`${family} ${taken}`, taken);
      places.set(item.id, `${type}${taken}`);
      add(item, { _type: type, busNumber: taken, ...(item.type === 6 ? { sharedBus: 'noSharing' } : {}) });
    } else if (item.type === 17) {
      const parent = parentOf(item);
      const disk = ovf.disks.get(/^(?:ovf:)?\/disk\/(.+)$/.exec(item.hostResource)?.[1] ?? '');
      if (!disk)
        problems.errors.push(
          new VimFault(
            'OvfDiskMappingNotFound',
            `'${item.name}' refers to '${item.hostResource}', which is no disk of the descriptor.`,
            { diskName: item.hostResource, vmName: params.name },
          ),
        );
      if (!parent || !disk) continue;
      const unit = item.addressOnParent === '' ? (units.get(parent.key) ?? 0) : Number(item.addressOnParent);
      units.set(parent.key, unit + 1 === 7 ? 8 : unit + 1);
      const backing: Data = {
        _type: 'VirtualDiskFlatVer2BackingInfo',
        fileName: '',
        datastore: ref('Datastore', params.datastore),
        diskMode: item.config.get('backing.diskMode') ?? 'persistent',
        thinProvisioned: params.thin,
      };
      add(
        item,
        {
          _type: 'VirtualDisk',
          backing,
          controllerKey: parent.key,
          unitNumber: unit,
          capacityInKB: Math.ceil(disk.capacityBytes / 1024),
          capacityInBytes: disk.capacityBytes,
        },
        'create',
      );
      if (disk.file)
        files.push({
          deviceId: `/${params.name}/${parent.place}:${unit}`,
          path: disk.file.href,
          size: disk.file.size,
          compression: disk.file.compression,
        });
    } else if (item.type === 10) {
      const type = NICS[item.subType.toLowerCase()];
      if (!type) {
        refuse();
        continue;
      }
      const backing = nicBacking(lab, item, params, problems);
      const mac = /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/i.test(item.address) ? item.address.toLowerCase() : undefined;
      add(item, {
        _type: type,
        ...(backing ? { backing } : {}),
        connectable: { startConnected: item.automatic, allowGuestControl: true, connected: item.automatic },
        addressType: mac ? 'manual' : 'generated',
        ...(mac ? { macAddress: mac } : {}),
        wakeOnLanEnabled: item.config.get('wakeOnLanEnabled') !== 'false',
      });
    } else if (item.type === 15 || item.type === 16) {
      const parent = parentOf(item);
      if (!parent) continue;
      add(item, {
        _type: 'VirtualCdrom',
        backing: { _type: 'VirtualCdromRemotePassthroughBackingInfo', deviceName: '', exclusive: false },
        connectable: { startConnected: false, allowGuestControl: true, connected: false },
        controllerKey: parent.key,
        unitNumber: Number(item.addressOnParent) || 0,
      });
    } else if (item.type === 14) {
      add(item, {
        _type: 'VirtualFloppy',
        backing: { _type: 'VirtualFloppyRemoteDeviceBackingInfo', deviceName: '' },
        connectable: { startConnected: false, allowGuestControl: true, connected: false },
      });
    } else if (!SILENT.has(item.type)) refuse();
  }
  if (spec.numCPUs === undefined)
    problems.errors.push(
      new VimFault('OvfMissingHardware', 'The descriptor gives no CPU.', { name: 'CPU', resourceType: 3 }),
    );
  if (spec.memoryMB === undefined)
    problems.errors.push(
      new VimFault('OvfMissingHardware', 'The descriptor gives no memory.', { name: 'Memory', resourceType: 4 }),
    );
  const store = lab.get('Datastore', params.datastore);
  const bootKeys = system.bootOrder.flatMap((id): Data[] => {
    const item = system.items.find((one) => one.id === id);
    const key = keys.get(id);
    if (!item || key === undefined) return [];
    if (item.type === 10) return [{ _type: 'VirtualMachineBootOptionsBootableEthernetDevice', deviceKey: key }];
    return item.type === 17
      ? [{ _type: 'VirtualMachineBootOptionsBootableDiskDevice', deviceKey: key }]
      : [{ _type: 'VirtualMachineBootOptionsBootableCdromDevice' }];
  });
  const configSpec: Data = {
    name: params.name,
    version: /^vmx-\d+$/.test(system.hardware) ? system.hardware : 'vmx-19',
    guestId: system.osType || guestByCim(system.cim),
    annotation: system.annotation || undefined,
    files: { vmPathName: `[${store.name}]` },
    numCPUs: spec.numCPUs,
    numCoresPerSocket: Number(system.config.get('coresPerSocket')) || spec.numCoresPerSocket,
    memoryMB: spec.memoryMB,
    memoryHotAddEnabled: yes(system.config.get('memoryHotAddEnabled')),
    cpuHotAddEnabled: yes(system.config.get('cpuHotAddEnabled')),
    deviceChange: changes,
    extraConfig: system.extraConfig.map((one) => ({ _type: 'OptionValue', key: one.key, value: one.value })),
    bootOptions: bootOptions(system, bootKeys),
    vAppConfig: vAppSpec(system, params),
    firmware: system.config.get('firmware') ?? 'bios',
    nestedHVEnabled: yes(system.config.get('nestedHVEnabled')),
  };
  return {
    spec: {
      _type: 'VirtualMachineImportSpec',
      configSpec,
      resPoolEntity: ref(lab.any(params.pool)?.type ?? 'ResourcePool', params.pool),
    },
    files,
  };
}

function yes(value: string | undefined): boolean | undefined {
  return value === undefined ? undefined : value === 'true';
}

function bootOptions(system: OvfSystem, order: Data[]): Data | undefined {
  const secure = yes(system.config.get('bootOptions.efiSecureBootEnabled'));
  if (!order.length && secure === undefined) return undefined;
  return {
    ...(secure === undefined ? {} : { efiSecureBootEnabled: secure }),
    ...(order.length ? { bootOrder: order } : {}),
  };
}

/** Properties with the values a client gave for them: `class.id.instance` or `id`. */
function filled(properties: Data[], given: Map<string, string>): Data[] {
  return properties.map((one) => {
    const name = [text(one, 'classId'), text(one, 'id'), text(one, 'instanceId')].filter(Boolean).join('.');
    const value = given.get(name) ?? given.get(text(one, 'id') ?? '');
    return { operation: 'add', info: value === undefined ? one : { ...one, value } };
  });
}

export function vAppSpec(
  of: Pick<OvfSystem, 'products' | 'properties' | 'eulas' | 'transport'>,
  params: Pick<Params, 'properties'>,
): Data | undefined {
  if (!of.products.length && !of.properties.length && !of.eulas.length && !of.transport.length) return undefined;
  return {
    _type: 'VmConfigSpec',
    product: of.products.map((info) => ({ operation: 'add', info })),
    property: filled(of.properties, params.properties),
    eula: of.eulas,
    ovfEnvironmentTransport: of.transport,
  };
}

/** Reads `OvfCreateImportSpecParams` as far as this server follows them. */
export function readParams(lab: Lab, args: Data, ovf: OvfDescriptor): Params {
  const cisp = object(args, 'cisp') ?? {};
  const pool = lab.any(reference(args, 'resourcePool')?.id);
  if (pool?.type !== 'ResourcePool' && pool?.type !== 'VirtualApp') throw invalidArgument('resourcePool');
  const datastore = lab.find('Datastore', reference(args, 'datastore')?.id);
  if (!datastore) throw invalidArgument('datastore');
  const networks = new Map<string, Ref>();
  for (const one of objects(cisp, 'networkMapping')) {
    const target = reference(one, 'network');
    const found = lab.any(target?.id);
    if (found?.type !== 'Network' && found?.type !== 'DistributedVirtualPortgroup')
      throw invalidArgument('cisp.networkMapping');
    networks.set(text(one, 'name') ?? '', ref(found.type, found.id));
  }
  const provisioning = text(cisp, 'diskProvisioning') ?? 'thin';
  if (
    ![
      'thin',
      'thick',
      'eagerZeroedThick',
      'flat',
      'monolithicSparse',
      'monolithicFlat',
      'sparse',
      'seSparse',
      '',
    ].includes(provisioning)
  )
    throw invalidArgument('cisp.diskProvisioning', provisioning);
  return {
    name: entityName(text(cisp, 'entityName') || (ovf.collection?.name ?? ovf.systems[0]?.name ?? 'vm')),
    pool: pool.id,
    datastore: datastore.id,
    networks,
    properties: new Map(
      objects(cisp, 'propertyMapping').map((one) => [text(one, 'key') ?? '', text(one, 'value') ?? '']),
    ),
    thin: ['thin', 'sparse', 'seSparse', 'monolithicSparse', ''].includes(provisioning),
  };
}
