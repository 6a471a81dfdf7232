import { adapterOf, capacityBytes, keyOf, placeName } from './device.ts';
import type { LeaseDevice } from './http-nfc-lease.ts';
import type { Lab } from './lab.ts';
import type { Method } from './managed.ts';
import type { SnapshotRecord, VAppRecord, VmRecord } from './record.ts';
import { number, ref } from './value.ts';
import { VimFault } from './vim-fault.ts';
import { diskPlace, disksOf } from './virtual-machine.ts';
import { lockReason } from './vm-lock.ts';
import { wrongState } from './vm-power.ts';

/** The disks of a machine as a lease gives them. `file` of the URL is `disk-0.vmdk` …, with the machine's name in a vApp. */
export function leaseDevices(lab: Lab, vm: VmRecord, prefix = ''): LeaseDevice[] {
  return disksOf(vm).map((disk, index) => {
    const controller = vm.devices.find((one) => keyOf(one) === number(disk, 'controllerKey'));
    const at = placeName(vm.devices, disk);
    return {
      key: `/${vm.id}/${at}`,
      importKey: `/${vm.name}/${at}`,
      name: `${prefix}disk-${index}.vmdk`,
      vm: vm.id,
      place: diskPlace(lab, disk),
      capacity: capacityBytes(disk),
      adapter: adapterOf(controller),
      disk: true,
      passed: undefined,
      open: false,
    };
  });
}

function exportable(lab: Lab, vm: VmRecord): void {
  if (vm.power !== 'poweredOff') throw wrongState(vm, 'poweredOff');
  const lock = lockReason(lab, vm);
  if (lock) throw lock;
}

/** `VirtualMachine.ExportVm`: only of a machine that is switched off; it cannot be changed or switched on until the lease ends. */
export const exportVm: Method<VmRecord> = (call, vm) => {
  exportable(call.lab, vm);
  return call.lab.leases.begin(call, {
    mode: 'export',
    entity: ref('VirtualMachine', vm.id),
    entityName: vm.name,
    description: 'VirtualMachine.exportVm',
    prepare: async (lease) => {
      lease.vms = [vm.id];
      lease.devices = leaseDevices(call.lab, call.lab.get('VirtualMachine', vm.id));
    },
  });
};

/** `VirtualApp.ExportVApp`: every machine of it must be off. */
export const exportVApp: Method<VAppRecord> = (call, app) => {
  const { lab } = call;
  const machines = lab.all('VirtualMachine').filter((vm) => vm.pool === app.id);
  const running = machines.find((vm) => vm.power !== 'poweredOff');
  if (running) throw wrongState(running, 'poweredOff');
  for (const vm of machines) exportable(lab, vm);
  return lab.leases.begin(call, {
    mode: 'export',
    entity: ref('VirtualApp', app.id),
    entityName: app.name,
    description: 'VirtualApp.exportVApp',
    prepare: async (lease) => {
      lease.vms = machines.map((vm) => vm.id);
      lease.devices = machines.flatMap((vm) => leaseDevices(lab, vm, `${vm.id}-`));
    },
  });
};

/** `VirtualMachineSnapshot.ExportSnapshot`: the disks as they were, whatever the machine does now. */
export const exportSnapshot: Method<SnapshotRecord> = (call, snapshot) => {
  const { lab } = call;
  const vm = lab.get('VirtualMachine', snapshot.vm);
  if (vm.importing) throw new VimFault('InvalidState', 'The machine is still being imported.');
  return lab.leases.begin(call, {
    mode: 'export',
    entity: ref('VirtualMachine', vm.id),
    entityName: vm.name,
    description: 'VirtualMachineSnapshot.exportSnapshot',
    prepare: async (lease) => {
      lease.vms = [];
      lease.devices = leaseDevices(lab, snapshot.frozen).map((device, index) => {
        const copy = snapshot.disks[index];
        const file = copy?.file ?? device.place.path;
        return { ...device, place: { datastore: copy?.datastore ?? device.place.datastore, path: file } };
      });
    },
  });
};
