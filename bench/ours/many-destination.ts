/** The receiving node of the memory bench: `node many-destination.ts LOAD PIN FOLDER PORT…`. Walks every feed as a driver does. */
import { join } from 'node:path';
import { loadIdentity } from '../../src/base/identity.ts';
import { dialIdentity } from '../../src/base/tls.ts';
import { partsOf } from '../../src/model/machine.ts';
// What a node has in memory before its first transfer.
import '../../src/node/agent.ts';
import { openJournal } from '../../src/transfer/receiver/journal.ts';
import { createPull } from '../../src/transfer/receiver/pull.ts';
import { openStore } from '../../src/transfer/store/store.ts';
import { describe, type Load, transfersOf, watchMemory } from './many.ts';
import { onSignal } from './parts.ts';

const [load = 'sparse', pin = '', folder = '', ...ports] = process.argv.slice(2) as [Load, ...string[]];
const identity = await loadIdentity(folder, 'destination', 'destination');
const store = await openStore(join(folder, 'store'), { limitBytes: 64 * 1024 ** 3 });
const journal = openJournal(join(folder, 'journal.db'));
const { signal } = new AbortController();

await onSignal({}, async () => {
  const memory = watchMemory();
  const start = performance.now();
  await Promise.all(
    transfersOf(load).map(async (transfer, number) => {
      const pull = createPull({
        transfer,
        owner: 'bench',
        store,
        journal,
        take: (stop) => dialIdentity({ host: '127.0.0.1', port: Number(ports[number]) }, identity, pin, stop),
        signal,
      });
      await pull.description();
      for (const { id } of partsOf(describe(load))) {
        for await (const _block of pull.feed(id).blocks(0, signal)) signal.throwIfAborted();
      }
      const maps = await pull.finished;
      await pull.confirmed;
      for (const [id, map] of maps) {
        if (pull.handed(id).root() !== map.root())
          throw new Error(`${transfer}: ${id} was handed on with another root`);
      }
      await pull.close();
    }),
  );
  return { seconds: (performance.now() - start) / 1000, ...memory.stop() };
});
process.exit(0);
