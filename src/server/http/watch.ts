import type { FastifyInstance } from 'fastify';
import type { Log } from '../../base/log.ts';
import { Fault } from '../../model/fault.ts';
import type { Metrics } from '../metrics/metrics.ts';
import type { MetricsToken } from '../metrics/token.ts';
import type { Readiness } from '../readiness.ts';

export interface Watched {
  metrics: Metrics;
  metricsToken: MetricsToken;
  readiness: Readiness;
}

/**
 * What those who watch over the server ask, outside of the API: `/health` (the process answers) and `/ready` (it can work)
 * are open and say nothing more; `/metrics` wants its own token.
 */
export function serveWatchers(app: FastifyInstance, { metrics, metricsToken, readiness }: Watched): void {
  app.get('/health', { schema: { hide: true } }, async (_request, reply) => {
    void reply.header('cache-control', 'no-store');
    return { live: true };
  });
  app.get('/ready', { schema: { hide: true } }, async (_request, reply) => {
    const ready = await readiness.look();
    void reply.header('cache-control', 'no-store').code(ready ? 200 : 503);
    return { ready };
  });
  app.get('/metrics', { schema: { hide: true } }, async (request, reply) => {
    if (!(await metricsToken.fits(request.headers.authorization))) {
      throw new Fault('auth.required', 'the metrics need a token of their own', {
        remedy: 'Send what the file metrics.token in the data folder of the server holds, as bearer token.',
      });
    }
    return reply
      .type(metrics.contentType)
      .header('cache-control', 'no-store')
      .send(await metrics.text());
  });
}

/** Counts and times every answer by the operation of the API; pages and other doors together are `other`. */
export function measureRequests(app: FastifyInstance, metrics: Metrics, log: Log): void {
  app.addHook('onResponse', async (request, reply) => {
    const { operationId = 'other' } = (request.routeOptions.schema ?? {}) as { operationId?: string };
    metrics.request(operationId, reply.statusCode, reply.elapsedTime / 1000);
    log.debug({ operation: operationId, status: reply.statusCode, milliseconds: reply.elapsedTime }, 'answered');
  });
}
