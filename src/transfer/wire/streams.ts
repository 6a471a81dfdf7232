import { BLOCK_BYTES } from '../../model/block-map.ts';

/** Connections that a transfer begins with, and has at least. */
export const LEAST_STREAMS = 4;
export const MOST_STREAMS = 64;

/** Below this round trip whole blocks are asked for, a few at a time: nothing is won by cutting them. */
const NEAR_SECONDS = 0.005;
const FAR_SECONDS = 0.04;

/** How many connections there should be, and what is being tried. */
export interface StreamsPlan {
  streams: number;
  /** Since when there are so many; in seconds of any clock. */
  since: number;
  /** What there was before the number was changed, while that has to prove itself. */
  before: { streams: number; bytesPerSecond: number } | null;
  /** The best rate that was seen and not yet given up. */
  best: number;
  /** When more are tried next although nothing has become worse, and when fewer. */
  nextMore: number;
  nextFewer: number;
  /** Seconds between a trial that was in vain and the next one. */
  patience: number;
}

export interface StreamsSample {
  at: number;
  /** All connections together, over the last `measureSeconds`. */
  bytesPerSecond: number;
  /** The way was full: there was always more to ask for than was let out. */
  busy: boolean;
  /** Without what waits on the way. */
  roundTripSeconds: number;
}

/** Twice as many connections have to bring this much more to be kept. */
const WORTH = 1.08;
/** Three quarters of them may bring this much less. */
const BEARABLE = 0.98;
/** When the rate falls below this part of the best one, the way has changed. */
const FALLEN = 0.75;
const FIRST_PATIENCE = 10;
const LONGEST_PATIENCE = 160;
const FEWER_SECONDS = 60;

/** The window over which the rate is measured. */
export function measureSeconds(roundTripSeconds: number): number {
  return Math.max(0.6, 5 * roundTripSeconds);
}

/** A connection grows its window once per round trip: over a long way more of them are opened from the beginning. */
export function firstPlan(at: number, roundTripSeconds: number): StreamsPlan {
  const near = roundTripSeconds < FAR_SECONDS ? 2 * LEAST_STREAMS : 4 * LEAST_STREAMS;
  return {
    streams: roundTripSeconds < NEAR_SECONDS ? LEAST_STREAMS : near,
    since: at,
    before: null,
    best: 0,
    nextMore: at,
    nextFewer: at + FEWER_SECONDS,
    patience: FIRST_PATIENCE,
  };
}

/**
 * What to do after a measurement: the number is doubled as long as the sum grows by it, and again when the sum has
 * fallen; now and then it is tried whether fewer do as well. While the way is not full nothing can be learned, and
 * nothing changes.
 */
export function nextPlan(plan: StreamsPlan, sample: StreamsSample): StreamsPlan {
  const { at, bytesPerSecond, busy, roundTripSeconds } = sample;
  if (!busy) return { ...plan, since: at };
  // New connections are made in three round trips, and find their pace in some more.
  const settling = 0.2 + 5 * roundTripSeconds;
  if (at - plan.since < settling + measureSeconds(roundTripSeconds)) return plan;
  return plan.before === null ? tryAnother(plan, at, bytesPerSecond) : judge(plan, plan.before, at, bytesPerSecond);
}

function tryAnother(plan: StreamsPlan, at: number, bytesPerSecond: number): StreamsPlan {
  const before = { streams: plan.streams, bytesPerSecond };
  const best = Math.max(plan.best, bytesPerSecond);
  if (at >= plan.nextMore || bytesPerSecond < best * FALLEN) {
    const streams = Math.min(MOST_STREAMS, plan.streams * 2);
    if (streams > plan.streams) return { ...plan, streams, since: at, before, best };
    return { ...plan, best: bytesPerSecond, nextMore: at + plan.patience };
  }
  if (at >= plan.nextFewer && plan.streams > LEAST_STREAMS) {
    const streams = Math.max(LEAST_STREAMS, Math.floor((plan.streams * 3) / 4));
    return { ...plan, streams, since: at, before, best, nextFewer: at + FEWER_SECONDS };
  }
  return { ...plan, best };
}

function judge(
  plan: StreamsPlan,
  before: NonNullable<StreamsPlan['before']>,
  at: number,
  bytesPerSecond: number,
): StreamsPlan {
  const gain = bytesPerSecond / before.bytesPerSecond;
  const more = plan.streams > before.streams;
  const best = Math.max(bytesPerSecond, before.bytesPerSecond);
  if (gain >= (more ? WORTH : BEARABLE)) {
    // It was right: further the same way at once.
    const next = more ? { nextMore: at, patience: FIRST_PATIENCE } : { nextFewer: at };
    return { ...plan, ...next, before: null, best };
  }
  const patience = more ? Math.min(LONGEST_PATIENCE, plan.patience * 2) : plan.patience;
  const nextMore = more ? at + plan.patience : plan.nextMore;
  return { ...plan, streams: before.streams, since: at, before: null, best, nextMore, patience };
}

/** How large the parts of a block are that single connections bring. */
export function partBytes(roundTripSeconds: number): number {
  if (roundTripSeconds < NEAR_SECONDS) return BLOCK_BYTES;
  return roundTripSeconds < FAR_SECONDS ? BLOCK_BYTES / 8 : BLOCK_BYTES / 16;
}

export interface LaneView {
  /** What this connection has brought lately; null where that is not known yet. */
  bytesPerSecond: number | null;
  roundTripSeconds: number;
  /** Connections that share what one transfer may ask for. */
  lanes: number;
}

/** What one transfer asks for at most before it arrives; the source keeps at most 64 MiB for it. */
const MOST_ASKED_BYTES = 40 * BLOCK_BYTES;
const NEAR_DEPTH_BYTES = 8 * BLOCK_BYTES;

/**
 * Bytes that one connection is asked for ahead: over a short way what keeps it from ever running dry; over a long one as
 * much as it brings in two round trips and a little, so that no block waits for the slowest connection.
 */
export function depthBytes({ bytesPerSecond, roundTripSeconds, lanes }: LaneView): number {
  if (roundTripSeconds < NEAR_SECONDS) return NEAR_DEPTH_BYTES;
  const part = partBytes(roundTripSeconds);
  const most = Math.max(2 * part, MOST_ASKED_BYTES / lanes);
  if (bytesPerSecond === null) return Math.min(most, 4 * part);
  return Math.min(most, Math.max(2 * part, bytesPerSecond * (2 * roundTripSeconds + 0.3)));
}
