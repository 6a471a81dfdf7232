import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { Fault } from '../../model/fault.ts';
import {
  API_PREFIX,
  type ApiOperationName,
  type ApiOperations,
  apiOperations,
  ProblemSchema,
} from '../../protocol/api.ts';
import type { Auth } from '../auth.ts';
import { answerUnchanged } from '../http/etag.ts';
import { setSessionCookie, tokenOf } from '../http/session.ts';
import type { Idempotency } from '../idempotency.ts';

type ParameterName<Path extends string> = Path extends `${string}:${infer Name}/${infer Rest}`
  ? Name | ParameterName<`/${Rest}`>
  : Path extends `${string}:${infer Name}`
    ? Name
    : never;

type Part<Name extends ApiOperationName, Key extends 'body' | 'query'> = ApiOperations[Name] extends {
  [K in Key]: infer Schema extends z.ZodType;
}
  ? z.output<Schema>
  : undefined;

/** One request as a handler sees it: parsed, signed in. */
export interface Call<Name extends ApiOperationName> {
  parameters: Record<ParameterName<ApiOperations[Name]['path']>, string>;
  body: Part<Name, 'body'>;
  query: Part<Name, 'query'>;
  /** Name of the account; empty where the operation is open. */
  user: string;
  /** The session's token; empty where the operation is open. */
  token: string;
  /** Address under which the client reached the server, `host:port`. */
  host: string;
  /** `Idempotency-Key`, of an operation that can be repeated. */
  key?: string;
  /** Aborted when the client goes away. */
  signal: AbortSignal;
  setSession(session: { token: string; expires: string } | null): void;
}

export type Handler<Name extends ApiOperationName> = (
  call: Call<Name>,
) => Promise<z.input<ApiOperations[Name]['answer']>>;
export type Handlers = { [Name in ApiOperationName]: Handler<Name> };

/** Makes a route of every row of `apiOperations`. */
export function bindRoutes(app: FastifyInstance, handlers: Handlers, auth: Auth, idempotency: Idempotency): void {
  for (const [name, operation] of Object.entries(apiOperations)) {
    const handler = handlers[name as ApiOperationName] as unknown as (call: unknown) => Promise<unknown>;
    const open = 'open' in operation;
    app.route({
      method: operation.method,
      url: `${API_PREFIX}${operation.path}`,
      schema: {
        operationId: name,
        summary: operation.summary,
        ...('body' in operation ? { body: operation.body } : {}),
        ...('repeatable' in operation ? { headers: KeySchema } : {}),
        ...('query' in operation ? { querystring: operation.query } : {}),
        ...(operation.path.includes(':') ? { params: parametersOf(operation.path) } : {}),
        ...(open ? { security: [] } : {}),
        response: {
          200: 'download' in operation ? fileOf(operation.download) : operation.answer,
          default: { description: 'A fault', content: { 'application/problem+json': { schema: ProblemSchema } } },
        },
      },
      onRequest: async (request) => {
        if (open) return;
        const token = tokenOf(request);
        const user = await auth.check(token);
        if ('administrator' in operation && !auth.administers(user)) throw forbidden(user, operation.summary);
        request.setDecorator<Signed>('signed', { token, user });
      },
      onSend: answerUnchanged,
      handler: async (request, reply) => {
        const call = callOf(request, reply);
        const key = 'repeatable' in operation ? keyOf(request) : undefined;
        const answer =
          key === undefined
            ? await handler(call)
            : await idempotency.once(call.user, key, [name, call.body], () => handler({ ...call, key }));
        return 'download' in operation ? reply.type(operation.download).send(answer) : answer;
      },
    });
  }
}

function forbidden(user: string, what: string): Fault {
  return new Fault('auth.forbidden', `${user} may not do this: ${what}`, { remedy: 'Ask an administrator.' });
}

const KeySchema = z.object({ 'idempotency-key': z.string().min(1).max(255).optional() });

function keyOf({ headers }: FastifyRequest): string | undefined {
  const key = headers['idempotency-key'];
  return Array.isArray(key) ? key[0] : key;
}

/** An answer that is no JSON, for the OpenAPI document. */
function fileOf(type: string) {
  return { description: 'The file', content: { [type]: { schema: z.string() } } };
}

interface Signed {
  token: string;
  user: string;
}

/** Declares what `bindRoutes` puts on a request; once per app. */
export function decorateRequests(app: FastifyInstance): void {
  app.decorateRequest('signed', null);
}

function callOf(request: FastifyRequest, reply: FastifyReply) {
  const gone = new AbortController();
  reply.raw.once('close', () => {
    if (!reply.raw.writableEnded) gone.abort(new Fault('server.unavailable', 'the client went away'));
  });
  const signed = request.getDecorator<Signed | null>('signed');
  return {
    parameters: request.params,
    body: request.body,
    query: request.query,
    user: signed?.user ?? '',
    token: signed?.token ?? '',
    host: request.host,
    signal: gone.signal,
    setSession: (session: { token: string; expires: string } | null) => setSessionCookie(reply, session),
  };
}

function parametersOf(path: string): z.ZodType {
  const names = [...path.matchAll(/:(\w+)/g)].map(([, name]) => name ?? '');
  return z.object(Object.fromEntries(names.map((name) => [name, z.string()])));
}
