import { z } from 'zod';

export interface ApiOperation {
  method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  path: string;
  summary: string;
  body?: z.ZodType;
  query?: z.ZodType;
  answer: z.ZodType;
  /** With the header `Idempotency-Key` it is done once, and a repetition gets the same answer. */
  repeatable?: boolean;
  /** Media type of an answer that is a file: it streams, and is no part of the typed client. */
  download?: string;
  /** Needs no session. */
  open?: boolean;
  /** Only administrators may. */
  administrator?: boolean;
}

export const nothing = z.object({});
