/** Undoing an ended job by hand: what would happen to each row of its ledger, and what did. */
import { z } from 'zod';
import { FaultReportSchema } from '../nouns.ts';

const UndoRowSchema = z.object({
  /** Id of the ledger's row. */
  id: z.string(),
  cloud: z.string(),
  kind: z.string(),
  role: z.string(),
  name: z.string(),
  /** The object's id at the cloud, where there is one. */
  object: z.string().optional(),
  /**
   * `remove` and `restore` (a setting of a moved source) only in a preview, `removed` and `restored` only afterwards;
   * `unknown`: the cloud could not be asked.
   */
  outcome: z.enum(['remove', 'removed', 'restore', 'restored', 'left', 'gone', 'unknown']),
  reason: z.string(),
});
export type UndoRow = z.infer<typeof UndoRowSchema>;

export const UndoPreviewSchema = z.object({ job: z.number(), rows: z.array(UndoRowSchema) });

export const UndoSchema = z.object({
  /** How often this job was undone, this time included. */
  run: z.number(),
  state: z.enum(['running', 'done', 'failed']),
  user: z.string(),
  startedAt: z.string(),
  endedAt: z.string().optional(),
  rows: z.array(UndoRowSchema),
  fault: FaultReportSchema.optional(),
});
export type UndoView = z.infer<typeof UndoSchema>;
