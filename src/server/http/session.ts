import type { FastifyReply, FastifyRequest } from 'fastify';
import { Fault } from '../../model/fault.ts';
import { CSRF_HEADER, SESSION_COOKIE } from '../../protocol/api.ts';

/** The session token of a request. Faults: `auth.required`, `auth.forbidden` (a write by cookie without the header). */
export function tokenOf(request: FastifyRequest): string {
  const bearer = /^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1];
  if (bearer !== undefined) return bearer;
  const cookie = request.cookies[SESSION_COOKIE];
  if (cookie === undefined) throw new Fault('auth.required', `${request.url.split('?')[0]} needs a session`);
  if (request.method !== 'GET' && request.headers[CSRF_HEADER] === undefined) {
    throw new Fault('auth.forbidden', `a write by cookie needs the header ${CSRF_HEADER}`, {
      remedy: `Send ${CSRF_HEADER}: 1 with it.`,
    });
  }
  return cookie;
}

/** Null ends the session in the browser. */
export function setSessionCookie(reply: FastifyReply, session: { token: string; expires: string } | null): void {
  const options = { path: '/', httpOnly: true, secure: true, sameSite: 'strict' as const };
  if (session === null) void reply.clearCookie(SESSION_COOKIE, options);
  else void reply.setCookie(SESSION_COOKIE, session.token, { ...options, expires: new Date(session.expires) });
}
