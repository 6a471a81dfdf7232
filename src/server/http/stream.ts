import type { FastifyReply } from 'fastify';

const HEARTBEAT_MILLISECONDS = 15_000;
/** A page that reads this much too slowly is dropped; it comes back and reads everything anew. */
const BACKLOG_BYTES = 4 * 1024 * 1024;

export interface Stream {
  readonly open: boolean;
  send(event: unknown): void;
  /** Ends after what was sent; the client may come back. */
  end(): void;
  /** Ends at once. */
  drop(): void;
}

/**
 * Server-sent events in place of an answer, until the client goes or its session ends.
 * @param check Rejects when the session is over.
 * @param leave Called once, at the end.
 * @param beat Called at every heartbeat that finds the session alive.
 * @returns null where the client has gone already.
 */
export function startStream(
  reply: FastifyReply,
  { check, leave, beat = () => {} }: { check: () => Promise<unknown>; leave: () => void; beat?: () => void },
): Stream | null {
  reply.hijack();
  const answer = reply.raw;
  if (answer.destroyed) return null;
  answer.writeHead(200, {
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-store',
    'x-accel-buffering': 'no',
  });
  answer.write(': connected\n\n');
  const write = (text: string) => {
    if (answer.writableLength > BACKLOG_BYTES) answer.destroy();
    else if (answer.writable) answer.write(text);
  };
  const heartbeat = setInterval(() => {
    if (answer.destroyed) return clearInterval(heartbeat);
    check().then(
      () => {
        write(': still here\n\n');
        beat();
      },
      () => answer.end(),
    );
  }, HEARTBEAT_MILLISECONDS);
  answer.on('error', () => {});
  answer.once('close', () => {
    clearInterval(heartbeat);
    leave();
  });
  return {
    get open() {
      return answer.writable;
    },
    send: (event) => write(`data: ${JSON.stringify(event)}\n\n`),
    end: () => void answer.end(),
    drop: () => void answer.destroy(),
  };
}
