import { createCipheriv } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Duplex, duplexPair } from 'node:stream';
import { setImmediate as breathe } from 'node:timers/promises';
import { BLOCK_BYTES, type BlockMap } from '../model/block-map.ts';
import { Fault } from '../model/fault.ts';
import type { PackageDescription } from '../model/machine.ts';
import { type Journal, openJournal } from './receiver/journal.ts';
import { createPull, type Pull, type PullOptions } from './receiver/pull.ts';
import { Offer } from './source/offer.ts';
import { type OfferServer, serveOffer } from './source/serve.ts';
import { type BlockStore, openStore } from './store/store.ts';

/** Content of a disk by block: a number is the seed of random bytes, null is a block of zeros. */
export type SampleDisk = { capacityBytes: number; blocks: (number | null)[] };

/** xorshift32: small, fast and the same everywhere. */
export function randomNumbers(seed: number): () => number {
  let state = seed * 2654435761 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 0x1_0000_0000;
  };
}

/** Incompressible bytes that depend on the seed alone. */
export function sampleBlock(seed: number): Buffer {
  const key = Buffer.alloc(16);
  key.writeUInt32BE(seed);
  return createCipheriv('aes-128-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(BLOCK_BYTES));
}

export function samplePackage(disks: Record<string, SampleDisk>): PackageDescription {
  return {
    kind: 'vm',
    name: 'sample',
    notes: '',
    networks: [],
    startOrder: [],
    properties: [],
    eulas: [],
    machines: [
      {
        id: 'sample',
        name: 'sample',
        notes: '',
        guestId: 'otherGuest',
        cpus: 1,
        coresPerSocket: 1,
        memoryMib: 64,
        firmware: 'bios',
        controllers: [{ id: 'pvscsi-0', kind: 'pvscsi', bus: 0 }],
        disks: Object.entries(disks).map(([id, { capacityBytes }], unit) => ({
          id,
          label: id,
          capacityBytes,
          controller: 'pvscsi-0',
          unit,
        })),
        nics: [],
        bootOrder: [],
        properties: [],
        eulas: [],
        extras: {},
      },
    ],
  };
}

/** The source node: offers disks, restarts with or without other content, and accepts connections. */
export class SampleSource {
  readonly disks: Record<string, SampleDisk>;
  readonly transfer: string;
  readonly windowBytes: number | undefined;
  /** Disks at the same time, or one after the other as a node reads them. */
  order: 'parallel' | 'sequential' = 'parallel';
  offer!: Offer;
  server!: OfferServer;
  /** Ends with the offer's own end. */
  reading!: Promise<void>;

  constructor(disks: Record<string, SampleDisk>, transfer = 't1', windowBytes?: number) {
    this.disks = disks;
    this.transfer = transfer;
    this.windowBytes = windowBytes;
    this.start();
  }

  start(): void {
    const offer = new Offer({
      transfer: this.transfer,
      owner: 'source-owner',
      description: samplePackage(this.disks),
      ...(this.windowBytes === undefined ? {} : { windowBytes: this.windowBytes }),
    });
    this.offer = offer;
    this.server = serveOffer(offer, { stallSeconds: 1.5 });
    this.reading = this.#read(offer).catch(() => {});
  }

  /** Killed, and started again: nothing of the old offer is left. */
  async restart(): Promise<void> {
    this.offer.close();
    await this.server.close();
    this.start();
  }

  async close(): Promise<void> {
    this.offer.close();
    await this.server.close();
    await this.reading;
  }

  async #read(offer: Offer): Promise<void> {
    const read = async ([id, disk]: [string, SampleDisk]) => {
      for (const [index, seed] of disk.blocks.entries()) {
        if (seed !== null) await offer.add(id, { index, data: sampleBlock(seed) });
        else await breathe();
      }
      offer.endDisk(id);
    };
    const disks = Object.entries(this.disks);
    if (this.order === 'parallel') await Promise.all(disks.map(read));
    else for (const disk of disks) await read(disk);
  }
}

/** The receiving node: a folder with store and journal that outlives its processes. */
export class SampleReceiver {
  readonly folder: string;
  readonly sockets = new Set<Duplex>();
  store!: BlockStore;
  journal!: Journal;
  pull!: Pull;
  #abort = new AbortController();

  private constructor(folder: string) {
    this.folder = folder;
  }

  static async create(limitBytes = 1e9): Promise<SampleReceiver> {
    const receiver = new SampleReceiver(await mkdtemp(join(tmpdir(), 'cloudspan-transfer-')));
    await receiver.open(limitBytes);
    return receiver;
  }

  async open(limitBytes = 1e9): Promise<void> {
    this.store = await openStore(join(this.folder, 'store'), { limitBytes });
    this.journal = openJournal(join(this.folder, 'journal.db'));
  }

  start(source: Pick<SampleSource, 'transfer' | 'server'>, more: Partial<PullOptions> = {}): Pull {
    this.#abort = new AbortController();
    this.pull = createPull({
      transfer: source.transfer,
      owner: 'alice',
      store: this.store,
      journal: this.journal,
      take: async () => this.connect(source),
      signal: this.#abort.signal,
      stallSeconds: 1.5,
      ...more,
    });
    return this.pull;
  }

  connect(source: Pick<SampleSource, 'server'>): Duplex {
    const [ours, theirs] = duplexPair();
    this.sockets.add(ours);
    ours.on('close', () => {
      this.sockets.delete(ours);
      theirs.destroy();
    });
    theirs.on('error', () => {});
    theirs.on('close', () => ours.destroy());
    source.server.accept(theirs);
    return ours;
  }

  /** As much like SIGKILL as one process can be: whatever was not durable is not waited for. */
  async kill(): Promise<void> {
    this.#abort.abort(new Fault('job.cancelled', 'killed'));
    await this.pull.close();
    await this.store.close();
    await this.journal.close();
  }

  async close(): Promise<void> {
    await this.kill().catch(() => {});
    await rm(this.folder, { recursive: true, force: true });
  }
}

/** Reads a feed to its end and compares it with what the disk was made of. Answers the number of data blocks. */
export async function readFeed(pull: Pull, id: string, disk: SampleDisk, from = 0): Promise<number> {
  let count = 0;
  let last = from - 1;
  for await (const { index, data } of pull.feed(id).blocks(from, AbortSignal.timeout(30_000))) {
    const seed = disk.blocks[index];
    if (index <= last) throw new Error(`block ${index} came after ${last}`);
    if (seed === null || seed === undefined) throw new Error(`block ${index} should be zero`);
    if (!data.equals(sampleBlock(seed))) throw new Error(`block ${index} has another content`);
    last = index;
    count++;
  }
  const wanted = disk.blocks.filter((seed, index) => seed !== null && index >= from).length;
  if (count !== wanted) throw new Error(`${count} blocks came instead of ${wanted}`);
  return count;
}

export function rootsOf(maps: Map<string, BlockMap>): Record<string, string> {
  return Object.fromEntries([...maps].map(([id, map]) => [id, map.root()]));
}
