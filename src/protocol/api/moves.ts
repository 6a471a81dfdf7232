/** What becomes of the source of a move. */
import { z } from 'zod';

export const MovedSourceSchema = z.object({
  /** `aside`: off, renamed, disconnected. `back`: as it was before, by an undo. `deleted`: by somebody, or when its days were over. */
  state: z.enum(['aside', 'back', 'deleted']),
  /** When it is deleted, if everything that this demands holds then. */
  deleteAt: z.string().optional(),
  deletedAt: z.string().optional(),
  /** Why it was not deleted when it was due; it is tried again. */
  refusal: z.string().optional(),
});
export type MovedSource = z.infer<typeof MovedSourceSchema>;
