const WINDOW_MILLISECONDS = 10_000;

export interface Rate {
  bytesPerSecond?: number;
  etaSeconds?: number;
}

/** Rate over the last ten seconds and the time that is left at that rate. */
export function createRate(now: () => number = Date.now) {
  let samples: { at: number; done: number }[] = [];
  return (done: number, total: number): Rate => {
    const at = now();
    if (done < (samples.at(-1)?.done ?? 0)) samples = [];
    samples.push({ at, done });
    while (samples.length > 2 && (samples[1]?.at ?? at) <= at - WINDOW_MILLISECONDS) samples.shift();
    const first = samples[0];
    if (first === undefined || at - first.at < 500) return {};
    const bytesPerSecond = Math.round(((done - first.done) * 1000) / (at - first.at));
    if (bytesPerSecond <= 0) return { bytesPerSecond: 0 };
    return { bytesPerSecond, etaSeconds: Math.ceil((total - done) / bytesPerSecond) };
  };
}
