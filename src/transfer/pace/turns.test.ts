import { Duplex } from 'node:stream';
import { afterEach, expect, test } from 'vitest';
import { BLOCK_BYTES } from '../../model/block-map.ts';
import type { Pull } from '../receiver/pull.ts';
import { SampleReceiver, SampleSource } from '../sample-transfer.ts';
import { pacedInlet } from './pace.ts';
import { Turns } from './turns.ts';

const MIB = BLOCK_BYTES;
const CHUNK_BYTES = 64 * 1024;

const open: { close(): Promise<void> }[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((one) => one.close()));
});

/** One way that all connections share, chunk by chunk in the order in which they want to send. */
class Way {
  readonly #queue: { to: Duplex; chunk: Buffer; sent: () => void }[] = [];
  readonly #timer: NodeJS.Timeout;
  #credit = 0;
  #at = performance.now();

  constructor(bytesPerSecond: number) {
    this.#timer = setInterval(() => {
      const now = performance.now();
      this.#credit = Math.min(this.#credit + (bytesPerSecond * (now - this.#at)) / 1000, bytesPerSecond / 10);
      this.#at = now;
      while (this.#credit > 0 && this.#queue.length > 0) {
        const first = this.#queue[0]!;
        const part = first.chunk.subarray(0, CHUNK_BYTES);
        first.chunk = first.chunk.subarray(part.length);
        first.to.push(part);
        this.#credit -= part.length;
        this.#queue.shift();
        if (first.chunk.length > 0) this.#queue.push(first);
        else first.sent();
      }
    }, 5);
  }

  /** Slow from the second to the first end only. */
  connection(): [Duplex, Duplex] {
    const ours: Duplex = new Duplex({
      read() {},
      write(chunk: Buffer, _encoding, done) {
        theirs.push(chunk);
        done();
      },
    });
    const theirs: Duplex = new Duplex({
      read() {},
      write: (chunk: Buffer, _encoding, sent) => void this.#queue.push({ to: ours, chunk, sent }),
    });
    ours.on('close', () => theirs.destroy());
    theirs.on('close', () => ours.destroy());
    for (const end of [ours, theirs]) end.on('error', () => {});
    return [ours, theirs];
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
  }
}

async function start(transfer: string, way: Way, turns: Turns, weight: number, blocks: number): Promise<Pull> {
  const seeds = Array.from({ length: blocks }, (_, index) => index + 1 + weight * 1000);
  const source = new SampleSource({ disk: { capacityBytes: blocks * MIB, blocks: seeds } }, transfer, 20 * MIB);
  const receiver = await SampleReceiver.create();
  open.push(receiver, source);
  const flow = { weight: () => weight };
  return receiver.start(source, {
    inlet: pacedInlet(flow, [], turns.join(flow)),
    connections: 2,
    take: async () => {
      const [ours, theirs] = way.connection();
      source.server.accept(theirs);
      return ours;
    },
  });
}

// Slow enough that the way is what both wait for, and the median of three windows, also where the machine is busy.
test('two transfers share a way without a limit by their weight', async () => {
  const [way, turns] = [new Way(6 * MIB), new Turns()];
  open.push(way);
  const heavy = await start('heavy', way, turns, 2.5, 200);
  const light = await start('light', way, turns, 1, 200);
  const came = () => [heavy, light].map((pull) => pull.progress().wireBytes) as [number, number];
  const until = async (bytes: number) => {
    while (came()[0] < bytes) await new Promise((resolve) => setTimeout(resolve, 10));
  };
  await until(20 * MIB);
  const shares: number[] = [];
  while (shares.length < 3) {
    const before = came();
    await until(before[0] + 20 * MIB);
    const [more, less] = came().map((bytes, index) => bytes - before[index]!) as [number, number];
    shares.push(more / less);
  }
  const share = shares.toSorted((one, other) => one - other)[1];
  // Whole blocks are counted: one more or less on either side is no error.
  expect(share, shares.join(' ')).toBeGreaterThan(1.75);
  expect(share, shares.join(' ')).toBeLessThan(3.5);
});
