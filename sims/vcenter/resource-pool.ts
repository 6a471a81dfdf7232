import { exportVApp } from './export.ts';
import { importVApp } from './import.ts';
import type { Lab } from './lab.ts';
import { kind, type Method } from './managed.ts';
import { checkName, entityMethods, entityReaders } from './managed-entity.ts';
import type { PoolRecord, VAppRecord, VmRecord } from './record.ts';
import { type Data, object, objects, type Ref, ref, reference, text } from './value.ts';
import { invalidArgument, VimFault } from './vim-fault.ts';
import { mergeVApp } from './vm-config.ts';
import { deleteVm } from './vm-files.ts';
import { lockReason } from './vm-lock.ts';
import { powerOn, setPower, wrongState } from './vm-power.ts';

type AnyPool = PoolRecord | VAppRecord;

/** Machines of a pool or vApp; a template is in no pool. */
function machinesOf(lab: Lab, pool: AnyPool): VmRecord[] {
  return lab.all('VirtualMachine').filter((vm) => vm.pool === pool.id && !vm.template);
}

function allocation(): Data {
  return {
    _type: 'ResourceAllocationInfo',
    reservation: 0,
    expandableReservation: true,
    limit: -1,
    shares: { shares: 4000, level: 'normal' },
  };
}

function config(pool: AnyPool): Data {
  return {
    _type: 'ResourceConfigSpec',
    entity: ref(pool.type, pool.id),
    cpuAllocation: allocation(),
    memoryAllocation: allocation(),
  };
}

function usage(): Data {
  return {
    reservationUsed: 0,
    reservationUsedForVm: 0,
    unreservedForPool: 1000000,
    unreservedForVm: 1000000,
    overallUsage: 0,
    maxUsage: 1000000,
  };
}

function owner(lab: Lab, pool: AnyPool): Ref | undefined {
  const found = lab.above('ClusterComputeResource', pool.id) ?? lab.above('ComputeResource', pool.id);
  return found && ref(found.type, found.id);
}

const poolReaders = {
  ...entityReaders,
  runtime: () => ({ memory: usage(), cpu: usage(), overallStatus: 'green' }),
  owner,
  resourcePool: (lab: Lab, pool: AnyPool) =>
    lab
      .children(pool.id)
      .filter((one) => one.type === 'ResourcePool' || one.type === 'VirtualApp')
      .map((one) => ref(one.type, one.id)),
  vm: (lab: Lab, pool: AnyPool) => machinesOf(lab, pool).map((vm) => ref('VirtualMachine', vm.id)),
  config: (_lab: Lab, pool: AnyPool) => config(pool),
};

const createVApp: Method<AnyPool> = (call, pool, args) => {
  const { lab } = call;
  const folder = reference(args, 'vmFolder')?.id;
  const name = checkName(lab, pool.type === 'ResourcePool' ? folder : pool.id, text(args, 'name') ?? '');
  if (pool.type === 'ResourcePool' && !lab.find('Folder', folder)) throw invalidArgument('vmFolder');
  checkName(lab, pool.id, text(args, 'name') ?? '');
  const made = newVApp(lab, pool.id, name, pool.type === 'ResourcePool' ? folder : undefined);
  const spec = object(args, 'configSpec');
  lab.put(spec ? configure(lab, made, spec) : made);
  return ref('VirtualApp', made.id);
};

export function newVApp(lab: Lab, parent: string, name: string, folder: string | undefined): VAppRecord {
  return {
    type: 'VirtualApp',
    id: lab.id('VirtualApp'),
    name,
    parent,
    ...(folder ? { folder } : {}),
    annotation: '',
    powered: false,
    order: [],
    product: [],
    property: [],
    uuid: crypto.randomUUID(),
  };
}

/** Applies a `VAppConfigSpec`. */
export function configure(lab: Lab, app: VAppRecord, spec: Data): VAppRecord {
  const merged = mergeVApp({ product: app.product, property: app.property }, spec);
  const order = new Map(app.order.map((one) => [one.vm, one]));
  for (const entry of objects(spec, 'entityConfig')) {
    const id = reference(entry, 'key')?.id ?? '';
    const vm = lab.get('VirtualMachine', id);
    if (vm.pool !== app.id) throw invalidArgument('spec.entityConfig', `${id} is not in the vApp`);
    order.set(id, orderEntry(id, entry, order.get(id)));
  }
  return {
    ...app,
    annotation: text(spec, 'annotation') ?? app.annotation,
    product: objects(merged, 'product'),
    property: objects(merged, 'property'),
    order: [...order.values()],
  };
}

export function orderEntry(vm: string, entry: Data, before?: VAppRecord['order'][number]): VAppRecord['order'][number] {
  const known = before ?? {
    vm,
    startOrder: 0,
    startDelay: 120,
    waitingForGuest: false,
    startAction: 'powerOn',
    stopDelay: 120,
    stopAction: 'powerOff',
  };
  const given = Object.fromEntries(
    Object.entries(entry).filter(([name, value]) => value !== undefined && name in known && name !== 'vm'),
  );
  return { ...known, ...(given as Partial<typeof known>), vm };
}

const createPool: Method<AnyPool> = (call, pool, args) => {
  const { lab } = call;
  const name = checkName(lab, pool.id, text(args, 'name') ?? '');
  const made = lab.put({ type: 'ResourcePool', id: lab.id('ResourcePool'), name, parent: pool.id });
  return ref('ResourcePool', made.id);
};

export const resourcePool = kind<PoolRecord>(
  'ResourcePool',
  (lab, id) => lab.find('ResourcePool', id),
  {
    ...poolReaders,
    summary: (_lab, pool) => ({
      _type: 'ResourcePoolSummary',
      name: pool.name,
      config: config(pool),
      runtime: poolReaders.runtime(),
    }),
  },
  {
    ...(entityMethods as Record<string, Method<PoolRecord>>),
    CreateVApp: createVApp as Method<PoolRecord>,
    CreateResourcePool: createPool as Method<PoolRecord>,
    ImportVApp: importVApp as Method<PoolRecord>,
    Destroy_Task: (call, pool) =>
      call.lab.tasks.start(call, ref('ResourcePool', pool.id), pool.name, 'ResourcePool.destroy', () => {
        const { lab } = call;
        if (lab.any(pool.parent)?.type !== 'ResourcePool')
          throw new VimFault('NotSupported', 'The root pool cannot be deleted.');
        for (const vm of lab.all('VirtualMachine').filter((one) => one.pool === pool.id))
          lab.put({ ...vm, pool: pool.parent ?? '' });
        for (const child of lab.children(pool.id))
          if (child.type === 'ResourcePool' || child.type === 'VirtualApp')
            lab.put({ ...child, parent: pool.parent ?? '' });
        lab.remove(pool.id);
        return undefined;
      }),
  },
);

function vAppState(lab: Lab, app: VAppRecord): string {
  return machinesOf(lab, app).some((vm) => vm.power === 'poweredOn') || app.powered ? 'started' : 'stopped';
}

function vAppConfig(lab: Lab, app: VAppRecord): Data {
  const order = machinesOf(lab, app).map((vm): Data => {
    const { vm: id, ...entry } = app.order.find((one) => one.vm === vm.id) ?? orderEntry(vm.id, {});
    return { key: ref('VirtualMachine', id), tag: vm.name, ...entry, destroyWithParent: true };
  });
  return {
    _type: 'VAppConfigInfo',
    product: app.product,
    property: app.property,
    ipAssignment: {
      supportedIpProtocol: ['IPv4'],
      ipAllocationPolicy: 'fixedPolicy',
      supportedAllocationScheme: [],
      ipProtocol: 'IPv4',
    },
    eula: [],
    ovfSection: [],
    ovfEnvironmentTransport: [],
    installBootRequired: false,
    installBootStopDelay: 0,
    entityConfig: order,
    annotation: app.annotation,
    instanceUuid: app.uuid,
  };
}

/** Machines in groups of the same start order, lowest first. */
function groups(lab: Lab, app: VAppRecord): VmRecord[][] {
  const by = new Map<number, VmRecord[]>();
  for (const vm of machinesOf(lab, app)) {
    const at = app.order.find((one) => one.vm === vm.id)?.startOrder ?? 0;
    by.set(at, [...(by.get(at) ?? []), vm]);
  }
  return [...by].sort(([a], [b]) => a - b).map(([, list]) => list);
}

export const virtualApp = kind<VAppRecord>(
  'VirtualApp',
  (lab, id) => lab.find('VirtualApp', id),
  {
    ...poolReaders,
    parentFolder: (_lab, app) => (app.folder ? ref('Folder', app.folder) : undefined),
    parentVApp: (lab, app) => (lab.find('VirtualApp', app.parent) ? ref('VirtualApp', app.parent ?? '') : undefined),
    datastore: (lab, app) =>
      [...new Set(machinesOf(lab, app).map((vm) => vm.home.datastore))].map((id) => ref('Datastore', id)),
    network: () => [],
    vAppConfig,
    childLink: () => [],
    summary: (lab, app) => ({
      _type: 'VirtualAppSummary',
      name: app.name,
      config: config(app),
      runtime: poolReaders.runtime(),
      vAppState: vAppState(lab, app),
      suspended: false,
      installBootRequired: false,
      instanceUuid: app.uuid,
    }),
  },
  {
    ...(entityMethods as Record<string, Method<VAppRecord>>),
    CreateVApp: createVApp as Method<VAppRecord>,
    CreateResourcePool: createPool as Method<VAppRecord>,
    ImportVApp: importVApp as Method<VAppRecord>,
    ExportVApp: exportVApp,
    UpdateVAppConfig(call, app, args) {
      call.lab.put(configure(call.lab, app, object(args, 'spec') ?? {}));
      return undefined;
    },
    PowerOnVApp_Task: (call, app) =>
      call.lab.tasks.start(call, ref('VirtualApp', app.id), app.name, 'VirtualApp.powerOn', (progress) => {
        const order = groups(call.lab, app);
        for (const [index, group] of order.entries()) {
          for (const vm of group) if (vm.power !== 'poweredOn') powerOn(call.lab, vm.id);
          progress(((index + 1) / order.length) * 100);
        }
        call.lab.put({ ...call.lab.get('VirtualApp', app.id), powered: true });
        return undefined;
      }),
    PowerOffVApp_Task: (call, app) =>
      call.lab.tasks.start(call, ref('VirtualApp', app.id), app.name, 'VirtualApp.powerOff', () => {
        if (vAppState(call.lab, app) === 'stopped') throw wrongState({ power: 'poweredOff' }, 'poweredOff');
        for (const vm of groups(call.lab, app).reverse().flat())
          if (vm.power !== 'poweredOff') setPower(call.lab, vm, 'poweredOff');
        call.lab.put({ ...call.lab.get('VirtualApp', app.id), powered: false });
        return undefined;
      }),
    Destroy_Task: (call, app) =>
      call.lab.tasks.start(call, ref('VirtualApp', app.id), app.name, 'VirtualApp.destroy', async () => {
        const machines = call.lab.all('VirtualMachine').filter((vm) => vm.pool === app.id);
        for (const vm of machines) {
          if (vm.power === 'poweredOn') throw wrongState(vm, 'poweredOff');
          const lock = lockReason(call.lab, vm);
          if (lock) throw lock;
        }
        for (const vm of machines) await deleteVm(call.lab, vm);
        call.lab.remove(app.id);
        return undefined;
      }),
  },
);
