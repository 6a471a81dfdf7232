import { z } from 'zod';

export interface ApiOperation {
  method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  path: string;
  summary: string;
  body?: z.ZodType;
  query?: z.ZodType;
  answer: z.ZodType;
  /** Needs no session. */
  open?: boolean;
  /** Only administrators may. */
  administrator?: boolean;
}

export const nothing = z.object({});
