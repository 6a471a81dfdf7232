import type { ServerHttp2Session } from 'node:http2';
import type { Duplex } from 'node:stream';
import { endOnSilence } from '../../base/silence.ts';

/**
 * Resolves when the session or its socket is over, and both are closed then; one that is silent for `stallSeconds` is
 * ended, so that it is dialled anew. The word of the session alone does not do: one whose socket broke while it was being
 * written to may never say that it is closed.
 */
export function watchSession(session: ServerHttp2Session, socket: Duplex, stallSeconds: number): Promise<void> {
  return new Promise((resolve) => {
    const over = () => {
      stop();
      session.destroy();
      socket.destroy();
      resolve();
    };
    const stop = endOnSilence(session, stallSeconds, over);
    session.on('error', () => {});
    session.once('close', over);
    socket.once('close', over);
    if (socket.destroyed) over();
  });
}
