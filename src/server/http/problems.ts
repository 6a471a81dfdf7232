import type { FastifyInstance } from 'fastify';
import { hasZodFastifySchemaValidationErrors } from 'fastify-type-provider-zod';
import type { Log } from '../../base/log.ts';
import { Fault } from '../../model/fault.ts';
import { faultKinds } from '../../model/fault-kinds.ts';

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
  // PostgreSQL stores every character but NUL, and says so by these.
  if (['22P05', '22021'].includes(String((error as { code?: unknown } | null)?.code))) {
    return new Fault('input.invalid', `${where}: a text holds a NUL character`, { cause: error });
  }
  return Fault.from(error, where);
}
