/** Many copies and moves together: in waves, with a bound of their own. */
import { z } from 'zod';
import { CopyRequestSchema, JobSchema } from './jobs.ts';
import type { ApiOperation } from './operation.ts';

export const GroupSchema = z.object({
  id: z.string(),
  /** Running number, for people. */
  number: z.number(),
  name: z.string(),
  user: z.string(),
  createdAt: z.string(),
  /** How many of its jobs run at the same time at most; null: as many as all together may. */
  concurrency: z.number().nullable(),
  /** What a job that fails or is cancelled means for those that have not started: they go on, or wait for its retry. */
  onFailure: z.enum(['go-on', 'stop']),
  /** How many of its jobs are in each state. */
  states: z.record(z.string(), z.number()),
});
export type GroupView = z.infer<typeof GroupSchema>;

export const GroupRequestSchema = z.object({
  name: z.string().min(1).max(200),
  concurrency: z.number().int().min(1).max(10_000).nullable().default(null),
  onFailure: z.enum(['go-on', 'stop']).default('go-on'),
  /** In their order. A wave starts when every job of the waves below has ended. */
  jobs: z
    .array(z.object({ wave: z.number().int().min(1).max(10_000).default(1), request: CopyRequestSchema }))
    .min(1)
    .max(1000),
});
export type GroupRequest = z.input<typeof GroupRequestSchema>;
export type GroupOrder = z.output<typeof GroupRequestSchema>;

const WithJobsSchema = GroupSchema.extend({ jobs: z.array(JobSchema) });

export const groupsOperations = {
  startGroup: {
    method: 'POST',
    path: '/groups',
    summary: 'Start many copies and moves together; none is started where one of them names what is not there',
    body: GroupRequestSchema,
    answer: WithJobsSchema,
    needs: 'session',
    audit: ['name', 'concurrency', 'onFailure'],
    repeatable: true,
  },
  listGroups: {
    method: 'GET',
    path: '/groups',
    summary: 'Groups of which a job is seen, newest first',
    answer: z.object({ groups: z.array(GroupSchema) }),
    needs: 'session',
  },
  getGroup: {
    method: 'GET',
    path: '/groups/:group',
    summary: 'One group with the jobs that are seen, by id or number',
    answer: WithJobsSchema,
    needs: 'session',
  },
  actOnGroup: {
    method: 'POST',
    path: '/groups/:group/:action',
    summary:
      'Cancel, pause, resume or retry every job of a group whose state allows it, and that the account may change',
    answer: z.object({
      changed: z.array(z.number()),
      /** Jobs that stayed as they were, and why. */
      left: z.array(z.object({ job: z.number(), why: z.string() })),
    }),
    needs: 'session',
    audit: [],
  },
} as const satisfies Record<string, ApiOperation>;
