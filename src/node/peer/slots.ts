/** Until the receiver has said how many it wants. */
const FIRST_SOCKETS = 4;

/** The sockets that a dialling source keeps open: as many as the receiver last asked for. */
export class Slots {
  #wanted = FIRST_SOCKETS;
  #working = 0;
  #fill: (() => void) | null = null;

  /** More begin at once. Where there are too many, those end whose sockets the receiver closes. */
  want(count: number): void {
    this.#wanted = count;
    this.#fill?.();
  }

  /**
   * Does the work so many times at the same time. Whoever asks `leave` after each socket ends when it says so: there are
   * too many then. Resolves when all have ended; rejects as soon as one rejects.
   */
  async keep(work: (leave: () => boolean) => Promise<void>, signal: AbortSignal): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#working = 0;
    this.#fill = () => {
      while (this.#working < this.#wanted && !signal.aborted) {
        this.#working++;
        let left = false;
        const leave = () => {
          left ||= this.#working > this.#wanted;
          if (left) this.#working--;
          return left;
        };
        work(leave).then(() => {
          if (!left) this.#working--;
          if (this.#working === 0) resolve();
        }, reject);
      }
      if (this.#working === 0) resolve();
    };
    this.#fill();
    try {
      await promise;
    } finally {
      this.#fill = null;
    }
  }
}
