import { type ClientHttp2Session, type ClientHttp2Stream, connect } from 'node:http2';
import type { Duplex } from 'node:stream';
import { currentJob } from '../../base/log.ts';
import { endOnSilence } from '../../base/silence.ts';
import { Fault, type FaultReport } from '../../model/fault.ts';
import { JOB_HEADER } from '../../protocol/link.ts';
import { FaultReportSchema } from '../../protocol/nouns.ts';

const ANSWER_BYTES = 64 * 1024 * 1024;

export interface Question {
  method: string;
  path: string;
  /** Sent as JSON. */
  body?: unknown;
  signal: AbortSignal;
}

/** One live link: HTTP/2 over an authenticated socket; this side asks. */
export interface LinkSession {
  readonly since: string;
  /** The answer's JSON. Faults: those of the node, `node.unreachable` when the link breaks. */
  ask(question: Question): Promise<unknown>;
  /** The lines of a streaming answer, each parsed. Ends when the node ends it. */
  askLines(question: Question): AsyncIterable<unknown>;
  /** Resolves when the link is over. */
  readonly ended: Promise<void>;
  close(): void;
}

/**
 * @param name of the node, for sentences.
 * @param stallSeconds A link that answers no ping for so long is given up.
 */
export function openLinkSession(socket: Duplex, name: string, stallSeconds: number): LinkSession {
  const session = connect('https://node', { createConnection: () => socket });
  session.on('error', () => {});
  const ended = new Promise<void>((resolve) => {
    const over = () => {
      stopPings();
      session.destroy();
      socket.destroy();
      resolve();
    };
    const stopPings = endOnSilence(session, stallSeconds, over);
    session.once('close', over);
    // A session that is being written to when its socket breaks may never say that it is closed.
    socket.once('close', over);
  });
  return {
    since: new Date().toISOString(),
    async ask(question) {
      const stream = begin(session, name, question);
      const { status, text } = await readAnswer(stream, name, question);
      return parseAnswer(status, text, name);
    },
    async *askLines(question) {
      const stream = begin(session, name, question);
      try {
        const status = await readStatus(stream, name, question);
        if (status >= 400) parseAnswer(status, await readText(stream, name, question), name);
        let rest = '';
        stream.setEncoding('utf8');
        for await (const chunk of guarded(stream, name, question)) {
          const lines = (rest + chunk).split('\n');
          rest = lines.pop() ?? '';
          for (const line of lines) if (line.trim() !== '') yield JSON.parse(line) as unknown;
        }
      } finally {
        stream.destroy();
      }
    },
    ended,
    close: () => session.destroy(),
  };
}

function unreachable(name: string, why: string): Fault {
  return new Fault('node.unreachable', `node ${name}: ${why}`);
}

function begin(session: ClientHttp2Session, name: string, question: Question): ClientHttp2Stream {
  question.signal.throwIfAborted();
  if (session.destroyed || session.closed) throw unreachable(name, 'the link is over');
  const body = question.body === undefined ? undefined : Buffer.from(JSON.stringify(question.body));
  const job = currentJob();
  const stream = session.request(
    {
      ':method': question.method,
      ':path': question.path,
      ...(job === undefined ? {} : { [JOB_HEADER]: job }),
      ...(body === undefined ? {} : { 'content-type': 'application/json', 'content-length': body.length }),
    },
    { endStream: body === undefined, signal: question.signal },
  );
  stream.on('error', () => {});
  if (body !== undefined) stream.end(body);
  return stream;
}

function readStatus(stream: ClientHttp2Stream, name: string, { signal }: Question): Promise<number> {
  return new Promise((resolve, reject) => {
    stream.once('response', (headers) => resolve(headers[':status'] ?? 0));
    stream.once('close', () => reject(signal.aborted ? signal.reason : unreachable(name, 'the link broke')));
  });
}

async function readAnswer(stream: ClientHttp2Stream, name: string, question: Question) {
  try {
    const status = await readStatus(stream, name, question);
    return { status, text: await readText(stream, name, question) };
  } finally {
    stream.destroy();
  }
}

async function readText(stream: ClientHttp2Stream, name: string, question: Question): Promise<string> {
  let text = '';
  stream.setEncoding('utf8');
  for await (const chunk of guarded(stream, name, question)) {
    text += chunk;
    if (text.length > ANSWER_BYTES)
      throw new Fault('internal', `node ${name} answered more than ${ANSWER_BYTES} bytes`);
  }
  return text;
}

async function* guarded(stream: ClientHttp2Stream, name: string, { signal }: Question): AsyncIterable<string> {
  try {
    for await (const chunk of stream) yield chunk as string;
  } catch (error) {
    signal.throwIfAborted();
    throw unreachable(name, `the link broke: ${(error as Error).message}`);
  }
  signal.throwIfAborted();
  if (stream.aborted || stream.rstCode !== 0) throw unreachable(name, 'the link broke in the middle of an answer');
}

function parseAnswer(status: number, text: string, name: string): unknown {
  let json: unknown;
  try {
    json = text === '' ? {} : JSON.parse(text);
  } catch (error) {
    throw new Fault('internal', `node ${name} answered status ${status} with something that is not JSON`, {
      cause: error,
    });
  }
  if (status < 400) return json;
  const report = FaultReportSchema.safeParse(json);
  if (report.success) throw Fault.fromReport(report.data as FaultReport);
  throw new Fault('internal', `node ${name} answered with status ${status}`);
}
