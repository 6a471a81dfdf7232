import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import { setTimeout as wait } from 'node:timers/promises';
import { Call, type Reply } from './call.ts';
import type { Certificate } from './certificate.ts';
import type { CallAction } from './faults.ts';
import { mediaTypes } from './media-types.ts';
import { Refusal, unauthorized } from './refusal.ts';
import { demandRight } from './rights.ts';
import { findRoute } from './routes.ts';
import { authenticate } from './sessions.ts';
import type { Simulator } from './simulator.ts';
import { versionOf, versionsDocument } from './versions.ts';
import { vcloudNamespace } from './xml/namespaces.ts';
import { el, xmlDocument } from './xml/writer.ts';

/** Headers that every answer carries. */
function commonHeaders(request: IncomingMessage): Record<string, string> {
  const asked = String(request.headers['x-vmware-vcloud-client-request-id'] ?? '')
    .replace(/[^\x21-\x7e]/g, '')
    .slice(0, 128);
  const id = randomUUID();
  return {
    'X-VMWARE-VCLOUD-REQUEST-ID': asked === '' ? id : `${asked}-${id}`,
    'Cache-Control': 'no-store, must-revalidate',
  };
}

/** Listens for HTTPS calls and answers each: fault rules first, then version, login, route. */
export function serve(sim: Simulator, certificate: Certificate, versions: readonly string[]): Server {
  const server = createServer(
    { key: certificate.key, cert: certificate.cert, minVersion: 'TLSv1.2' },
    (request, response) => {
      response.on('error', () => {});
      response.setHeader('Date', new Date(Date.now() + sim.clockOffsetSeconds * 1000).toUTCString());
      void answer(sim, versions, request, response).catch(() => request.socket.destroy());
    },
  );
  // Uploads of many hours are one request; idle sockets end by the transfer's own timeout.
  server.requestTimeout = 0;
  server.headersTimeout = 60_000;
  return server;
}

interface Due {
  bytesPerSecond: number;
  cutAfterBytes: number | undefined;
  dieAfter: boolean;
  delayAfterMilliseconds: number;
  lateMilliseconds: number;
}

/** Carries out what the fault rules want before the call; throws a `Refusal` when the call shall fail. */
async function beforeCall(sim: Simulator, actions: readonly CallAction[]): Promise<Due> {
  const due: Due = {
    bytesPerSecond: 0,
    cutAfterBytes: undefined,
    dieAfter: false,
    delayAfterMilliseconds: 0,
    lateMilliseconds: 0,
  };
  for (const action of actions) {
    if (action.kind === 'delay' && action.when === 'after') due.delayAfterMilliseconds = action.milliseconds;
    else if (action.kind === 'delay') await wait(action.milliseconds, undefined, { signal: sim.closing });
    else if (action.kind === 'late') due.lateMilliseconds = action.milliseconds;
    else if (action.kind === 'slow') due.bytesPerSecond = action.bytesPerSecond;
    else if (action.kind === 'cut') due.cutAfterBytes = action.afterBytes;
    else if (action.kind === 'die' && action.when === 'after') due.dieAfter = true;
    else if (action.kind === 'die') sim.die();
    else if (action.kind === 'expire-sessions') {
      for (const session of sim.store.all('session')) sim.store.remove('session', session.id);
    } else if (action.kind === 'fail') {
      const headers: Record<string, string> =
        action.retryAfter === undefined ? {} : { 'Retry-After': String(action.retryAfter) };
      throw new Refusal(action.status, action.code, action.message, headers);
    }
  }
  return due;
}

async function answer(
  sim: Simulator,
  versions: readonly string[],
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const common = commonHeaders(request);
  const [path = '/', ...queryParts] = (request.url ?? '/').split('?');
  const json = path.startsWith('/cloudapi') || path.startsWith('/oauth') || path.startsWith('/lab');
  let version = 0;
  let due: Due | undefined;
  try {
    const actions = path.startsWith('/lab') ? [] : sim.faults.ofCall(request.method ?? 'GET', safeDecode(path));
    due = await beforeCall(sim, actions);
    const reply = await handle(sim, versions, request, response, path, queryParts.join('?'), due, (asked) => {
      version = asked;
    });
    if (due.dieAfter) sim.die();
    if (due.delayAfterMilliseconds > 0) await wait(due.delayAfterMilliseconds, undefined, { signal: sim.closing });
    if (due.cutAfterBytes !== undefined && !path.startsWith('/transfer')) {
      request.socket.destroy();
      return;
    }
    if (reply.sent !== true) send(response, reply, version, common);
  } catch (error) {
    if (response.headersSent || response.destroyed) {
      request.socket.destroy();
      return;
    }
    const refusal = error instanceof Refusal ? error : undefined;
    if (refusal === undefined && !request.destroyed) console.error(error);
    // An unread body may be huge: the connection goes with the answer instead of reading it to its end.
    const headers = { ...common, ...refusal?.headers, ...(request.complete ? {} : { Connection: 'close' }) };
    send(response, errorReply(refusal ?? internal(error), json), version, headers);
  }
}

function internal(error: unknown): Refusal {
  return new Refusal(500, 'INTERNAL_SERVER_ERROR', error instanceof Error ? error.message : String(error));
}

function safeDecode(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}

async function handle(
  sim: Simulator,
  versions: readonly string[],
  request: IncomingMessage,
  response: ServerResponse,
  path: string,
  rawQuery: string,
  due: Due,
  tellVersion: (version: number) => void,
): Promise<Reply> {
  const method = request.method ?? 'GET';
  const href = (to: string) => `https://${request.headers.host ?? 'localhost'}${to}`;
  if (method === 'GET' && path.replace(/\/$/, '') === '/api/versions') {
    const token = request.headers['x-vmware-vcloud-access-token'] ?? request.headers['x-vcloud-authorization'];
    if (token !== undefined) authenticate(sim, request.headers);
    return { status: 200, type: 'text/xml', xml: versionsDocument(href, versions) };
  }
  const found = findRoute(method, path);
  const bare = path.startsWith('/transfer') || path.startsWith('/lab') || path.startsWith('/oauth');
  const version = bare ? Number(versions.at(-1)) : versionOf(request.headers.accept, versions);
  tellVersion(version);
  const open = 'route' in found && found.route.open === true;
  const caller = open ? undefined : authenticate(sim, request.headers);
  if (!('route' in found)) {
    if (caller === undefined) throw unauthorized();
    if (found.allowed.length > 0)
      throw new Refusal(405, 'METHOD_NOT_ALLOWED', `${method} is not allowed here.`, {
        Allow: found.allowed.join(', '),
      });
    throw new Refusal(404, 'NOT_FOUND', `There is nothing at ${path}.`);
  }
  if (!open && caller === undefined) throw unauthorized();
  const call = new Call({
    sim,
    request,
    response,
    path,
    rawQuery,
    params: found.params,
    version,
    caller,
    bytesPerSecond: due.bytesPerSecond,
    cutAfterBytes: due.cutAfterBytes,
    lateMilliseconds: due.lateMilliseconds,
  });
  if (caller !== undefined) demandRight(caller, method, path);
  return found.route.handler(call);
}

function errorReply(refusal: Refusal, json: boolean): Reply {
  const message = `[ ${randomUUID()} ] ${refusal.message}`;
  if (json) return { status: refusal.status, json: { minorErrorCode: refusal.minorCode, message, stackTrace: null } };
  return {
    status: refusal.status,
    type: mediaTypes.error,
    xml: el('Error', {
      xmlns: vcloudNamespace,
      message,
      majorErrorCode: refusal.status,
      minorErrorCode: refusal.minorCode,
      vendorSpecificErrorCode: '',
      stackTrace: '',
    }),
  };
}

function send(response: ServerResponse, reply: Reply, version: number, headers: Record<string, string>): void {
  const { type, body } = bodyOf(reply, version);
  response.writeHead(reply.status, {
    ...headers,
    ...reply.headers,
    ...(body === undefined ? {} : { 'Content-Type': type }),
    ...(reply.status === 204 ? {} : { 'Content-Length': body?.length ?? 0 }),
  });
  response.end(body);
}

function bodyOf(reply: Reply, version: number): { type: string; body: Buffer | undefined } {
  const tagged = (type: string) =>
    version > 0 && !type.startsWith('text/') ? `${type};version=${version.toFixed(1)}` : type;
  if (reply.xml !== undefined)
    return { type: tagged(reply.type ?? 'text/xml'), body: Buffer.from(xmlDocument(reply.xml)) };
  if (reply.json !== undefined)
    return { type: tagged('application/json'), body: Buffer.from(JSON.stringify(reply.json)) };
  return { type: reply.type ?? 'text/plain', body: reply.text === undefined ? undefined : Buffer.from(reply.text) };
}
