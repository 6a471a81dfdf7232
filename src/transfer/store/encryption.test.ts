import { randomBytes } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { BLOCK_BYTES, BlockMap, hashBlock } from '../../model/block-map.ts';
import { sampleBlock } from '../sample-transfer.ts';
import { KEY_BYTES, Keyring, sealingOf } from './sealing.ts';
import { flipBit, unseal } from './segment-damage.ts';
import { type BlockStore, openStore } from './store.ts';
import { openVersions } from './versions.ts';

let folder: string;
let store: BlockStore;
let keyring: Keyring;
const limitBytes = 64 * BLOCK_BYTES;
const aliceKey = randomBytes(KEY_BYTES);
const bobKey = randomBytes(KEY_BYTES);

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cloudspan-encryption-'));
  await open();
});
afterEach(async () => {
  await store.close();
  await rm(folder, { recursive: true, force: true });
});

async function open(encrypted = true): Promise<void> {
  keyring = new Keyring(encrypted);
  store = await openStore(folder, { limitBytes, keyring });
}
async function reopen(encrypted = true): Promise<void> {
  await store.close();
  await open(encrypted);
}

const text = Buffer.alloc(BLOCK_BYTES, 'the payroll of the year ');
const put = (owner: string, data: Buffer, transfer = 't1') => store.put(owner, transfer, hashBlock(data), data);
const files = async () => Promise.all((await readdir(folder)).sort().map((name) => readFile(join(folder, name))));

describe('an encrypted block store', () => {
  it('waits for the key, then takes and gives blocks, also after a restart', async () => {
    const locked = expect.objectContaining({ code: 'storage.locked' });
    await expect(put('alice', text)).rejects.toEqual(locked);
    await expect(store.keep('alice', 't1', hashBlock(text))).rejects.toEqual(locked);
    expect(() => store.has('alice', hashBlock(text))).toThrow(locked);
    await store.unlock('alice', aliceKey);
    await put('alice', text);
    expect(await store.keep('alice', 't2', hashBlock(text))).toBe(true);
    await store.release('alice', 't1');
    await reopen();
    expect(store.transfers()).toEqual([{ owner: 'alice', transfer: 't2' }]);
    await expect(store.get('alice', hashBlock(text))).rejects.toEqual(locked);
    const waits: string[] = [];
    const until = keyring.until('alice', AbortSignal.timeout(5000), (fault) => waits.push(fault.code));
    await store.unlock('alice', aliceKey);
    await until;
    expect(waits).toEqual(['storage.locked']);
    expect((await store.get('alice', hashBlock(text))).equals(text)).toBe(true);
    expect(store.usage().liveBytes).toBe(BLOCK_BYTES);
  });

  it('writes neither content nor hash to the disk, and nothing that two owners of one block have in common', async () => {
    await store.unlock('alice', aliceKey);
    await store.unlock('bob', bobKey);
    await put('alice', text);
    await put('bob', text);
    await store.close();
    const [one, two] = (await files()) as [Buffer, Buffer];
    for (const bytes of [one, two]) {
      expect(bytes.includes('payroll')).toBe(false);
      expect(bytes.includes(hashBlock(text))).toBe(false);
      expect(bytes.includes(aliceKey) || bytes.includes(bobKey)).toBe(false);
    }
    const chunks = new Set<string>();
    for (let at = 512 + 64; at < 512 + 64 + BLOCK_BYTES; at += 16) chunks.add(one.toString('latin1', at, at + 16));
    expect(chunks.size).toBe(BLOCK_BYTES / 16);
    for (let at = 512 + 64; at < 512 + 64 + BLOCK_BYTES; at += 16) {
      expect(chunks.has(two.toString('latin1', at, at + 16))).toBe(false);
    }
    expect(one.subarray(512 + 16, 512 + 48).equals(two.subarray(512 + 16, 512 + 48))).toBe(false);
  });

  it('never encrypts two contents with one piece of key stream', () => {
    const sealing = sealingOf(aliceKey);
    const zeros = Buffer.alloc(64);
    const streams = new Set<string>();
    for (let seed = 1; seed <= 1000; seed++) {
      const id = sealing.id(hashBlock(Buffer.from(`${seed}`)));
      streams.add(sealing.seal(id, zeros).toString('hex'));
      expect(sealing.seal(id, zeros).equals(sealing.seal(id, zeros))).toBe(true);
    }
    expect(streams.size).toBe(1000);
  });

  it('finds a flipped bit, and what a killed process had not made durable, once the key is here', async () => {
    await store.unlock('alice', aliceKey);
    for (const seed of [1, 2]) await put('alice', sampleBlock(seed));
    await store.close();
    const path = join(folder, (await readdir(folder))[0]!);
    await unseal(path);
    await flipBit(path, 512 + 64 + 77);
    await open();
    await store.unlock('alice', aliceKey);
    expect(store.has('alice', hashBlock(sampleBlock(1)))).toBe(false);
    expect((await store.get('alice', hashBlock(sampleBlock(2)))).equals(sampleBlock(2))).toBe(true);
    await flipBit(path, 512 + 64 + BLOCK_BYTES + 64 + 77);
    await expect(store.get('alice', hashBlock(sampleBlock(2)))).rejects.toMatchObject({ code: 'storage.damaged' });
    await put('alice', sampleBlock(2));
    await reopen();
    await store.unlock('alice', aliceKey);
    expect((await store.get('alice', hashBlock(sampleBlock(2)))).equals(sampleBlock(2))).toBe(true);
  });

  it('moves blocks as they are when it rewrites a segment', async () => {
    await store.unlock('alice', aliceKey);
    for (let seed = 1; seed <= 48; seed++) await put('alice', sampleBlock(seed));
    for (let seed = 1; seed <= 48; seed += 4) await store.keep('alice', 't2', hashBlock(sampleBlock(seed)));
    await store.release('alice', 't1');
    for (let seed = 101; seed <= 140; seed++) await put('alice', sampleBlock(seed), 't3');
    for (let seed = 1; seed <= 48; seed += 4) {
      expect((await store.get('alice', hashBlock(sampleBlock(seed)))).equals(sampleBlock(seed))).toBe(true);
    }
  });

  it('erases an owner: his blocks are gone, another owner keeps his', async () => {
    await store.unlock('alice', aliceKey);
    await store.unlock('bob', bobKey);
    await put('alice', text);
    await put('bob', text);
    await store.erase('alice');
    expect(keyring.find('alice')).toBeNull();
    expect((await store.get('bob', hashBlock(text))).equals(text)).toBe(true);
    expect(await readdir(folder)).toHaveLength(1);
    await store.erase('alice');
    await store.unlock('alice', randomBytes(KEY_BYTES));
    expect(store.has('alice', hashBlock(text))).toBe(false);
  });

  it('frees what lies under a key that was forgotten elsewhere, and what lies open', async () => {
    await store.unlock('alice', aliceKey);
    await put('alice', text);
    await reopen();
    await store.unlock('alice', randomBytes(KEY_BYTES));
    expect(store.has('alice', hashBlock(text))).toBe(false);
    expect(store.usage().usedBytes).toBe(0);
    await put('alice', text);
    await reopen(false);
    expect(await readdir(folder)).toEqual([]);
    await put('alice', text);
    await reopen(true);
    expect(await readdir(folder)).toEqual([]);
  });
});

it('the maps of versions are encrypted with it', async () => {
  const mapFolder = join(folder, 'versions');
  const versions = await openVersions(mapFolder, { keyring });
  const map = new BlockMap('disk', 8 * BLOCK_BYTES);
  map.set(3, hashBlock(text));
  const name = { lineage: 'vc1/vm-1', disk: 'd', alike: ['web'] };
  await versions.remember('alice', name, map);
  expect(await versions.recall('alice', name)).toBeNull();
  await store.unlock('alice', aliceKey);
  await versions.remember('alice', name, map);
  const reopened = await openVersions(mapFolder, { keyring });
  expect((await reopened.recall('alice', { ...name, lineage: 'other' }))?.root()).toBe(map.root());
  const [file] = await readdir(mapFolder);
  expect((await readFile(join(mapFolder, file!))).includes(hashBlock(text))).toBe(false);
  await openVersions(mapFolder, { keyring: new Keyring(false) });
  expect(await readdir(mapFolder)).toEqual([]);
});
