/** Which account may do what, where. */
import { z } from 'zod';
import { EFFECTS, RIGHTS } from '../../model/rights.ts';
import { type ApiOperation, nothing } from './operation.ts';

export const GrantSchema = z.object({
  number: z.number(),
  /** Name of the account; null for everybody, administrators included where something is forbidden. */
  account: z.string().nullable(),
  /** Name of the cloud. */
  cloud: z.string(),
  /** Id of the object, for itself and everything in it; absent for the whole cloud. */
  object: z.string().optional(),
  /** Its path, while it is there. */
  path: z.string().optional(),
  effect: z.enum(EFFECTS),
  rights: z.array(z.enum(RIGHTS)),
  createdBy: z.string(),
  createdAt: z.string(),
});
export type GrantView = z.infer<typeof GrantSchema>;

export const grantsOperations = {
  listGrants: {
    method: 'GET',
    path: '/grants',
    summary: 'Grants: all for an administrator, else those that hold for oneself',
    query: z.object({ account: z.string().optional() }),
    answer: z.object({ grants: z.array(GrantSchema) }),
    needs: 'session',
  },
  addGrant: {
    method: 'POST',
    path: '/grants',
    summary: 'Allow or forbid something in a cloud, or in one of its folders',
    body: z.object({
      /** Id or name; null for everybody. */
      account: z.string().nullable(),
      /** `<cloud>`, `<cloud>/<path>` or `<cloud>/id:<object>`. */
      at: z.string(),
      effect: z.enum(EFFECTS),
      /** To allow anything allows to see it. */
      rights: z.array(z.enum(RIGHTS)).min(1).max(RIGHTS.length),
    }),
    answer: GrantSchema,
    needs: 'tenant',
    audit: ['account', 'at', 'effect', 'rights'],
  },
  removeGrant: {
    method: 'DELETE',
    path: '/grants/:grant',
    summary: 'Take a grant back, by its number',
    answer: nothing,
    needs: 'tenant',
  },
} as const satisfies Record<string, ApiOperation>;
