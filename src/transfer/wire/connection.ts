import type { Duplex } from 'node:stream';
import { readAll } from '../../base/reads.ts';
import { Fault } from '../../model/fault.ts';
import { encodeFrame, FrameReader, type FrameSink, type FrameType } from './wire.ts';

export interface ConnectionOptions extends FrameSink {
  hears: readonly FrameType[];
  /** Called once, when nothing will be heard any more. */
  closed(reason: Fault): void;
  stallSeconds: number;
}

/**
 * A socket that speaks frames. Each side says something at least every half of the stall time, which has to be the same
 * on both sides, so that silence means that the connection is dead.
 */
export class Connection {
  readonly #socket: Duplex;
  readonly #options: ConnectionOptions;
  readonly #reader: FrameReader;
  readonly #timer: NodeJS.Timeout;
  #heardAt = performance.now();
  #saidAt = performance.now();
  heardBytes = 0;
  #reason: Fault | null = null;
  /** Sends whose bytes are still on their way. */
  readonly #leaving = new Set<() => void>();

  constructor(socket: Duplex, options: ConnectionOptions) {
    this.#socket = socket;
    this.#options = options;
    this.#reader = new FrameReader(options.hears, options);
    const stall = options.stallSeconds * 1000;
    let lookedAt = performance.now();
    this.#timer = setInterval(() => {
      const now = performance.now();
      // This process itself stood still: what came meanwhile has not been read yet.
      if (now - lookedAt > stall / 2) this.#heardAt = now;
      lookedAt = now;
      if (now - this.#heardAt > stall) this.close(lost(`no byte came for ${options.stallSeconds} s`));
      else if (now - this.#saidAt > stall / 4) this.send([encodeFrame('ping')]);
    }, stall / 6);
    this.#timer.unref();
    if (socket.destroyed) queueMicrotask(() => this.close(lost('it was closed already')));
    socket.on('error', (error: Error) => this.close(lost(error.message)));
    socket.on('end', () => this.close(lost('the other side ended it')));
    socket.on('close', () => {
      this.close(lost('it was closed'));
      for (const gone of [...this.#leaving]) gone();
    });
    readAll(socket, (buffer, bytes) => this.#heard(buffer, bytes));
  }

  get open(): boolean {
    return this.#reason === null;
  }

  /** A block that had begun to arrive when the connection broke. */
  get partial() {
    return this.#reader.partial;
  }

  /** Resolves when the bytes have left the process, or will never do so; `parts` must not change until then. */
  send(parts: readonly Buffer[]): Promise<void> {
    if (!this.open || parts.length === 0) return Promise.resolve();
    this.#saidAt = performance.now();
    return new Promise((resolve) => {
      const gone = () => {
        this.#leaving.delete(gone);
        resolve();
      };
      this.#leaving.add(gone);
      // Not corked: TLS would copy the parts of one gathered write into one, and a block is large.
      for (const part of parts.slice(0, -1)) this.#socket.write(part);
      this.#socket.write(parts.at(-1)!, gone);
    });
  }

  /** Ends the connection at once, or after what was said has left where `gently` is set. Idempotent. */
  close(reason: Fault, gently = false): void {
    if (this.#reason !== null) return;
    this.#reason = reason;
    clearInterval(this.#timer);
    if (gently) {
      this.#socket.end();
      const timer = setTimeout(() => this.#socket.destroy(), 2_000);
      timer.unref();
      this.#socket.once('finish', () => this.#socket.destroy());
      this.#socket.once('close', () => clearTimeout(timer));
    } else {
      this.#socket.destroy();
    }
    this.#options.closed(reason);
  }

  #heard(buffer: Buffer, bytes: number): void {
    if (!this.open) return;
    this.#heardAt = performance.now();
    this.heardBytes += bytes;
    try {
      this.#reader.push(buffer, bytes);
    } catch (error) {
      this.close(Fault.from(error, 'block connection'));
    }
  }
}

export function lost(why: string): Fault {
  return new Fault('transfer.lost', `the block connection to the other node broke: ${why}`);
}
