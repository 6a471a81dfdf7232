import { readFile, rm, writeFile } from 'node:fs/promises';
import { deleteDisk, flatOf, onDisk, type Place, writePlace } from './datastore-files.ts';
import type { Lab } from './lab.ts';
import type { SnapshotRecord, VmRecord } from './record.ts';
import { snapshotsOf } from './snapshot-tree.ts';
import { VimFault } from './vim-fault.ts';
import { diskPlace, disksOf, vmxPlace } from './virtual-machine.ts';

/** Writes the machine's .vmx, which is enough to register it again. */
export async function writeVmx(lab: Lab, vm: VmRecord): Promise<void> {
  const lines = [
    '.encoding = "UTF-8"',
    'config.version = "8"',
    `virtualHW.version = "${vm.hardware.replace(/\D/g, '')}"`,
    `displayName = "${vm.name.replaceAll('"', '|22')}"`,
    `guestOS = "${vm.guestId.replace(/Guest$/, '')}"`,
    `memsize = "${vm.memoryMB}"`,
    `numvcpus = "${vm.cpus}"`,
    `firmware = "${vm.firmware}"`,
    `uuid.bios = "${vm.uuid}"`,
    `lab.record = "${Buffer.from(JSON.stringify(vm)).toString('base64')}"`,
  ];
  await writeFile(onDisk(lab, vmxPlace(vm)), `${lines.join('\n')}\n`);
}

/** @throws FileNotFound, InvalidVmConfig */
export async function readVmx(lab: Lab, place: Place): Promise<VmRecord> {
  const file = writePlace(lab, place);
  const source = await readFile(onDisk(lab, place), 'utf8').catch(() => undefined);
  if (source === undefined) throw new VimFault('FileNotFound', `File ${file} was not found`, { file });
  const found = /^lab\.record = "([A-Za-z0-9+/=]+)"$/m.exec(source)?.[1];
  if (!found)
    throw new VimFault('InvalidVmConfig', `${file} is not a configuration that this server wrote`, {
      property: 'path',
    });
  return JSON.parse(Buffer.from(found, 'base64').toString()) as VmRecord;
}

/** Removes the files of a snapshot. */
export async function deleteSnapshotFiles(lab: Lab, snapshot: SnapshotRecord): Promise<void> {
  for (const disk of snapshot.disks)
    await rm(onDisk(lab, flatOf({ datastore: disk.datastore, path: disk.file })), { force: true });
}

/** Removes a machine with its disks, snapshots and folder. A removal that is cut short is finished at the next start. */
export async function deleteVm(lab: Lab, vm: VmRecord): Promise<void> {
  lab.store.put(vm.id, { ...vm, importing: true });
  for (const snapshot of snapshotsOf(lab, vm.id)) {
    await deleteSnapshotFiles(lab, snapshot);
    lab.remove(snapshot.id);
  }
  const shared = new Set(
    lab
      .all('VirtualMachine')
      .filter((other) => other.id !== vm.id)
      .flatMap((other) =>
        disksOf(other).map((disk) => `${diskPlace(lab, disk).datastore}/${diskPlace(lab, disk).path}`),
      ),
  );
  for (const disk of disksOf(vm)) {
    const place = diskPlace(lab, disk);
    if (!shared.has(`${place.datastore}/${place.path}`)) await deleteDisk(lab, place);
  }
  if (vm.home.folder)
    await rm(onDisk(lab, { datastore: vm.home.datastore, path: vm.home.folder }), { recursive: true, force: true });
  for (const app of lab.all('VirtualApp')) {
    if (app.order.some((entry) => entry.vm === vm.id))
      lab.put({ ...app, order: app.order.filter((entry) => entry.vm !== vm.id) });
  }
  lab.remove(vm.id);
}
