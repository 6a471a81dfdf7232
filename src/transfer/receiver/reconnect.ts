import type { Duplex } from 'node:stream';
import { delay } from '../../base/backoff.ts';
import type { Log } from '../../base/log.ts';
import { Fault } from '../../model/fault.ts';

const FIRST_WAIT_MILLISECONDS = 100;
const LONGEST_WAIT_MILLISECONDS = 5_000;

export interface ReconnectOptions {
  transfer: string;
  take: (signal: AbortSignal) => Promise<Duplex>;
  /** Resolves with the reason for which the connection ended; `onWelcome` is called once the other side has let us in. */
  converse: (socket: Duplex, onWelcome: () => void) => Promise<Fault>;
  /** The other side has ended the transfer for good. */
  ended: (reason: Fault) => void;
  /** No connection is let in for good. */
  refused: (fault: Fault) => void;
  /** Whether being refused for this reason is what the end of the transfer looks like. */
  isOver: (fault: Fault) => boolean;
  signal: AbortSignal;
  log?: Log | undefined;
}

/** Keeps one connection, with waits between its breaks, until the signal is aborted, or the other side has ended it. */
export async function keepConnected(options: ReconnectOptions): Promise<void> {
  const { transfer, signal, log } = options;
  let wait = FIRST_WAIT_MILLISECONDS;
  while (!signal.aborted) {
    try {
      const socket = await options.take(signal);
      if (signal.aborted) {
        socket.destroy();
        return;
      }
      const reason = await options.converse(socket, () => {
        wait = FIRST_WAIT_MILLISECONDS;
      });
      if (signal.aborted) return;
      if (reason.retry === 'never') return options.ended(reason);
      log?.info({ transfer, reason: reason.message }, 'a block connection ended');
    } catch (error) {
      if (signal.aborted) return;
      const fault = Fault.from(error, `transfer ${transfer}`);
      if (options.isOver(fault) || (error instanceof Fault && fault.retry === 'never')) return options.refused(fault);
      wait = Math.max(wait, (fault.retryAfterSeconds ?? 0) * 1000);
      log?.debug({ transfer, reason: fault.message }, 'no block connection');
    }
    await delay(wait * (0.5 + Math.random() / 2), signal).catch(() => {});
    wait = Math.min(wait * 2, LONGEST_WAIT_MILLISECONDS);
  }
}
