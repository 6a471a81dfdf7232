/** The sending end of a transfer by itself: `node source.ts DISK FOLDER [HOST]`. Listens on HOST (loopback) for the receiver. */
import { open } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:tls';
import { loadIdentity } from '../../src/base/identity.ts';
import { identityServerOptions } from '../../src/base/tls.ts';
import { BLOCK_BYTES, isZero } from '../../src/model/block-map.ts';
import { Offer } from '../../src/transfer/source/offer.ts';
import { serveOffer } from '../../src/transfer/source/serve.ts';
import { onSignal, packageOf } from './parts.ts';

const [disk = '', folder = '', host = '127.0.0.1'] = process.argv.slice(2);
const file = await open(disk, 'r');
const { size } = await file.stat();
const identity = await loadIdentity(folder, 'source', 'source');
const offer = new Offer({ transfer: 'bench', owner: 'bench', description: packageOf(size) });
const serving = serveOffer(offer, {});
const server = createServer(identityServerOptions(identity), (socket) => serving.accept(socket));
await new Promise<void>((done) => server.listen(0, host, done));

await onSignal({ port: (server.address() as AddressInfo).port, pin: identity.pin }, async () => {
  const data = Buffer.alloc(BLOCK_BYTES);
  for (let index = 0; index * BLOCK_BYTES < size; index++) {
    const { bytesRead } = await file.read(data, 0, BLOCK_BYTES, index * BLOCK_BYTES);
    data.fill(0, bytesRead);
    if (!isZero(data)) await offer.add('disk', { index, data });
  }
  offer.endDisk('disk');
  await offer.done;
  return { root: offer.map('disk').root() };
});
process.exit(0);
