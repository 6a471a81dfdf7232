import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Duplex, Transform } from 'node:stream';
import { afterEach, describe, expect, it } from 'vitest';
import { BLOCK_BYTES, type BlockMap } from '../model/block-map.ts';
import type { PullOptions } from './receiver/pull.ts';
import { randomNumbers, SampleReceiver, sampleBlock, samplePackage } from './sample-transfer.ts';
import { Offer } from './source/offer.ts';
import { serveOffer } from './source/serve.ts';
import { PAGE_BYTES } from './wire/pages.ts';

const BLOCKS = 24;
const BYTES = BLOCKS * BLOCK_BYTES;

const open: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const thing of open.splice(0).reverse()) await thing.close();
});

/** Every fourth block is zero. */
function firstVersion(): (Buffer | null)[] {
  return Array.from({ length: BLOCKS }, (_, index) => (index % 4 === 3 ? null : sampleBlock(index + 1)));
}

/** Brings a disk of these blocks; answers its map and what went over the wire. */
async function bring(
  receiver: SampleReceiver,
  transfer: string,
  blocks: readonly (Buffer | null)[],
  more: Partial<PullOptions> = {},
  through: (socket: Duplex) => Duplex = (socket) => socket,
): Promise<{ map: BlockMap; wireBytes: number }> {
  const description = samplePackage({ disk: { capacityBytes: BYTES, blocks: [] } });
  const offer = new Offer({ transfer, owner: 'source-owner', description });
  const server = serveOffer(offer, {});
  const pull = receiver.start(
    { transfer, server },
    { take: async () => through(receiver.connect({ server })), ...more },
  );
  try {
    for (const [index, data] of blocks.entries()) if (data !== null) await offer.add('disk', { index, data });
    offer.endDisk('disk');
    const maps = await pull.finished;
    await pull.confirmed;
    expect(maps.get('disk')!.root()).toBe(offer.map('disk').root());
    for await (const { index, data } of pull.feed('disk').blocks(0, AbortSignal.timeout(20_000))) {
      expect(data.equals(blocks[index]!)).toBe(true);
    }
    return { map: maps.get('disk')!, wireBytes: pull.progress().wireBytes };
  } finally {
    await pull.close();
    offer.close();
    await server.close();
  }
}

async function both(change: (blocks: (Buffer | null)[]) => void, damage?: (receiver: SampleReceiver) => Promise<void>) {
  const receiver = await SampleReceiver.create();
  open.push(receiver);
  const blocks = firstVersion();
  const first = await bring(receiver, 't1', blocks);
  const next = blocks.map((block) => block && Buffer.from(block));
  change(next);
  await damage?.(receiver);
  const recall = async () => new Map([['disk', first.map]]);
  const with_ = await bring(receiver, 't2', next, { recall });
  return { first, second: with_, receiver, next };
}

describe('a later version of a disk', () => {
  it('comes as the pages that were changed here and there', async () => {
    const random = randomNumbers(7);
    const changed = new Set<number>();
    const { first, second } = await both((blocks) => {
      while (changed.size < 60) {
        const page = Math.floor(random() * (BYTES / PAGE_BYTES));
        const block = blocks[Math.floor((page * PAGE_BYTES) / BLOCK_BYTES)];
        if (!block || changed.has(page)) continue;
        changed.add(page);
        block.writeUInt32BE(page + 1, ((page * PAGE_BYTES) % BLOCK_BYTES) + 8);
      }
    });
    expect(first.wireBytes).toBe(18 * BLOCK_BYTES);
    expect(second.wireBytes).toBeGreaterThanOrEqual(60 * PAGE_BYTES);
    expect(second.wireBytes).toBeLessThanOrEqual(60 * PAGE_BYTES + 18 * 64);
  });

  it('comes as whole blocks where they have nothing in common with the older ones, or were zero', async () => {
    const { second } = await both((blocks) => {
      blocks[0] = sampleBlock(500);
      blocks[3] = sampleBlock(501);
      blocks[4] = null;
      blocks[9] = blocks[8]!;
    });
    expect(second.wireBytes).toBe(2 * BLOCK_BYTES);
  });

  it('comes whole when the older blocks are damaged here, and nothing of the damage goes on', async () => {
    const { first, second } = await both(
      (blocks) => blocks[0]!.fill(1, 0, 100),
      async ({ folder, store }) => {
        expect(store.usage().usedBytes).toBeGreaterThan(0);
        const segment = join(folder, 'store', '0000000001.segment');
        await writeFile(segment, Buffer.alloc(2000, 7), { flag: 'r+' });
      },
    );
    expect(second.wireBytes).toBeGreaterThanOrEqual(BLOCK_BYTES);
    expect(first.map.root()).not.toBe(second.map.root());
  });

  it('comes as whole blocks from a source of the release before', async () => {
    const { receiver, first, next } = await both(() => {});
    next[0]!.fill(9, 0, 10);
    const recall = async () => new Map([['disk', first.map]]);
    const { wireBytes } = await bring(receiver, 't3', next, { recall }, ofVersion1);
    expect(wireBytes).toBe(BLOCK_BYTES);
  });
});

/** The source's words, but its "welcome" names version 1. */
function ofVersion1(socket: Duplex): Duplex {
  const words = new Transform({
    transform: (chunk: Buffer, _, done) =>
      done(null, Buffer.from(chunk.toString('latin1').replace('"version":2', '"version":1'), 'latin1')),
  });
  socket.on('close', () => words.destroy());
  return Duplex.from({ readable: socket.pipe(words), writable: socket });
}
