import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { Fault } from '../../model/fault.ts';
import type { ApiOperation } from '../../protocol/api/operation.ts';
import {
  API_PREFIX,
  type ApiOperationName,
  type ApiOperations,
  apiOperations,
  ProblemSchema,
} from '../../protocol/api.ts';
import type { Auth, Signed } from '../auth.ts';
import { answerUnchanged } from '../http/etag.ts';
import { setSessionCookie, tokenOf } from '../http/session.ts';
import type { Idempotency } from '../idempotency.ts';
import type { Guard } from '../people/guard.ts';
import type { Sight } from '../people/sight.ts';
import type { Entry, Trail } from '../people/trail.ts';

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

/** Who asks and what they see; null where the operation needs nothing. */
type Who<Name extends ApiOperationName> = ApiOperations[Name]['needs'] extends 'nothing'
  ? { signed: null; sight: null }
  : { signed: Signed; sight: Sight };

/** One request as a handler sees it: parsed, signed in, allowed. */
export type Call<Name extends ApiOperationName> = Who<Name> & {
  parameters: Record<ParameterName<ApiOperations[Name]['path']>, string>;
  body: Part<Name, 'body'>;
  query: Part<Name, 'query'>;
  /** Name of the account; empty where the operation needs nothing. */
  user: string;
  /** The session's token; empty where the operation needs nothing. */
  token: string;
  /** Address under which the client reached the server, `host:port`. */
  host: string;
  /** IP address of the client. */
  address: string;
  /** `Idempotency-Key`, of an operation that can be repeated. */
  key?: string;
  /** Aborted when the client goes away. */
  signal: AbortSignal;
  /** Says in the audit log whose action this is, where nobody is signed in. */
  record(account: string): void;
  setSession(session: { token: string; expires: string } | null): void;
};

export type Handler<Name extends ApiOperationName> = (
  call: Call<Name>,
) => Promise<z.input<ApiOperations[Name]['answer']>>;
export type Handlers = { [Name in ApiOperationName]: Handler<Name> };

export interface Door {
  auth: Auth;
  guard: Guard;
  trail: Trail;
}

/** Makes a route of every row of `apiOperations`. Each is signed in, written down and allowed here, and nowhere else. */
export function bindRoutes(
  app: FastifyInstance,
  handlers: Handlers,
  { auth, guard, trail }: Door,
  idempotency: Idempotency,
): void {
  for (const [name, operation] of Object.entries<ApiOperation>(apiOperations)) {
    const handler = handlers[name as ApiOperationName] as unknown as (call: unknown) => Promise<unknown>;
    const { needs } = operation;
    const logged = operation.method !== 'GET' && operation.audit !== false;
    app.route({
      method: operation.method,
      url: `${API_PREFIX}${operation.path}`,
      schema: {
        operationId: name,
        summary: operation.summary,
        ...(operation.body === undefined ? {} : { body: operation.body }),
        ...(operation.repeatable === true ? { headers: KeySchema } : {}),
        ...(operation.query === undefined ? {} : { querystring: operation.query }),
        ...(operation.path.includes(':') ? { params: parametersOf(operation.path) } : {}),
        ...(needs === 'nothing' ? { security: [] } : {}),
        response: {
          200: operation.download === undefined ? operation.answer : fileOf(operation.download),
          default: { description: 'A fault', content: { 'application/problem+json': { schema: ProblemSchema } } },
        },
      },
      onRequest: async (request) => {
        if (needs === 'nothing') return;
        const token = tokenOf(request);
        request.setDecorator<Ticket>('ticket', { token, signed: await auth.check(token, request.ip) });
      },
      onSend: answerUnchanged,
      handler: async (request, reply) => {
        const ticket = request.getDecorator<Ticket | null>('ticket');
        const signed = ticket?.signed ?? null;
        const asked = { parameters: (request.params ?? {}) as Record<string, string>, body: request.body };
        const entry = logged ? await trail.begin(name, operation, asked, { signed, address: request.ip }) : null;
        try {
          const sight = signed === null ? null : await guard.check(needs, signed, asked);
          const user = signed?.user ?? '';
          const call = { ...callOf(request, reply, entry), ...ticket, signed, sight, user };
          const key = operation.repeatable === true ? keyOf(request) : undefined;
          const answer =
            key === undefined
              ? await handler(call)
              : await idempotency.once(signed?.account ?? '', key, [name, request.body], () =>
                  handler({ ...call, key }),
                );
          await entry?.end('done', operation.download === undefined ? answer : undefined);
          return operation.download === undefined ? answer : reply.type(operation.download).send(answer);
        } catch (error) {
          // Its beginning is written down in any case.
          await entry?.end(Fault.from(error, name).code).catch(() => {});
          throw error;
        }
      },
    });
  }
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

interface Ticket {
  token: string;
  signed: Signed;
}

/** Declares what `bindRoutes` puts on a request; once per app. */
export function decorateRequests(app: FastifyInstance): void {
  app.decorateRequest('ticket', null);
}

function callOf(request: FastifyRequest, reply: FastifyReply, entry: Entry | null) {
  const gone = new AbortController();
  reply.raw.once('close', () => {
    if (!reply.raw.writableEnded) gone.abort(new Fault('server.unavailable', 'the client went away'));
  });
  return {
    parameters: request.params,
    body: request.body,
    query: request.query,
    token: '',
    host: request.host,
    address: request.ip,
    signal: gone.signal,
    record: (account: string) => {
      if (entry !== null) entry.account = account;
    },
    setSession: (session: { token: string; expires: string } | null) => setSessionCookie(reply, session),
  };
}

function parametersOf(path: string): z.ZodType {
  const names = [...path.matchAll(/:(\w+)/g)].map(([, name]) => name ?? '');
  return z.object(Object.fromEntries(names.map((name) => [name, z.string()])));
}
