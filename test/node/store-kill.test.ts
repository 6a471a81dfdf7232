import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, it } from 'vitest';
import { BLOCK_BYTES, hashBlock } from '../../src/model/block-map.ts';
import { randomNumbers, sampleBlock } from '../../src/transfer/sample-transfer.ts';
import { openStore } from '../../src/transfer/store/store.ts';

const LIMIT = 40 * BLOCK_BYTES;
const KILLS = 10;

/** Runs a writer until it has said so much, and a little longer; answers what it said was durable. */
async function runAndKill(folder: string, seed: number, lines: number, milliseconds: number) {
  const script = join(import.meta.dirname, 'store-writer.ts');
  const child = spawn(process.execPath, [script, folder, String(LIMIT), String(seed)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const said: string[] = [];
  const exited = once(child, 'exit');
  const reader = createInterface(child.stdout);
  const read = once(reader, 'close');
  reader.on('line', (line) => {
    said.push(line);
    if (said.length === lines) setTimeout(() => child.kill('SIGKILL'), milliseconds);
  });
  const [, signal] = await exited;
  expect(signal).toBe('SIGKILL');
  await read;
  return said;
}

function durable(said: readonly string[]): Map<string, Set<number>> {
  const transfers = new Map<string, Set<number>>();
  for (const line of said) {
    const [verb, transfer = '', block = ''] = line.split(' ');
    if (verb === 'put') transfers.set(transfer, (transfers.get(transfer) ?? new Set()).add(Number(block)));
    if (verb === 'spare') transfers.get(transfer)?.delete(Number(block));
    if (verb === 'release') transfers.delete(transfer);
  }
  return transfers;
}

it('a store whose process is killed at any moment has every block that it acknowledged, within its limit', {
  timeout: 300_000,
}, async () => {
  const folder = await mkdtemp(join(tmpdir(), 'cloudspan-store-kill-'));
  const random = randomNumbers(5);
  let evicted = 0;
  try {
    for (let seed = 1; seed <= KILLS; seed++) {
      const said = await runAndKill(folder, seed, 40 + Math.floor(random() * 120), Math.floor(random() * 30));
      evicted += said.filter((line) => line.startsWith('release')).length;
      const store = await openStore(folder, { limitBytes: LIMIT });
      try {
        for (const [transfer, blocks] of durable(said)) {
          for (const block of blocks) {
            const hash = hashBlock(sampleBlock(block));
            expect(store.has('alice', hash), `${transfer} ${block} after kill ${seed}`).toBe(true);
            expect((await store.get('alice', hash)).equals(sampleBlock(block))).toBe(true);
          }
        }
        // What is left of cache is whole too.
        for (let block = 1; block <= 60; block++) {
          const hash = hashBlock(sampleBlock(block));
          if (store.has('alice', hash)) expect((await store.get('alice', hash)).equals(sampleBlock(block))).toBe(true);
        }
        for (const { owner, transfer } of store.transfers()) await store.release(owner, transfer);
        expect(store.usage().liveBytes).toBe(0);
        let bytes = 0;
        for (const name of await readdir(folder)) {
          expect(name).toMatch(/^\d{10}\.cache$/);
          bytes += (await stat(join(folder, name))).size;
        }
        expect(store.usage().usedBytes).toBe(bytes);
        expect(bytes).toBeLessThanOrEqual(LIMIT);
      } finally {
        await store.close();
      }
    }
    expect(evicted).toBeGreaterThan(0);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
