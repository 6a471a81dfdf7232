/** Who did what. There is no operation that changes it. */
import { z } from 'zod';
import type { ApiOperation } from './operation.ts';

export const AuditEntrySchema = z.object({
  number: z.number(),
  at: z.string(),
  /** Name of the account, `node <name>`, or `(unknown)` for a sign-in with a name that nobody has. */
  account: z.string(),
  address: z.string().optional(),
  /** `session` or `token <name>`. */
  via: z.string().optional(),
  /** Name of the operation of the API. */
  operation: z.string(),
  object: z.string(),
  /** `done`, the code of the fault, or `unknown` for what was cut off in the middle. */
  outcome: z.string(),
});

export const AuditQuerySchema = z.object({
  /** ISO 8601. */
  since: z.iso.datetime({ offset: true }).optional(),
  until: z.iso.datetime({ offset: true }).optional(),
  account: z.string().optional(),
  operation: z.string().optional(),
  outcome: z.string().optional(),
  /** Only what comes after this number: the last one of the page before. */
  after: z.coerce.number().int().min(0).max(Number.MAX_SAFE_INTEGER).default(0),
  limit: z.coerce.number().int().min(1).max(1000).default(500),
});

export const auditOperations = {
  listAudit: {
    method: 'GET',
    path: '/audit',
    summary: 'The audit log, oldest first',
    query: AuditQuerySchema,
    answer: z.object({ entries: z.array(AuditEntrySchema) }),
    needs: 'tenant',
  },
} as const satisfies Record<string, ApiOperation>;
