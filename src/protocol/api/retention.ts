/** How long ended jobs, their logs and their proofs are kept. */
import { z } from 'zod';
import type { ApiOperation } from './operation.ts';

const DaysSchema = z.number().int().min(1).max(36_500).nullable();

/** Days after the end of a job; null: for ever. */
export const RetentionSchema = z.object({
  /** Its log. */
  logDays: DaysSchema,
  /** The job with its checks and its ledger, unless it is proof of a copy. */
  jobDays: DaysSchema,
  /** A job that is proof of a copy: its receipt, and the ledger of what was kept. It goes with the job, never before. */
  receiptDays: DaysSchema,
});
export type RetentionView = z.infer<typeof RetentionSchema>;

export const SweepSchema = z.object({
  /** Numbers of the jobs whose log went. */
  logs: z.array(z.number()),
  /** Numbers of the jobs that went. */
  jobs: z.array(z.number()),
  /** Old enough, and kept all the same. */
  kept: z.array(z.object({ job: z.number(), why: z.string() })),
});
export type SweepView = z.infer<typeof SweepSchema>;

export const retentionOperations = {
  getRetention: {
    method: 'GET',
    path: '/retention',
    summary: 'How long ended jobs, their logs and receipts are kept',
    answer: RetentionSchema,
    needs: 'administrator',
  },
  setRetention: {
    method: 'PUT',
    path: '/retention',
    summary: 'Change how long ended jobs, their logs and receipts are kept',
    body: RetentionSchema.partial(),
    answer: RetentionSchema,
    needs: 'administrator',
    audit: ['logDays', 'jobDays', 'receiptDays'],
  },
  sweep: {
    method: 'POST',
    path: '/retention/sweep',
    summary: 'Remove now what is kept longer than it has to be, or only say what would go',
    body: z.object({ dryRun: z.boolean().default(false) }),
    answer: SweepSchema,
    needs: 'administrator',
    audit: ['dryRun'],
  },
} as const satisfies Record<string, ApiOperation>;
