import { type Duplex, duplexPair } from 'node:stream';
import { afterEach, describe, expect, it } from 'vitest';
import { BLOCK_BYTES } from '../../model/block-map.ts';
import { readFeed, rootsOf, SampleReceiver, SampleSource, sampleBlock, samplePackage } from '../sample-transfer.ts';
import { Offer } from '../source/offer.ts';
import { type OfferServer, serveOffer } from '../source/serve.ts';

const closing: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const one of closing.splice(0).reverse()) await one.close();
});

/** A connection over a long way: everything takes so many milliseconds, in both directions. */
function distant(server: OfferServer, milliseconds: number): Duplex {
  const [ours, near] = duplexPair();
  const [far, theirs] = duplexPair();
  const carry = (from: Duplex, to: Duplex) => {
    from.on('data', (chunk: Buffer) => setTimeout(() => to.destroyed || to.write(chunk), milliseconds));
    from.on('close', () => setTimeout(() => to.destroy(), milliseconds));
    from.on('end', () => setTimeout(() => to.destroyed || to.end(), milliseconds));
    from.on('error', () => {});
  };
  carry(near, far);
  carry(far, near);
  server.accept(theirs);
  return ours;
}

async function receiver(): Promise<SampleReceiver> {
  const made = await SampleReceiver.create();
  closing.push(made);
  return made;
}

describe('a transfer over a long way', () => {
  const disk = { capacityBytes: 40 * BLOCK_BYTES, blocks: Array.from({ length: 40 }, (_, seed) => seed + 1) };

  it('opens more connections and puts the parts of blocks together', async () => {
    const source = new SampleSource({ a: disk });
    closing.push(source);
    const destination = await receiver();
    let connections = 0;
    const take = async () => {
      connections++;
      return distant(source.server, 25);
    };
    const pull = destination.start(source, { take });
    await pull.description();
    await readFeed(pull, 'a', disk);
    expect(rootsOf(await pull.finished).a).toBe(source.offer.map('a').root());
    expect(pull.progress()).toMatchObject({ wireBytes: 40 * BLOCK_BYTES, resentBytes: 0 });
    expect(connections).toBeGreaterThan(4);
    await pull.confirmed;
  });

  it('asks others for what a broken connection did not bring', async () => {
    const source = new SampleSource({ a: disk });
    closing.push(source);
    const destination = await receiver();
    const sockets: Duplex[] = [];
    const take = async () => {
      const socket = distant(source.server, 10);
      sockets.push(socket);
      return socket;
    };
    const pull = destination.start(source, { take });
    await pull.description();
    for (let round = 0; round < 6; round++) {
      while (pull.progress().wireBytes < (round + 1) * 4 * BLOCK_BYTES)
        await new Promise((resolve) => setTimeout(resolve, 2));
      for (const socket of sockets.splice(0, round === 3 ? sockets.length : 2)) socket.destroy();
    }
    await readFeed(pull, 'a', disk);
    expect(rootsOf(await pull.finished).a).toBe(source.offer.map('a').root());
    await pull.confirmed;
  });

  it('compresses each part by itself', async () => {
    const offer = new Offer({ transfer: 't1', owner: 'o', description: samplePackage({ a: disk }) });
    const server = serveOffer(offer, { stallSeconds: 1.5 });
    closing.push({ close: async () => offer.close() }, server);
    const add = async () => {
      for (let index = 0; index < 40; index++) {
        const data = Buffer.alloc(BLOCK_BYTES, `line ${index} of a log; `);
        sampleBlock(index + 1).copy(data, 0, 0, 300_000);
        await offer.add('a', { index, data });
      }
      offer.endDisk('a');
    };
    const added = add();
    const destination = await receiver();
    const pull = destination.start({ transfer: 't1', server }, { take: async () => distant(server, 25) });
    expect(rootsOf(await pull.finished).a).toBe(offer.map('a').root());
    expect(pull.progress().wireBytes).toBeLessThan(20 * BLOCK_BYTES);
    await pull.confirmed;
    await added;
  });

  it('says to a source that dials how many connections it wants', async () => {
    const wanted: number[] = [];
    const offer = new Offer({ transfer: 't1', owner: 'o', description: samplePackage({ a: disk }) });
    const server = serveOffer(offer, { stallSeconds: 1.5, streams: (count) => wanted.push(count) });
    closing.push({ close: async () => offer.close() }, server);
    const destination = await receiver();
    const pull = destination.start({ transfer: 't1', server }, { take: async () => distant(server, 30) });
    await pull.description();
    while (wanted.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    expect(wanted[0]).toBe(16);
  });
});
