/** When a job may start. */
import { z } from 'zod';
import { WEEKDAYS } from '../../model/limit.ts';
import { isTimeZone } from '../nouns.ts';

const TimeSchema = z.string().regex(/^([01]\d|2[0-3]):[0-5]\d$/, 'must be HH:MM');

export const WindowSchema = z.object({
  days: z.array(z.enum(WEEKDAYS)).min(1),
  from: TimeSchema,
  /** A window whose end is not after its beginning ends on the next day. */
  to: z.string().regex(/^(([01]\d|2[0-3]):[0-5]\d|24:00)$/, 'must be HH:MM'),
});

export const ScheduleSchema = z.object({
  /** Not before this moment: ISO 8601 with its offset. */
  at: z.iso.datetime({ offset: true }).optional(),
  /** Only inside one of these. What runs when a window ends goes on, or is paused until the next, as `atEnd` says. */
  windows: z.array(WindowSchema).min(1).max(100).optional(),
  /** IANA name; the server's own where it is missing. */
  timeZone: z.string().refine(isTimeZone, 'is no known time zone').optional(),
  atEnd: z.enum(['go-on', 'pause']).default('go-on'),
});
export type Schedule = z.output<typeof ScheduleSchema>;
