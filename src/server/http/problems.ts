import type { FastifyInstance } from 'fastify';
import { hasZodFastifySchemaValidationErrors } from 'fastify-type-provider-zod';
import type { Log } from '../../base/log.ts';
import { Fault } from '../../model/fault.ts';
import { faultKinds } from '../../model/fault-kinds.ts';
import { API_PREFIX } from '../../protocol/api.ts';
import { isDatabaseAway } from '../store/away.ts';

/** Every error leaves as problem+json (RFC 9457) that is at the same time a `FaultReport`. */
export function answerProblems(app: FastifyInstance, log: Log): void {
  app.setErrorHandler((error, request, reply) => {
    const where = `${request.method} ${request.url.split('?')[0]}`;
    const fault = faultOf(error, where);
    if (fault.code === 'internal') log.error({ err: error, where }, 'a request failed');
    if (fault.retryAfterSeconds !== undefined) void reply.header('retry-after', Math.ceil(fault.retryAfterSeconds));
    return reply
      .code(fault.status)
      .type('application/problem+json')
      .send(JSON.stringify(problemOf(fault)));
  });
}

const AGAIN_SECONDS = 5;

/** A database that is silent would let every request wait for it: they are answered at once instead. */
export function refuseWhileAway(app: FastifyInstance, fleet: { readonly away: boolean }): void {
  app.addHook('onRequest', async (request) => {
    if (fleet.away && request.url.startsWith(`${API_PREFIX}/`)) throw databaseAway(undefined);
  });
}

function databaseAway(cause: unknown): Fault {
  return new Fault('server.unavailable', 'the database does not answer; what runs on the nodes goes on meanwhile', {
    cause,
    remedy: 'Try again in a moment. If it lasts, look at the database and its disk.',
    retryAfterSeconds: AGAIN_SECONDS,
  });
}

export function problemOf(fault: Fault) {
  return {
    type: `urn:cloudspan:fault:${fault.code}`,
    title: faultKinds[fault.code].meaning,
    status: fault.status,
    ...fault.report(),
  };
}

function faultOf(error: unknown, where: string): Fault {
  if (hasZodFastifySchemaValidationErrors(error)) {
    const [first] = error.validation;
    const field = first?.instancePath.replace(/^\//, '').replaceAll('/', '.') || error.validationContext || 'request';
    return new Fault('input.invalid', `${where}: ${field}: ${first?.message}`, { details: { field } });
  }
  const status = (error as { statusCode?: unknown } | null)?.statusCode;
  if (!(error instanceof Fault) && typeof status === 'number' && status >= 400 && status < 500) {
    return new Fault('input.invalid', `${where}: ${(error as Error).message}`, { cause: error });
  }
  if (isDatabaseAway(error)) return databaseAway(error);
  // PostgreSQL stores every character but NUL, and says so by these.
  if (['22P05', '22021'].includes(String((error as { code?: unknown } | null)?.code))) {
    return new Fault('input.invalid', `${where}: a text holds a NUL character`, { cause: error });
  }
  return Fault.from(error, where);
}
