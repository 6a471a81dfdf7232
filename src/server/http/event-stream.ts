import type { FastifyInstance } from 'fastify';
import { API_PREFIX } from '../../protocol/api.ts';
import type { Auth } from '../auth.ts';
import type { Events } from '../events.ts';
import { tokenOf } from './session.ts';

const HEARTBEAT_MILLISECONDS = 15_000;
/** A page that reads this much too slowly is dropped; it comes back and reads everything anew. */
const BACKLOG_BYTES = 4 * 1024 * 1024;

/** `GET /events`: server-sent events until the client goes or its session ends. */
export function serveEvents(app: FastifyInstance, events: Events, auth: Auth): void {
  app.get(`${API_PREFIX}/events`, { schema: { hide: true } }, async (request, reply) => {
    const token = tokenOf(request);
    await auth.check(token);
    reply.hijack();
    const answer = reply.raw;
    if (answer.destroyed) return;
    answer.writeHead(200, {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
    });
    answer.write(': connected\n\n');
    const send = (text: string) => {
      if (answer.writableLength > BACKLOG_BYTES) answer.destroy();
      else if (answer.writable) answer.write(text);
    };
    const stop = events.subscribe((event) => send(`data: ${JSON.stringify(event)}\n\n`));
    const heartbeat = setInterval(() => {
      if (answer.destroyed) return leave();
      auth.check(token).then(
        () => send(': still here\n\n'),
        () => answer.end(),
      );
    }, HEARTBEAT_MILLISECONDS);
    const leave = () => {
      clearInterval(heartbeat);
      stop();
    };
    answer.on('error', () => {});
    answer.once('close', leave);
  });
}
