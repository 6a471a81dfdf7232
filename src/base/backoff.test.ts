import { describe, expect, it } from 'vitest';
import { Fault } from '../model/fault.ts';
import { withBackoff } from './backoff.ts';

const signal = new AbortController().signal;
const quick = { signal, attempts: 4, firstMilliseconds: 1 };

describe('a retry', () => {
  it('goes on while the fault can be helped by waiting', async () => {
    let tries = 0;
    const answer = await withBackoff(async () => {
      tries++;
      if (tries < 3) throw new Fault('cloud.unreachable', 'away');
      return 'there';
    }, quick);
    expect(answer).toBe('there');
    expect(tries).toBe(3);
  });

  it('never repeats a refused login', async () => {
    let tries = 0;
    const work = withBackoff(async () => {
      tries++;
      throw new Fault('auth.refused', 'no');
    }, quick);
    await expect(work).rejects.toMatchObject({ code: 'auth.refused' });
    expect(tries).toBe(1);
  });

  it('gives up after its attempts with the last fault', async () => {
    const work = withBackoff(async (attempt) => {
      throw new Fault('cloud.busy', `try ${attempt}`);
    }, quick);
    await expect(work).rejects.toMatchObject({ message: 'try 4' });
  });

  it('waits as long as the other side asked', async () => {
    const waits: number[] = [];
    const work = withBackoff(
      async (attempt) => {
        if (attempt === 1) throw new Fault('cloud.busy', 'later', { retryAfterSeconds: 0.2 });
        return attempt;
      },
      { ...quick, onRetry: (_fault, _attempt, wait) => waits.push(wait) },
    );
    expect(await work).toBe(2);
    expect(waits[0]).toBeGreaterThanOrEqual(200);
  });

  it('ends with the reason of its signal', async () => {
    const stop = new AbortController();
    const work = withBackoff(
      async () => {
        throw new Fault('cloud.busy', 'later', { retryAfterSeconds: 60 });
      },
      { signal: stop.signal, attempts: 9, onRetry: () => stop.abort(new Error('stopped')) },
    );
    await expect(work).rejects.toThrow('stopped');
  });
});
