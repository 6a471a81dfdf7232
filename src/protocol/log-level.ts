/** The level of a log as it travels: over the public API and over the link. */
import { z } from 'zod';
import { LOG_LEVELS } from '../model/log-level.ts';

const LevelSchema = z.enum(LOG_LEVELS);

export const LogLevelSchema = z.object({
  level: LevelSchema,
  /** To which it goes back. */
  usual: LevelSchema,
  /** When it goes back; absent: not by itself. */
  until: z.string().optional(),
});

export const SetLogLevelSchema = z.object({
  /** Null: what it was when the process started. */
  level: LevelSchema.nullable(),
  /** Afterwards it is again what it was before. Absent: until the process ends. */
  seconds: z
    .number()
    .min(1)
    .max(7 * 24 * 3600)
    .optional(),
});
