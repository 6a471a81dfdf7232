import { createHash } from 'node:crypto';
import fastifyRateLimit from '@fastify/rate-limit';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { Fault } from '../../model/fault.ts';
import { API_PREFIX, SESSION_COOKIE } from '../../protocol/api.ts';

/** Far more than pages and commands ask for, far less than keeps a server busy. */
export const API_RATE = 12_000;
/** Each costs a password hash. Wrong ones are slowed down much earlier, see `people/lockout.ts`. */
const SIGN_INS = 120;
/** So many busy ones may share an address. */
const SESSIONS = 10;
const MINUTE_MILLISECONDS = 60_000;
const MOST_CLIENTS = 20_000;

/**
 * Bounds the requests of one client in a minute: of a session or token, of an address where there is none, of all that an
 * address sends (tokens can be invented), and its sign-ins. Fault `server.busy` with Retry-After. Counted per server.
 */
export async function limitRates(app: FastifyInstance, perMinute = API_RATE): Promise<void> {
  const signsIn = (request: FastifyRequest) => request.routeOptions.url === `${API_PREFIX}/login`;
  const busy = (request: FastifyRequest, milliseconds: number, max: number) =>
    new Fault('server.busy', `${request.ip} asked more than ${max} times in a minute`, {
      retryAfterSeconds: Math.max(1, Math.ceil(milliseconds / 1000)),
    });
  await app.register(fastifyRateLimit, {
    timeWindow: MINUTE_MILLISECONDS,
    cache: MOST_CLIENTS,
    max: (request) => (signsIn(request) ? SIGN_INS : perMinute),
    keyGenerator: (request) => (signsIn(request) ? `sign-in ${request.ip}` : keyOf(request)),
    addHeadersOnExceeding: { 'x-ratelimit-limit': false, 'x-ratelimit-remaining': false, 'x-ratelimit-reset': false },
    addHeaders: { 'x-ratelimit-limit': false, 'x-ratelimit-remaining': false, 'x-ratelimit-reset': false },
    errorResponseBuilder: (request, { ttl, max }) => busy(request, ttl, max),
  });
  const ofAddress = app.createRateLimit({ max: perMinute * SESSIONS, keyGenerator: ({ ip }) => `all of ${ip}` });
  app.addHook('onRequest', async (request) => {
    const found = await ofAddress(request);
    if (!found.isAllowed && found.isExceeded) throw busy(request, found.ttl, found.max);
  });
}

/** Tokens are kept hashed here too. */
function keyOf(request: FastifyRequest): string {
  const given = request.headers.authorization ?? request.cookies[SESSION_COOKIE];
  return given === undefined ? `from ${request.ip}` : createHash('sha256').update(given).digest('base64url');
}
