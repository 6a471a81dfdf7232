/** What is not well, and what jobs left behind. */
import { z } from 'zod';
import { MarkedObjectSchema } from '../removal.ts';
import { type ApiOperation, nothing } from './operation.ts';

const FindingSchema = z.object({
  /** `fail` needs somebody; `warn` mends itself, or is about to need somebody. */
  severity: z.enum(['warn', 'fail']),
  about: z.enum(['node', 'cloud', 'storage', 'job']),
  /** Name of the node or cloud, number of the job. */
  subject: z.string(),
  text: z.string(),
  remedy: z.string(),
});
export type Finding = z.infer<typeof FindingSchema>;

const OrphanSchema = MarkedObjectSchema.extend({
  /** Name of the cloud. */
  cloud: z.string(),
  path: z.string(),
  /** The job that made it, where the ledger still knows it. */
  job: z.number().optional(),
  why: z.string(),
});
export type Orphan = z.infer<typeof OrphanSchema>;

const DoctorSchema = z.object({
  /** There are neither findings nor orphans. */
  well: z.boolean(),
  findings: z.array(FindingSchema),
  /** Objects with a marker of this installation that belong to no live job and are no result that a job kept. */
  orphans: z.array(OrphanSchema),
});
export type DoctorView = z.infer<typeof DoctorSchema>;

export const doctorOperations = {
  doctor: {
    method: 'GET',
    path: '/doctor',
    summary: 'What is not well, and orphans in the clouds; every connected cloud is asked',
    answer: DoctorSchema,
    needs: 'administrator',
  },
  removeOrphan: {
    method: 'DELETE',
    path: '/clouds/:cloud/orphans/:object',
    summary: 'Remove one orphan with its disks; refused for everything that is none',
    answer: nothing,
    needs: 'administrator',
  },
} as const satisfies Record<string, ApiOperation>;
