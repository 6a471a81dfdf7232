import { statfs } from 'node:fs/promises';
import type { Check } from '../../model/check.ts';
import { Fault } from '../../model/fault.ts';
import { disksOf } from '../../model/machine.ts';
import type { ImportRequest } from '../driver.ts';
import { listItems, openItem } from './catalog.ts';
import { folderAt, readForm } from './placement.ts';
import type { Session } from './session.ts';

/** Steps of an import that touch nothing, and what each found. */
export async function importChecks(session: Session, request: ImportRequest, signal: AbortSignal): Promise<Check[]> {
  const checks: Check[] = [];
  const attempt = async <T>(name: string, work: () => Promise<T> | T, found: (value: T) => string) => {
    try {
      const value = await work();
      checks.push({ name, outcome: 'pass', found: found(value) });
      return value;
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof Fault)) throw error;
      checks.push({ name, outcome: 'fail', found: `${error.message}.`, remedy: error.remedy });
      return undefined;
    }
  };
  const folder = await attempt(
    'destination',
    () => folderAt(session, request.destination),
    ({ id }) => `It is put into "${id}".`,
  );
  await attempt(
    'protection',
    () => readForm(session, request.placement),
    (form) => {
      if (form.format === 'ova') return 'It becomes an OVA, which everybody can read.';
      return {
        plain: 'It becomes a package that is not encrypted.',
        passphrase: 'It becomes a package that the passphrase opens.',
        node: 'It becomes a package that one node can open.',
      }[form.protection.kind];
    },
  );
  if (folder === undefined) return checks;
  await attempt(
    'name-free',
    async () => {
      if (request.onNameClash === 'rename') return;
      for (const item of await listItems(session, signal)) {
        if (item.parent !== folder.id || item.kind === 'folder') continue;
        const opened = await openItem(session, item, signal).catch(() => null);
        if ((opened?.description.name ?? item.name) === request.name) {
          throw new Fault('object.exists', `${session.who}: "${request.name}" is there already`, {
            remedy: 'Choose another name, or ask for a new one with --rename.',
          });
        }
      }
    },
    () => `The name "${request.name}" is free.`,
  );
  checks.push(await spaceCheck(folder.path, request));
  return checks;
}

async function spaceCheck(path: string, { description }: ImportRequest): Promise<Check> {
  const disks = disksOf(description);
  const full = disks.reduce((sum, { capacityBytes }) => sum + capacityBytes, 0);
  const used = disks.reduce((sum, { usedBytes = 0 }) => sum + usedBytes, 0);
  const { bavail, bsize } = await statfs(path);
  const gib = (bytes: number) => `${(bytes / 1024 ** 3).toFixed(1)} GiB`;
  const found = `The folder's disk has ${gib(bavail * bsize)} free; the disks have ${gib(full)}, zeros take no room.`;
  const remedy = 'Use a larger disk, or free space on this one; an interrupted export can be repeated.';
  if (bavail * bsize >= full) return { name: 'space', outcome: 'pass', found };
  return { name: 'space', outcome: bavail * bsize >= used ? 'warn' : 'fail', found, remedy };
}
