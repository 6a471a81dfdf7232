import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { BLOCK_BYTES, BlockMap, hashBlock, isZero } from '../model/block-map.ts';
import { blockPool } from './pool.ts';
import type { Pull } from './receiver/pull.ts';
import { rootsOf, SampleReceiver, sampleBlock, samplePackage } from './sample-transfer.ts';
import { Offer } from './source/offer.ts';
import { type OfferServer, serveOffer } from './source/serve.ts';

/** A package of files beside one small disk. */
class FileSource {
  readonly transfer = 'files';
  readonly files: ReadonlyMap<string, Buffer>;
  offer!: Offer;
  server!: OfferServer;
  readonly #most: number;

  /** @param most Files that are read; the others never come. */
  constructor(files: ReadonlyMap<string, Buffer>, most = files.size) {
    this.files = files;
    this.#most = most;
    this.start();
  }

  start(): void {
    const files = [...this.files].map(([id, { length }]) => ({ id, path: id, bytes: length }));
    const description = { ...samplePackage({ disk: { capacityBytes: BLOCK_BYTES, blocks: [] } }), files };
    const offer = new Offer({ transfer: this.transfer, owner: 'source-owner', description });
    this.offer = offer;
    this.server = serveOffer(offer, { stallSeconds: 1.5 });
    this.#read(offer).catch((error) => offer.fail(error));
  }

  async restart(): Promise<void> {
    await this.close();
    this.start();
  }

  async close(): Promise<void> {
    this.offer.close();
    await this.server.close();
  }

  async #read(offer: Offer): Promise<void> {
    await offer.add('disk', { index: 0, data: sampleBlock(9) });
    offer.endDisk('disk');
    for (const [id, content] of [...this.files].slice(0, this.#most)) {
      for (let at = 0; at < content.length; at += BLOCK_BYTES) {
        await offer.add(id, { index: at / BLOCK_BYTES, data: content.subarray(at, at + BLOCK_BYTES) });
      }
      offer.endDisk(id);
    }
  }
}

function smallFiles(count: number): Map<string, Buffer> {
  const noise = sampleBlock(7);
  const files = new Map<string, Buffer>();
  for (let number = 0; number < count; number++) {
    const content = Buffer.from(noise.subarray(0, 4096));
    content.writeUInt32BE(number);
    files.set(`file ${number}`, content);
  }
  return files;
}

function rootOf(content: Buffer): string {
  const map = new BlockMap('file', content.length);
  for (let at = 0; at < content.length; at += BLOCK_BYTES) {
    const block = content.subarray(at, at + BLOCK_BYTES);
    if (!isZero(block)) map.set(at / BLOCK_BYTES, hashBlock(block));
  }
  return map.root();
}

async function readFile(pull: Pull, id: string): Promise<Buffer> {
  const feed = pull.feed(id);
  const content = Buffer.alloc(feed.capacityBytes);
  for await (const { index, data } of feed.blocks(0, AbortSignal.timeout(60_000))) {
    expect(data.length).toBe(Math.min(BLOCK_BYTES, content.length - index * BLOCK_BYTES));
    data.copy(content, index * BLOCK_BYTES);
  }
  return content;
}

async function different(pull: Pull, files: ReadonlyMap<string, Buffer>): Promise<string[]> {
  const found: string[] = [];
  for (const [id, content] of files) if (!(await readFile(pull, id)).equals(content)) found.push(id);
  return found;
}

describe('files of a package', () => {
  let receiver: SampleReceiver;
  let source: FileSource;

  beforeEach(async () => {
    receiver = await SampleReceiver.create();
  });
  afterEach(async () => {
    await source.close();
    await receiver.close();
    expect(blockPool.used).toBe(0);
  });

  it('keep their exact length, whether empty, zero, short, whole or a little longer than a block', async () => {
    const files = new Map([
      ['empty', Buffer.alloc(0)],
      ['zeros', Buffer.alloc(3000)],
      ['one byte', Buffer.from('x')],
      ['text', Buffer.alloc(20_000, 'all work and no play ')],
      ['whole', sampleBlock(1)],
      ['longer', Buffer.concat([sampleBlock(2), Buffer.from('tail!')])],
      ['zeros, then one byte', Buffer.concat([Buffer.alloc(BLOCK_BYTES), Buffer.from('x')])],
      ['large part', Buffer.concat([sampleBlock(3), sampleBlock(4).subarray(0, 700_001)])],
    ]);
    source = new FileSource(files);
    const pull = receiver.start(source);
    await pull.description();
    expect(await different(pull, files)).toEqual([]);
    const roots = rootsOf(await pull.finished);
    await pull.confirmed;
    for (const [id, content] of files) {
      expect(roots[id], id).toBe(rootOf(content));
      expect(pull.handed(id).root(), id).toBe(rootOf(content));
    }
    expect(new Set(Object.values(roots)).size).toBe(files.size + 1);
    await source.offer.done;
  });

  it('arrive by the ten thousand, in few segments', async () => {
    const files = smallFiles(10_000);
    source = new FileSource(files);
    const pull = receiver.start(source);
    await pull.description();
    expect(await different(pull, files)).toEqual([]);
    const roots = rootsOf(await pull.finished);
    await pull.confirmed;
    for (const [id, content] of files) if (roots[id] !== rootOf(content)) throw new Error(`${id} has another root`);
    expect(receiver.store.usage().usedBytes).toBeLessThan(10_000 * (4096 + 64) + 2 * BLOCK_BYTES);
  });

  it('go on after both ends were killed, without those that had arrived', async () => {
    const files = smallFiles(3000);
    source = new FileSource(files);
    const first = receiver.start(source);
    await first.description();
    const early = new Map([...files].slice(0, 1000));
    expect(await different(first, early)).toEqual([]);
    await receiver.kill();
    await source.restart();
    await receiver.open();
    const pull = receiver.start(source);
    await pull.description();
    expect(await different(pull, files)).toEqual([]);
    await pull.finished;
    await pull.confirmed;
    const { wireBytes, resentBytes } = pull.progress();
    expect(wireBytes).toBeLessThan(BLOCK_BYTES + 3000 * 4096 + resentBytes + 1);
    expect(resentBytes).toBeLessThan(1000 * 4096);
  });

  it('that changed at the source after they were handed on are said to be stale', async () => {
    const files = smallFiles(600);
    source = new FileSource(files, 500);
    const first = receiver.start(source);
    await first.description();
    expect(await different(first, new Map([...files].slice(0, 400)))).toEqual([]);
    await receiver.kill();
    const changed = new Map(files).set('file 3', Buffer.alloc(4096, 'changed'));
    await source.close();
    source = new FileSource(changed);
    await receiver.open();
    const pull = receiver.start(source);
    await pull.finished;
    const middle = pull.feed('file 3').blocks(1, AbortSignal.timeout(10_000));
    await expect(Array.fromAsync(middle)).rejects.toMatchObject({ code: 'disk.changed' });
    expect(await different(pull, changed)).toEqual([]);
  });
});
