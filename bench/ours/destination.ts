/**
 * The receiving end by itself: `node destination.ts HOST PORT PIN FOLDER [OUT]`. Ends when everything is durable and both
 * roots are equal; then it has written the disk to the file OUT where that was asked for.
 */
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { loadIdentity } from '../../src/base/identity.ts';
import { dialIdentity } from '../../src/base/tls.ts';
import { BLOCK_BYTES } from '../../src/model/block-map.ts';
import { openJournal } from '../../src/transfer/receiver/journal.ts';
import { createPull, type Pull } from '../../src/transfer/receiver/pull.ts';
import { openStore } from '../../src/transfer/store/store.ts';
import { onSignal } from './parts.ts';

const [host = '', port = '', pin = '', folder = '', out = ''] = process.argv.slice(2);
const identity = await loadIdentity(folder, 'destination', 'destination');
const store = await openStore(join(folder, 'store'), { limitBytes: 64 * 1024 ** 3 });
const journal = openJournal(join(folder, 'journal.db'));
const signal = new AbortController().signal;

await onSignal({}, async () => {
  const pull = createPull({
    transfer: 'bench',
    owner: 'bench',
    store,
    journal,
    take: (stop) => dialIdentity({ host, port: Number(port) }, identity, pin, stop),
    signal,
  });
  if (out !== '') await writeDisk(pull, out);
  const maps = await pull.finished;
  await pull.confirmed;
  const root = maps.get('disk')?.root();
  const { wireBytes } = pull.progress();
  await pull.close();
  return { root, wireBytes };
});
process.exit(0);

async function writeDisk(pull: Pull, path: string): Promise<void> {
  await pull.description();
  const feed = pull.feed('disk');
  await using file = await open(path, 'w');
  await file.truncate(feed.capacityBytes);
  for await (const { index, data } of feed.blocks(0, signal))
    await file.write(data, 0, data.length, index * BLOCK_BYTES);
}
