import type { Jobs } from '../jobs/jobs.ts';
import type { Database } from '../store/database.ts';
import { readAllPlaces, writeRunner } from '../store/places.ts';
import type { Handlers } from './bind.ts';

type Reading = 'preflight' | 'listJobs' | 'getJob' | 'jobLog' | 'jobLedger' | 'previewUndo';
type Names = Reading | 'startJob' | 'cancelJob' | 'pauseJob' | 'resumeJob' | 'setPriority' | 'retryJob' | 'undoJob';

export function jobRoutes(jobs: Jobs, database: Database): Pick<Handlers, Names> {
  /** A further attempt is made by the rights of whoever asked for it. */
  const again = async (named: string, account: string, run: (job: string) => ReturnType<Jobs['retry']>) => {
    const { id } = await jobs.get(named);
    await writeRunner(database, id, account);
    return run(id);
  };
  return {
    preflight: async ({ body, sight, signal }) => jobs.preflight(body, sight.objects, signal),
    startJob: async ({ body, sight, signed, user }) =>
      jobs.start(body, sight.objects, { id: signed.account, name: user }),
    async listJobs({ query, sight }) {
      const states = query.state?.split(',') ?? null;
      if (sight.rights.seesAll) return { jobs: await jobs.list(states, query.limit) };
      const seen = (await readAllPlaces(database, states)).filter(({ places }) => sight.seesJob(places));
      const ids = seen.slice(0, query.limit).map(({ id }) => id);
      return { jobs: await jobs.list(states, query.limit, ids) };
    },
    getJob: async ({ parameters }) => jobs.get(parameters.job),
    jobLog: async ({ parameters, query }) => ({ lines: await jobs.log(parameters.job, query.after) }),
    jobLedger: async ({ parameters }) => ({ entries: await jobs.ledger(parameters.job) }),
    cancelJob: async ({ parameters }) => jobs.cancel(parameters.job),
    pauseJob: async ({ parameters }) => jobs.pause(parameters.job),
    resumeJob: async ({ parameters, signed }) => again(parameters.job, signed.account, jobs.resume),
    setPriority: async ({ parameters, body }) => jobs.prioritize(parameters.job, body.priority),
    retryJob: async ({ parameters, signed }) => again(parameters.job, signed.account, jobs.retry),
    previewUndo: async ({ parameters, signal }) => jobs.previewUndo(parameters.job, signal),
    undoJob: async ({ parameters, user }) => jobs.undo(parameters.job, user),
  };
}
