/** The people who may sign in. */
import { z } from 'zod';
import { ROLES } from '../../model/rights.ts';
import { PasswordSchema } from './account.ts';
import { type ApiOperation, nothing } from './operation.ts';

export const AccountSchema = z.object({
  id: z.string(),
  name: z.string(),
  role: z.enum(ROLES),
  disabled: z.boolean(),
  /** Whether it signs in with a password here, or at the OpenID provider. */
  signIn: z.enum(['password', 'provider']),
  /** Name of its tenant; absent for accounts of the installation itself. */
  tenant: z.string().optional(),
  createdAt: z.string(),
  lastSignIn: z.string().optional(),
});
export type AccountView = z.infer<typeof AccountSchema>;

export const AccountNameSchema = z
  .string()
  .min(1)
  .max(64)
  .regex(/^[\p{L}\p{N}][\p{L}\p{N}._@+-]*$/u, 'letters, digits and . _ @ + - only');

export const accountsOperations = {
  listAccounts: {
    method: 'GET',
    path: '/accounts',
    summary: 'All accounts',
    answer: z.object({ accounts: z.array(AccountSchema) }),
    needs: 'tenant',
  },
  createAccount: {
    method: 'POST',
    path: '/accounts',
    summary: 'Make an account; it sees nothing until something is granted to it',
    body: z.object({
      /** In a tenant `@` and its name are put behind it, where they are not there. */
      name: AccountNameSchema,
      role: z.enum(ROLES),
      password: PasswordSchema,
      /** Id or name; by an administrator of the installation only. */
      tenant: z.string().optional(),
    }),
    answer: AccountSchema,
    needs: 'tenant',
    audit: ['name', 'role', 'tenant'],
  },
  changeAccount: {
    method: 'PUT',
    path: '/accounts/:account',
    summary: 'Change the role of an account, disable or enable it; its sessions end',
    body: z.object({ role: z.enum(ROLES).optional(), disabled: z.boolean().optional() }),
    answer: AccountSchema,
    needs: 'tenant',
    audit: ['role', 'disabled'],
  },
  resetPassword: {
    method: 'PUT',
    path: '/accounts/:account/password',
    summary: 'Set the password of an account; its sessions end, and it is no longer locked',
    body: z.object({ password: PasswordSchema }),
    answer: nothing,
    needs: 'tenant',
  },
  deleteAccount: {
    method: 'DELETE',
    path: '/accounts/:account',
    summary: 'Delete an account with its sessions, grants and tokens',
    answer: nothing,
    needs: 'tenant',
  },
} as const satisfies Record<string, ApiOperation>;
