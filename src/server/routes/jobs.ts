import type { Jobs } from '../jobs/jobs.ts';
import type { Database } from '../store/database.ts';
import { audit } from '../store/settings.ts';
import type { Handlers } from './bind.ts';

type Reading = 'preflight' | 'listJobs' | 'getJob' | 'jobLog' | 'jobLedger' | 'previewUndo';
type Names = Reading | 'startJob' | 'cancelJob' | 'pauseJob' | 'resumeJob' | 'setPriority' | 'retryJob' | 'undoJob';

export function jobRoutes(jobs: Jobs, database: Database): Pick<Handlers, Names> {
  return {
    preflight: async ({ body, signal }) => jobs.preflight(body, signal),
    async startJob({ body, user }) {
      const job = await jobs.start(body, user);
      await audit(database, user, 'start job', `${job.number}: ${job.title}`);
      return job;
    },
    listJobs: async ({ query }) => ({ jobs: await jobs.list(query.state?.split(',') ?? null, query.limit) }),
    getJob: async ({ parameters }) => jobs.get(parameters.job),
    jobLog: async ({ parameters, query }) => ({ lines: await jobs.log(parameters.job, query.after) }),
    jobLedger: async ({ parameters }) => ({ entries: await jobs.ledger(parameters.job) }),
    async cancelJob({ parameters, user }) {
      const job = await jobs.cancel(parameters.job);
      await audit(database, user, 'cancel job', String(job.number));
      return job;
    },
    previewUndo: async ({ parameters, signal }) => jobs.previewUndo(parameters.job, signal),
    async undoJob({ parameters, user }) {
      const job = await jobs.undo(parameters.job, user);
      await audit(database, user, 'undo job', String(job.number));
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
