import type { JobView } from '../../protocol/api/jobs.ts';
import { readCursor, writeCursor } from '../cursor.ts';
import { idOfRequest } from '../idempotency.ts';
import { refuseAgain } from '../jobs/again.ts';
import type { Jobs } from '../jobs/jobs.ts';
import { shownFault, shownJob, shownRows } from '../people/shown-job.ts';
import type { Sight } from '../people/sight.ts';
import type { Database } from '../store/database.ts';
import { readAllPlaces, readPlaces, writeRunner } from '../store/places.ts';
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
  const again = async (named: string, account: string, action: 'resume' | 'retry') => {
    const view = await jobs.get(named);
    refuseAgain[action](view);
    await writeRunner(database, view.id, account);
    return jobs[action](view.id);
  };
  const endsOf = async (job: string, sight: Sight) => sight.ends((await readPlaces(database, job))?.places ?? null);
  const shown = async (job: Promise<JobView>, sight: Sight) => {
    const view = await job;
    return shownJob(view, await endsOf(view.id, sight));
  };
  return {
    preflight: async ({ body, sight, signal }) => jobs.preflight(body, sight.objects, signal),
    startJob: async ({ body, sight, signed, user, key }) =>
      shown(
        jobs.start(
          body,
          sight.objects,
          { id: signed.account, name: user },
          key === undefined ? undefined : idOfRequest(signed.account, key),
        ),
        sight,
      ),
    async listJobs({ query: { state, user = null, text = null, limit, cursor }, sight }) {
      const below = cursor === undefined ? null : Number(readCursor('jobs', cursor));
      const filter = { states: state?.split(',') ?? null, user, text, below };
      const places = sight.rights.seesAll
        ? null
        : new Map((await readAllPlaces(database, filter.states)).map((job) => [job.id, job.places]));
      // A title that holds a name which is not shown must not be found by it either.
      const told = [...(places ?? [])].filter(([, at]) => {
        const { source, destination } = sight.ends(at);
        return sight.seesJob(at) && (text === null || (source && destination));
      });
      const found = await jobs.list(filter, limit + 1, places === null ? undefined : told.map(([id]) => id));
      const last = found[limit - 1];
      const next = found.length <= limit || last === undefined ? {} : { next: writeCursor('jobs', last.number) };
      return {
        jobs: found.slice(0, limit).map((view) => shownJob(view, sight.ends(places?.get(view.id) ?? null))),
        ...next,
      };
    },
    getJob: async ({ parameters, sight }) => shown(jobs.get(parameters.job), sight),
    async jobLog({ parameters, query: { after, limit }, sight }) {
      const { source, destination } = await endsOf(parameters.job, sight);
      if (!source || !destination) {
        const { createdAt } = await jobs.get(parameters.job);
        const text = 'What this log says is not shown: it names the end of the job that you do not see.';
        return { lines: after > 0 ? [] : [{ number: 1, at: createdAt, level: 'info', from: 'server', text }] };
      }
      const lines = await jobs.log(parameters.job, after, limit);
      const last = lines.at(-1);
      return { lines, ...(lines.length < limit || last === undefined ? {} : { next: last.number }) };
    },
    jobLedger: async ({ parameters, sight }) => ({
      entries: shownRows(await jobs.ledger(parameters.job), await endsOf(parameters.job, sight)),
    }),
    cancelJob: async ({ parameters, sight }) => shown(jobs.cancel(parameters.job), sight),
    pauseJob: async ({ parameters, sight }) => shown(jobs.pause(parameters.job), sight),
    resumeJob: async ({ parameters, signed, sight }) => shown(again(parameters.job, signed.account, 'resume'), sight),
    setPriority: async ({ parameters, body, sight }) => shown(jobs.prioritize(parameters.job, body.priority), sight),
    retryJob: async ({ parameters, signed, sight }) => shown(again(parameters.job, signed.account, 'retry'), sight),
    async previewUndo({ parameters, signal, sight }) {
      const preview = await jobs.previewUndo(parameters.job, signal);
      return { ...preview, rows: shownRows(preview.rows, await endsOf(parameters.job, sight)) };
    },
    undoJob: async ({ parameters, user, sight }) => shown(jobs.undo(parameters.job, user), sight),
    async deleteSource({ parameters: { job }, user, sight }) {
      const ends = await endsOf(job, sight);
      try {
        return shownJob(await jobs.deleteSource(job, user), ends);
      } catch (error) {
        throw shownFault(error, job, ends);
      }
    },
  };
}
