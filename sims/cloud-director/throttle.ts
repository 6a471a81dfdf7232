import { setTimeout as wait } from 'node:timers/promises';

/** Slows a stream down to a rate; 0 = as fast as it goes. */
export class Throttle {
  readonly #bytesPerSecond: number;
  readonly #started = performance.now();
  #bytes = 0;

  constructor(bytesPerSecond: number) {
    this.#bytesPerSecond = bytesPerSecond;
  }

  async take(bytes: number, signal: AbortSignal): Promise<void> {
    if (this.#bytesPerSecond === 0) return;
    this.#bytes += bytes;
    const due = (this.#bytes / this.#bytesPerSecond) * 1000;
    const ahead = due - (performance.now() - this.#started);
    if (ahead > 0) await wait(ahead, undefined, { signal });
  }
}
