import { delay } from '../../base/backoff.ts';
import { inJob, type Log } from '../../base/log.ts';
import { Fault } from '../../model/fault.ts';
import { RetentionSchema, type RetentionView, type SweepView } from '../../protocol/api/retention.ts';
import type { Clouds } from '../clouds.ts';
import type { Fleet } from '../fleet/fleet.ts';
import type { Hold } from '../hold.ts';
import type { Jobs } from '../jobs/jobs.ts';
import { worksOf } from '../jobs/work-ids.ts';
import type { Nodes } from '../nodes.ts';
import { partsOfId } from '../sign-in-id.ts';
import type { Database } from '../store/database.ts';
import { deleteJob, deleteLog, type OldJob, readOldJobs, readOldLogs } from '../store/retention.ts';
import { readSetting, writeSetting } from '../store/settings.ts';

const USUAL: RetentionView = { logDays: 90, jobDays: null, receiptDays: null };
const SETTING = 'retention';
const FIRST_MILLISECONDS = 60_000;
const EVERY_MILLISECONDS = 3_600_000;
const FORGET_MILLISECONDS = 20_000;
const DAY_MILLISECONDS = 24 * 3_600_000;

export interface Retention {
  get(): Promise<RetentionView>;
  set(change: { [Part in keyof RetentionView]?: RetentionView[Part] | undefined }): Promise<RetentionView>;
  /** Removes what is old enough; `dryRun` only says what would go. Never touches a job that has not ended. */
  sweep(dryRun: boolean, signal: AbortSignal): Promise<SweepView>;
}

export interface RetentionOptions {
  database: Database;
  nodes: Nodes;
  clouds: Clouds;
  jobs: Jobs;
  hold: Hold;
  fleet: Pick<Fleet, 'steward'>;
  closing: AbortSignal;
  log: Log;
}

/** Sweeps every hour until `closing`, where this server is the steward. */
export function keepRetention(options: RetentionOptions): Retention {
  const { database, jobs, hold, fleet, closing, log } = options;

  const get = async (): Promise<RetentionView> => ({
    ...USUAL,
    ...RetentionSchema.partial().parse((await readSetting(database, SETTING)) ?? {}),
  });

  const sweepLogs = async (days: number | null, dryRun: boolean): Promise<number[]> => {
    const old = days === null ? [] : await readOldLogs(database, days);
    for (const { id } of dryRun ? [] : old) await deleteLog(database, id);
    return old.map(({ number }) => number);
  };

  /** Why an old job has to stay, or null. */
  const reasonFor = (job: OldJob, receiptDays: number | null): string | null => {
    if (job.unsettled) return 'something that it made or changed may still be in a cloud';
    if (!job.proof) return null;
    if (receiptDays === null) return 'it is the proof of a copy, and receipts are kept for ever';
    const age = (Date.now() - job.ended_at.getTime()) / DAY_MILLISECONDS;
    return age > receiptDays ? null : `it is the proof of a copy, and receipts are kept for ${receiptDays} days`;
  };

  const sweep = async (dryRun: boolean, signal: AbortSignal): Promise<SweepView> => {
    hold.refuse('nothing is removed');
    const { logDays, jobDays, receiptDays } = await get();
    const answer: SweepView = { logs: await sweepLogs(logDays, dryRun), jobs: [], kept: [] };
    for (const job of jobDays === null ? [] : await readOldJobs(database, jobDays)) {
      signal.throwIfAborted();
      const why = reasonFor(job, receiptDays) ?? (dryRun ? null : await forgetOnNodes(options, job, signal));
      if (why !== null) answer.kept.push({ job: job.number, why });
      else if (dryRun || (await deleteJob(database, job.id, job.attempt))) answer.jobs.push(job.number);
      if (why !== null || dryRun) continue;
      await jobs.forget(job.id, job.attempt, job.undos);
      inJob(job.id, () => log.info({ number: job.number }, 'a job was removed: it was kept long enough'));
    }
    return answer;
  };

  const keepSweeping = async () => {
    await delay(FIRST_MILLISECONDS, closing);
    for (;;) {
      const work = fleet.steward ? sweep(false, closing) : Promise.resolve();
      await work.catch((error: unknown) => {
        if (!closing.aborted && hold.note === null)
          log.warn({ fault: Fault.from(error, 'retention').report() }, 'old jobs were not removed');
      });
      await delay(EVERY_MILLISECONDS, closing);
    }
  };
  keepSweeping().catch(() => {});

  return {
    get,
    async set(change) {
      const next = { ...(await get()), ...change };
      await writeSetting(database, SETTING, next);
      return RetentionSchema.parse(next);
    },
    sweep,
  };
}

/** What its nodes still keep for a retry goes with the job. Null where they have forgotten it, else why not. */
async function forgetOnNodes({ nodes, clouds }: RetentionOptions, job: OldJob, signal: AbortSignal) {
  const known = clouds.list().filter(({ id }) => job.clouds.some((used) => partsOfId(used).cloud === id));
  for (const node of new Set(known.map(({ node }) => node))) {
    for (const work of worksOf(job.id)) {
      try {
        const patience = AbortSignal.any([signal, AbortSignal.timeout(FORGET_MILLISECONDS)]);
        await nodes.client(node).forgetWork({ work }, patience);
      } catch (error) {
        signal.throwIfAborted();
        return `node ${nodes.get(node).name} has not forgotten it: ${Fault.from(error, 'the node').message}`;
      }
    }
  }
  return null;
}
