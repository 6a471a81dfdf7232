/** Signing in, and what anybody may ask. */
import { z } from 'zod';
import { ROLES, SCOPES } from '../../model/rights.ts';
import { type ApiOperation, nothing } from './operation.ts';

/** Longer ones are no passwords: they would only cost time to hash. */
export const PasswordSchema = z.string().max(1024);
export const LoginSchema = z.object({ user: z.string().max(256), password: PasswordSchema });
export const LoginAnswerSchema = z.object({ token: z.string(), user: z.string(), expires: z.string() });
export const MeSchema = z.object({
  user: z.string(),
  version: z.string(),
  role: z.enum(ROLES),
  /** Name of the tenant; absent for accounts of the installation itself. */
  tenant: z.string().optional(),
  /** Of the token with which this was asked; `own` for a session. */
  scope: z.enum(SCOPES),
});

export const accountOperations = {
  login: {
    method: 'POST',
    path: '/login',
    summary: 'Sign in',
    body: LoginSchema,
    answer: LoginAnswerSchema,
    needs: 'nothing',
  },
  logout: { method: 'POST', path: '/logout', summary: 'Sign out', answer: nothing, needs: 'session' },
  me: { method: 'GET', path: '/me', summary: 'Who am I', answer: MeSchema, needs: 'session' },
  changePassword: {
    method: 'PUT',
    path: '/me/password',
    summary: 'Change my password; every session of mine ends',
    body: z.object({ old: PasswordSchema, new: PasswordSchema }),
    answer: nothing,
    needs: 'person',
  },
  health: {
    method: 'GET',
    path: '/health',
    summary: 'Whether the server is ready',
    answer: z.object({ ready: z.boolean() }),
    needs: 'nothing',
  },
} as const satisfies Record<string, ApiOperation>;
