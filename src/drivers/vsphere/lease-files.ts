import { Fault } from '../../model/fault.ts';
import type { DiskPlace } from './hardware.ts';
import type { DeviceUrl, Lease } from './lease.ts';

/**
 * Which file of an export lease is which disk. A vCenter writes keys such as `/vm-4681/ParaVirtualSCSIController0:0`
 * (machine, type of the controller, bus, unit). Servers that count the disks instead (`/vm-94/disk:0`) are understood
 * as well. Fault: `cloud.protocol` when a disk has no file.
 */
export function matchFiles(
  places: readonly DiskPlace[],
  lease: Pick<Lease, 'files'>,
  who: string,
): Map<string, DeviceUrl> {
  const files = new Map<string, DeviceUrl>();
  const left = new Set(lease.files.filter((file) => file.disk));
  const assign = (place: DiskPlace, file: DeviceUrl | undefined) => {
    if (file === undefined) return;
    files.set(place.disk, file);
    left.delete(file);
  };
  for (const place of places) {
    const exact = `/${place.machine}/${place.controllerType}${place.bus}:${place.unit}`;
    assign(
      place,
      [...left].find((file) => file.key === exact),
    );
  }
  for (const place of places) {
    if (files.has(place.disk)) continue;
    const similar = [...left].filter((file) => sameSlot(file.key, place));
    if (similar.length === 1) assign(place, similar[0]);
  }
  for (const machine of new Set(places.map((place) => place.machine))) {
    const all = places.filter((place) => place.machine === machine);
    const open = all.filter((place) => !files.has(place.disk));
    const own = [...left].filter((file) => file.key.startsWith(`/${machine}/`));
    const candidates = own.length > 0 ? own : [...left];
    if (open.length === 0 || candidates.length !== open.length) continue;
    const ordered = candidates.map((file, index) => ({ file, at: ordinal(file.key) ?? index }));
    ordered.sort((one, other) => one.at - other.at);
    for (const [index, place] of open.entries()) assign(place, ordered[index]?.file);
  }
  const missing = places.filter((place) => !files.has(place.disk));
  if (missing.length > 0) {
    const names = missing.map((place) => place.disk).join(', ');
    throw new Fault('cloud.protocol', `${who}: the lease has no file for ${names}`, {
      details: { keys: lease.files.map((file) => file.key) },
    });
  }
  return files;
}

const SCSI = /SCSI|LsiLogic|BusLogic/i;

function sameSlot(key: string, place: DiskPlace): boolean {
  const found = /^\/([^/]+)\/([A-Za-z]*Controller)(\d+):(\d+)$/.exec(key);
  if (found === null || found[1] !== place.machine) return false;
  if (Number(found[3]) !== place.bus || Number(found[4]) !== place.unit) return false;
  return found[2] === place.controllerType || (SCSI.test(found[2]!) && SCSI.test(place.controllerType));
}

function ordinal(key: string): number | undefined {
  const found = /\/disk:(\d+)$/.exec(key);
  return found === null ? undefined : Number(found[1]);
}
