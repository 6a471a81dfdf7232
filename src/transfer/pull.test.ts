import { afterEach, describe, expect, it } from 'vitest';
import { BLOCK_BYTES } from '../model/block-map.ts';
import { Fault } from '../model/fault.ts';
import { randomNumbers, readFeed, rootsOf, type SampleDisk, SampleReceiver, SampleSource } from './sample-transfer.ts';

const open: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const thing of open.splice(0).reverse()) await thing.close();
});

async function pair(disks: Record<string, SampleDisk>, windowBytes?: number) {
  const source = new SampleSource(disks, 't1', windowBytes);
  const receiver = await SampleReceiver.create();
  open.push(source, receiver);
  return { source, receiver };
}

/** `count` blocks, every third of them zero, with content that starts at `seed`. */
function sampleDisk(count: number, seed: number): SampleDisk {
  return {
    capacityBytes: count * BLOCK_BYTES,
    blocks: Array.from({ length: count }, (_, index) => (index % 3 === 2 ? null : seed + index)),
  };
}

describe('a pull', () => {
  it('brings two disks of odd sizes at the same time, feeds them in order and confirms equal roots', async () => {
    const disks = {
      a: { ...sampleDisk(20, 100), capacityBytes: 19 * BLOCK_BYTES + 512 },
      b: { capacityBytes: 7 * BLOCK_BYTES + 1, blocks: [null, null, 900, null, null, null, null, null] },
      empty: { capacityBytes: 5 * BLOCK_BYTES, blocks: [null, null, null, null, null] },
      none: { capacityBytes: 0, blocks: [] },
    };
    const { source, receiver } = await pair(disks);
    const pull = receiver.start(source);
    expect((await pull.description()).name).toBe('sample');
    const counts = await Promise.all(Object.entries(disks).map(([id, disk]) => readFeed(pull, id, disk)));
    expect(counts).toEqual([14, 1, 0, 0]);
    const roots = rootsOf(await pull.finished);
    await pull.confirmed;
    await source.offer.done;
    for (const id of Object.keys(disks)) {
      expect(roots[id]).toBe(source.offer.map(id).root());
      expect(pull.handed(id).root()).toBe(roots[id]);
      expect(pull.handed(id).complete).toBe(true);
    }
    const progress = pull.progress();
    expect(progress.arrivedBytes.a).toBe(19 * BLOCK_BYTES + 512);
    expect(progress.wireBytes).toBe(15 * BLOCK_BYTES);
    expect(progress.resentBytes).toBe(0);
    expect(source.offer.progress()).toMatchObject({ wireBytes: 15 * BLOCK_BYTES, resentBytes: 0, heldBytes: 0 });
  });

  it('holds no more than its window at the source while the receiver is away', async () => {
    const { source, receiver } = await pair({ a: sampleDisk(40, 1) }, 4 * BLOCK_BYTES);
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(source.offer.progress().heldBytes).toBe(4 * BLOCK_BYTES);
    expect(source.offer.progress().readBytes.a).toBeLessThan(9 * BLOCK_BYTES);
    const pull = receiver.start(source);
    await pull.confirmed;
    expect(await readFeed(pull, 'a', source.disks.a!)).toBe(27);
  });

  it('moves equal content once', async () => {
    const same = {
      capacityBytes: 30 * BLOCK_BYTES,
      blocks: Array.from({ length: 30 }, (_, index) => (index % 2 ? 7 : 8)),
    };
    const { source, receiver } = await pair({ a: same, b: same });
    const pull = receiver.start(source);
    await pull.confirmed;
    expect(pull.progress().wireBytes).toBe(2 * BLOCK_BYTES);
    expect(pull.progress().alreadyThereBytes).toBe(58 * BLOCK_BYTES);
    expect(await readFeed(pull, 'b', same)).toBe(30);
  });

  it('does not ask for blocks that an earlier transfer of the owner brought, and still has them after its release', async () => {
    const disk = sampleDisk(12, 40);
    const { source, receiver } = await pair({ a: disk });
    await receiver.start(source).confirmed;
    await receiver.pull.close();
    const again = new SampleSource({ a: disk }, 't2');
    open.push(again);
    const pull = receiver.start(again);
    await pull.confirmed;
    expect(pull.progress()).toMatchObject({ wireBytes: 0, alreadyThereBytes: 8 * BLOCK_BYTES });
    await receiver.store.release('alice', 't1');
    expect(await readFeed(pull, 'a', disk)).toBe(8);
    const other = new SampleSource({ a: disk }, 't3');
    open.push(other);
    const theirs = receiver.start(other, { owner: 'bob' });
    await theirs.confirmed;
    expect(theirs.progress()).toMatchObject({ wireBytes: 8 * BLOCK_BYTES, alreadyThereBytes: 0 });
  });

  it('survives its connections being destroyed at fifty random moments', async () => {
    const disks = { a: sampleDisk(90, 1000), b: sampleDisk(60, 2000) };
    const { source, receiver } = await pair(disks, 8 * BLOCK_BYTES);
    const next = randomNumbers(4711);
    let cuts = 0;
    const pull = receiver.start(source);
    const fed = Promise.all([readFeed(pull, 'a', disks.a), readFeed(pull, 'b', disks.b)]);
    const cut = async () => {
      for (; cuts < 50; cuts++) {
        await new Promise((resolve) => setTimeout(resolve, next() * 20));
        const sockets = [...receiver.sockets];
        sockets[Math.floor(next() * sockets.length)]?.destroy();
      }
    };
    await Promise.all([pull.confirmed, cut(), fed]);
    expect(cuts).toBe(50);
    for (const id of ['a', 'b']) expect(pull.handed(id).root()).toBe(source.offer.map(id).root());
    expect(pull.progress().resentBytes).toBeLessThanOrEqual(50 * 8 * BLOCK_BYTES);
  });

  it('goes on after kills of the receiver and sends again no more than a window for each', async () => {
    const disk = sampleDisk(120, 5000);
    const { source, receiver } = await pair({ a: disk }, 8 * BLOCK_BYTES);
    for (let kill = 0; kill < 5; kill++) {
      const pull = receiver.start(source);
      pull.finished.catch(() => {});
      const goal = (kill + 1) * 15 * BLOCK_BYTES;
      while ((pull.progress().arrivedBytes.a ?? 0) < goal) await new Promise((resolve) => setTimeout(resolve, 2));
      await receiver.kill();
      await receiver.open();
    }
    const pull = receiver.start(source);
    await pull.confirmed;
    expect(await readFeed(pull, 'a', disk)).toBe(80);
    expect(source.offer.progress().resentBytes).toBeLessThanOrEqual(5 * 8 * BLOCK_BYTES);
    expect(source.offer.progress().wireBytes - source.offer.progress().resentBytes).toBe(80 * BLOCK_BYTES);
  });

  it('takes nothing twice from a source that was killed, and feeds a receiver that was killed after the source had ended', async () => {
    const disk = sampleDisk(60, 7000);
    const { source, receiver } = await pair({ a: disk }, 8 * BLOCK_BYTES);
    let pull = receiver.start(source);
    for (const part of [10, 25]) {
      while ((pull.progress().arrivedBytes.a ?? 0) < part * BLOCK_BYTES)
        await new Promise((resolve) => setTimeout(resolve, 2));
      await source.restart();
    }
    await pull.confirmed;
    expect(pull.progress().wireBytes).toBeLessThanOrEqual((40 + 2 * 8) * BLOCK_BYTES);
    const { wireBytes } = pull.progress();
    await receiver.kill();
    await source.close();
    await receiver.open();
    pull = receiver.start(source, { take: () => Promise.reject(new Error('there is no source')) });
    await pull.confirmed;
    expect(await readFeed(pull, 'a', disk, 30)).toBe(20);
    expect(pull.handed('a').root()).toBe(rootsOf(await pull.finished).a);
    expect(pull.progress().wireBytes).toBe(wireBytes);
  });

  it('tells a feed to begin again when the restarted source has another content behind it', async () => {
    const disk = sampleDisk(30, 100);
    const { source, receiver } = await pair({ a: disk }, 4 * BLOCK_BYTES);
    const pull = receiver.start(source);
    const feed = pull.feed('a').blocks(0, AbortSignal.timeout(20_000))[Symbol.asyncIterator]();
    await feed.next();
    await feed.next();
    disk.blocks[0] = 4242;
    disk.blocks[2] = 4243;
    disk.blocks[3] = null;
    await source.restart();
    const rest = (async () => {
      while (!(await feed.next()).done);
    })();
    await expect(rest).rejects.toMatchObject({ code: 'disk.changed' });
    await expect(readFeed(pull, 'a', disk, 5)).rejects.toMatchObject({ code: 'disk.changed' });
    expect(await readFeed(pull, 'a', disk)).toBe(20);
    await pull.confirmed;
    expect(pull.handed('a').root()).toBe(source.offer.map('a').root());
  });

  it('waits for the next offer after a fault that can be helped, and ends with one that cannot', async () => {
    const { source, receiver } = await pair({ a: sampleDisk(9, 1) }, 2 * BLOCK_BYTES);
    source.offer.fail(new Fault('lease.expired', 'the lease ended'));
    const pull = receiver.start(source);
    await new Promise((resolve) => setTimeout(resolve, 50));
    await source.restart();
    await pull.confirmed;
    await pull.close();
    const broken = new SampleSource({ a: sampleDisk(9, 1) }, 't9');
    open.push(broken);
    broken.offer.fail(new Fault('vmdk.invalid', 'disk a is no disk'));
    await expect(receiver.start(broken).finished).rejects.toMatchObject({ code: 'vmdk.invalid' });
  });

  it('ends at once when its signal is aborted', async () => {
    const { source, receiver } = await pair({ a: sampleDisk(9, 1) });
    const abort = new AbortController();
    const pull = receiver.start(source, { signal: abort.signal, take: () => new Promise(() => {}) });
    const reason = new Error('enough');
    abort.abort(reason);
    await expect(pull.finished).rejects.toBe(reason);
  });
});
