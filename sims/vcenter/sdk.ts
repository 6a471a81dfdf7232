import type { IncomingMessage, ServerResponse } from 'node:http';
import { demandPrivilege } from './authorization-manager.ts';
import type { FaultRule, Wire } from './faults.ts';
import type { Lab } from './lab.ts';
import type { Invocation, Managed } from './managed.ts';
import { openLoosely } from './objects.ts';
import { readPath } from './property-path.ts';
import { withSession } from './selection.ts';
import { notAuthenticated } from './session-manager.ts';
import { encodeProperty } from './soap/encode.ts';
import {
  MAX_REQUEST_BYTES,
  type Request,
  readEnvelope,
  readParameters,
  Written,
  writeAnswer,
  writeFault,
} from './soap/envelope.ts';
import { asVimFault, invalidRequest, notFound, VimFault } from './vim-fault.ts';

/** What can be called before a login. */
const OPEN = new Set(['RetrieveServiceContent', 'Login', 'CurrentTime']);

export const SERVICE_VERSIONS = `<?xml version="1.0" encoding="UTF-8" ?>
<namespaces version="1.0">
 <namespace>
  <name>urn:vim25</name>
  <version>8.0.3.0</version>
  <priorVersions>
   ${['8.0.2.0', '8.0.1.0', '8.0.0.1', '7.0.3.2', '7.0', '6.9.1', '6.7.3', '6.7', '6.5', '6.0', '5.5', '5.1', '5.0', '4.1', '4.0'].map((one) => `<version>${one}</version>`).join('\n   ')}
  </priorVersions>
 </namespace>
</namespaces>
`;

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MAX_REQUEST_BYTES) throw invalidRequest(`The request is longer than ${MAX_REQUEST_BYTES} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function checkVersion(request: IncomingMessage): void {
  const action = String(request.headers.soapaction ?? '').replaceAll('"', '');
  if (action && !/^urn:(vim25|internalvim25)(\/[\w.]+)?$/.test(action)) {
    throw new VimFault('InvalidRequest', `Unsupported namespace or version in SOAPAction "${action}"`);
  }
}

/** Sends a rule's HTTP status or cuts the line. */
export function obey(wire: Wire, response: ServerResponse): void {
  if (wire.cut) {
    response.socket?.destroy();
    return;
  }
  const retry = wire.retryAfterSeconds === undefined ? {} : { 'retry-after': String(wire.retryAfterSeconds) };
  response
    .writeHead(wire.status ?? 503, { 'content-type': 'text/plain', ...retry })
    .end('A fault rule of the lab says so.\n');
}

/** One SOAP call at `/sdk`. Faults are answered as HTTP 500 with a SOAP fault, as the vendor does. */
export async function serveSdk(lab: Lab, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const stop = new AbortController();
  response.on('close', () => stop.abort());
  const call: Invocation = {
    lab,
    session: undefined,
    signal: stop.signal,
    authority: request.headers.host ?? '',
    peer: request.socket.remoteAddress ?? '',
    userAgent: request.headers['user-agent'] ?? '',
    headers: {},
  };
  let status = 200;
  let body: string;
  let after: FaultRule | undefined;
  try {
    const envelope = readEnvelope(await readBody(request));
    checkVersion(request);
    const ruled = await lab.faults.method(envelope.method);
    if (ruled.now) return obey(ruled.now, response);
    after = ruled.after;
    body = await answer(call, request, envelope);
  } catch (error) {
    const fault = asVimFault(error);
    if (!(error instanceof VimFault)) console.error(error);
    status = 500;
    body = writeFault(fault);
  }
  const wire = after && (await lab.faults.finish(after));
  if (wire) return obey(wire, response);
  if (response.destroyed) return;
  const bytes = Buffer.from(body);
  response
    .writeHead(status, {
      'content-type': 'text/xml; charset=utf-8',
      'cache-control': 'no-cache',
      'content-length': bytes.length,
      ...call.headers,
    })
    .end(bytes);
}

/** The accessor that vim25 has beside its methods: one property of one object, as some clients read it. */
function fetchProperty(object: Managed, envelope: Request): string {
  const name = envelope.body.children[1];
  if (name?.name !== 'prop') throw invalidRequest('Unexpected parameters, expected "prop"');
  const found = readPath(object, name.text.trim());
  return writeAnswer(
    object.type,
    'Fetch',
    new Written(found && encodeProperty('returnval', found.value, found.member)),
  );
}

async function answer(call: Invocation, request: IncomingMessage, envelope: Request): Promise<string> {
  const { lab } = call;
  const { method, target } = envelope;
  const open = OPEN.has(method) || (method === 'Fetch' && target._ref === 'ServiceInstance');
  call.session = lab.sessions.byCookie(request.headers.cookie);
  if (!call.session && !open) throw notAuthenticated(target._ref, target.id);
  if (call.session) lab.sessions.touch(call.session);
  const object = openLoosely(lab, target);
  if (!object) throw notFound(target._ref, target.id);
  if (method === 'Fetch') return fetchProperty(withSession(object, call.session), envelope);
  const args = readParameters(envelope, object.type);
  demandPrivilege(lab, call.session, method, object);
  const run = object.call(method);
  if (!run) throw new VimFault('NotSupported', `The operation ${method} is not supported on ${object.type}.`);
  return writeAnswer(object.type, method, await run(call, args));
}
