import { randomFillSync } from 'node:crypto';
import { mkdir, mkdtemp, open, rm } from 'node:fs/promises';
import { connect, createServer as createTcp, type Socket } from 'node:net';
import { join } from 'node:path';
import { pipeline } from 'node:stream';
import { createServer } from 'node:tls';
import { type Identity, loadIdentity } from '../src/base/identity.ts';
import { dialIdentity, identityServerOptions } from '../src/base/tls.ts';
import { BLOCK_BYTES, isZero } from '../src/model/block-map.ts';
import { type Journal, openJournal } from '../src/transfer/receiver/journal.ts';
import { createPull } from '../src/transfer/receiver/pull.ts';
import { Offer } from '../src/transfer/source/offer.ts';
import { serveOffer } from '../src/transfer/source/serve.ts';
import { type BlockStore, openStore } from '../src/transfer/store/store.ts';
import { openVersions, type Versions, versionNames } from '../src/transfer/store/versions.ts';
import { copyFile, rsyncBytes } from './images.ts';
import type { Row } from './measure.ts';
import { packageOf } from './ours/parts.ts';

const MiB = 1024 * 1024;
const DISK_BYTES = 512 * MiB;
/** The rest of the disk is a hole. */
const DATA_BYTES = 384 * MiB;
const PAGE_BYTES = 4096;
const CHANGED = 0.01;
const MACHINES = 10;

/**
 * What goes between two nodes for a later version of a disk, both directions and all overhead counted on the sockets, in
 * percent of the disk's bytes that are not zero; beside what `rsync` moves for the same two files.
 */
export async function benchDelta(folder: string): Promise<Row[]> {
  const image = join(folder, 'image.raw');
  await makeImage(image);
  const rows: Row[] = [];
  for (const [name, change, aim] of [
    ['1 % of the pages changed, in runs of 1 MiB', changeRuns, 1.3],
    ['1 % of the pages changed, scattered', changeScattered, 2],
  ] as const) {
    const next = join(folder, 'next.raw');
    await copyFile(image, next);
    await change(next);
    await using nodes = await Nodes.open(folder);
    await nodes.move(image, 'machine', 'image');
    const moved = await nodes.move(next, 'machine', 'image');
    const theirs = await rsyncBytes(image, next);
    rows.push(rowOf(name, moved.wireBytes, (DATA_BYTES * aim) / 100, 'the most that is allowed', 1));
    rows.push(rowOf(name, moved.wireBytes, theirs.wireBytes, 'rsync', null));
    rows.push(rowOf(`${name}: read at the source`, moved.readBytes, theirs.readBytes, 'rsync', null));
  }
  rows.push(await manyMachines(folder, image));
  return rows;
}

function rowOf(name: string, ours: number, peer: number, peerName: string, aim: number | null): Row {
  const percent = (bytes: number) => (100 * bytes) / DATA_BYTES;
  const unit = '% of non-zero bytes';
  return { case: name, unit, ours: percent(ours), peer: percent(peer), peerName, ratio: peer / ours, aim };
}

/** Machines with names of their own, each with changes of its own: all that was moved, in machines. */
async function manyMachines(folder: string, image: string): Promise<Row> {
  await using nodes = await Nodes.open(folder);
  const next = join(folder, 'machine.raw');
  let moved = 0;
  let theirs = 0;
  for (let number = 0; number < MACHINES; number++) {
    await copyFile(image, next);
    await changeScattered(next);
    moved += (await nodes.move(next, `machine-${number}`, `machine-${number}`)).wireBytes;
    theirs += number === 0 ? DATA_BYTES : (await rsyncBytes(image, next)).wireBytes;
  }
  const [ours, peer] = [moved / DATA_BYTES, theirs / DATA_BYTES];
  const name = `${MACHINES} machines of one image, 1 % of the pages of each scattered`;
  return {
    case: name,
    unit: 'machines moved',
    ours,
    peer,
    peerName: 'rsync to the image',
    ratio: peer / ours,
    aim: null,
  };
}

async function makeImage(path: string): Promise<void> {
  await using file = await open(path, 'w');
  const chunk = Buffer.allocUnsafe(8 * MiB);
  for (let at = 0; at < DATA_BYTES; at += chunk.length) await file.write(randomFillSync(chunk), 0, chunk.length, at);
  await file.truncate(DISK_BYTES);
}

async function changeRuns(path: string): Promise<void> {
  await using file = await open(path, 'r+');
  const runs = Math.round((DATA_BYTES * CHANGED) / MiB);
  for (let run = 0; run < runs; run++) {
    const page = Math.floor((Math.random() + run) * (DATA_BYTES / PAGE_BYTES / runs - MiB / PAGE_BYTES));
    await file.write(randomFillSync(Buffer.alloc(MiB)), 0, MiB, page * PAGE_BYTES);
  }
}

async function changeScattered(path: string): Promise<void> {
  await using file = await open(path, 'r+');
  const pages = DATA_BYTES / PAGE_BYTES;
  for (let count = 0; count < pages * CHANGED; count++) {
    const page = randomFillSync(Buffer.alloc(PAGE_BYTES));
    await file.write(page, 0, PAGE_BYTES, Math.floor(Math.random() * pages) * PAGE_BYTES);
  }
}

/** Two ends in one process: only what goes over the sockets between them is measured. */
class Nodes implements AsyncDisposable {
  readonly #folder: string;
  readonly #identity: Identity;
  readonly #store: BlockStore;
  readonly #journal: Journal;
  readonly #versions: Versions;
  #transfers = 0;

  private constructor(folder: string, identity: Identity, store: BlockStore, journal: Journal, versions: Versions) {
    this.#folder = folder;
    this.#identity = identity;
    this.#store = store;
    this.#journal = journal;
    this.#versions = versions;
  }

  static async open(parent: string): Promise<Nodes> {
    const folder = await mkdtemp(join(parent, 'nodes-'));
    await mkdir(join(folder, 'store'));
    const identity = await loadIdentity(folder, 'node', 'node');
    const store = await openStore(join(folder, 'store'), { limitBytes: 16 * 1024 * MiB });
    const versions = await openVersions(join(folder, 'versions'));
    return new Nodes(folder, identity, store, openJournal(join(folder, 'journal.db')), versions);
  }

  /** Moves a disk; answers the bytes that went over the wire, and those with data that were read for it. */
  async move(disk: string, lineage: string, name: string): Promise<{ wireBytes: number; readBytes: number }> {
    const transfer = `bench-${++this.#transfers}`;
    const owner = 'bench';
    await using file = await open(disk, 'r');
    const description = { ...packageOf(DISK_BYTES), name };
    const names = versionNames(description, lineage);
    const offer = new Offer({ transfer, owner, description });
    const serving = serveOffer(offer, {});
    const server = createServer(identityServerOptions(this.#identity), (socket) => serving.accept(socket));
    const port = await listen(server);
    const counter = await countBetween(port);
    const pull = createPull({
      transfer,
      owner,
      store: this.#store,
      journal: this.#journal,
      take: (signal) =>
        dialIdentity({ host: '127.0.0.1', port: counter.port }, this.#identity, this.#identity.pin, signal),
      recall: async () => {
        const map = await this.#versions.recall(owner, names.get('disk')!);
        return new Map(map === null ? [] : [['disk', map]]);
      },
      signal: new AbortController().signal,
    });
    try {
      let readBytes = 0;
      const data = Buffer.alloc(BLOCK_BYTES);
      for (let index = 0; index * BLOCK_BYTES < DISK_BYTES; index++) {
        await file.read(data, 0, BLOCK_BYTES, index * BLOCK_BYTES);
        if (isZero(data)) continue;
        readBytes += data.length;
        await offer.add('disk', { index, data });
      }
      offer.endDisk('disk');
      const maps = await pull.finished;
      await pull.confirmed;
      if (maps.get('disk')!.root() !== offer.map('disk').root()) throw new Error('the roots differ');
      await this.#versions.remember(owner, names.get('disk')!, maps.get('disk')!);
      await this.#store.release(owner, transfer);
      return { wireBytes: counter.bytes(), readBytes };
    } finally {
      await pull.close();
      offer.close();
      await serving.close();
      counter.close();
      server.close();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#store.close();
    await this.#journal.close();
    await rm(this.#folder, { recursive: true, force: true });
  }
}

/** A port whose connections go on to another one, with what passes counted. */
async function countBetween(port: number): Promise<{ port: number; bytes(): number; close(): void }> {
  const sockets: Socket[] = [];
  const server = createTcp((near) => {
    const far = connect(port, '127.0.0.1');
    sockets.push(near);
    pipeline(near, far, () => {});
    pipeline(far, near, () => {});
  });
  const own = await listen(server);
  return {
    port: own,
    bytes: () => sockets.reduce((sum, socket) => sum + socket.bytesRead + socket.bytesWritten, 0),
    close: () => server.close(),
  };
}

function listen(server: ReturnType<typeof createTcp>): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      resolve(typeof address === 'object' && address !== null ? address.port : 0);
    });
  });
}
