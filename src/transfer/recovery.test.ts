import { open, readdir } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { duplexPair } from 'node:stream';
import { createServer, type Server, type TLSSocket } from 'node:tls';
import { afterEach, describe, expect, it } from 'vitest';
import { createIdentity } from '../base/identity.ts';
import { dialIdentity, identityServerOptions } from '../base/tls.ts';
import { BLOCK_BYTES } from '../model/block-map.ts';
import { readFeed, type SampleDisk, SampleReceiver, SampleSource } from './sample-transfer.ts';

const opened: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const thing of opened.splice(0).reverse()) await thing.close();
});

const disk: SampleDisk = {
  capacityBytes: 24 * BLOCK_BYTES,
  blocks: Array.from({ length: 24 }, (_, index) => (index % 4 === 3 ? null : 300 + index)),
};

async function pair(windowBytes = 64 * BLOCK_BYTES) {
  const source = new SampleSource({ a: disk }, 't1', windowBytes);
  const receiver = await SampleReceiver.create();
  opened.push(source, receiver);
  return { source, receiver };
}

async function flipByte(receiver: SampleReceiver): Promise<void> {
  const folder = join(receiver.folder, 'store');
  const file = await open(join(folder, (await readdir(folder)).sort()[0]!), 'r+');
  await file.write(Buffer.from([1, 2, 3, 4]), 0, 4, 512 + 64 + 5000);
  await file.close();
}

describe('recovery', () => {
  it('has the source read again when a block was damaged in the store while the source is there', async () => {
    const { source, receiver } = await pair(4 * BLOCK_BYTES);
    // The last block is withheld, so that the transfer stays open.
    let release = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    const original = source.offer.endDisk.bind(source.offer);
    source.offer.endDisk = (id) => void held.then(() => original(id));
    const pull = receiver.start(source);
    while (pull.progress().wireBytes < 18 * BLOCK_BYTES || source.offer.progress().heldBytes > 0) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    await flipByte(receiver);
    // Hot blocks would hide the damage: another pull on the same store has none.
    await pull.close();
    const again = receiver.start(source);
    const fed = readFeed(again, 'a', disk);
    await expect(source.offer.done).rejects.toMatchObject({ code: 'transfer.rewound', retry: 'soon' });
    release();
    await source.restart();
    expect(await fed).toBe(18);
    await again.confirmed;
    expect(source.offer.progress().wireBytes).toBe(BLOCK_BYTES);
  });

  it('says that a block is damaged when the source has gone, and gets it again from the next offer', async () => {
    const { source, receiver } = await pair();
    await receiver.start(source).confirmed;
    await receiver.pull.close();
    await flipByte(receiver);
    const without = receiver.start(source);
    await expect(readFeed(without, 'a', disk)).rejects.toMatchObject({ code: 'storage.damaged', retry: 'soon' });
    await receiver.kill();
    await receiver.open();
    await source.restart();
    const pull = receiver.start(source);
    expect(await readFeed(pull, 'a', disk)).toBe(18);
    await pull.confirmed;
    expect(pull.handed('a').root()).toBe(source.offer.map('a').root());
    expect(source.offer.progress().wireBytes).toBe(BLOCK_BYTES);
  });

  it('gives up a connection on which nothing is heard, and takes another one', async () => {
    const { source, receiver } = await pair();
    let dialled = 0;
    const pull = receiver.start(source, {
      connections: 1,
      take: async () => (++dialled <= 2 ? duplexPair()[0] : receiver.connect(source)),
    });
    await pull.confirmed;
    expect(dialled).toBeGreaterThanOrEqual(3);
  });

  it('runs over TLS sockets that the source dialled', async () => {
    const { source, receiver } = await pair();
    const [sourceIdentity, receiverIdentity] = [await createIdentity('source'), await createIdentity('receiver')];
    const waiting: TLSSocket[] = [];
    const takers: ((socket: TLSSocket) => void)[] = [];
    const server: Server = createServer(identityServerOptions(receiverIdentity), (socket) => {
      const taker = takers.shift();
      if (taker === undefined) waiting.push(socket);
      else taker(socket);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    opened.push({ close: () => new Promise((resolve) => server.close(() => resolve())) });
    const pull = receiver.start(source, {
      take: async (signal) => {
        const target = { host: '127.0.0.1', port };
        source.server.accept(await dialIdentity(target, sourceIdentity, receiverIdentity.pin, signal));
        return waiting.shift() ?? (await new Promise<TLSSocket>((resolve) => takers.push(resolve)));
      },
    });
    expect(await readFeed(pull, 'a', disk)).toBe(18);
    await pull.confirmed;
    await source.offer.done;
    expect(pull.progress().resentBytes).toBe(0);
  });
});
