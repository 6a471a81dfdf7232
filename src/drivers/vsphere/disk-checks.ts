import type { Check } from '../../model/check.ts';
import { isDisk } from './devices.ts';
import { child, type Element, flagOf, numberOf, textOf } from './element.ts';
import type { SourceMachine } from './package.ts';

/** What is particular about the disks of a machine, one check per kind of particularity. */
export function diskChecks({ name, config, hasSnapshots }: SourceMachine, devices: readonly Element[]): Check[] {
  const disks = devices.filter(isDisk);
  const labels = (chosen: readonly Element[]) =>
    `${chosen.map((disk) => `"${textOf(disk, 'deviceInfo', 'label') ?? 'a disk'}"`).join(', ')} of "${name}"`;
  const where = (fits: (disk: Element) => boolean) => disks.filter(fits);
  const checks: Check[] = [];
  const add = (check: string, outcome: 'warn' | 'fail', chosen: readonly Element[], found: string, remedy: string) => {
    if (chosen.length > 0) checks.push({ name: check, outcome, found: `${labels(chosen)} ${found}`, remedy });
  };
  const physical = (disk: Element) => textOf(disk, 'backing', 'compatibilityMode') === 'physicalMode';
  add(
    'disk-rdm',
    'fail',
    where((disk) => isRaw(disk) && physical(disk)),
    'is a raw device mapping in physical mode, which cannot be read through vSphere.',
    'Change it to virtual mode, or detach it and copy it by its own means.',
  );
  add(
    'disk-rdm',
    'warn',
    where((disk) => isRaw(disk) && !physical(disk)),
    'is a raw device mapping in virtual mode: its content is carried, the copy is an ordinary disk.',
    'Nothing, unless the machine needs the device itself.',
  );
  const mode = (disk: Element) => textOf(disk, 'backing', 'diskMode') ?? '';
  add(
    'disk-independent',
    'warn',
    where((disk) => mode(disk).startsWith('independent')),
    'is independent: it is carried as it is now, and is no part of snapshots.',
    'Nothing, if its present content is what is wanted.',
  );
  add(
    'disk-nonpersistent',
    'warn',
    where((disk) => mode(disk).includes('nonpersistent')),
    'forgets what is written to it at each power-off; the copy is persistent.',
    'Set the mode again at the destination if it is wanted.',
  );
  const shared = where((disk) => isShared(disk, devices));
  add(
    'disk-shared',
    'warn',
    shared,
    'can be written to by other machines: what they write during the copy makes it inconsistent, and the copy is not shared.',
    'Power off every machine that shares it, carry it with one of them, and share it anew.',
  );
  add(
    'linked-clone',
    'warn',
    where((disk) => !hasSnapshots && isLinked(disk)),
    'is a linked clone: the copy is a full disk, and takes the room of one.',
    'Nothing; see the check of space.',
  );
  const encrypted = where((disk) => child(disk, 'backing', 'keyId') !== undefined);
  if (child(config, 'keyId') !== undefined || encrypted.length > 0) {
    checks.push({
      name: 'disk-encrypted',
      outcome: 'fail',
      found: `${encrypted.length > 0 ? labels(encrypted) : `"${name}"`} is encrypted; vSphere does not let it out.`,
      remedy: 'Decrypt it in vSphere first (change the storage policy), and encrypt the copy again.',
    });
  }
  return checks;
}

function isRaw(disk: Element): boolean {
  return child(disk, 'backing')?.type?.includes('RawDiskMapping') ?? false;
}

function isLinked(disk: Element): boolean {
  return child(disk, 'backing', 'parent') !== undefined || flagOf(disk, 'nativeUnmanagedLinkedClone') === true;
}

/** Whether other machines may have the disk too. */
export function isShared(disk: Element, devices: readonly Element[]): boolean {
  if ((textOf(disk, 'backing', 'sharing') ?? 'sharingNone') !== 'sharingNone') return true;
  const controller = devices.find((device) => numberOf(device, 'key') === numberOf(disk, 'controllerKey'));
  return (textOf(controller, 'sharedBus') ?? 'noSharing') !== 'noSharing';
}
