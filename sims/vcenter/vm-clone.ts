import { rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { copySparse, flatOf, freeFolder, onDisk, writePlace } from './datastore-files.ts';
import { adapterOf, capacityBytes, isNic, keyOf, newMac } from './device.ts';
import type { Lab } from './lab.ts';
import type { Method } from './managed.ts';
import { checkName } from './managed-entity.ts';
import type { VmRecord } from './record.ts';
import { type Data, flag, number, object, ref, reference, text } from './value.ts';
import { invalidArgument } from './vim-fault.ts';
import { diskPlace, disksOf } from './virtual-machine.ts';
import { applySpec, hostFor } from './vm-config.ts';
import { writeVmx } from './vm-files.ts';
import { lockReason } from './vm-lock.ts';
import { powerOn } from './vm-power.ts';
import { flatDescriptor } from './vmdk/format.ts';

async function copyDisks(
  lab: Lab,
  from: VmRecord,
  home: VmRecord['home'],
  progress: (percent: number) => void,
  signal: AbortSignal,
): Promise<Data[]> {
  const disks = disksOf(from);
  const copied = new Map<number, Data>();
  for (const [index, disk] of disks.entries()) {
    const place = {
      datastore: home.datastore,
      path: path.posix.join(home.folder, `${home.folder}${index ? `_${index}` : ''}.vmdk`),
    };
    await copySparse(
      onDisk(lab, flatOf(diskPlace(lab, disk))),
      onDisk(lab, flatOf(place)),
      (percent) => progress((index * 100 + percent) / disks.length),
      signal,
    );
    const controller = from.devices.find((one) => keyOf(one) === number(disk, 'controllerKey'));
    await writeFile(
      onDisk(lab, place),
      flatDescriptor(
        Math.ceil(capacityBytes(disk) / 512),
        path.basename(flatOf(place).path),
        adapterOf(controller),
        true,
      ),
    );
    const backing = {
      ...object(disk, 'backing'),
      fileName: writePlace(lab, place),
      datastore: ref('Datastore', home.datastore),
      uuid: `6000C29${crypto.randomUUID().slice(7)}`,
    };
    copied.set(keyOf(disk), { ...disk, backing });
  }
  return from.devices.map((device) => {
    if (isNic(device))
      return text(device, 'addressType') === 'manual' ? device : { ...device, macAddress: newMac(lab) };
    return copied.get(keyOf(device)) ?? device;
  });
}

/** `CloneVM_Task`: copies the bytes of every disk; the clone has its own UUIDs and, unless set by hand, MACs. */
export const cloneVm: Method<VmRecord> = (call, vm, args) => {
  const { lab } = call;
  const folder = reference(args, 'folder');
  if (!lab.find('Folder', folder?.id)) throw invalidArgument('folder');
  const spec = object(args, 'spec') ?? {};
  const location = object(spec, 'location') ?? {};
  const template = flag(spec, 'template') ?? false;
  const poolId = reference(location, 'pool')?.id ?? (vm.template && !template ? undefined : vm.pool);
  const pool = lab.any(poolId);
  if (pool?.type !== 'ResourcePool' && pool?.type !== 'VirtualApp') throw invalidArgument('spec.location.pool');
  const wanted = text(args, 'name') ?? '';
  const lock = lockReason(lab, vm);
  if (lock) throw lock;
  return lab.tasks.start(
    call,
    ref('VirtualMachine', vm.id),
    vm.name,
    'VirtualMachine.clone',
    async (progress, signal) => {
      const place = pool.type === 'VirtualApp' ? pool.id : folder?.id;
      const name = checkName(lab, place, wanted);
      const datastore = lab.get('Datastore', reference(location, 'datastore')?.id ?? vm.home.datastore).id;
      const home = { datastore, folder: await freeFolder(lab, datastore, wanted) };
      const scratch = onDisk(lab, { datastore, path: home.folder });
      lab.store.noteScratch(scratch);
      try {
        const devices = await copyDisks(lab, vm, home, progress, signal);
        checkName(lab, place, wanted);
        const now = new Date().toISOString();
        const {
          snapshot: _snapshot,
          poweredAt: _poweredAt,
          parent: _parent,
          customValues: _values,
          ...rest
        } = lab.get('VirtualMachine', vm.id);
        const draft: VmRecord = {
          ...rest,
          id: lab.id('VirtualMachine'),
          name,
          ...(pool.type === 'VirtualApp' ? {} : { parent: folder?.id ?? '' }),
          host: hostFor(lab, pool.id, reference(location, 'host')?.id),
          pool: pool.id,
          home,
          uuid: crypto.randomUUID(),
          instanceUuid: crypto.randomUUID(),
          template,
          power: 'poweredOff',
          devices,
          created: now,
          changed: now,
        };
        const config = object(spec, 'config');
        const made = config ? await applySpec(lab, draft, config) : draft;
        await writeVmx(lab, made);
        lab.put(made);
        if (flag(spec, 'powerOn') && !template) powerOn(lab, made.id);
        return ref('VirtualMachine', made.id);
      } catch (error) {
        await rm(scratch, { recursive: true, force: true });
        throw error;
      } finally {
        lab.store.dropScratch(scratch);
      }
    },
    true,
  );
};
