import { type IncomingMessage, request, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import { Fault, type FaultReport } from '../model/fault.ts';
import type { FaultCode } from '../model/fault-kinds.ts';
import { FaultReportSchema } from '../protocol/nouns.ts';
import { chooseProtocol, PROTOCOL_HEADER, protocolRange } from '../protocol/version.ts';

const ANSWER_SECONDS = 20;
const ANSWER_BYTES = 1024 * 1024;

export interface HttpQuestion {
  method: 'GET' | 'POST';
  path: string;
  /** The other side, for sentences and the Host header. */
  who: string;
  headers?: Record<string, string>;
  body?: string;
}

/**
 * One HTTP/1.1 exchange over a socket that is already connected and authenticated. The answer's JSON; a refusal is
 * thrown as the Fault that it carries. The socket is closed afterwards.
 */
export async function askOnce(socket: TLSSocket, question: HttpQuestion, signal: AbortSignal): Promise<unknown> {
  const answer = await send(socket, question, signal);
  try {
    if (answer.kind === 'upgraded')
      throw new Fault('internal', `${question.who} changed the protocol without being asked`);
    return await readAnswer(answer.message, question.who);
  } finally {
    socket.destroy();
  }
}

/**
 * Asks for another protocol on a socket that is connected and authenticated; the socket is the caller's afterwards, and
 * destroyed on any fault. Faults: what the other side answers, `protocol.version`, `node.unreachable`.
 */
export async function askUpgrade(
  socket: TLSSocket,
  question: Omit<HttpQuestion, 'method' | 'body'> & { upgrade: string },
  signal: AbortSignal,
): Promise<Duplex> {
  const headers = {
    ...question.headers,
    connection: 'Upgrade',
    upgrade: question.upgrade,
    [PROTOCOL_HEADER]: protocolRange(),
  };
  try {
    const answer = await send(socket, { ...question, method: 'GET', headers }, signal);
    if (answer.kind === 'answered') {
      await readAnswer(answer.message, question.who);
      throw new Fault('node.unreachable', `${question.who} does not offer ${question.upgrade}`, { retry: 'later' });
    }
    const chosen = answer.message.headers[PROTOCOL_HEADER];
    chooseProtocol(`${chosen}-${chosen}`, question.who);
    if (answer.head.length > 0) socket.unshift(answer.head);
    return socket;
  } catch (error) {
    socket.destroy();
    throw error;
  }
}

/**
 * Answers `101` with the protocol number that is common; the socket is the caller's. Resolves when the answer has left:
 * a socket with a write under way must not be handed to an HTTP/2 session, which aborts the whole process over it.
 * Faults: `protocol.version`, `node.unreachable`.
 */
export async function acceptUpgrade(
  message: IncomingMessage,
  socket: Duplex,
  head: Buffer,
  who: string,
): Promise<void> {
  const offered = message.headers[PROTOCOL_HEADER];
  const chosen = chooseProtocol(Array.isArray(offered) ? offered[0] : offered, who);
  const lines = [
    'HTTP/1.1 101 Switching Protocols',
    'Connection: Upgrade',
    `Upgrade: ${message.headers.upgrade ?? ''}`,
  ];
  await new Promise<void>((resolve, reject) => {
    socket.write(`${[...lines, `${PROTOCOL_HEADER}: ${chosen}`].join('\r\n')}\r\n\r\n`, (error) => {
      if (error) reject(new Fault('node.unreachable', `${who} went away: ${error.message}`, { cause: error }));
      else resolve();
    });
  });
  if (head.length > 0) socket.unshift(head);
}

/** Answers a FaultReport and closes. */
export function refuseUpgrade(socket: Duplex, fault: Fault): void {
  const body = JSON.stringify(fault.report());
  const line = `HTTP/1.1 ${fault.status} ${STATUS_CODES[fault.status] ?? 'Refused'}`;
  const headers = `Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close`;
  socket.on('error', () => {});
  socket.end(`${line}\r\n${headers}\r\n\r\n${body}`, () => socket.destroy());
}

type Answer =
  | { kind: 'answered'; message: IncomingMessage }
  | { kind: 'upgraded'; message: IncomingMessage; head: Buffer };

function send(socket: TLSSocket, question: HttpQuestion, signal: AbortSignal): Promise<Answer> {
  const { who } = question;
  return new Promise((resolve, reject) => {
    const fail = (error: Error) => {
      socket.destroy();
      if (signal.aborted) reject(signal.reason);
      else reject(new Fault('node.unreachable', `${who} does not answer: ${error.message}`, { cause: error }));
    };
    const call = request({
      createConnection: () => socket,
      method: question.method,
      path: question.path,
      headers: {
        host: who,
        ...question.headers,
        ...(question.body === undefined
          ? {}
          : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(question.body) }),
      },
      signal,
    });
    call.setTimeout(ANSWER_SECONDS * 1000, () => fail(new Error(`no answer for ${ANSWER_SECONDS} s`)));
    call.once('error', fail);
    call.once('response', (message) => resolve({ kind: 'answered', message }));
    call.once('upgrade', (message, upgraded, head) => {
      upgraded.on('error', () => {});
      (upgraded as TLSSocket).setTimeout(0);
      resolve({ kind: 'upgraded', message, head });
    });
    call.end(question.body);
  });
}

async function readAnswer(message: IncomingMessage, who: string): Promise<unknown> {
  let text = '';
  message.setEncoding('utf8');
  try {
    for await (const chunk of message) {
      text += chunk;
      if (text.length > ANSWER_BYTES) throw new Error(`answer longer than ${ANSWER_BYTES} bytes`);
    }
  } catch (error) {
    throw new Fault('node.unreachable', `${who} does not answer: ${(error as Error).message}`, { cause: error });
  }
  const status = message.statusCode ?? 0;
  const content = parseJson(text);
  if (status >= 200 && status < 300) return content;
  const report = FaultReportSchema.safeParse(content);
  if (report.success) throw Fault.fromReport(report.data as FaultReport);
  const code: FaultCode = status === 403 || status === 401 ? 'node.untrusted' : 'node.unreachable';
  throw new Fault(code, `${who} answered ${status}`);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
