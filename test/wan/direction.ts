/** One direction of an emulated line. */
export interface DirectionOptions {
  /** Of IP packets. Infinity for no limit. */
  bitsPerSecond: number;
  delayMilliseconds: number;
  /** Part of the packets that get lost on the line, 0 to 1. */
  loss: number;
  /** Bytes that may wait in front of the line; a packet that finds no room is dropped. */
  queueBytes: number;
  seed: number;
}

export interface DirectionCounts {
  packets: number;
  lost: number;
  overflowed: number;
}

/** Numbers from 0 to 1, the same ones for the same seed. */
export function draws(seed: number): () => number {
  let state = Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/**
 * When a packet comes out at the other end: it waits behind those before it, takes its time at the line's rate, may get
 * lost there, and travels. Which packets get lost depends on the seed and on their order only.
 */
export class Direction {
  readonly counts: DirectionCounts = { packets: 0, lost: 0, overflowed: 0 };
  readonly #options: DirectionOptions;
  readonly #draw: () => number;
  #freeAt = 0;

  constructor(options: DirectionOptions) {
    this.#options = options;
    this.#draw = draws(options.seed);
  }

  /** The time at which it arrives, in milliseconds like `now`; null when it never does. Later packets never come earlier. */
  arrival(bytes: number, now: number): number | null {
    const { bitsPerSecond, delayMilliseconds, loss, queueBytes } = this.#options;
    const lost = this.#draw() < loss;
    this.counts.packets++;
    const begin = Math.max(now, this.#freeAt);
    if (((begin - now) * bitsPerSecond) / 8000 + bytes > queueBytes) {
      this.counts.overflowed++;
      return null;
    }
    this.#freeAt = begin + (bytes * 8000) / bitsPerSecond;
    if (lost) this.counts.lost++;
    return lost ? null : this.#freeAt + delayMilliseconds;
  }
}
