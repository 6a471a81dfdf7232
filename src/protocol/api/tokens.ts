/** API tokens: for programs that act as an account. */
import { z } from 'zod';
import { SCOPES } from '../../model/rights.ts';
import { type ApiOperation, nothing } from './operation.ts';

const LONGEST_DAYS = 366;

export const TokenSchema = z.object({
  id: z.string(),
  name: z.string(),
  account: z.string(),
  scope: z.enum(SCOPES),
  /** Names of the clouds that it is limited to. */
  clouds: z.array(z.string()).optional(),
  createdAt: z.string(),
  expires: z.string(),
  /** To the minute. */
  lastUsedAt: z.string().optional(),
  lastAddress: z.string().optional(),
});
export type TokenView = z.infer<typeof TokenSchema>;

export const tokensOperations = {
  createToken: {
    method: 'POST',
    path: '/tokens',
    summary: 'Make an API token for myself; it is shown only in this answer',
    body: z.object({
      name: z.string().min(1).max(64),
      scope: z.enum(SCOPES),
      /** Ids or names; everything else is then as if it did not exist. */
      clouds: z.array(z.string()).min(1).max(1000).optional(),
      expiresInDays: z.number().positive().max(LONGEST_DAYS),
    }),
    answer: TokenSchema.extend({ token: z.string() }),
    needs: 'person',
    audit: ['name', 'scope', 'clouds', 'expiresInDays'],
  },
  listTokens: {
    method: 'GET',
    path: '/tokens',
    summary: 'My API tokens; those of everybody for an administrator',
    answer: z.object({ tokens: z.array(TokenSchema) }),
    needs: 'session',
  },
  revokeToken: {
    method: 'DELETE',
    path: '/tokens/:token',
    summary: 'Revoke an API token, by id: one of mine, or any as an administrator',
    answer: nothing,
    needs: 'person',
  },
} as const satisfies Record<string, ApiOperation>;
