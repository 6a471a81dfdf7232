import { createHash } from 'node:crypto';
import { hrefOf, uuidOf } from './entity.ts';
import { machineOf } from './hardware.ts';
import { type QueryRecord, query } from './query.ts';
import type { Session } from './session.ts';
import type { Source } from './source.ts';
import { child, linkOf, rewrite, textAt } from './xml.ts';

/** Operations that leave a vApp's disks as they are; the first is what an export itself does. */
const HARMLESS = /download|metadata|lease|owner|access/i;

/**
 * The change identity of what is read. Cloud Director has no such field for vApps, so it is made of what moves when the
 * content does: for a template its id and the version of its catalog item; for a vApp or VM the ids and dates of
 * creation, disks, snapshots and the last task of the cloud on the vApp and its machines that can change a disk (power,
 * reconfigure, revert …). Tasks are forgotten after months: then the identity moves once although nothing changed,
 * which costs a comparison and never mixes two versions.
 */
export async function versionOf(session: Session, source: Source, signal: AbortSignal): Promise<string> {
  const { holder } = source;
  const id = uuidOf(hrefOf(session, holder)) ?? '';
  if (source.kind === 'template') {
    const item = linkOf(holder, 'catalogItem');
    const number =
      item === undefined ? '' : textAt(await session.read(item, 'read a catalog item', signal), 'VersionNumber');
    return `template:${id}:${number || textAt(holder, 'DateCreated')}`;
  }
  const owners = [hrefOf(session, holder), ...source.machines.map((vm) => hrefOf(session, vm))];
  const tasks = (await Promise.all(owners.map((object) => query(session, 'task', signal, { object })))).flat();
  const snapshot = (element: Source['holder']) => {
    const section = child(element, 'SnapshotSection');
    return section === undefined ? '' : rewrite(section).text;
  };
  const content = {
    created: textAt(holder, 'DateCreated'),
    snapshot: snapshot(holder),
    last: lastOf(tasks),
    machines: source.machines.map((vm) => ({
      id: uuidOf(hrefOf(session, vm)),
      created: textAt(vm, 'DateCreated'),
      snapshot: snapshot(vm),
      disks: machineOf(vm, '').disks,
    })),
  };
  return `vapp:${id}:${createHash('sha256').update(JSON.stringify(content)).digest('hex').slice(0, 32)}`;
}

function lastOf(tasks: readonly QueryRecord[]): string {
  return (
    tasks
      .filter(({ name = '' }) => !HARMLESS.test(name))
      .map(({ startDate = '', href = '' }) => `${startDate} ${uuidOf(href)}`)
      .toSorted()
      .at(-1) ?? ''
  );
}
