import { readCursor, writeCursor } from '../cursor.ts';
import { idOfRequest } from '../idempotency.ts';
import type { Jobs } from '../jobs/jobs.ts';
import type { Database } from '../store/database.ts';
import { audit } from '../store/settings.ts';
import type { Handlers } from './bind.ts';

type Reading = 'preflight' | 'listJobs' | 'getJob' | 'jobLog' | 'jobLedger';
type Names = Reading | 'startJob' | 'cancelJob' | 'pauseJob' | 'resumeJob' | 'setPriority' | 'retryJob';

export function jobRoutes(jobs: Jobs, database: Database): Pick<Handlers, Names> {
  return {
    preflight: async ({ body, signal }) => jobs.preflight(body, signal),
    async startJob({ body, user, key }) {
      const job = await jobs.start(body, user, key === undefined ? undefined : idOfRequest(user, key));
      await audit(database, user, 'start job', `${job.number}: ${job.title}`);
      return job;
    },
    async listJobs({ query: { state, user = null, text = null, limit, cursor } }) {
      const below = cursor === undefined ? null : Number(readCursor('jobs', cursor));
      const filter = { states: state?.split(',') ?? null, user, text, below };
      const found = await jobs.list(filter, limit + 1);
      const last = found[limit - 1];
      const next = found.length <= limit || last === undefined ? {} : { next: writeCursor('jobs', last.number) };
      return { jobs: found.slice(0, limit), ...next };
    },
    getJob: async ({ parameters }) => jobs.get(parameters.job),
    async jobLog({ parameters, query: { after, limit } }) {
      const lines = await jobs.log(parameters.job, after, limit);
      const last = lines.at(-1);
      return { lines, ...(lines.length < limit || last === undefined ? {} : { next: last.number }) };
    },
    jobLedger: async ({ parameters }) => ({ entries: await jobs.ledger(parameters.job) }),
    async cancelJob({ parameters, user }) {
      const job = await jobs.cancel(parameters.job);
      await audit(database, user, 'cancel job', String(job.number));
      return job;
    },
    async pauseJob({ parameters, user }) {
      const job = await jobs.pause(parameters.job);
      await audit(database, user, 'pause job', String(job.number));
      return job;
    },
    async resumeJob({ parameters, user }) {
      const job = await jobs.resume(parameters.job);
      await audit(database, user, 'resume job', String(job.number));
      return job;
    },
    async setPriority({ parameters, body, user }) {
      const job = await jobs.prioritize(parameters.job, body.priority);
      await audit(database, user, 'set priority', `${job.number}: ${body.priority}`);
      return job;
    },
    async retryJob({ parameters, user }) {
      const job = await jobs.retry(parameters.job);
      await audit(database, user, 'retry job', String(job.number));
      return job;
    },
  };
}
