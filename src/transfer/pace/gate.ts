/** One transfer in one direction, at the gates that it shares with others. */
export interface Flow {
  /** Its part of what is let through, beside the other flows' parts. */
  weight(): number;
}

interface Waiter {
  /** Virtual time at which its turn begins. */
  start: number;
  bytes: number;
  go: () => void;
}

/** What is saved up while nobody asks. */
const BURST_SECONDS = 0.25;
/** A rate that changes by the clock is looked at again this often. */
const LOOK_MILLISECONDS = 1_000;

/**
 * Lets bytes through at a rate, fairly by weight between the flows that wait (start-time fair queueing). What is asked
 * for goes as a whole as soon as nothing is owed, and is owed then: so a block that is larger than a second's worth goes
 * too, and the rate holds over any longer time.
 */
export class Gate {
  readonly #bytesPerSecond: () => number | null;
  readonly #finish = new WeakMap<Flow, number>();
  readonly #waiting: Waiter[] = [];
  #virtual = 0;
  /** Bytes that may go at once; negative while bytes are owed. */
  #balance = 0;
  #at = performance.now();
  #timer: NodeJS.Timeout | undefined;

  /** @param bytesPerSecond as it is now; null: no limit, 0: closed. */
  constructor(bytesPerSecond: () => number | null) {
    this.#bytesPerSecond = bytesPerSecond;
  }

  /** Resolves when the bytes may go, or when the signal is aborted. */
  pass(flow: Flow, bytes: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return Promise.resolve();
    const start = Math.max(this.#virtual, this.#finish.get(flow) ?? 0);
    this.#finish.set(flow, start + bytes / flow.weight());
    if (this.#waiting.length === 0 && this.#open()) {
      this.#take(start, bytes);
      return Promise.resolve();
    }
    return new Promise((resolve) => {
      const leave = () => {
        const at = this.#waiting.indexOf(waiter);
        if (at >= 0) this.#waiting.splice(at, 1);
        resolve();
      };
      const waiter: Waiter = {
        start,
        bytes,
        go: () => {
          signal.removeEventListener('abort', leave);
          resolve();
        },
      };
      signal.addEventListener('abort', leave, { once: true });
      this.#waiting.push(waiter);
      this.#schedule();
    });
  }

  /** Fewer bytes went than were let through (or more, where negative). */
  giveBack(bytes: number): void {
    this.#refill();
    this.#balance += bytes;
    this.changed();
  }

  /** The rate is another one. */
  changed(): void {
    while (this.#waiting.length > 0 && this.#open()) {
      const first = this.#waiting.reduce((one, other) => (other.start < one.start ? other : one));
      this.#waiting.splice(this.#waiting.indexOf(first), 1);
      this.#take(first.start, first.bytes);
      first.go();
    }
    this.#schedule();
  }

  #open(): boolean {
    const rate = this.#refill();
    return rate === null || (rate > 0 && this.#balance >= 0);
  }

  #take(start: number, bytes: number): void {
    this.#virtual = start;
    this.#balance -= bytes;
  }

  #refill(): number | null {
    const rate = this.#bytesPerSecond();
    const now = performance.now();
    if (rate === null) this.#balance = 0;
    else this.#balance = Math.min(this.#balance + (rate * (now - this.#at)) / 1000, rate * BURST_SECONDS);
    this.#at = now;
    return rate;
  }

  #schedule(): void {
    clearTimeout(this.#timer);
    if (this.#waiting.length === 0) return;
    const rate = this.#bytesPerSecond();
    const wait = rate === null ? 0 : rate > 0 ? Math.max(0, -this.#balance / rate) * 1000 : Number.POSITIVE_INFINITY;
    this.#timer = setTimeout(() => this.changed(), Math.min(LOOK_MILLISECONDS, Math.ceil(wait) + 1));
  }
}
