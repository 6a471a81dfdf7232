import type { Check } from '../../model/check.ts';
import { Fault } from '../../model/fault.ts';
import { disksOf } from '../../model/machine.ts';
import { MEDIA_FILE } from '../../model/media.ts';
import type { Exports, OpenExport, WorkContext } from '../driver.ts';
import { itemAt, type Opened, openItem } from './catalog.ts';
import { readDisk } from './ovf/disk.ts';
import { checkOpen, type Session } from './session.ts';

export function exportsFacet(session: Session): Exports {
  return {
    check: (id, signal) => check(session, id, signal),
    describe: async (id, signal) => (await openItem(session, await itemAt(session, id), signal)).description,
    open: (id, context) => open(session, id, context),
  };
}

async function check(session: Session, id: string, signal: AbortSignal): Promise<Check[]> {
  const opened = await openItem(session, await itemAt(session, id), signal);
  if ('image' in opened) {
    const found = 'It is read from its beginning to its end; nothing in it tells whether it is as its maker made it.';
    return [{ name: 'image', outcome: 'pass', found }];
  }
  if ('reader' in opened) {
    try {
      await opened.reader.check(signal);
      return [
        {
          name: 'package-whole',
          outcome: 'pass',
          found: 'Every segment is there and every map has its root; each block is proven while it is read.',
        },
      ];
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof Fault)) throw error;
      return [{ name: 'package-whole', outcome: 'fail', found: `${error.message}.`, remedy: error.remedy }];
    }
  }
  const { ovf, digests } = opened.archive;
  const checks: Check[] = [
    digests === null
      ? {
          name: 'digests',
          outcome: 'warn',
          found: 'The package has no manifest: whether its files are those that were made cannot be told.',
          remedy: 'Compare them with what their maker says.',
        }
      : { name: 'digests', outcome: 'pass', found: 'Every file is compared with the manifest while it is read.' },
  ];
  if (ovf.notCarried.length > 0) {
    checks.push({
      name: 'not-carried',
      outcome: 'warn',
      found: `The descriptor has parts that are not carried: ${ovf.notCarried.join('; ')}.`,
      remedy: 'Set them up again at the destination if they are needed.',
    });
  }
  return checks;
}

async function open(session: Session, id: string, { signal }: WorkContext): Promise<OpenExport> {
  const item = await itemAt(session, id);
  const opened = await openItem(session, item, signal);
  if ('reader' in opened) await opened.reader.check(signal);
  const closed = new AbortController();
  return {
    description: opened.description,
    version: opened.version,
    async *read(disk, callSignal) {
      checkOpen(session);
      const until = AbortSignal.any([callSignal, closed.signal]);
      yield* blocksOf(session, opened, disk, id, until);
    },
    async close() {
      closed.abort(new Fault('cloud.session', `${session.who}: "${id}" is closed`));
    },
  };
}

function blocksOf(session: Session, opened: Opened, disk: string, id: string, signal: AbortSignal) {
  const label = `${session.who}: "${id}": disk "${disk}"`;
  if ('reader' in opened) return opened.reader.read(disk, signal);
  if ('image' in opened) {
    if (disk !== MEDIA_FILE) throw new Fault('object.missing', `${label} is not part of it`);
    return opened.image.blocks(signal);
  }
  const source = opened.archive.ovf.disks.find((one) => one.disk === disk);
  const described = disksOf(opened.description).find((one) => one.id === disk);
  if (source === undefined || described === undefined) throw new Fault('object.missing', `${label} is not part of it`);
  if (source.file === null) return nothing();
  return readDisk(opened.archive, source.file, described.capacityBytes, label, signal);
}

/** A disk without a file is empty. */
async function* nothing() {}
