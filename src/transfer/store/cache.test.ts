import { mkdtemp, readdir, rm, stat, utimes } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { BLOCK_BYTES, hashBlock } from '../../model/block-map.ts';
import { randomNumbers, sampleBlock } from '../sample-transfer.ts';
import { flipBit } from './segment-damage.ts';
import { type BlockStore, openStore } from './store.ts';

let folder: string;
let store: BlockStore;
/** Segments of 4 MiB. */
const limitBytes = 64 * BLOCK_BYTES;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cloudspan-cache-'));
  store = await openStore(folder, { limitBytes });
});
afterEach(async () => {
  await store.close();
  await rm(folder, { recursive: true, force: true });
});

async function reopen(limit = limitBytes): Promise<void> {
  await store.close();
  store = await openStore(folder, { limitBytes: limit });
}

const hashes = new Map<number, Buffer>();
const hashOf = (seed: number) => {
  const hash = hashes.get(seed) ?? hashBlock(sampleBlock(seed));
  hashes.set(seed, hash);
  return hash;
};
const seeds = (from: number, count: number) => Array.from({ length: count }, (_, at) => from + at);

async function put(transfer: string, from: number, count = 1): Promise<void> {
  for (let at = from; at < from + count; at += 4) {
    const some = seeds(at, Math.min(4, from + count - at));
    await Promise.all(some.map((seed) => store.put('alice', transfer, hashOf(seed), sampleBlock(seed))));
  }
}
const there = (from: number, count: number) =>
  seeds(from, count).filter((seed) => store.has('alice', hashOf(seed))).length;

async function fileBytes(): Promise<number> {
  let bytes = 0;
  for (const name of await readdir(folder)) bytes += (await stat(join(folder, name))).size;
  return bytes;
}

describe('the block cache', () => {
  it('takes what was still being written when its transfer was released as cache', async () => {
    const writing = seeds(1, 8).map((seed) => store.put('alice', 't1', hashOf(seed), sampleBlock(seed)));
    await store.release('alice', 't1');
    await Promise.all(writing);
    expect(store.usage().liveBytes).toBe(0);
    expect(there(1, 8)).toBe(8);
    await reopen();
    expect(store.transfers()).toEqual([]);
    expect(there(1, 8)).toBe(8);
  });

  it('keeps what a released transfer leaves, for any later one of the same owner, also after a restart', async () => {
    await put('t1', 1, 10);
    await store.release('alice', 't1');
    for (const again of [false, true]) {
      if (again) await reopen();
      expect(store.transfers()).toEqual([]);
      expect(store.usage()).toMatchObject({ liveBytes: 0, cacheBytes: await fileBytes() });
      expect(there(1, 10)).toBe(10);
      expect((await store.get('alice', hashOf(3))).equals(sampleBlock(3))).toBe(true);
      expect(store.has('bob', hashOf(3))).toBe(false);
    }
    expect(await store.keep('alice', 't2', hashOf(3))).toBe(true);
    await put('t2', 4);
    expect(store.usage().liveBytes).toBe(2 * BLOCK_BYTES);
    await store.release('alice', 't1');
    await store.release('alice', 't1');
    expect(store.usage().liveBytes).toBe(2 * BLOCK_BYTES);
  });

  it('makes way for transfers, the least recently used segments first, and stays below the limit', async () => {
    await put('t1', 1, 20);
    await store.release('alice', 't1');
    await put('t2', 101, 20);
    await store.release('alice', 't2');
    await reopen();
    for (const name of await readdir(folder)) await utimes(join(folder, name), 1000, 1000 + Number.parseInt(name, 10));
    await reopen();
    // The oldest segment is read: another one goes first.
    await store.get('alice', hashOf(1));
    await put('t3', 201, 24);
    expect(await fileBytes()).toBeLessThanOrEqual(limitBytes);
    expect(there(1, 4)).toBe(4);
    expect(there(5, 4)).toBe(0);
    expect(there(101, 20)).toBe(20);
    await put('t3', 301, 30);
    expect(await fileBytes()).toBeLessThanOrEqual(limitBytes);
    expect(there(201, 24)).toBe(24);
    expect(there(301, 30)).toBe(30);
    expect(store.usage().usedBytes).toBe(await fileBytes());
  });

  it('throws storage.full only when nothing can be evicted, says the numbers, and rings when that changes', async () => {
    await put('t1', 1, 50);
    await store.release('alice', 't1');
    await put('t2', 101, 56);
    const error = await put('t3', 1001, 6).catch((fault) => fault);
    expect(error).toMatchObject({ code: 'storage.full', details: { folder, limitBytes } });
    expect(there(101, 56)).toBe(56);
    expect(there(1, 50)).toBe(0);
    expect(store.room('alice', 't3')).toBeLessThan(6 * BLOCK_BYTES);
    const freed = store.freed.wait(AbortSignal.timeout(5000));
    await store.release('alice', 't2');
    await freed;
    await put('t3', 1001, 40);
    expect(there(1001, 40)).toBe(40);
  });

  it('shrinks to a lowered limit when it is opened, and gives transfers up for nothing', async () => {
    await put('t1', 1, 20);
    await store.release('alice', 't1');
    await put('t2', 101, 10);
    await reopen(16 * BLOCK_BYTES);
    expect(await fileBytes()).toBeLessThanOrEqual(16 * BLOCK_BYTES);
    expect(there(101, 10)).toBe(10);
    await reopen(5 * BLOCK_BYTES);
    expect(there(101, 10)).toBe(10);
    expect(there(1, 20)).toBe(0);
  });

  it('keeps a block as long as one transfer refers to it, also when it is opened in between', async () => {
    await put('t1', 1, 2);
    expect(await store.keep('alice', 't2', hashOf(1))).toBe(true);
    await reopen();
    await store.release('alice', 't1');
    expect(store.usage().liveBytes).toBe(BLOCK_BYTES);
    await reopen();
    await put('t3', 101, 57);
    await expect(put('t3', 201, 9)).rejects.toMatchObject({ code: 'storage.full' });
    expect((await store.get('alice', hashOf(1))).equals(sampleBlock(1))).toBe(true);
    expect(store.has('alice', hashOf(2))).toBe(false);
    await store.release('alice', 't2');
    await store.release('alice', 't3');
    expect(store.usage()).toMatchObject({ liveBytes: 0 });
  });

  it('rewrites a segment of which little is needed, instead of being pinned by one block', async () => {
    await put('t1', 1, 48);
    for (const seed of seeds(0, 12)) await store.keep('alice', 't2', hashOf(1 + seed * 4));
    await store.release('alice', 't1');
    expect(store.usage().liveBytes).toBe(12 * BLOCK_BYTES);
    await put('t3', 101, 40);
    expect(await fileBytes()).toBeLessThanOrEqual(limitBytes);
    for (const again of [false, true]) {
      if (again) await reopen();
      for (const seed of seeds(0, 12)) {
        const data = await store.get('alice', hashOf(1 + seed * 4));
        expect(data.equals(sampleBlock(1 + seed * 4))).toBe(true);
      }
      expect(there(101, 40)).toBe(40);
      expect(store.usage().liveBytes).toBe(52 * BLOCK_BYTES);
    }
    await store.release('alice', 't2');
    expect(store.usage().liveBytes).toBe(40 * BLOCK_BYTES);
  });

  it('lets a transfer larger than the storage through that spares what it has handed on', async () => {
    for (let seed = 1; seed < 300; seed += 4) {
      await put('t1', seed, 4);
      if (seed > 20) for (const old of seeds(seed - 20, 4)) store.spare('alice', 't1', hashOf(old));
    }
    expect(await fileBytes()).toBeLessThanOrEqual(limitBytes);
    expect(there(281, 20)).toBe(20);
    expect(store.usage().liveBytes).toBe(20 * BLOCK_BYTES);
    await reopen();
    expect(there(281, 20)).toBe(20);
    await store.release('alice', 't1');
    expect(store.usage().liveBytes).toBe(0);
  });

  it('keeps reserved space from other transfers, and leaves them a part', async () => {
    const whole = store.room('alice', 't1');
    expect(store.reserve('alice', 't1', 1e12)).toBe(Math.floor(whole / 2));
    expect(store.room('alice', 't1')).toBe(whole);
    expect(store.room('bob', 't2')).toBe(whole - Math.floor(whole / 2));
    expect(store.usage().reservedBytes).toBe(Math.floor(whole / 2));
    await expect(put('t2', 1, 60)).rejects.toMatchObject({ code: 'storage.full' });
    expect(store.reserve('alice', 't1', 5 * BLOCK_BYTES)).toBe(5 * BLOCK_BYTES);
    await put('t1', 101, 3);
    expect(store.usage().reservedBytes).toBe(2 * BLOCK_BYTES);
    await put('t1', 104, 3);
    expect(store.usage().reservedBytes).toBe(0);
    await store.release('alice', 't1');
    expect(store.room('bob', 't3')).toBe(whole - store.usage().liveBytes);
  });

  it('drops a block of the cache that was damaged, and takes it anew', async () => {
    await put('t1', 1, 2);
    await store.release('alice', 't1');
    await flipBit(join(folder, (await readdir(folder))[0]!), 512 + 64 + 1000);
    expect(await store.keep('alice', 't2', hashOf(1))).toBe(true);
    await expect(store.get('alice', hashOf(1))).rejects.toMatchObject({ code: 'storage.damaged' });
    expect(store.has('alice', hashOf(1))).toBe(false);
    await put('t2', 1);
    expect((await store.get('alice', hashOf(1))).equals(sampleBlock(1))).toBe(true);
    expect((await store.get('alice', hashOf(2))).equals(sampleBlock(2))).toBe(true);
  });

  it('agrees with what is on its disk after any mixture of transfers, at the same time and over restarts', async () => {
    const random = randomNumbers(11);
    const pick = (most: number) => Math.floor(random() * most);
    const needed = new Map<string, Set<number>>();
    for (let round = 0; round < 6; round++) {
      const work = Array.from({ length: 60 }, async () => {
        const transfer = `t${pick(4)}`;
        const seed = 1 + pick(70);
        const kind = random();
        try {
          if (kind < 0.75) {
            await store.put('alice', transfer, hashOf(seed), sampleBlock(seed));
            needed.set(transfer, (needed.get(transfer) ?? new Set()).add(seed));
          } else if (kind < 0.9) await store.get('alice', hashOf(seed));
          else store.has('alice', hashOf(seed));
        } catch (error) {
          expect(['storage.full', 'object.missing']).toContain((error as { code: string }).code);
        }
      });
      await Promise.all(work);
      const over = `t${pick(4)}`;
      await store.release('alice', over);
      needed.delete(over);
      if (round % 2 === 1) await reopen();
      expect(await fileBytes()).toBeLessThanOrEqual(limitBytes);
      const live = new Set([...needed.values()].flatMap((one) => [...one]));
      expect(store.usage().liveBytes).toBe(live.size * BLOCK_BYTES);
      for (const seed of live) expect((await store.get('alice', hashOf(seed))).equals(sampleBlock(seed))).toBe(true);
    }
  });
});
