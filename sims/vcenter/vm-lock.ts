import type { Lab } from './lab.ts';
import type { VmRecord } from './record.ts';
import { ref } from './value.ts';
import { VimFault } from './vim-fault.ts';

/** Why a machine may not be changed now: an export or import of it is under way. */
export function lockReason(lab: Lab, vm: VmRecord): VimFault | undefined {
  const task = lab.leases.taskHolding(vm.id);
  if (!task) return undefined;
  return new VimFault('TaskInProgress', 'Another task is already in progress.', { task: ref('Task', task) });
}
