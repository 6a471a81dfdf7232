import { delay } from '../../base/backoff.ts';
import { Fault } from '../../model/fault.ts';
import type { ReleaseView } from '../../protocol/api/server.ts';
import type { Clouds } from '../clouds.ts';
import type { Database } from '../store/database.ts';
import { addLines } from '../store/jobs.ts';
import { type MadeObject, readMade } from '../store/ledger.ts';

/** Clouds sign in as soon as their nodes are linked. */
const PATIENCE_MILLISECONDS = 60_000;
const AT_A_TIME = 8;

/**
 * Looks for every object that the ledger knows in its cloud, and writes into the log of its job which are gone. Reads
 * only. Clouds that do not answer are named instead.
 */
export async function compareLedger(
  { database, clouds }: { database: Database; clouds: Clouds },
  patienceSeconds: number | undefined,
  signal: AbortSignal,
): Promise<ReleaseView> {
  const made = await readMade(database);
  const patience = patienceSeconds === undefined ? PATIENCE_MILLISECONDS : patienceSeconds * 1000;
  await untilConnected(clouds, new Set(made.map(({ cloud }) => cloud)), patience, signal);
  const names = new Map(clouds.list().map(({ id, name }) => [id, name]));
  const answer: ReleaseView = { compared: 0, gone: [], notCompared: [] };
  const silent = new Map<string, { why: string; objects: number }>();

  const look = async (object: MadeObject): Promise<void> => {
    const cloud = names.get(object.cloud) ?? object.cloud;
    const why = await isThere(clouds, object, signal);
    if (typeof why === 'string') {
      silent.set(cloud, { why, objects: (silent.get(cloud)?.objects ?? 0) + 1 });
      return;
    }
    answer.compared++;
    if (why) return;
    const { number: job, kind, name, objectId } = object;
    answer.gone.push({ job, cloud, kind, name, object: objectId });
    const text = `after a restore: ${kind} "${name}" (${objectId}), which the ledger knows in ${cloud}, is not there any more`;
    await addLines(database, object.job, 'server', [{ at: new Date().toISOString(), level: 'warn', text }]);
  };
  for (let at = 0; at < made.length; at += AT_A_TIME) await Promise.all(made.slice(at, at + AT_A_TIME).map(look));
  for (const [cloud, { why, objects }] of silent) answer.notCompared.push({ cloud, why, objects });
  return answer;
}

/** A sentence where that could not be found out. */
async function isThere(
  clouds: Clouds,
  { cloud, objectId }: MadeObject,
  signal: AbortSignal,
): Promise<boolean | string> {
  try {
    await clouds.use(cloud, (node, id) => node.getObject({ cloud: id, object: objectId }, signal));
    return true;
  } catch (error) {
    signal.throwIfAborted();
    const fault = Fault.from(error, 'the cloud');
    return fault.code === 'object.missing' && clouds.list().some(({ id }) => id === cloud) ? false : fault.message;
  }
}

async function untilConnected(clouds: Clouds, wanted: Set<string>, milliseconds: number, signal: AbortSignal) {
  for (const begun = performance.now(); performance.now() - begun < milliseconds; ) {
    if (clouds.list().every(({ id, state }) => state === 'connected' || !wanted.has(id))) return;
    await delay(200, signal);
  }
}
