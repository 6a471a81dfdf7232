import { describe, expect, it } from 'vitest';
import { BLOCK_BYTES } from '../model/block-map.ts';
import { BlockPool } from './pool.ts';

const isPending = async (promise: Promise<unknown>) =>
  (await Promise.race([promise, new Promise((resolve) => setTimeout(resolve, 5, 'pending'))])) === 'pending';

describe('the pool of block buffers', () => {
  it('gives no more than its limit, and the next buffer to whoever waits', async () => {
    const pool = new BlockPool(3);
    const share = pool.share({ most: 10, entitled: 1 });
    const buffers = [await share.take(), await share.take(), await share.take()];
    expect(buffers.every(({ length }) => length === BLOCK_BYTES)).toBe(true);
    const fourth = share.take();
    expect(await isPending(fourth)).toBe(true);
    share.give(buffers[0]!);
    expect(await fourth).toBe(buffers[0]);
    expect(pool.used).toBe(3);
  });

  it('lets nobody starve: what a holder is entitled to comes even when another one holds everything', async () => {
    const pool = new BlockPool(4);
    const greedy = pool.share({ most: 10, entitled: 1 });
    for (let count = 0; count < 4; count++) await greedy.take();
    const late = pool.share({ most: 10, entitled: 2 });
    await late.take();
    await late.take();
    expect(await isPending(late.take())).toBe(true);
    expect(pool.used).toBe(6);
  });

  it('divides what comes free evenly among those who wait', async () => {
    const pool = new BlockPool(8);
    const first = pool.share({ most: 8, entitled: 1 });
    const held = await Promise.all(Array.from({ length: 8 }, () => first.take()));
    const second = pool.share({ most: 8, entitled: 1 });
    for (let count = 0; count < 8; count++) void second.take().catch(() => {});
    for (let count = 0; count < 8; count++) void first.take().catch(() => {});
    for (const buffer of held) first.give(buffer);
    expect([first.held, second.held]).toEqual([4, 4]);
  });

  it('asks holders for what they can do without before it lets anybody wait', async () => {
    const pool = new BlockPool(2);
    const spare: Buffer[] = [];
    const cache = pool.share({
      most: 2,
      entitled: 1,
      reclaim: () => {
        const buffer = spare.pop();
        if (buffer !== undefined) cache.give(buffer);
        return buffer !== undefined;
      },
    });
    spare.push(await cache.take(), await cache.take());
    const other = pool.share({ most: 2, entitled: 0 });
    expect(await isPending(other.take())).toBe(false);
    expect(cache.held).toBe(1);
  });

  it('turns waiters away on abort and on close', async () => {
    const pool = new BlockPool(1);
    const share = pool.share({ most: 1, entitled: 0 });
    await share.take();
    const abort = new AbortController();
    const aborted = share.take(abort.signal);
    const closed = share.take();
    abort.abort(new Error('enough'));
    await expect(aborted).rejects.toThrow('enough');
    share.close();
    await expect(closed).rejects.toThrow('closed');
    await expect(share.take()).rejects.toThrow('closed');
  });
});
