import { Fault } from '../../model/fault.ts';
import type { Concurrency } from '../../protocol/api/concurrency.ts';
import { readJob } from '../store/jobs.ts';
import { freeSlots, slotsOf, takeSlots } from '../store/queue.ts';
import { readSetting, writeSetting } from '../store/settings.ts';
import type { JobContext } from './context.ts';
import { admit } from './order.ts';

/** Other servers free slots, and times come, without a word. */
const LOOK_MILLISECONDS = 1_000;
const SETTING = 'concurrency';
const NOBODY_SAID: Concurrency = { jobs: 16, perNode: null, perCloud: null, perHost: null, nodes: {}, clouds: {} };

export interface Slots {
  give(): Promise<void>;
}

/** Who may run: slots in a table, taken in the order of the jobs by whichever server looks. */
export interface Admission {
  /**
   * Resolves when the job has its slots, or this server has lost it. A job that is to be stopped gets through at once, and one
   * that has slots already, from the server that had it before.
   */
  take(job: string, lost: AbortSignal): Promise<Slots>;
  /** Looks again now: something was started, stopped or changed. */
  look(): void;
  limits(): Promise<Concurrency>;
  setLimits(change: Partial<Concurrency>): Promise<Concurrency>;
}

export function createAdmission(
  context: Pick<JobContext, 'database' | 'records' | 'clouds' | 'nodes' | 'closing' | 'log'>,
): Admission {
  const { database, records, clouds, nodes, closing, log } = context;
  const waiters = new Map<string, () => void>();
  let looking = false;
  let again = false;
  const limits = async () => ({
    ...NOBODY_SAID,
    ...((await readSetting(database, SETTING)) as Partial<Concurrency> | null),
  });

  async function lookOnce(): Promise<void> {
    const bounds = await limits();
    const names = new Map([...clouds.list(), ...nodes.list()].map(({ id, name }) => [id, name]));
    const through: string[] = [];
    let reasons = new Map<string, string>();
    const started = await takeSlots(database, (jobs, used) => {
      const { admitted, waiting } = admit(jobs, used, (key) => slotsOf(key, bounds, names), Date.now());
      through.push(...admitted.map(({ job }) => job), ...jobs.flatMap(({ held, id }) => (held ? id : [])));
      reasons = waiting;
      return admitted;
    });
    for (const [job, at] of started) {
      const row = records.running(job)?.row;
      if (row !== undefined) row.started_at ??= at;
    }
    for (const job of through) {
      waiters.get(job)?.();
      waiters.delete(job);
    }
    for (const [job, reason] of reasons) records.running(job)?.wait(reason);
  }

  const lookUntilDone = async () => {
    looking = true;
    while (again && waiters.size > 0 && !closing.aborted) {
      again = false;
      await lookOnce().catch((error: unknown) => {
        if (!closing.aborted)
          log.warn({ fault: Fault.from(error, 'the queue').report() }, 'the queue was not looked at');
      });
    }
    looking = false;
  };
  const look = () => {
    again = true;
    if (!looking) void lookUntilDone();
  };
  const timer = setInterval(look, LOOK_MILLISECONDS);
  timer.unref();
  closing.addEventListener('abort', () => clearInterval(timer), { once: true });

  return {
    async take(job, lost) {
      const record = await records.open(job);
      const { attempt } = record.row;
      const passed = new Promise<void>((go) => {
        waiters.set(job, go);
        lost.addEventListener('abort', () => go(), { once: true });
      });
      record.stopped.addEventListener('abort', look, { once: true });
      look();
      await passed;
      if (lost.aborted) waiters.delete(job);
      // It may have been given its slots before this record was read.
      record.row.started_at ??= (await readJob(database, job))?.started_at ?? null;
      return {
        async give() {
          // Where the database is away now, the next look finds the job ended.
          await freeSlots(database, job, attempt).catch(() => {});
          look();
        },
      };
    },
    look,
    limits,
    async setLimits(change) {
      const next = { ...(await limits()), ...change };
      await writeSetting(database, SETTING, next);
      look();
      return next;
    },
  };
}
