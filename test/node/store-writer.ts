/** `node store-writer.ts FOLDER LIMIT SEED`: works on a block store until it is killed, and says what is durable. */
import { writeSync } from 'node:fs';
import { hashBlock } from '../../src/model/block-map.ts';
import { Fault } from '../../src/model/fault.ts';
import { randomNumbers, sampleBlock } from '../../src/transfer/sample-transfer.ts';
import { openStore } from '../../src/transfer/store/store.ts';

const [folder, limit, seed] = process.argv.slice(2) as [string, string, string];
const store = await openStore(folder, { limitBytes: Number(limit) });
const random = randomNumbers(Number(seed));
const pick = (most: number) => Math.floor(random() * most);
const say = (...words: (string | number)[]) => writeSync(1, `${words.join(' ')}\n`);
say('open');

/** Three transfers write next to each other; each is released after a while and begins anew under another name. */
async function work(lane: number): Promise<void> {
  for (let life = 0; ; life++) {
    const transfer = `${seed}-${lane}-${life}`;
    const mine: number[] = [];
    for (let step = 0; step < 5 + pick(10); step++) {
      const some = Array.from({ length: 3 }, () => 1 + pick(60));
      await Promise.all(some.map((block) => put(transfer, block)));
      mine.push(...some);
      if (random() < 0.3) {
        const spared = mine.splice(pick(mine.length), 1)[0]!;
        say('spare', transfer, spared);
        store.spare('alice', transfer, hashBlock(sampleBlock(spared)));
      }
    }
    say('release', transfer);
    await store.release('alice', transfer);
  }
}

async function put(transfer: string, block: number): Promise<void> {
  const data = sampleBlock(block);
  try {
    await store.put('alice', transfer, hashBlock(data), data);
    say('put', transfer, block);
  } catch (error) {
    if (!(error instanceof Fault) || error.code !== 'storage.full') throw error;
    say('full', transfer, block);
  }
}

await Promise.all([0, 1, 2].map(work));
