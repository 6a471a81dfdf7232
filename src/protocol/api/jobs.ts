/** Jobs: what is asked for, and what became of it. */
import { z } from 'zod';
import {
  CheckSchema,
  DifferenceSchema,
  FaultReportSchema,
  LedgerEntrySchema,
  OptionValuesSchema,
  PrioritySchema,
  ReceiptSchema,
  TransferProgressSchema,
} from '../nouns.ts';
import { MovedSourceSchema } from './moves.ts';
import type { ApiOperation } from './operation.ts';
import { ScheduleSchema } from './schedule.ts';
import { UndoPreviewSchema, UndoSchema } from './undo.ts';

export const CopyRequestSchema = z.object({
  /** A move is a copy whose source is set aside once the copy is proven: off, renamed, disconnected, not started. */
  kind: z.enum(['copy', 'move']),
  /** `<cloud>/<path>` or `<cloud>/id:<object>`. */
  source: z.string(),
  /** A container (`<cloud>/<path>` of a folder, pool, VDC, catalog), or a container plus a last segment that is the new name. */
  destination: z.string(),
  /** Instead of the source's name. */
  name: z.string().optional(),
  /** By name of the source's network: name, path or id of a network at the destination, or null. */
  networks: z.record(z.string(), z.string().nullable()).default({}),
  placement: OptionValuesSchema.default({}),
  keepMac: z.boolean().default(false),
  keepUuid: z.boolean().default(false),
  onNameClash: z.enum(['fail', 'rename']).default('fail'),
  properties: z.record(z.string(), z.string()).default({}),
  acceptEulas: z.boolean().default(false),
  powerOn: z.boolean().default(false),
  /** Ask the source for a shutdown first; without it a running source is refused. */
  powerOffSource: z.boolean().default(false),
  /**
   * `<cloud>/<path>` of an earlier copy in the cloud of the destination. Where the node there does not hold it any more, it
   * is read first, so that only what differs from it travels.
   */
  seed: z.string().optional(),
  /** The higher, the larger its part where transfers share a limit or the way between two nodes. */
  priority: PrioritySchema.default(1),
  /** Of a move: days after its end when the source is deleted, if all that `deleteSource` demands holds then. */
  deleteSourceAfterDays: z.number().int().min(1).max(3650).optional(),
  /** When it may start; at once without it. */
  schedule: ScheduleSchema.optional(),
});
export type CopyRequest = z.input<typeof CopyRequestSchema>;
export const PreflightSchema = z.object({ checks: z.array(CheckSchema), totalBytes: z.number() });

export const JobSchema = z.object({
  id: z.string(),
  /** Running number, for people. */
  number: z.number(),
  kind: z.enum(['copy', 'move']),
  title: z.string(),
  source: z.string(),
  destination: z.string(),
  state: z.enum([
    'queued',
    'running',
    'waiting',
    'pausing',
    'paused',
    'cancelling',
    'succeeded',
    'failed',
    'cancelled',
  ]),
  priority: PrioritySchema.optional(),
  createdAt: z.string(),
  startedAt: z.string().optional(),
  endedAt: z.string().optional(),
  user: z.string(),
  /** Ends whose names whoever asks may not see: they are left out everywhere, and so are the sentences that may hold them. */
  hidden: z.array(z.enum(['source', 'destination'])).optional(),
  steps: z.array(
    z.object({
      name: z.string(),
      state: z.enum(['pending', 'running', 'done', 'failed', 'skipped']),
      startedAt: z.string().optional(),
      endedAt: z.string().optional(),
      text: z.string().optional(),
    }),
  ),
  progress: TransferProgressSchema.optional(),
  /** Logical bytes per second over the last seconds. */
  bytesPerSecond: z.number().optional(),
  etaSeconds: z.number().optional(),
  checks: z.array(CheckSchema),
  result: z
    .object({
      object: z.object({ cloud: z.string(), id: z.string(), kind: z.string(), name: z.string(), path: z.string() }),
      differences: z.array(DifferenceSchema),
      poweredOn: z.boolean(),
    })
    .optional(),
  failure: FaultReportSchema.extend({ leftovers: z.array(z.string()) }).optional(),
  receipt: ReceiptSchema.optional(),
  /** Of an ended job that somebody undid later. */
  undo: UndoSchema.optional(),
  /** Of a move: what became of its source. */
  movedSource: MovedSourceSchema.optional(),
  /** Of a queued job: what it waits for. */
  waitsFor: z.string().optional(),
  /** Number and wave of the group that it is part of. */
  group: z.object({ number: z.number(), wave: z.number() }).optional(),
});
export type JobView = z.infer<typeof JobSchema>;
/** `next`: cursor of what follows; absent at the end. */
export const JobListSchema = z.object({ jobs: z.array(JobSchema), next: z.string().optional() });
export const LedgerSchema = z.object({ entries: z.array(LedgerEntrySchema) });
export const LogLineSchema = z.object({
  number: z.number(),
  at: z.string(),
  level: z.enum(['info', 'warn', 'error']),
  from: z.string(),
  text: z.string(),
});
/** `next`: the value of `after` for what follows; absent at the end. */
export const JobLogSchema = z.object({ lines: z.array(LogLineSchema), next: z.number().optional() });

export const jobsOperations = {
  preflight: {
    method: 'POST',
    path: '/preflight',
    summary: 'Check a copy without touching anything',
    body: CopyRequestSchema,
    answer: PreflightSchema,
    needs: { copy: 'body' },
    audit: false,
  },
  startJob: {
    method: 'POST',
    path: '/jobs',
    summary: 'Start a job',
    body: CopyRequestSchema,
    answer: JobSchema,
    needs: { copy: 'body' },
    audit: ['source', 'destination', 'name'],
    repeatable: true,
  },
  listJobs: {
    method: 'GET',
    path: '/jobs',
    summary: 'Jobs, newest first',
    query: z.object({
      /** Comma separated. */
      state: z.string().optional(),
      /** Of whom. */
      user: z.string().optional(),
      /** Part of the title; finds no job of which an end is hidden. */
      text: z.string().optional(),
      limit: z.coerce.number<number>().int().min(1).max(500).default(100),
      /** `next` of the answer before. */
      cursor: z.string().optional(),
    }),
    answer: JobListSchema,
    needs: 'session',
  },
  getJob: {
    method: 'GET',
    path: '/jobs/:job',
    summary: 'One job, by id or number',
    answer: JobSchema,
    needs: { job: 'see' },
  },
  jobLog: {
    method: 'GET',
    path: '/jobs/:job/log',
    summary: 'The log of a job; for those who see both of its ends',
    query: z.object({
      after: z.coerce
        .number<number>()
        .int()
        .min(0)
        .max(2 ** 31 - 1)
        .default(0),
      limit: z.coerce.number<number>().int().min(1).max(2000).default(2000),
    }),
    answer: JobLogSchema,
    needs: { job: 'see' },
  },
  jobLedger: {
    method: 'GET',
    path: '/jobs/:job/ledger',
    summary: 'Everything that the job made or changed in any cloud that is seen',
    answer: LedgerSchema,
    needs: { job: 'see' },
  },
  cancelJob: {
    method: 'POST',
    path: '/jobs/:job/cancel',
    summary: 'Cancel a job and undo what it made',
    answer: JobSchema,
    needs: { job: 'stop' },
  },
  previewUndo: {
    method: 'GET',
    path: '/jobs/:job/undo',
    summary: 'What an undo of an ended job would remove or leave alone, and why; touches nothing',
    answer: UndoPreviewSchema,
    needs: { job: 'see' },
  },
  deleteSource: {
    method: 'POST',
    path: '/jobs/:job/delete-source',
    summary: 'Delete the source that a move set aside, for good',
    answer: JobSchema,
    needs: { job: 'delete-source' },
  },
  undoJob: {
    method: 'POST',
    path: '/jobs/:job/undo',
    summary: 'Undo an ended job: remove what it made, its result too, unless something speaks against it',
    answer: JobSchema,
    needs: { job: 'undo' },
  },
  pauseJob: {
    method: 'POST',
    path: '/jobs/:job/pause',
    summary: 'Pause a job: what is held in the clouds is given back, what arrived is kept',
    answer: JobSchema,
    needs: { job: 'stop' },
  },
  resumeJob: {
    method: 'POST',
    path: '/jobs/:job/resume',
    summary: 'Go on with a paused job',
    answer: JobSchema,
    needs: { job: 'run' },
  },
  setPriority: {
    method: 'PUT',
    path: '/jobs/:job/priority',
    summary: 'Change the priority of a job, also while it runs',
    body: z.object({ priority: PrioritySchema }),
    answer: JobSchema,
    needs: { job: 'stop' },
    audit: ['priority'],
  },
  retryJob: {
    method: 'POST',
    path: '/jobs/:job/retry',
    summary: 'Run a failed or cancelled job again; what arrived is kept',
    answer: JobSchema,
    needs: { job: 'run' },
  },
} as const satisfies Record<string, ApiOperation>;
