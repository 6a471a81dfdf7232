import { readCursor, writeCursor } from '../cursor.ts';
import { idOfRequest } from '../idempotency.ts';
import type { Jobs } from '../jobs/jobs.ts';
import type { Database } from '../store/database.ts';
import { readAllPlaces, writeRunner } from '../store/places.ts';
import type { Handlers } from './bind.ts';

type Reading = 'preflight' | 'listJobs' | 'getJob' | 'jobLog' | 'jobLedger' | 'previewUndo';
type Names =
  | Reading
  | 'startJob'
  | 'cancelJob'
  | 'pauseJob'
  | 'resumeJob'
  | 'setPriority'
  | 'retryJob'
  | 'undoJob'
  | 'deleteSource';

export function jobRoutes(jobs: Jobs, database: Database): Pick<Handlers, Names> {
  /** A further attempt is made by the rights of whoever asked for it. */
  const again = async (named: string, account: string, run: (job: string) => ReturnType<Jobs['retry']>) => {
    const { id } = await jobs.get(named);
    await writeRunner(database, id, account);
    return run(id);
  };
  return {
    preflight: async ({ body, sight, signal }) => jobs.preflight(body, sight.objects, signal),
    startJob: async ({ body, sight, signed, user, key }) =>
      jobs.start(
        body,
        sight.objects,
        { id: signed.account, name: user },
        key === undefined ? undefined : idOfRequest(signed.account, key),
      ),
    async listJobs({ query: { state, user = null, text = null, limit, cursor }, sight }) {
      const below = cursor === undefined ? null : Number(readCursor('jobs', cursor));
      const filter = { states: state?.split(',') ?? null, user, text, below };
      const ids = sight.rights.seesAll
        ? undefined
        : (await readAllPlaces(database, filter.states))
            .filter(({ places }) => sight.seesJob(places))
            .map(({ id }) => id);
      const found = await jobs.list(filter, limit + 1, ids);
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
    cancelJob: async ({ parameters }) => jobs.cancel(parameters.job),
    pauseJob: async ({ parameters }) => jobs.pause(parameters.job),
    resumeJob: async ({ parameters, signed }) => again(parameters.job, signed.account, jobs.resume),
    setPriority: async ({ parameters, body }) => jobs.prioritize(parameters.job, body.priority),
    retryJob: async ({ parameters, signed }) => again(parameters.job, signed.account, jobs.retry),
    previewUndo: async ({ parameters, signal }) => jobs.previewUndo(parameters.job, signal),
    deleteSource: async ({ parameters, user }) => jobs.deleteSource(parameters.job, user),
    undoJob: async ({ parameters, user }) => jobs.undo(parameters.job, user),
  };
}
