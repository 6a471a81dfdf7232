import { setTimeout as sleep } from 'node:timers/promises';
import { Fault } from '../model/fault.ts';

/** Waits; rejects with the signal's reason when it is aborted. */
export async function delay(milliseconds: number, signal?: AbortSignal): Promise<void> {
  try {
    await sleep(milliseconds, undefined, signal === undefined ? {} : { signal });
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  }
}

export interface BackoffOptions {
  signal: AbortSignal;
  /** Tries in all. */
  attempts: number;
  firstMilliseconds?: number;
  longestMilliseconds?: number;
  /** Told before each wait. */
  onRetry?: (fault: Fault, attempt: number, waitMilliseconds: number) => void;
}

/**
 * Runs `work` until it succeeds, its fault cannot be helped by waiting (`retry` is not `soon`) or the attempts are used
 * up. Waits twice as long each time, with jitter, and at least as long as the other side asked.
 */
export async function withBackoff<T>(work: (attempt: number) => Promise<T>, options: BackoffOptions): Promise<T> {
  const { signal, attempts, firstMilliseconds = 250, longestMilliseconds = 15_000 } = options;
  for (let attempt = 1; ; attempt++) {
    signal.throwIfAborted();
    try {
      return await work(attempt);
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof Fault) || error.retry !== 'soon' || attempt >= attempts) throw error;
      const grown = Math.min(longestMilliseconds, firstMilliseconds * 2 ** (attempt - 1));
      const wait = Math.max(grown * (0.5 + Math.random() / 2), (error.retryAfterSeconds ?? 0) * 1000);
      options.onRetry?.(error, attempt, wait);
      await delay(wait, signal);
    }
  }
}
