/** Reading what is in a cloud now, to compare it with a receipt. Part of the public API, see `api.ts`. */
import { z } from 'zod';
import { FaultReportSchema, TransferProgressSchema } from './nouns.ts';

const ReadingSchema = z.object({
  phase: z.enum(['running', 'waiting', 'done', 'failed', 'cancelled']),
  text: z.string(),
  progress: TransferProgressSchema.optional(),
  fault: FaultReportSchema.optional(),
  /** When it is done. `version` is the vendor's change identity of what was read. */
  version: z.string().optional(),
  disks: z
    .array(z.object({ disk: z.string(), label: z.string(), capacityBytes: z.number(), root: z.string() }))
    .optional(),
});
export type ReadingView = z.infer<typeof ReadingSchema>;

export const readingOperations = {
  startReading: {
    method: 'POST',
    path: '/clouds/:cloud/objects/:object/readings',
    summary: 'Read every disk of an object and tell its roots; changes nothing',
    answer: z.object({ reading: z.string() }),
    needs: { object: 'operate' },
  },
  getReading: {
    method: 'GET',
    path: '/clouds/:cloud/readings/:reading',
    summary: 'How far a reading is, and its roots at the end',
    answer: ReadingSchema,
    needs: { cloud: 'operate' },
  },
  endReading: {
    method: 'DELETE',
    path: '/clouds/:cloud/readings/:reading',
    summary: 'Stop a reading and forget it',
    answer: z.object({}),
    needs: { cloud: 'operate' },
  },
} as const;
