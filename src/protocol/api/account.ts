/** Signing in, and what anybody may ask. */
import { z } from 'zod';
import { type ApiOperation, nothing } from './operation.ts';

export const LoginSchema = z.object({ user: z.string(), password: z.string() });
export const LoginAnswerSchema = z.object({ token: z.string(), user: z.string(), expires: z.string() });
export const MeSchema = z.object({ user: z.string(), version: z.string() });

export const accountOperations = {
  login: {
    method: 'POST',
    path: '/login',
    summary: 'Sign in',
    body: LoginSchema,
    answer: LoginAnswerSchema,
    open: true,
  },
  logout: { method: 'POST', path: '/logout', summary: 'Sign out', answer: nothing },
  me: { method: 'GET', path: '/me', summary: 'Who am I', answer: MeSchema },
  health: {
    method: 'GET',
    path: '/health',
    summary: 'Whether the server is ready',
    answer: z.object({ ready: z.boolean() }),
    open: true,
  },
} as const satisfies Record<string, ApiOperation>;
