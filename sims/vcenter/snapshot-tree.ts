import type { Lab } from './lab.ts';
import type { SnapshotRecord, VmRecord } from './record.ts';
import { type Data, ref } from './value.ts';

export function snapshotsOf(lab: Lab, vm: string): SnapshotRecord[] {
  return lab.all('VirtualMachineSnapshot').filter((one) => one.vm === vm);
}

/** `VirtualMachineSnapshotInfo`, unset for a machine without snapshots. */
export function snapshotTree(lab: Lab, vm: VmRecord): Data | undefined {
  const all = snapshotsOf(lab, vm.id);
  if (!all.length) return undefined;
  const node = (one: SnapshotRecord): Data => ({
    _type: 'VirtualMachineSnapshotTree',
    snapshot: ref('VirtualMachineSnapshot', one.id),
    vm: ref('VirtualMachine', vm.id),
    name: one.name,
    description: one.description,
    id: one.number,
    createTime: one.created,
    state: one.state,
    quiesced: false,
    childSnapshotList: all.filter((child) => child.before === one.id).map(node),
    replaySupported: false,
  });
  return {
    _type: 'VirtualMachineSnapshotInfo',
    currentSnapshot: vm.snapshot ? ref('VirtualMachineSnapshot', vm.snapshot) : undefined,
    rootSnapshotList: all.filter((one) => !one.before).map(node),
  };
}
