import { createHash } from 'node:crypto';
import fastifyRateLimit from '@fastify/rate-limit';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { Fault } from '../../model/fault.ts';
import { API_PREFIX, SESSION_COOKIE } from '../../protocol/api.ts';

/** Far more than pages and commands ask for, far less than keeps a server busy. */
export const API_RATE = 12_000;
/** Each costs a password hash. Wrong ones are slowed down much earlier, see `people/lockout.ts`. */
const SIGN_INS = 120;
const MINUTE_MILLISECONDS = 60_000;
const MOST_CLIENTS = 20_000;

/**
 * Bounds the requests of one client in a minute: of a session or token, of an address where there is none, and the
 * sign-ins of an address. Fault `server.busy` with Retry-After. Counted per server.
 */
export async function limitRates(app: FastifyInstance, perMinute = API_RATE): Promise<void> {
  const signsIn = (request: FastifyRequest) => request.method === 'POST' && request.url === `${API_PREFIX}/login`;
  await app.register(fastifyRateLimit, {
    timeWindow: MINUTE_MILLISECONDS,
    cache: MOST_CLIENTS,
    max: (request) => (signsIn(request) ? SIGN_INS : perMinute),
    keyGenerator: (request) => (signsIn(request) ? `sign-in ${request.ip}` : keyOf(request)),
    addHeadersOnExceeding: { 'x-ratelimit-limit': false, 'x-ratelimit-remaining': false, 'x-ratelimit-reset': false },
    addHeaders: { 'x-ratelimit-limit': false, 'x-ratelimit-remaining': false, 'x-ratelimit-reset': false },
    errorResponseBuilder: (request, { ttl, max }) =>
      new Fault('server.busy', `${request.ip} asked more than ${max} times in a minute`, {
        retryAfterSeconds: Math.max(1, Math.ceil(ttl / 1000)),
      }),
  });
}

/** Tokens are kept hashed here too. */
function keyOf(request: FastifyRequest): string {
  const given = request.headers.authorization ?? request.cookies[SESSION_COOKIE];
  return given === undefined ? `from ${request.ip}` : createHash('sha256').update(given).digest('base64url');
}
