import { rename, rm } from 'node:fs/promises';
import { copySparse, flatOf, onDisk } from './datastore-files.ts';
import { keyOf } from './device.ts';
import { exportSnapshot } from './export.ts';
import type { Lab } from './lab.ts';
import { kind, type Method } from './managed.ts';
import type { SnapshotRecord, VmRecord } from './record.ts';
import { snapshotsOf } from './snapshot-tree.ts';
import { flag, ref, text } from './value.ts';
import { VimFault } from './vim-fault.ts';
import { configInfo, diskPlace, disksOf } from './virtual-machine.ts';
import { deleteSnapshotFiles } from './vm-files.ts';
import { lockReason } from './vm-lock.ts';

async function create(
  lab: Lab,
  vm: VmRecord,
  name: string,
  description: string,
  progress: (percent: number) => void,
): Promise<string> {
  const id = lab.id('VirtualMachineSnapshot');
  const disks: SnapshotRecord['disks'] = [];
  try {
    for (const disk of disksOf(vm)) {
      const place = diskPlace(lab, disk);
      const file = place.path.replace(/\.vmdk$/, `-${id}.vmdk`);
      disks.push({ key: keyOf(disk), datastore: place.datastore, file });
      await copySparse(
        onDisk(lab, flatOf(place)),
        onDisk(lab, flatOf({ datastore: place.datastore, path: file })),
        progress,
      );
    }
  } catch (error) {
    for (const disk of disks)
      await rm(onDisk(lab, flatOf({ datastore: disk.datastore, path: disk.file })), { force: true });
    throw error;
  }
  const fresh = lab.get('VirtualMachine', vm.id);
  lab.put({
    type: 'VirtualMachineSnapshot',
    id,
    name,
    vm: vm.id,
    ...(fresh.snapshot ? { before: fresh.snapshot } : {}),
    description,
    created: new Date().toISOString(),
    number: Number(id.replace(/\D/g, '')),
    state: fresh.power,
    frozen: fresh,
    disks,
  });
  lab.put({ ...fresh, snapshot: id, changed: new Date().toISOString() });
  return id;
}

async function revert(lab: Lab, snapshot: SnapshotRecord, progress: (percent: number) => void): Promise<void> {
  const vm = lab.get('VirtualMachine', snapshot.vm);
  const lock = lockReason(lab, vm);
  if (lock) throw lock;
  for (const disk of snapshot.disks) {
    const frozen = disksOf(snapshot.frozen).find((one) => keyOf(one) === disk.key);
    if (!frozen) continue;
    const flat = onDisk(lab, flatOf(diskPlace(lab, frozen)));
    await rm(`${flat}.new`, { force: true });
    await copySparse(onDisk(lab, flatOf({ datastore: disk.datastore, path: disk.file })), `${flat}.new`, progress);
    await rename(`${flat}.new`, flat);
  }
  const { name, parent, pool, host, customValues, instanceUuid } = vm;
  const state = snapshot.state === 'poweredOn' ? 'poweredOff' : snapshot.state;
  lab.put({
    ...snapshot.frozen,
    name,
    ...(parent ? { parent } : {}),
    pool,
    host,
    ...(customValues ? { customValues } : {}),
    instanceUuid,
    power: state,
    snapshot: snapshot.id,
  });
}

async function remove(lab: Lab, snapshot: SnapshotRecord, children: boolean): Promise<void> {
  for (const child of snapshotsOf(lab, snapshot.vm).filter((one) => one.before === snapshot.id)) {
    if (children) await remove(lab, child, true);
    else {
      const { before: _before, ...rest } = child;
      lab.put({ ...rest, ...(snapshot.before ? { before: snapshot.before } : {}) });
    }
  }
  const { snapshot: current, ...vm } = lab.get('VirtualMachine', snapshot.vm);
  if (current === snapshot.id) lab.put({ ...vm, ...(snapshot.before ? { snapshot: snapshot.before } : {}) });
  lab.remove(snapshot.id);
  await deleteSnapshotFiles(lab, snapshot);
}

export const snapshotMethods: Record<string, Method<VmRecord>> = {
  CreateSnapshot_Task: (call, vm, args) =>
    call.lab.tasks.start(
      call,
      ref('VirtualMachine', vm.id),
      vm.name,
      'VirtualMachine.createSnapshot',
      async (progress) => {
        const fresh = call.lab.get('VirtualMachine', vm.id);
        const lock = lockReason(call.lab, fresh);
        if (lock) throw lock;
        if (fresh.template) throw new VimFault('NotSupported', 'The operation is not supported on a template.');
        const id = await create(call.lab, fresh, text(args, 'name') ?? '', text(args, 'description') ?? '', progress);
        return ref('VirtualMachineSnapshot', id);
      },
    ),
  RemoveAllSnapshots_Task: (call, vm) =>
    call.lab.tasks.start(call, ref('VirtualMachine', vm.id), vm.name, 'VirtualMachine.removeAllSnapshots', async () => {
      for (const root of snapshotsOf(call.lab, vm.id).filter((one) => !one.before)) await remove(call.lab, root, true);
      return undefined;
    }),
  RevertToCurrentSnapshot_Task: (call, vm) =>
    call.lab.tasks.start(
      call,
      ref('VirtualMachine', vm.id),
      vm.name,
      'VirtualMachine.revertToCurrentSnapshot',
      async (progress) => {
        const current = call.lab.get('VirtualMachine', vm.id).snapshot;
        if (!current) throw new VimFault('NotFound', 'The machine has no snapshot.');
        await revert(call.lab, call.lab.get('VirtualMachineSnapshot', current), progress);
        return undefined;
      },
    ),
};

export const virtualMachineSnapshot = kind<SnapshotRecord>(
  'VirtualMachineSnapshot',
  (lab, id) => lab.find('VirtualMachineSnapshot', id),
  {
    config: (lab, one) => configInfo(lab, one.frozen),
    childSnapshot: (lab, one) =>
      snapshotsOf(lab, one.vm)
        .filter((child) => child.before === one.id)
        .map((child) => ref('VirtualMachineSnapshot', child.id)),
    vm: (_lab, one) => ref('VirtualMachine', one.vm),
    value: () => [],
    availableField: () => [],
  },
  {
    ExportSnapshot: exportSnapshot,
    RemoveSnapshot_Task: (call, one, args) =>
      call.lab.tasks.start(
        call,
        ref('VirtualMachine', one.vm),
        call.lab.get('VirtualMachine', one.vm).name,
        'VirtualMachineSnapshot.remove',
        async () => {
          const lock = lockReason(call.lab, call.lab.get('VirtualMachine', one.vm));
          if (lock) throw lock;
          await remove(call.lab, call.lab.get('VirtualMachineSnapshot', one.id), flag(args, 'removeChildren') ?? false);
          return undefined;
        },
      ),
    RevertToSnapshot_Task: (call, one) =>
      call.lab.tasks.start(
        call,
        ref('VirtualMachine', one.vm),
        call.lab.get('VirtualMachine', one.vm).name,
        'VirtualMachineSnapshot.revert',
        async (progress) => {
          await revert(call.lab, one, progress);
          return undefined;
        },
      ),
  },
);
