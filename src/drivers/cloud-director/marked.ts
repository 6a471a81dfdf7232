import { Fault } from '../../model/fault.ts';
import type { MarkedObject, SeenObject } from '../../model/seen-object.ts';
import type { Objects } from '../driver.ts';
import { describeSource, readPlainDescriptor } from './describe.ts';
import { hrefOf, locate, quoted, readEntity, statusWord, urnOf } from './entity.ts';
import { powerOfWord } from './machine-facts.ts';
import { MARKER_KEY, readMetadata } from './metadata.ts';
import { isOff } from './power.ts';
import { query, queryMetadata } from './query.ts';
import { deleteAsRead, deleteEntity } from './removal.ts';
import type { Session } from './session.ts';
import { type Source, sourceIfThere } from './source.ts';
import { isOpen, tasksOf } from './tasks.ts';
import { carriesMarker, markerIn, readIfThere } from './unfinished.ts';
import { versionOf } from './version.ts';
import { textAt } from './xml.ts';

/** Operations after which a machine has run. */
const A_RUN = /poweron|deploy/i;

export function objectsFacet(session: Session): Objects {
  return {
    look: (id, signal) => look(session, id, signal),
    marked: (signal) => marked(session, signal),
    remove: (id, marker, signal) => remove(session, id, marker, signal),
  };
}

async function look(session: Session, id: string, signal: AbortSignal): Promise<SeenObject | null> {
  const source = await sourceIfThere(session, id, signal);
  if (source === null) return null;
  const { holder, kind, name, machines } = source;
  const of = kind === 'vm' ? machines[0]! : holder;
  const power = kind === 'template' ? 'off' : powerOfWord(statusWord(of));
  const description = describeSource(source, await readPlainDescriptor(session, source, signal));
  const madeAt = textAt(of, 'DateCreated');
  const leaseEnds = textAt(holder, 'LeaseSettingsSection', 'StorageLeaseExpiration');
  return {
    id,
    kind,
    name,
    marker: kind === 'vm' ? null : ((await markerOf(session, source, signal)) ?? null),
    finished: markerIn(name) === undefined,
    power,
    ran: kind !== 'template' && (!isOff(of) || (await hasRun(session, source, signal))),
    version: await versionOf(session, source, signal),
    description,
    ...(madeAt === '' ? {} : { madeAt }),
    ...(leaseEnds === '' ? {} : { leaseEnds }),
  };
}

async function markerOf(session: Session, { name, href }: Source, signal: AbortSignal): Promise<string | undefined> {
  return markerIn(name) ?? (await readMetadata(session, href, signal)).get(MARKER_KEY);
}

/** By the tasks of the cloud, which it keeps for some weeks. */
async function hasRun(session: Session, { holder, machines }: Source, signal: AbortSignal): Promise<boolean> {
  const owners = [hrefOf(session, holder), ...machines.map((vm) => hrefOf(session, vm))];
  const tasks = await Promise.all(owners.map((object) => query(session, 'task', signal, { object })));
  return tasks.flat().some(({ name = '' }) => A_RUN.test(name));
}

async function marked(session: Session, signal: AbortSignal): Promise<MarkedObject[]> {
  const found: MarkedObject[] = [];
  for (const [type, kind] of [
    ['vApp', 'vapp'],
    ['vAppTemplate', 'template'],
  ] as const) {
    const fields = ['name', 'status', 'creationDate'];
    for (const { record, value } of await queryMetadata(session, type, fields, MARKER_KEY, signal)) {
      const { name = '', href = '', status, creationDate } = record;
      const marker = markerIn(name) ?? value;
      const id = urnOf(kind, href);
      if (marker === undefined || id === undefined) continue;
      const power = kind === 'template' ? 'off' : powerOfWord(status);
      const made = creationDate ? { madeAt: creationDate } : {};
      found.push({ id, kind, name, marker, finished: markerIn(name) === undefined, power, ...made });
    }
  }
  return found;
}

/** A template's open tasks (an upload that nobody feeds) are ended; those of a vApp are somebody's: they are waited for. */
async function remove(session: Session, id: string, marker: string, signal: AbortSignal): Promise<void> {
  if ((await readIfThere(session, locate(session, id).href, signal)) === null) return;
  const { kind, href, element } = await readEntity(session, id, ['vapp', 'template'], signal);
  const what = `${session.who}: ${quoted(element)} (${id})`;
  if (!(await carriesMarker(session, element, href, marker, signal))) {
    throw new Fault('object.changed', `${what} does not carry the marker ${marker}`);
  }
  if (kind === 'vapp' && tasksOf(element).some(isOpen)) {
    throw new Fault('object.busy', `${what} has a task under way`);
  }
  if (kind === 'vapp' && !isOff(element)) {
    throw new Fault('object.in-use', `${what} is powered on or deployed and was not removed`, {
      remedy: 'Power it off if it is not wanted.',
    });
  }
  if (kind === 'vapp') return deleteAsRead(session, href, element, signal);
  await deleteEntity(session, href, signal);
}
