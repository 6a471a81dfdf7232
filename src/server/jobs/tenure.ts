import type { Log } from '../../base/log.ts';
import { Fault } from '../../model/fault.ts';
import type { Database } from '../store/database.ts';
import { claimJob, stillHeld } from '../store/servers.ts';
import type { Records } from './record.ts';

/** A run of a job on this server, for as long as no other server has taken the job over. */
export interface Tenure extends Disposable {
  readonly lost: AbortSignal;
}

/** The jobs that run on this server. Each has an epoch of its own, raised when the run begins. */
export interface Tenures {
  begin(job: string): Promise<Tenure>;
  /** Ends the runs here whose jobs another server has by now. */
  check(): Promise<void>;
}

export function createTenures(database: Database, records: Records, server: string, log: Log): Tenures {
  const held = new Map<string, { epoch: number; control: AbortController }>();

  const lose = (job: string): void => {
    const entry = held.get(job);
    if (entry === undefined) return;
    held.delete(job);
    log.warn({ job, epoch: entry.epoch }, 'another server has taken the job over: this server goes no further with it');
    const fault = new Fault('epoch.stale', `another server has taken job ${job} over`);
    const record = records.running(job);
    if (record !== null) {
      record.lose(fault);
      records.close(record);
    }
    entry.control.abort(fault);
  };

  return {
    async begin(job) {
      const epoch = await claimJob(database, job, server);
      lose(job);
      const entry = { epoch, control: new AbortController() };
      held.set(job, entry);
      // Also one that somebody is opening at this moment, with the row as it was before the claim.
      const record = await records.open(job);
      Object.assign(record.row, { epoch, server });
      return {
        lost: entry.control.signal,
        [Symbol.dispose]: () => {
          if (held.get(job) === entry) held.delete(job);
        },
      };
    },
    async check() {
      if (held.size === 0) return;
      const asked = [...held].map(([job, { epoch }]) => ({ job, epoch }));
      const kept = await stillHeld(database, server, asked);
      for (const { job, epoch } of asked) {
        if (!kept.has(job) && held.get(job)?.epoch === epoch) lose(job);
      }
    },
  };
}
