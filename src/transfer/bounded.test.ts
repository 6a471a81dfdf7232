import { afterEach, describe, expect, it } from 'vitest';
import { BLOCK_BYTES } from '../model/block-map.ts';
import type { Pull } from './receiver/pull.ts';
import { readFeed, type SampleDisk, SampleReceiver, SampleSource } from './sample-transfer.ts';

const open: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const thing of open.splice(0).reverse()) await thing.close();
});

const LIMIT_BYTES = 8 * BLOCK_BYTES;
const WINDOW_BLOCKS = 6;

function sampleDisk(count: number, seed: number): SampleDisk {
  return {
    capacityBytes: count * BLOCK_BYTES,
    blocks: Array.from({ length: count }, (_, index) => (index % 5 === 4 ? null : seed + index)),
  };
}

/** A source that is read again by itself when it ends with a fault that waiting mends, as the export of a node does. */
async function pair(disks: Record<string, SampleDisk>) {
  const source = new SampleSource(disks, 't1', WINDOW_BLOCKS * BLOCK_BYTES);
  source.order = 'sequential';
  await source.restart();
  const receiver = await SampleReceiver.create(LIMIT_BYTES);
  open.push(source, receiver);
  let reads = 1;
  let closed = false;
  open.push({
    async close() {
      closed = true;
    },
  });
  const again = () => {
    source.offer.done.catch(async (fault) => {
      if (fault.code === 'transfer.rewound') {
        reads++;
        await source.restart();
      }
      if (!closed) setTimeout(again, 5);
    });
  };
  again();
  return {
    source,
    receiver,
    get reads() {
      return reads;
    },
  };
}

function expectBounded(receiver: SampleReceiver): void {
  expect(receiver.store.usage().usedBytes).toBeLessThanOrEqual(LIMIT_BYTES);
}

async function conclude(pull: Pull, source: SampleSource): Promise<void> {
  pull.conclude();
  const maps = await pull.finished;
  await pull.confirmed;
  await source.offer.done;
  for (const [id, map] of maps) {
    expect(map.root()).toBe(source.offer.map(id).root());
    expect(pull.handed(id).root()).toBe(map.root());
    expect(pull.handed(id).complete).toBe(true);
  }
}

async function readSome(pull: Pull, id: string, blocks: number): Promise<void> {
  for await (const _ of pull.feed(id).blocks(0, AbortSignal.timeout(30_000))) if (--blocks === 0) return;
}

describe('a transfer larger than the storage', () => {
  it('goes through in one reading when it is walked over once, and keeps what fits', async () => {
    const disks = { a: sampleDisk(60, 100), b: sampleDisk(40, 300) };
    const { source, receiver, ...rest } = await pair(disks);
    const pull = receiver.start(source);
    await pull.description();
    const counts = await Promise.all([readFeed(pull, 'a', disks.a), readFeed(pull, 'b', disks.b)]);
    expect(counts).toEqual([48, 32]);
    expectBounded(receiver);
    expect(receiver.store.usage().usedBytes).toBeGreaterThan(5 * BLOCK_BYTES);
    await conclude(pull, source);
    expect(rest.reads).toBe(1);
    expect(pull.progress()).toMatchObject({ wireBytes: 80 * BLOCK_BYTES, resentBytes: 0 });
    expect(pull.progress().arrivedBytes).toEqual({ a: 60 * BLOCK_BYTES, b: 40 * BLOCK_BYTES });
  });

  it('keeps the source until the destination has concluded', async () => {
    const disks = { a: sampleDisk(30, 100) };
    const { source, receiver } = await pair(disks);
    const pull = receiver.start(source);
    await readFeed(pull, 'a', disks.a);
    const early = await Promise.race([
      pull.finished.then(() => 'finished'),
      new Promise((done) => setTimeout(done, 200)),
    ]);
    expect(early).toBeUndefined();
    await conclude(pull, source);
  });

  it('sends again only what the storage does not hold when the destination begins again', async () => {
    const disks = { a: sampleDisk(60, 100) };
    const parts = await pair(disks);
    const { source, receiver } = parts;
    const pull = receiver.start(source);
    await pull.description();
    await readSome(pull, 'a', 40);
    expect(await readFeed(pull, 'a', disks.a)).toBe(48);
    expectBounded(receiver);
    await conclude(pull, source);
    expect(parts.reads).toBe(2);
    const held = Math.floor(receiver.store.usage().usedBytes / BLOCK_BYTES);
    expect(pull.progress().resentBytes).toBeLessThanOrEqual((40 - held + WINDOW_BLOCKS) * BLOCK_BYTES);
  });

  it('is counted over all disks at once and sent disk by disk, as a cloud wants it that asks for sizes first', async () => {
    const disks = { a: sampleDisk(30, 100), b: sampleDisk(30, 200), c: sampleDisk(30, 300) };
    const { source, receiver } = await pair(disks);
    const pull = receiver.start(source);
    await pull.description();
    await Promise.all(Object.entries(disks).map(([id, disk]) => readFeed(pull, id, disk)));
    for (const [id, disk] of Object.entries(disks)) expect(await readFeed(pull, id, disk)).toBe(24);
    expectBounded(receiver);
    await conclude(pull, source);
  });

  it('is walked over in another order than the source is read in', async () => {
    const disks = { a: sampleDisk(30, 100), b: sampleDisk(30, 200) };
    const { source, receiver } = await pair(disks);
    const pull = receiver.start(source);
    await pull.description();
    expect(await readFeed(pull, 'b', disks.b)).toBe(24);
    expect(await readFeed(pull, 'a', disks.a)).toBe(24);
    expectBounded(receiver);
    await conclude(pull, source);
  });

  it('goes on after kills of both nodes', async () => {
    const disks = { a: sampleDisk(60, 100), b: sampleDisk(20, 300) };
    const { source, receiver } = await pair(disks);
    let pull = receiver.start(source);
    await pull.description();
    await readSome(pull, 'a', 20);
    await receiver.kill();
    await receiver.open(LIMIT_BYTES);
    pull = receiver.start(source);
    const fed = Promise.all([readFeed(pull, 'a', disks.a), readFeed(pull, 'b', disks.b)]);
    while ((pull.progress().arrivedBytes.a ?? 0) < 40 * BLOCK_BYTES) await new Promise((done) => setTimeout(done, 2));
    await source.restart();
    expect(await fed).toEqual([48, 16]);
    expectBounded(receiver);
    await conclude(pull, source);
  });

  it('needs nothing again when the receiver was killed after everything had been handed on', async () => {
    const disks = { a: sampleDisk(40, 100) };
    const { source, receiver } = await pair(disks);
    let pull = receiver.start(source);
    await readFeed(pull, 'a', disks.a);
    const { wireBytes } = pull.progress();
    await receiver.kill();
    await receiver.open(LIMIT_BYTES);
    pull = receiver.start(source);
    await pull.description();
    pull.conclude();
    for await (const _ of pull.feed('a').blocks(40, AbortSignal.timeout(30_000)))
      throw new Error('nothing is behind it');
    await conclude(pull, source);
    expect(pull.progress().wireBytes).toBe(wireBytes);
  });

  it('survives its connections being destroyed all the while', async () => {
    const disks = { a: sampleDisk(60, 100), b: sampleDisk(60, 300) };
    const { source, receiver } = await pair(disks);
    const pull = receiver.start(source);
    await pull.description();
    const fed = Promise.all([readFeed(pull, 'a', disks.a), readFeed(pull, 'b', disks.b)]);
    for (let cut = 0; cut < 20; cut++) {
      await new Promise((done) => setTimeout(done, 15));
      for (const socket of [...receiver.sockets].slice(cut % 2)) socket.destroy();
    }
    expect(await fed).toEqual([48, 48]);
    await conclude(pull, source);
  });

  it('shares the storage with another one', async () => {
    const disks = { a: sampleDisk(40, 100) };
    const { source, receiver } = await pair(disks);
    const other = new SampleSource({ a: sampleDisk(40, 500) }, 't2', WINDOW_BLOCKS * BLOCK_BYTES);
    open.push(other);
    const first = receiver.start(source);
    const second = receiver.start(other);
    const counts = await Promise.all([readFeed(first, 'a', disks.a), readFeed(second, 'a', other.disks.a!)]);
    expect(counts).toEqual([32, 32]);
    expectBounded(receiver);
    await Promise.all([conclude(first, source), conclude(second, other)]);
    await first.close();
  });

  it('is told to begin again when a block that went past the storage has changed at the source', async () => {
    const disks = { a: sampleDisk(40, 100) };
    const { source, receiver } = await pair(disks);
    const pull = receiver.start(source);
    const feed = pull.feed('a').blocks(0, AbortSignal.timeout(30_000))[Symbol.asyncIterator]();
    for (let count = 0; count < 20; count++) await feed.next();
    disks.a.blocks[15] = 4711;
    await source.restart();
    const rest = (async () => {
      while (!(await feed.next()).done);
    })();
    await expect(rest).rejects.toMatchObject({ code: 'disk.changed' });
    expect(await readFeed(pull, 'a', disks.a)).toBe(32);
    await conclude(pull, source);
  });
});
