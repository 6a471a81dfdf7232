import { statfs } from 'node:fs/promises';
import { checkSteps } from '../../base/check-steps.ts';
import type { Check } from '../../model/check.ts';
import { Fault } from '../../model/fault.ts';
import { partsOf } from '../../model/machine.ts';
import { isoName } from '../../model/media.ts';
import type { ImportRequest } from '../driver.ts';
import { listItems, openItem } from './catalog.ts';
import { fileName } from './names.ts';
import { checkImageForm, folderAt, readForm } from './placement.ts';
import type { Session } from './session.ts';

/** Steps of an import that touch nothing, and what each found. */
export async function importChecks(session: Session, request: ImportRequest, signal: AbortSignal): Promise<Check[]> {
  const { checks, attempt } = checkSteps(signal);
  const folder = await attempt(
    'destination',
    () => folderAt(session, request.destination),
    ({ id }) => `It is put into "${id}".`,
  );
  const media = request.description.kind === 'media';
  if (media) {
    const plain = () => 'It is written as it is, which everybody can read.';
    await attempt('protection', () => checkImageForm(session, request.placement), plain);
  } else {
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
  }
  if (folder === undefined) return checks;
  const name = media ? isoName(fileName(request.name)) : request.name;
  await attempt(
    'name-free',
    async () => {
      if (request.onNameClash === 'rename') return;
      for (const item of await listItems(session, signal)) {
        if (item.parent !== folder.id || item.kind === 'folder') continue;
        const opened = await openItem(session, item, signal).catch(() => null);
        if ((opened?.description.name ?? item.name) === name) {
          throw new Fault('object.exists', `${session.who}: "${name}" is there already`, {
            remedy: 'Choose another name, or ask for a new one with --rename.',
          });
        }
      }
    },
    () => `The name "${name}" is free.`,
  );
  checks.push(await spaceCheck(folder.path, request));
  return checks;
}

async function spaceCheck(path: string, { description }: ImportRequest): Promise<Check> {
  const parts = partsOf(description);
  const full = parts.reduce((sum, { lengthBytes }) => sum + lengthBytes, 0);
  const used = parts.reduce(
    (sum, { kind, lengthBytes, usedBytes = kind === 'file' ? lengthBytes : 0 }) => sum + usedBytes,
    0,
  );
  const { bavail, bsize } = await statfs(path);
  const gib = (bytes: number) => `${(bytes / 1024 ** 3).toFixed(1)} GiB`;
  const found = `The folder's disk has ${gib(bavail * bsize)} free; what comes has ${gib(full)}, zeros take no room.`;
  const remedy = 'Use a larger disk, or free space on this one; an interrupted export can be repeated.';
  if (bavail * bsize >= full) return { name: 'space', outcome: 'pass', found };
  return { name: 'space', outcome: bavail * bsize >= used ? 'warn' : 'fail', found, remedy };
}
