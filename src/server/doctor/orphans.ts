import { Fault } from '../../model/fault.ts';
import type { LedgerEntry } from '../../model/ledger.ts';
import { joinPath } from '../../model/path.ts';
import type { MarkedObject } from '../../model/seen-object.ts';
import type { Finding, Orphan } from '../../protocol/api/doctor.ts';
import type { JobContext } from '../jobs/context.ts';
import { holderOf } from '../jobs/holders.ts';
import { isOfInstallation } from '../jobs/marker.ts';
import { ENDED } from '../store/jobs.ts';
import { objectById } from '../store/objects.ts';
import { type MarkerOwner, readKept, readMarkerOwners, settleRemoved } from '../store/orphans.ts';

/** A cloud that lists so slowly is named instead. */
const LISTING_MILLISECONDS = 120_000;

export type OrphanContext = Pick<JobContext, 'database' | 'clouds' | 'objects' | 'owner'>;

/** Asks every connected cloud. One that cannot be asked becomes a finding. */
export async function findOrphans(
  context: OrphanContext,
  signal: AbortSignal,
): Promise<{ orphans: Orphan[]; findings: Finding[] }> {
  // Nobody but people themselves can look into a cloud without an account of the server's own.
  const connected = context.clouds
    .list()
    .filter(({ id, state }) => state === 'connected' && context.clouds.get(id).sign_in !== 'own-only');
  const answers = await Promise.all(
    connected.map(async ({ id, name }) => {
      try {
        return { orphans: (await sortOut(context, id, signal)).orphans, findings: [] };
      } catch (error) {
        signal.throwIfAborted();
        const { message, remedy } = Fault.from(error, name);
        const text = `It could not be asked for orphans: ${message}`;
        return { orphans: [], findings: [{ severity: 'warn', about: 'cloud', subject: name, text, remedy } as const] };
      }
    }),
  );
  return {
    orphans: answers.flatMap(({ orphans }) => orphans),
    findings: answers.flatMap(({ findings }) => findings),
  };
}

/**
 * Removes an orphan by its id, after its cloud was asked anew. Faults: `object.missing`, `object.in-use` for what belongs
 * to a job, and those of the driver.
 */
export async function removeOrphan(context: OrphanContext, cloud: string, object: string, signal: AbortSignal) {
  const { id, name } = context.clouds.get(cloud);
  const { orphans, ours } = await sortOut(context, id, signal);
  const orphan = orphans.find((one) => one.id === object);
  const holder = await holderOf(context, id, object);
  if (orphan === undefined && !ours.has(object)) {
    throw new Fault('object.missing', `${name} has no object ${object} with a marker of this installation`, {
      remedy: 'List the orphans: cloudspan doctor',
    });
  }
  if (orphan === undefined || holder !== undefined) {
    const why = holder === undefined ? ours.get(object) : `${holder} needs it`;
    throw new Fault('object.in-use', `${object} in ${name} is no orphan: ${why}`, {
      remedy:
        'The result of a job goes by `cloudspan jobs undo <job>`; what no job here knows is removed in its cloud.',
    });
  }
  await context.clouds.use(id, (node) =>
    node.removeMarked({ cloud: id, object, body: { marker: orphan.marker } }, signal),
  );
  await settleRemoved(context.database, id, object);
  return orphan;
}

/** `ours`: why each object that carries a marker of this installation and is no orphan is none. */
async function sortOut(
  { database, clouds, owner }: OrphanContext,
  cloud: string,
  signal: AbortSignal,
): Promise<{ orphans: Orphan[]; ours: Map<string, string> }> {
  const { name } = clouds.get(cloud);
  const limited = AbortSignal.any([signal, AbortSignal.timeout(LISTING_MILLISECONDS)]);
  const { objects } = await clouds.use(cloud, (node, id) => node.listMarked({ cloud: id }, limited));
  // What is asked after the listing knows of everything that is in it.
  const markers = objects.map(({ marker }) => marker);
  const owners = new Map((await readMarkerOwners(database, markers)).map((job) => [job.marker, job]));
  const kept = await readKept(database, cloud, markers);
  const orphans: Orphan[] = [];
  const ours = new Map<string, string>();
  for (const object of objects) {
    const job = owners.get(object.marker);
    if (job === undefined && !isOfInstallation(owner, object.marker)) continue;
    const ofJob = kept.filter(({ marker }) => marker === object.marker);
    const held = reasonToKeep(object, job, ofJob);
    if (held !== undefined) ours.set(object.id, held);
    else {
      const known = await objectById(database, cloud, object.id);
      orphans.push({
        ...object,
        cloud: name,
        path: joinPath(known?.names ?? [object.name]),
        ...(job === undefined ? {} : { job: job.number }),
        why:
          job === undefined
            ? 'the job that began it is not known here any more'
            : `job ${job.number} is over (${job.state}) and did not keep it`,
      });
    }
  }
  return { orphans, ours };
}

/**
 * Why a marked object is no orphan; undefined where it is one. What is finished is only one when its job is known here and
 * kept nothing: a restored backup does not know the results of later jobs, jobs that were kept long enough are forgotten,
 * and clones that people make in the cloud inherit the marker.
 */
export function reasonToKeep(
  { id, finished }: Pick<MarkedObject, 'id' | 'finished'>,
  job: MarkerOwner | undefined,
  kept: readonly Pick<LedgerEntry, 'objectId'>[],
): string | undefined {
  if (job === undefined)
    return finished ? 'it is finished, and may be the result of a job that is not known here' : undefined;
  if (job.undoing || !ENDED.includes(job.state)) return `job ${job.number} works on it`;
  if (kept.some(({ objectId }) => objectId === id)) return `job ${job.number} kept it`;
  return finished && kept.length > 0 ? `it may be a clone of what job ${job.number} kept` : undefined;
}
