import { randomUUID } from 'node:crypto';
import { Fault } from '../../model/fault.ts';
import type { GroupView } from '../../protocol/api/groups.ts';
import type { JobView } from '../../protocol/api/jobs.ts';
import { idOfRequest } from '../idempotency.ts';
import { refuseAgain } from '../jobs/again.ts';
import { resolveEndpoints } from '../jobs/endpoints.ts';
import type { Jobs } from '../jobs/jobs.ts';
import { mayChange } from '../people/guard.ts';
import { shownJob } from '../people/shown-job.ts';
import type { Sight } from '../people/sight.ts';
import type { Database } from '../store/database.ts';
import { type GroupRow, insertGroup, readGroup, readGroups, writeReady } from '../store/groups.ts';
import { readAllPlaces, readPlaces, writeRunner } from '../store/places.ts';
import type { Handlers } from './bind.ts';

type Names = 'startGroup' | 'listGroups' | 'getGroup' | 'actOnGroup' | 'getConcurrency' | 'setConcurrency';
const MOST_GROUPS = 200;
const ACTIONS = ['cancel', 'pause', 'resume', 'retry'] as const;

export function groupRoutes(jobs: Jobs, database: Database, owner: string): Pick<Handlers, Names> {
  /** The jobs of a group that the account sees, in their order. */
  const seen = async (row: GroupRow, sight: Sight): Promise<JobView[]> => {
    const views: JobView[] = [];
    for (const id of row.jobs) {
      const placed = await readPlaces(database, id);
      if (placed !== null && sight.seesJob(placed.places)) {
        views.push(shownJob(await jobs.get(id), sight.ends(placed.places)));
      }
    }
    return views;
  };
  const find = async (group: string, sight: Sight): Promise<{ row: GroupRow; views: JobView[] }> => {
    const row = await readGroup(database, group);
    const views = row === null ? [] : await seen(row, sight);
    if (row !== null && views.length > 0) return { row, views };
    throw new Fault('object.missing', `there is no group ${group}`);
  };
  return {
    async startGroup({ body, sight, signed, user, key }) {
      const id = key === undefined ? randomUUID() : idOfRequest(signed.account, key);
      for (const [index, { request }] of body.jobs.entries()) {
        await resolveEndpoints(sight.objects, request).catch((error: unknown) => {
          throw inLine(error, index + 1);
        });
      }
      await insertGroup(database, owner, id, user, body);
      for (const [index, { request, wave }] of body.jobs.entries()) {
        await jobs.start(request, sight.objects, { id: signed.account, name: user }, `${id}.${index}`, { id, wave });
      }
      await writeReady(database, id);
      const { row, views } = await find(id, sight);
      return { ...viewOf(row, views), jobs: views };
    },
    async listGroups({ sight }) {
      const seenJobs = sight.rights.seesAll
        ? null
        : (await readAllPlaces(database, null)).flatMap(({ id, places }) => (sight.seesJob(places) ? id : []));
      const groups = await readGroups(database, MOST_GROUPS, seenJobs);
      return { groups: groups.map(({ createdAt, ...row }) => ({ ...row, createdAt: createdAt.toISOString() })) };
    },
    async getGroup({ parameters, sight }) {
      const { row, views } = await find(parameters.group, sight);
      return { ...viewOf(row, views), jobs: views };
    },
    async actOnGroup({ parameters, sight, signed }) {
      const action = ACTIONS.find((one) => one === parameters.action);
      if (action === undefined) {
        throw new Fault('input.invalid', `a group cannot ${parameters.action}`, {
          remedy: `It can: ${ACTIONS.join(', ')}.`,
        });
      }
      const { views } = await find(parameters.group, sight);
      const changed: number[] = [];
      const left: { job: number; why: string }[] = [];
      // Those that have not started first: pausing or cancelling one that runs would let the next begin.
      const order = views.toSorted((one, other) => Number(other.state === 'queued') - Number(one.state === 'queued'));
      for (const view of order) {
        const { id, number } = view;
        try {
          const places = (await readPlaces(database, id))?.places ?? null;
          const stops = action === 'cancel' || action === 'pause';
          if (!mayChange(sight, signed, places, stops ? 'stop' : 'run')) {
            throw new Fault('auth.forbidden', `${signed.user} may not change job ${number}`);
          }
          if (!stops) {
            refuseAgain[action](view);
            await writeRunner(database, id, signed.account);
          }
          await jobs[action](id);
          changed.push(number);
        } catch (error) {
          left.push({ job: number, why: Fault.from(error, action).message });
        }
      }
      return { changed, left };
    },
    getConcurrency: async () => jobs.limits(),
    setConcurrency: async ({ body }) => jobs.setLimits(body),
  };
}

function viewOf({ jobs: _, createdAt, ...row }: GroupRow, views: readonly JobView[]): GroupView {
  const states: Record<string, number> = {};
  for (const { state } of views) states[state] = (states[state] ?? 0) + 1;
  return { ...row, createdAt: createdAt.toISOString(), states };
}

function inLine(error: unknown, line: number): Fault {
  const fault = Fault.from(error, 'a job of the group');
  return Fault.fromReport({ ...fault.report(), message: `job ${line} of the group: ${fault.message}` });
}
