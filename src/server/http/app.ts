import type { Server } from 'node:https';
import type { TLSSocket } from 'node:tls';
import fastifyCookie from '@fastify/cookie';
import fastifySwagger from '@fastify/swagger';
import { type FastifyInstance, fastify } from 'fastify';
import { jsonSchemaTransform, serializerCompiler, validatorCompiler } from 'fastify-type-provider-zod';
import type { Log } from '../../base/log.ts';
import { pinOfPeer } from '../../base/tls.ts';
import { Fault } from '../../model/fault.ts';
import { API_PREFIX, SESSION_COOKIE } from '../../protocol/api.ts';
import { JOIN_PATH, JoinRequestSchema } from '../../protocol/join.ts';
import type { Idempotency } from '../idempotency.ts';
import type { Joining } from '../join.ts';
import { bindRoutes, type Door, decorateRequests, type Handlers } from '../routes/bind.ts';
import type { Search } from '../search/search.ts';
import { VERSION } from '../version.ts';
import { type StreamOptions, serveEvents } from './event-stream.ts';
import { serveLiveSearch } from './live-search.ts';
import { servePages } from './pages.ts';
import { answerProblems, refuseWhileAway } from './problems.ts';
import { type ProviderOptions, serveProvider } from './provider.ts';
import { limitRates } from './rate-limit.ts';
import { measureRequests, serveWatchers, type Watched } from './watch.ts';

const BODY_BYTES = 4 * 1024 * 1024;

export interface AppOptions {
  server: Server;
  /** Who may come in, and how it is written down. */
  door: Door;
  stream: StreamOptions & { search: Search };
  signIn: ProviderOptions;
  joining: Joining;
  handlers: Handlers;
  uiFolder: string | undefined;
  /** Requests of one client in a minute. */
  apiRate: number | undefined;
  watched: Watched;
  /** Whether the database answers. */
  fleet: { readonly away: boolean };
  idempotency: Idempotency;
  log: Log;
}

/** Everything that is asked by HTTP/1.1: the API, its OpenAPI document, events, the join of a node, the pages. */
export async function createApp(options: AppOptions): Promise<FastifyInstance> {
  const { server, log } = options;
  const app = fastify({
    serverFactory: (handler) => {
      server.on('request', handler);
      return server;
    },
    requestTimeout: 0,
    bodyLimit: BODY_BYTES,
    routerOptions: { maxParamLength: 4_096 },
    forceCloseConnections: true,
  }) as unknown as FastifyInstance;
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);
  allowEmptyJson(app);
  answerProblems(app, log);
  decorateRequests(app);
  measureRequests(app, options.watched.metrics, log);
  await app.register(fastifyCookie);
  await app.register(fastifySwagger, { openapi: document(), transform: jsonSchemaTransform });
  await servePages(app, options.uiFolder);
  await app.register(async (routes) => {
    await limitRates(routes, options.apiRate);
    refuseWhileAway(routes, options.fleet);
    bindRoutes(routes, options.handlers, options.door, options.idempotency);
    serveEvents(routes, options.stream);
    serveLiveSearch(routes, options.stream);
    serveProvider(routes, options.signIn);
    serveJoin(routes, options.joining);
    serveWatchers(routes, options.watched);
    routes.get(`${API_PREFIX}/openapi.json`, { schema: { hide: true } }, async () => app.swagger());
  });
  await app.ready();
  return app;
}

/** Some clients name JSON as the type of a body that they do not send. */
function allowEmptyJson(app: FastifyInstance): void {
  const parse = app.getDefaultJsonParser('error', 'error');
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (request, body, done) => {
    if (body.length === 0) done(null, undefined);
    else parse(request, body.toString(), done);
  });
}

function document() {
  return {
    openapi: '3.1.0',
    info: { title: 'Cloudspan', version: VERSION, description: 'Faults are problem+json; see docs/errors.md.' },
    components: {
      securitySchemes: {
        bearer: { type: 'http' as const, scheme: 'bearer' },
        cookie: { type: 'apiKey' as const, in: 'cookie' as const, name: SESSION_COOKIE },
      },
    },
    security: [{ bearer: [] } as Record<string, string[]>, { cookie: [] }],
  };
}

/** A node shows its certificate here for the first time; the token is what lets it in. */
function serveJoin(app: FastifyInstance, joining: Joining): void {
  app.post(JOIN_PATH, { schema: { hide: true } }, async (request) => {
    const parsed = JoinRequestSchema.safeParse(request.body);
    if (!parsed.success) throw new Fault('input.invalid', `the join request: ${parsed.error.issues[0]?.message}`);
    const socket = request.raw.socket as TLSSocket;
    const pin = pinOfPeer(socket);
    const certificate = socket.getPeerX509Certificate()?.toString();
    return joining.join(parsed.data, pin === null || certificate === undefined ? null : { pin, certificate });
  });
}
