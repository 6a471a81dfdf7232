import { leaseDevices } from './export.ts';
import type { Lab } from './lab.ts';
import type { Method } from './managed.ts';
import { checkName } from './managed-entity.ts';
import type { PoolRecord, VAppRecord } from './record.ts';
import { configure, newVApp, orderEntry } from './resource-pool.ts';
import { type Data, object, objects, ref, reference, text, typeOf } from './value.ts';
import { invalidArgument } from './vim-fault.ts';
import { createVm } from './vm-config.ts';
import { deleteVm, writeVmx } from './vm-files.ts';

async function removeHalfMade(lab: Lab, machines: string[], app: string | undefined): Promise<void> {
  for (const id of machines) {
    const vm = lab.find('VirtualMachine', id);
    if (vm?.importing) await deleteVm(lab, vm);
  }
  if (app && lab.find('VirtualApp', app)?.importing) lab.remove(app);
}

function finish(lab: Lab, machines: string[], app: string | undefined): void {
  for (const id of machines) {
    const { importing: _importing, ...vm } = lab.get('VirtualMachine', id);
    lab.put(vm);
    void writeVmx(lab, vm);
  }
  if (app) {
    const { importing: _importing, ...rest } = lab.get('VirtualApp', app);
    lab.put(rest);
  }
}

/**
 * `ResourcePool.ImportVApp` and `VirtualApp.ImportVApp`: the machine is in the inventory from the beginning, empty; its lease takes
 * the disks; `HttpNfcLeaseComplete` makes it usable, every other end removes it, a restart of the server too.
 */
export const importVApp: Method<PoolRecord | VAppRecord> = (call, pool, args) => {
  const { lab } = call;
  const spec = object(args, 'spec') ?? {};
  const folder = reference(args, 'folder')?.id;
  const host = reference(args, 'host')?.id;
  if (pool.type === 'ResourcePool' && !lab.find('Folder', folder)) throw invalidArgument('folder');
  const kind = typeOf(spec);
  const isApp = kind === 'VirtualAppImportSpec';
  if (!isApp && kind !== 'VirtualMachineImportSpec') throw invalidArgument('spec');
  const place = pool.type === 'VirtualApp' ? pool.id : folder;
  const wanted = text(isApp ? spec : object(spec, 'configSpec'), 'name') ?? '';
  const name = checkName(lab, place, wanted);
  const machines: string[] = [];
  let app: VAppRecord | undefined;
  if (isApp) {
    app = lab.put({
      ...newVApp(lab, pool.id, name, pool.type === 'ResourcePool' ? folder : undefined),
      importing: true,
    });
    const config = object(spec, 'vAppConfigSpec');
    if (config) app = lab.put(configure(lab, app, { ...config, entityConfig: undefined }));
  }
  const entity = isApp ? ref('VirtualApp', app?.id ?? '') : ref(pool.type, pool.id);
  return lab.leases.begin(call, {
    mode: 'import',
    entity,
    entityName: isApp ? name : pool.name,
    description: 'ResourcePool.ImportVAppLRO',
    prepare: async (lease) => {
      const specs: Data[] = isApp ? objects(spec, 'child') : [spec];
      for (const one of specs) {
        if (typeOf(one) !== 'VirtualMachineImportSpec') throw invalidArgument('spec.child', typeOf(one));
        const made = await createVm(
          lab,
          object(one, 'configSpec') ?? {},
          { folder, pool: app?.id ?? pool.id, host },
          true,
        );
        machines.push(made.id);
        lease.vms.push(made.id);
        const order = object(one, 'entityConfig');
        const within = app
          ? lab.get('VirtualApp', app.id)
          : pool.type === 'VirtualApp'
            ? lab.get('VirtualApp', pool.id)
            : undefined;
        if (within) lab.put({ ...within, order: [...within.order, orderEntry(made.id, order ?? {})] });
        lease.devices.push(...leaseDevices(lab, made, isApp ? `${made.id}-` : ''));
      }
      if (!isApp) lease.entity = ref('VirtualMachine', machines[0] ?? '');
    },
    undo: () => removeHalfMade(lab, machines, app?.id),
    commit: () => finish(lab, machines, app?.id),
  });
};
