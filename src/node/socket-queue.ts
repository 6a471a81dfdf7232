import type { Duplex } from 'node:stream';
import { Fault } from '../model/fault.ts';

const MOST = 16;

/** Sockets that came in before somebody asked for them. Those that close while they wait are forgotten. */
export class SocketQueue {
  readonly #sockets: Duplex[] = [];
  readonly #takers: ((socket: Duplex) => void)[] = [];
  #closed = false;

  push(socket: Duplex): void {
    const taker = this.#closed ? undefined : this.#takers.shift();
    if (taker !== undefined) {
      taker(socket);
      return;
    }
    if (this.#closed || this.#sockets.length >= MOST) {
      socket.destroy();
      return;
    }
    this.#sockets.push(socket);
    socket.once('close', () => {
      const at = this.#sockets.indexOf(socket);
      if (at >= 0) this.#sockets.splice(at, 1);
    });
  }

  /** The next socket. Rejects with the signal's reason. */
  take(signal: AbortSignal): Promise<Duplex> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason);
      if (this.#closed) return reject(new Fault('transfer.lost', 'the transfer is over'));
      for (let socket = this.#sockets.shift(); socket !== undefined; socket = this.#sockets.shift()) {
        if (!socket.destroyed) return resolve(socket);
      }
      const taker = (socket: Duplex) => {
        signal.removeEventListener('abort', onAbort);
        resolve(socket);
      };
      const onAbort = () => {
        const at = this.#takers.indexOf(taker);
        if (at >= 0) this.#takers.splice(at, 1);
        reject(signal.reason);
      };
      signal.addEventListener('abort', onAbort, { once: true });
      this.#takers.push(taker);
    });
  }

  close(): void {
    this.#closed = true;
    for (const socket of this.#sockets.splice(0)) socket.destroy();
  }
}
