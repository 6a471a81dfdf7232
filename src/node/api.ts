import { type Http2Server, performServerHandshake, type ServerHttp2Session } from 'node:http2';
import type { Duplex } from 'node:stream';
import { type FastifyInstance, type FastifyRequest, fastify } from 'fastify';
import type { z } from 'zod';
import { inJob, type Log } from '../base/log.ts';
import { Fault } from '../model/fault.ts';
import { JOB_HEADER, type LinkOperationName, type LinkOperations, linkOperations } from '../protocol/link.ts';

type Body<Name extends LinkOperationName> = LinkOperations[Name] extends { body: infer Schema extends z.ZodType }
  ? z.output<Schema>
  : undefined;

/** One question of a server. */
export interface Call<Name extends LinkOperationName = LinkOperationName> {
  /** Id of the joined server that asks. */
  server: string;
  parameters: Record<string, string>;
  query: Record<string, string>;
  body: Body<Name>;
  /** Aborted when the server goes away or loses interest. */
  signal: AbortSignal;
}

type Handler<Name extends LinkOperationName> = (call: Call<Name>) => Promise<z.input<LinkOperations[Name]['answer']>>;
export type Handlers = { [Name in LinkOperationName]: Handler<Name> };

/** An answer that streams: the first chunk is awaited, so that a fault before it has its own status. */
export type StreamHandler = (call: Call) => Promise<NodeJS.ReadableStream>;

export interface NodeApi {
  /** Answers a server's questions on this socket by HTTP/2, whoever dialled it. */
  accept(socket: Duplex, server: string): ServerHttp2Session;
  close(): Promise<void>;
}

const BODY_BYTES = 16 * 1024 * 1024;

/** The node's API as the table of `protocol/link.ts` says. It listens on no port: sockets are handed to it. */
export async function openApi(handlers: Handlers, streams: Record<string, StreamHandler>, log: Log): Promise<NodeApi> {
  const askers = new WeakMap<object, string>();
  const sessions = new Set<ServerHttp2Session>();
  const app = fastify({ http2: true, bodyLimit: BODY_BYTES, routerOptions: { maxParamLength: 4096 } });
  answerFaults(app as unknown as FastifyInstance, log);

  const callOf = (request: FastifyRequest, gone: AbortSignal, body: unknown): Call => {
    const stream = (request.raw as unknown as { stream: { session?: object } }).stream;
    const server = stream.session === undefined ? undefined : askers.get(stream.session);
    if (server === undefined) throw new Fault('auth.required', 'the link is not one of a joined server');
    return {
      server,
      parameters: request.params as Record<string, string>,
      query: request.query as Record<string, string>,
      body: body as Call['body'],
      signal: gone,
    };
  };

  for (const [name, operation] of Object.entries(linkOperations)) {
    const handler = handlers[name as LinkOperationName] as (call: Call) => Promise<unknown>;
    const schema = 'body' in operation ? (operation.body as z.ZodType) : undefined;
    app.route({
      method: operation.method,
      url: operation.path,
      handler: async (request, reply) => {
        const body = schema === undefined ? undefined : parse(schema, request.body, name);
        const gone = goneSignal(reply.raw as unknown as NodeJS.EventEmitter);
        const call = callOf(request as unknown as FastifyRequest, gone, body);
        const job = request.headers[JOB_HEADER];
        const answerIt = async () => {
          log.debug({ question: name, parameters: call.parameters }, 'asked by a server');
          return handler(call);
        };
        const answer = await (isJob(job) ? inJob(job, answerIt) : answerIt());
        return reply.type('application/json').send(JSON.stringify(answer));
      },
    });
  }
  for (const [path, handler] of Object.entries(streams)) {
    app.get(path, async (request, reply) => {
      const gone = goneSignal(reply.raw as unknown as NodeJS.EventEmitter);
      const stream = await handler(callOf(request as unknown as FastifyRequest, gone, undefined));
      return reply.type('application/x-ndjson').send(stream);
    });
  }
  await app.ready();
  const server = app.server as unknown as Http2Server;
  return {
    accept(socket, asker) {
      const session = performServerHandshake(socket);
      askers.set(session, asker);
      sessions.add(session);
      session.once('close', () => sessions.delete(session));
      socket.once('close', () => sessions.delete(session));
      session.on('error', () => {});
      session.on('stream', (...stream: unknown[]) => server.emit('stream', ...stream));
      return session;
    },
    async close() {
      for (const session of sessions) session.destroy();
      await app.close();
    },
  };
}

function isJob(value: string | string[] | undefined): value is string {
  return typeof value === 'string' && /^[\w-]{1,64}$/.test(value);
}

/** Aborted when the answer's stream is closed before it was sent whole. */
function goneSignal(answer: NodeJS.EventEmitter): AbortSignal {
  const control = new AbortController();
  answer.once('close', () => control.abort(new Fault('server.unavailable', 'the server closed the question')));
  return control.signal;
}

function parse(schema: z.ZodType, body: unknown, name: string): unknown {
  const parsed = schema.safeParse(body);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw new Fault(
    'input.invalid',
    `${name}: ${issue?.path.join('.') || 'body'}: ${issue?.message ?? 'has another form'}`,
  );
}

function answerFaults(app: FastifyInstance, log: Log): void {
  app.setNotFoundHandler((request, reply) => {
    const fault = new Fault('object.missing', `the node has no ${request.method} ${request.url.split('?')[0]}`);
    return reply.code(fault.status).send(fault.report());
  });
  app.setErrorHandler((error, request, reply) => {
    const fault = faultOf(error, request.url);
    if (fault.code === 'internal') log.error({ err: error, url: request.url.split('?')[0] }, 'a question failed');
    return reply.code(fault.status).send(fault.report());
  });
}

function faultOf(error: unknown, url: string): Fault {
  if (error instanceof Fault) return error;
  const status = (error as { statusCode?: number }).statusCode ?? 500;
  const path = url.split('?')[0];
  if (status >= 400 && status < 500) {
    return new Fault('input.invalid', `${path}: ${(error as Error).message}`, { cause: error });
  }
  return new Fault('internal', `${path}: ${(error as Error).message}`, { cause: error });
}
