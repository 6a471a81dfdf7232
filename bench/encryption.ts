/** What encryption at rest costs: the same blocks into a store and out of it, with and without, alternating. */
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { BLOCK_BYTES, hashBlock } from '../src/model/block-map.ts';
import { KEY_BYTES, Keyring } from '../src/transfer/store/sealing.ts';
import { openStore } from '../src/transfer/store/store.ts';
import { median, type Row } from './measure.ts';

const BLOCKS = 512;
const TOGETHER = 16;
const ROUNDS = 5;

type Cost = Record<'write' | 'read', number>;

export async function benchEncryption(folder: string): Promise<Row[]> {
  const blocks = Array.from({ length: TOGETHER }, () => randomBytes(BLOCK_BYTES));
  const costs: Record<'plain' | 'encrypted', Cost[]> = { plain: [], encrypted: [] };
  for (let round = 0; round <= ROUNDS; round++) {
    for (const kind of ['plain', 'encrypted'] as const) {
      const cost = await run(folder, kind === 'encrypted', blocks);
      // The first round warms up.
      if (round > 0) costs[kind].push(cost);
    }
  }
  return (['write', 'read'] as const).map((what) => {
    const plain = median(costs.plain.map((cost) => cost[what]));
    const encrypted = median(costs.encrypted.map((cost) => cost[what]));
    const pairs = costs.plain.map((cost, round) => cost[what] / (costs.encrypted[round]?.[what] ?? Number.NaN));
    return {
      case: `transfer storage, ${what}, encrypted`,
      unit: 'CPU seconds per GB',
      ours: encrypted,
      peer: plain,
      peerName: 'the same unencrypted',
      ratio: median(pairs),
      aim: null,
    };
  });
}

async function run(parent: string, encrypted: boolean, blocks: Buffer[]): Promise<Cost> {
  const folder = await mkdtemp(join(parent, 'store-'));
  const store = await openStore(folder, { limitBytes: 8e9, keyring: new Keyring(encrypted) });
  try {
    await store.unlock('owner', randomBytes(KEY_BYTES));
    const hashes: Buffer[] = [];
    const write = await cpuSeconds(async () => {
      for (let at = 0; at < BLOCKS; at += TOGETHER) {
        await Promise.all(
          blocks.map((block, place) => {
            block.writeUInt32BE(at, 0);
            const hash = hashBlock(block);
            hashes[at + place] = hash;
            return store.put('owner', 'transfer', hash, block);
          }),
        );
      }
    });
    const into = Buffer.alloc(BLOCK_BYTES);
    const read = await cpuSeconds(async () => {
      for (const hash of hashes) await store.read('owner', hash, into);
    });
    const gigabytes = (BLOCKS * BLOCK_BYTES) / 1e9;
    return { write: write / gigabytes, read: read / gigabytes };
  } finally {
    await store.close();
    await rm(folder, { recursive: true, force: true });
  }
}

async function cpuSeconds(work: () => Promise<void>): Promise<number> {
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1e6;
}
