import { exportVm } from './export.ts';
import type { Method } from './managed.ts';
import { kind } from './managed.ts';
import { entityMethods } from './managed-entity.ts';
import type { VmRecord } from './record.ts';
import { snapshotMethods } from './snapshot.ts';
import { object, ref } from './value.ts';
import { VimFault } from './vim-fault.ts';
import { vmReaders } from './virtual-machine.ts';
import { cloneVm } from './vm-clone.ts';
import { applySpec } from './vm-config.ts';
import { deleteVm, writeVmx } from './vm-files.ts';
import { lockReason } from './vm-lock.ts';
import { powerMethods, wrongState } from './vm-power.ts';

export const virtualMachine = kind<VmRecord>('VirtualMachine', (lab, id) => lab.find('VirtualMachine', id), vmReaders, {
  ...(entityMethods as Record<string, Method<VmRecord>>),
  ...powerMethods,
  ...snapshotMethods,
  CloneVM_Task: cloneVm,
  ExportVm: exportVm,
  ReconfigVM_Task: (call, vm, args) =>
    call.lab.tasks.start(call, ref('VirtualMachine', vm.id), vm.name, 'VirtualMachine.reconfigure', async () => {
      const { lab } = call;
      const fresh = lab.get('VirtualMachine', vm.id);
      const lock = lockReason(lab, fresh);
      if (lock) throw lock;
      const next = await applySpec(lab, fresh, object(args, 'spec') ?? {});
      await writeVmx(lab, next);
      lab.put(next);
      return undefined;
    }),
  Destroy_Task: (call, vm) =>
    call.lab.tasks.start(call, ref('VirtualMachine', vm.id), vm.name, 'VirtualMachine.destroy', async () => {
      const fresh = call.lab.get('VirtualMachine', vm.id);
      const lock = lockReason(call.lab, fresh);
      if (lock) throw lock;
      if (fresh.power === 'poweredOn') throw wrongState(fresh, 'poweredOff');
      await deleteVm(call.lab, fresh);
      return undefined;
    }),
  async UnregisterVM(call, vm) {
    if (vm.power === 'poweredOn') throw wrongState(vm, 'poweredOff');
    const lock = lockReason(call.lab, vm);
    if (lock) throw lock;
    if (vm.snapshot) throw new VimFault('NotSupported', 'A machine with snapshots cannot be unregistered here.');
    await writeVmx(call.lab, vm);
    call.lab.remove(vm.id);
    return undefined;
  },
});
