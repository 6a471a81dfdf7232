import { appendFile, mkdtemp, readdir, readFile, rename, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { BLOCK_BYTES, hashBlock } from '../../model/block-map.ts';
import { sampleBlock } from '../sample-transfer.ts';
import { flipBit, unseal } from './segment-damage.ts';
import { type BlockStore, openStore } from './store.ts';

let folder: string;
let store: BlockStore;
const limitBytes = 200 * BLOCK_BYTES;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cloudspan-store-'));
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

async function put(owner: string, transfer: string, seed: number): Promise<Buffer> {
  const data = sampleBlock(seed);
  const hash = hashBlock(data);
  await store.put(owner, transfer, hash, data);
  return hash;
}

const segments = async () => (await readdir(folder)).sort();
const first = async () => join(folder, (await segments())[0]!);

describe('the block store', () => {
  it('gives back what was put, also after it was opened anew', async () => {
    const hashes = await Promise.all([1, 2, 3, 4, 5].map((seed) => put('alice', 't1', seed)));
    for (const [at, hash] of hashes.entries())
      expect((await store.get('alice', hash)).equals(sampleBlock(at + 1))).toBe(true);
    expect(await segments()).toHaveLength(1);
    await reopen();
    for (const [at, hash] of hashes.entries())
      expect((await store.get('alice', hash)).equals(sampleBlock(at + 1))).toBe(true);
    expect(store.transfers()).toEqual([{ owner: 'alice', transfer: 't1' }]);
  });

  it('spreads blocks over segments and counts the bytes of its files', async () => {
    await Promise.all(Array.from({ length: 100 }, (_, seed) => put('alice', 't1', seed)));
    await reopen();
    const names = await segments();
    expect(names.length).toBeGreaterThan(1);
    let bytes = 0;
    for (const name of names) bytes += (await stat(join(folder, name))).size;
    expect(store.usage()).toMatchObject({ limitBytes, usedBytes: bytes, liveBytes: 100 * BLOCK_BYTES });
    expect(store.usage().freeDiskBytes).toBeGreaterThan(0);
    await reopen();
    expect(store.usage().usedBytes).toBe(bytes);
  });

  it('stores equal blocks of one owner once, and shows them to no other', async () => {
    const [hash] = await Promise.all([put('alice', 't1', 1), put('alice', 't1', 1), put('alice', 't2', 1)]);
    const { usedBytes } = store.usage();
    expect(usedBytes).toBeLessThan(1.1 * BLOCK_BYTES);
    expect(store.has('alice', hash)).toBe(true);
    expect(store.has('bob', hash)).toBe(false);
    await expect(store.get('bob', hash)).rejects.toMatchObject({ code: 'object.missing' });
    expect(await store.keep('bob', 't2', hash)).toBe(false);
    await put('bob', 't2', 1);
    expect(store.usage().usedBytes).toBeGreaterThan(2 * BLOCK_BYTES);
    await store.release('bob', 't1');
    expect(store.has('alice', hash)).toBe(true);
    expect(store.has('bob', hash)).toBe(true);
  });

  it('cuts off a record that was being written when the process was killed, and keeps those before it', async () => {
    const hash = await put('alice', 't1', 1);
    const torn = await put('alice', 't1', 2);
    const path = await first();
    await store.close();
    await unseal(path);
    const whole = await readFile(path);
    for (const missing of [1, BLOCK_BYTES - 1, BLOCK_BYTES, BLOCK_BYTES + 63]) {
      await writeFile(path, whole.subarray(0, whole.length - missing));
      store = await openStore(folder, { limitBytes });
      expect((await store.get('alice', hash)).equals(sampleBlock(1))).toBe(true);
      expect(store.has('alice', torn)).toBe(false);
      expect((await stat(path)).size).toBeLessThan(whole.length - BLOCK_BYTES + 200);
      await store.close();
    }
    store = await openStore(folder, { limitBytes });
    await put('alice', 't1', 2);
    await reopen();
    expect((await store.get('alice', torn)).equals(sampleBlock(2))).toBe(true);
  });

  it('reads a segment without its footer, or with a torn or changed one, by its records', async () => {
    const hashes = await Promise.all([1, 2, 3].map((seed) => put('alice', 't1', seed)));
    const path = await first();
    await store.close();
    const whole = await readFile(path);
    const footer = 64 * 5;
    for (const cut of [footer, footer - 64, 64, 1, 0]) {
      const bytes = Buffer.from(whole.subarray(0, whole.length - cut));
      if (cut === 0) bytes[bytes.length - footer + 70]! ^= 1;
      await writeFile(path, bytes);
      store = await openStore(folder, { limitBytes });
      for (const hash of hashes) expect(store.has('alice', hash)).toBe(true);
      await store.close();
      expect((await readFile(path)).equals(whole)).toBe(true);
    }
    await truncate(path, whole.length - footer - 10);
    store = await openStore(folder, { limitBytes });
    expect(hashes.map((hash) => store.has('alice', hash))).toEqual([true, true, false]);
  });

  it('does not take a block of the last batch for whole whose bytes never reached the disk', async () => {
    const hash = await put('alice', 't1', 1);
    await store.close();
    await unseal(await first());
    await flipBit(await first(), 600);
    store = await openStore(folder, { limitBytes });
    expect(store.has('alice', hash)).toBe(false);
  });

  it('finds a flipped bit when the block is read, drops the block, and takes it anew', async () => {
    for (const sealed of [false, true]) {
      const hash = await put('alice', 't1', 1);
      const other = await put('alice', 't1', 2);
      if (sealed) await reopen();
      await flipBit(await first(), 512 + 64 + 1000);
      await expect(store.get('alice', hash)).rejects.toMatchObject({ code: 'storage.damaged', retry: 'soon' });
      expect(store.has('alice', hash)).toBe(false);
      expect(store.usage().liveBytes).toBe(BLOCK_BYTES);
      await reopen();
      expect(store.has('alice', hash)).toBe(false);
      expect((await store.get('alice', other)).equals(sampleBlock(2))).toBe(true);
      await put('alice', 't1', 1);
      await reopen();
      expect((await store.get('alice', hash)).equals(sampleBlock(1))).toBe(true);
      await store.close();
      for (const name of await segments()) await rm(join(folder, name));
      store = await openStore(folder, { limitBytes });
    }
  });

  it('forgets a block whose file somebody removed', async () => {
    const hash = await put('alice', 't1', 1);
    await rm(await first());
    await expect(store.get('alice', hash)).rejects.toMatchObject({ code: 'object.missing' });
    expect(store.has('alice', hash)).toBe(false);
  });

  it('leaves files alone that are not its own, and removes segments without a head', async () => {
    await appendFile(join(folder, '0000000007.segment'), 'no head');
    await appendFile(join(folder, 'notes.txt'), 'mine');
    await reopen();
    expect(await segments()).toEqual(['notes.txt']);
  });

  it('reads what the release before left: a segment kept for other transfers is cache', async () => {
    const [one, two] = [await put('alice', 't1', 1), await put('alice', 't1', 2)];
    expect(await store.keep('alice', 't2', one)).toBe(true);
    await store.close();
    await rename(await first(), join(folder, '0000000001.shared'));
    store = await openStore(folder, { limitBytes });
    expect(store.transfers()).toEqual([{ owner: 'alice', transfer: 't2' }]);
    expect(store.usage().liveBytes).toBe(BLOCK_BYTES);
    expect((await store.get('alice', two)).equals(sampleBlock(2))).toBe(true);
  });
});
