import type { Duplex } from 'node:stream';
import type { BlockMap, DataBlock } from '../../model/block-map.ts';
import { Fault } from '../../model/fault.ts';
import type { PackageDescription } from '../../model/machine.ts';
import { Bell } from '../bell.ts';
import { blockPool, type Share } from '../pool.ts';
import { lost } from '../wire/connection.ts';
import { LEAST_STREAMS } from '../wire/streams.ts';
import { decodePlaces, type FrameType, unspeakable } from '../wire/wire.ts';
import { Announced } from './announced.ts';
import type { ArrivingDisk } from './arriving-disk.ts';
import { ArrivingPackage } from './arriving-package.ts';
import { Crew } from './crew.ts';
import { Earlier } from './earlier.ts';
import { feedBlocks } from './feed.ts';
import { Fetch } from './fetch.ts';
import { whileFull } from './full-disk.ts';
import { HotBlocks } from './hot-blocks.ts';
import type { JournalDisk } from './journal.ts';
import { Lanes, superfluous } from './lanes.ts';
import { parseDescription, sameParts } from './package.ts';
import type { PullOptions, PullProgress } from './pull-options.ts';
import { keepConnected } from './reconnect.ts';
import { SourcePeer } from './source-peer.ts';

/** Most blocks that one pull holds in memory: on their way, being written, and about to be handed on. */
const MOST_BLOCKS = 64;

/** The receiving side of one transfer: keeps connections to the source, follows its map, and knows when all is there. */
export class Receiver {
  readonly described: Promise<PackageDescription>;
  readonly finished: Promise<Map<string, BlockMap>>;
  readonly confirmed: Promise<void>;
  readonly #options: PullOptions;
  readonly #ended = new AbortController();
  /** Aborted when the source is not needed any more. */
  readonly #quiet = new AbortController();
  readonly #bell = new Bell();
  readonly #share: Share;
  readonly #hot: HotBlocks;
  readonly #peers = new Set<SourcePeer>();
  readonly #lanes: Lanes;
  #crew: Crew | null = null;
  readonly #describe = Promise.withResolvers<PackageDescription>();
  readonly #finish = Promise.withResolvers<Map<string, BlockMap>>();
  readonly #confirm = Promise.withResolvers<void>();
  readonly #running: Promise<void>;
  #description: PackageDescription | null = null;
  #package: ArrivingPackage | null = null;
  #fetch: Fetch | null = null;
  #announced: Announced | null = null;
  #incarnation: string | null = null;
  /** The destination concluded before the package was known. */
  #concluding = false;
  /** The source has been told that everything arrived, by an earlier pull. */
  #wasDone = false;
  #mapPeer: SourcePeer | null = null;
  #finished = false;
  #finishing = false;
  #before = { wireBytes: 0, resentBytes: 0 };
  /** What an earlier pull wrote down. */
  #saved: JournalDisk[] = [];

  constructor(options: PullOptions) {
    this.#options = options;
    this.described = this.#describe.promise;
    this.finished = this.#finish.promise;
    this.confirmed = this.#confirm.promise;
    for (const promise of [this.described, this.finished, this.confirmed]) promise.catch(() => {});
    this.#share = blockPool.share({ most: MOST_BLOCKS, entitled: 4, reclaim: () => this.#hot.free() });
    this.#hot = new HotBlocks(() => this.#share);
    this.#lanes = new Lanes({
      arrived: (block, head, data) => void this.#fetch!.arrived(block, head, data),
      unanswered: (blocks, partialBytes) => this.#fetch?.unanswered(blocks, partialBytes),
      hungry: () => this.#bell.ring(),
      streams: (count) => this.#crew?.want(count),
      fixed: options.connections,
    });
    const onAbort = () => this.#stop(options.signal.reason);
    options.signal.addEventListener('abort', onAbort, { once: true });
    this.#ended.signal.addEventListener('abort', () => options.signal.removeEventListener('abort', onAbort));
    if (options.signal.aborted) onAbort();
    this.#running = this.#run().catch((error) => this.#stop(Fault.from(error, `transfer ${options.transfer}`)));
  }

  /** Aborted with the reason for which nothing more comes out of this pull. */
  get ended(): AbortSignal {
    return this.#ended.signal;
  }

  get #disks(): readonly ArrivingDisk[] {
    return this.#package?.disks ?? [];
  }

  disk(id: string): ArrivingDisk {
    if (this.#package === null) throw new Fault('internal', `transfer ${this.#options.transfer} is not described yet`);
    return this.#package.find(id);
  }

  async *blocks(id: string, from: number, signal: AbortSignal): AsyncGenerator<DataBlock> {
    await this.described;
    const { owner, transfer, store, journal } = this.#options;
    const disk = this.disk(id);
    this.#announced!.resume();
    yield* feedBlocks(
      {
        owner,
        transfer,
        store,
        journal,
        disk,
        hot: this.#hot,
        share: this.#share,
        bell: this.#bell,
        ended: this.#ended.signal,
        handOn: (one, end) => this.#package!.handOn(one, end),
        lost: (index) => this.#lose(disk, index),
        passed: (index) => this.#anyPeer()?.have([{ disk: disk.number, index }]),
        starving: () => this.#announced!.letGo(),
        whileFull: (work) => this.#whileFull(work),
      },
      from,
      signal,
    );
  }

  progress(): PullProgress {
    return {
      ...(this.#package?.progress() ?? { arrivedBytes: {}, zeroBytes: 0, alreadyThereBytes: 0 }),
      wireBytes: this.#before.wireBytes + (this.#fetch?.wireBytes ?? 0),
      resentBytes: this.#before.resentBytes + (this.#fetch?.resentBytes ?? 0),
      connections: this.#peers.size,
    };
  }

  conclude(): void {
    this.#concluding = true;
    if (this.#announced === null) return;
    this.#announced.conclude();
    this.#note(this.#completed());
    this.#bell.ring();
  }

  async close(): Promise<void> {
    this.#stop(new Fault('job.cancelled', `transfer ${this.#options.transfer}: the pull was closed`));
    await this.#running;
  }

  async #run(): Promise<void> {
    const { journal, owner, transfer, connections = LEAST_STREAMS } = this.#options;
    const saved = await journal.load(owner, transfer);
    if (saved !== null) this.#before = { wireBytes: saved.wireBytes, resentBytes: saved.resentBytes };
    this.#saved = saved?.disks ?? [];
    this.#wasDone = saved?.done ?? false;
    if (saved?.description) {
      this.#prepare(saved.description);
      this.#describe.resolve(saved.description);
      await this.#completed();
    }
    if (this.#quiet.signal.aborted) return;
    const refused: Fault[] = [];
    this.#crew = new Crew(() => this.#connect(refused));
    this.#crew.want(connections);
    await this.#crew.done;
    if (refused.length === 0 || this.#ended.signal.aborted || this.#quiet.signal.aborted) return;
    if (!this.#finished) throw refused[0];
    this.#over();
  }

  /** Keeps one connection until the transfer is over. Ends early when no connection is let in for good. */
  #connect(refused: Fault[]): Promise<void> {
    const { transfer, take, log } = this.#options;
    const isOver = (fault: Fault) => this.#finished && fault.code === 'transfer.unknown';
    return keepConnected({
      transfer,
      take,
      log,
      converse: (socket, onWelcome) => this.#converse(socket, onWelcome),
      ended: (reason) => {
        if (reason !== superfluous) this.#finished ? this.#over() : this.#stop(reason);
      },
      refused: (fault) => (isOver(fault) ? this.#over() : refused.push(fault)),
      isOver,
      signal: AbortSignal.any([this.#ended.signal, this.#quiet.signal]),
    });
  }

  /** Resolves with the reason for which the connection ended. */
  #converse(socket: Duplex, onWelcome: () => void): Promise<Fault> {
    return new Promise((resolve) => {
      const peer = new SourcePeer(socket, this.#options.transfer, this.#options.stallSeconds ?? 30, {
        welcome: (_, incarnation, description) => {
          onWelcome();
          this.#welcomed(peer, incarnation, description);
        },
        frame: (_, type, payload) => this.#heard(peer, type, payload),
        part: (_, part, head, data) => void this.#lanes.arrived(peer, part, head, data),
        closed: (_, reason, unanswered, partialBytes) => {
          this.#peers.delete(peer);
          this.#lanes.remove(peer, unanswered, partialBytes);
          if (this.#mapPeer === peer) this.#readMap();
          // Acknowledgements may have been lost with it.
          this.#anyPeer()?.list();
          this.#bell.ring();
          resolve(reason);
        },
      });
      this.#peers.add(peer);
    });
  }

  #welcomed(peer: SourcePeer, incarnation: string, raw: unknown): void {
    if (this.#finished) {
      this.#tellDone(peer);
      return;
    }
    if (incarnation !== this.#incarnation) {
      const description = parseDescription(raw, this.#options.parseDescription);
      if (this.#description === null) {
        const { journal, owner, transfer } = this.#options;
        this.#prepare(description);
        this.#note(journal.describe(owner, transfer, description).then(() => this.#describe.resolve(description)));
      } else if (!sameParts(this.#description, description)) {
        throw new Fault('disk.changed', `transfer ${this.#options.transfer}: the source has other disks than before`, {
          retry: 'never',
          remedy: 'Cancel this copy and start it again.',
        });
      }
      this.#begin(incarnation);
    }
    peer.list();
    if (this.#mapPeer === null) this.#readMap();
    this.#lanes.add(peer);
  }

  /** Another incarnation of the source: older connections are of no use, and its map is read from the beginning. */
  #begin(incarnation: string): void {
    this.#incarnation = incarnation;
    this.#package?.restart();
    this.#announced!.begin();
    this.#mapPeer = null;
    for (const old of [...this.#peers]) {
      if (old.incarnation !== null && old.incarnation !== incarnation) old.close(lost('the source began again'));
    }
  }

  #readMap(): void {
    this.#mapPeer = this.#finished ? null : this.#anyPeer();
    this.#mapPeer?.readMap(this.#announced!.next);
  }

  #anyPeer(): SourcePeer | null {
    for (const peer of this.#peers) if (peer.open && peer.incarnation === this.#incarnation) return peer;
    return null;
  }

  #heard(peer: SourcePeer, type: FrameType, payload: Buffer): void {
    if (type === 'settled' && this.#finished) this.#over();
    if (peer.incarnation !== this.#incarnation || this.#finished) return;
    switch (type) {
      case 'entries':
      case 'end':
        if (peer !== this.#mapPeer) throw unspeakable('a part of the map came without being asked for');
        this.#announced!.learn(type, payload);
        this.#bell.ring();
        return;
      case 'gone': {
        for (const place of decodePlaces(payload)) {
          if (this.#lanes.gone(peer, place) && this.#announced!.isWanted(place)) peer.again(place);
        }
        return;
      }
      case 'held':
        peer.have(decodePlaces(payload).filter((place) => this.#announced!.isNeedless(place)));
    }
  }

  #whileFull<T>(work: () => Promise<T>): Promise<T> {
    return whileFull(work, this.#ended.signal, (fault) => {
      this.#options.trouble?.(fault);
      if (fault !== null) void this.#makeRoom();
    });
  }

  async #makeRoom(): Promise<void> {
    if (await this.#options.makeRoom?.().catch(() => false)) this.#bell.ring();
  }

  /** A durable block is gone from the store. False when the source cannot be asked for it any more. */
  #lose(disk: ArrivingDisk, index: number): boolean {
    const { transfer } = this.#options;
    // Its entry stays in the journal: after a restart it tells whether what was handed on has changed.
    disk.lose(index);
    this.#bell.ring();
    if (!this.#finished) return true;
    // Nobody listens to the source any more: whoever cares for the transfer opens it again.
    const what = `transfer ${transfer}: block ${index} of disk ${disk.id} was lost after it had arrived`;
    this.#stop(new Fault('storage.damaged', what));
    return false;
  }

  /** Makes the disks of the package, with what the journal knows of them. */
  #prepare(description: PackageDescription): void {
    const { owner, transfer, store, journal } = this.#options;
    this.#description = description;
    const { recall } = this.#options;
    const holds = (hash: Uint8Array) => store.has(owner, hash);
    this.#package = new ArrivingPackage(description, { owner, transfer, journal, saved: this.#saved, holds });
    this.#saved = [];
    this.#fetch = new Fetch({
      ...this.#options,
      disks: this.#disks,
      wanting: this.#package.wanting,
      walking: this.#package.walking,
      share: this.#share,
      hot: this.#hot,
      earlier: new Earlier(owner, store, recall && (() => recall(description))),
      bell: this.#bell,
      signal: this.#ended.signal,
      durable: (places) => {
        this.#anyPeer()?.have(places);
        this.#note(this.#completed());
      },
      whileFull: (work) => this.#whileFull(work),
      makeRoom: () => void this.#makeRoom(),
      idle: () => this.#announced!.letGo(),
      fail: (fault) => this.#stop(fault),
    });
    this.#announced = new Announced({
      owner,
      transfer,
      store,
      journal,
      disks: this.#disks,
      walking: this.#package.walking,
      hot: this.#hot,
      isFull: () => this.#fetch!.full,
      have: (places) => this.#anyPeer()?.have(places),
      lose: (disk, index) => this.#lose(disk, index),
      fetches: (place) => this.#fetch!.fetches(place),
      ended: () => this.#completed(),
      note: (work) => this.#note(work),
    });
    if (this.#concluding) this.#announced.conclude();
    this.#fetch.run(this.#lanes).catch((error) => {
      if (!this.#ended.signal.aborted) this.#stop(Fault.from(error, `transfer ${transfer}`));
    });
  }

  /**
   * Ends the first part of the work once every disk is whole. What went past the store is only here as long as nobody
   * wants it again: then the source is kept until the destination has concluded.
   */
  async #completed(): Promise<void> {
    const isOver = () => this.#package?.isOver(this.#announced!.concluded);
    if (this.#finishing || this.#finished || !isOver()) return;
    this.#finishing = true;
    const { journal, owner, transfer } = this.#options;
    await Promise.all(this.#disks.map(({ id, root }) => journal.root(owner, transfer, id, root)));
    this.#finishing = false;
    if (this.#finished || !isOver()) return;
    this.#finished = true;
    this.#finish.resolve(new Map(this.#disks.map(({ id, announced }) => [id, announced])));
    if (this.#wasDone) this.#over();
    else for (const peer of this.#peers) if (peer.incarnation !== null) this.#tellDone(peer);
  }

  #tellDone(peer: SourcePeer): void {
    peer.done(Object.fromEntries(this.#disks.map(({ id, root }) => [id, root!])));
  }

  /** The source knows that everything is here. Feeds go on. */
  #over(): void {
    const { journal, owner, transfer } = this.#options;
    this.#note(journal.done(owner, transfer).then(() => this.#confirm.resolve()));
    this.#quiet.abort(new Fault('job.cancelled', `transfer ${transfer} is over`));
    for (const peer of [...this.#peers]) peer.close(lost('the transfer is over'), true);
  }

  /** Failures of writes that nobody awaits. */
  #note(work: Promise<unknown>): void {
    work.catch((error) => this.#stop(Fault.from(error, `transfer ${this.#options.transfer}`)));
  }

  #stop(reason: unknown): void {
    if (this.#ended.signal.aborted) return;
    this.#ended.abort(reason);
    this.#describe.reject(reason);
    this.#finish.reject(reason);
    this.#confirm.reject(reason);
    for (const peer of [...this.#peers]) peer.close(lost('the receiver closed it'));
    this.#lanes.close();
    this.#hot.clear();
    this.#fetch?.close();
    this.#share.close();
    this.#bell.ring();
  }
}
