/** The sending node of the memory bench: `node many-source.ts LOAD FOLDER`. One port per transfer. */
import { randomFillSync } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:tls';
import { loadIdentity } from '../../src/base/identity.ts';
import { identityServerOptions } from '../../src/base/tls.ts';
import { BLOCK_BYTES } from '../../src/model/block-map.ts';
// What a node has in memory before its first transfer.
import '../../src/node/agent.ts';
import { Offer } from '../../src/transfer/source/offer.ts';
import { serveOffer } from '../../src/transfer/source/serve.ts';
import { dataBlocks, describe, type Load, SMALL_BYTES, transfersOf, watchMemory } from './many.ts';
import { onSignal } from './parts.ts';

const [load = 'sparse', folder = ''] = process.argv.slice(2) as [Load, string];
const identity = await loadIdentity(folder, 'source', 'source');
const description = describe(load);
const offers = transfersOf(load).map((transfer) => new Offer({ transfer, owner: 'bench', description }));
const ports: number[] = [];
for (const offer of offers) {
  const serving = serveOffer(offer, {});
  const server = createServer(identityServerOptions(identity), (socket) => serving.accept(socket));
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  ports.push((server.address() as AddressInfo).port);
}

await onSignal({ ports, pin: identity.pin }, async () => {
  const memory = watchMemory();
  await Promise.all(
    offers.map(async (offer) => {
      const data = Buffer.alloc(load === 'sparse' ? BLOCK_BYTES : SMALL_BYTES);
      if (load === 'sparse') {
        for (const index of dataBlocks()) {
          randomFillSync(data);
          await offer.add('disk', { index, data });
        }
      }
      offer.endDisk('disk');
      for (const { id } of description.files ?? []) {
        randomFillSync(data);
        await offer.add(id, { index: 0, data });
        offer.endDisk(id);
      }
      await offer.done;
    }),
  );
  return { ...memory.stop() };
});
process.exit(0);
