import { Fault } from '../../model/fault.ts';
import { decodeBlock } from '../wire/codec.ts';
import { depthBytes, firstPlan, measureSeconds, nextPlan, partBytes, type StreamsPlan } from '../wire/streams.ts';
import type { BlockHead, Place } from '../wire/wire.ts';
import type { Asked, Part, SourcePeer } from './source-peer.ts';

const TICK_MILLISECONDS = 100;

/** Why a connection ends that is one too many: nobody makes it again. */
export const superfluous = new Fault('transfer.lost', 'fewer connections are wanted', { retry: 'never' });

export interface LanesOptions {
  /** A block is there; `data` is what came of it, or its own buffer where it came in parts. */
  arrived: (block: Asked, head: BlockHead, data: Buffer) => void;
  /** Blocks that will not come: their connections broke, or the source has them no longer. */
  unanswered: (blocks: Asked[], partialBytes: number) => void;
  /** There is room for another block. */
  hungry: () => void;
  /** So many connections are wanted from now on. */
  streams: (count: number) => void;
  /** Connections that are wanted always; default: as many as the way is worth. */
  fixed?: number | undefined;
}

interface Lane {
  peer: SourcePeer;
  askedBytes: number;
  heardBytes: number;
  bytesPerSecond: number | null;
  /** Not wanted any more: it brings what it was asked for, and ends. */
  retired: boolean;
}

interface Open {
  block: Asked;
  /** Parts that have been neither brought nor given up. */
  left: number;
  wireBytes: number;
  resentBytes: number;
  /** A part of it does not come: nor does the block. */
  given: boolean;
}

/** Of what differs from an older block, a part of it at most is worth sending as such. */
const expectedBytes = ({ block, length }: Part) => (block.older ? length / 8 : length);

const keyOf = ({ disk, index }: Place) => `${disk}/${index}`;

/** The connections to the source as one: blocks are cut into parts where the way is long, and put together again. */
export class Lanes {
  readonly #options: LanesOptions;
  readonly #lanes = new Map<SourcePeer, Lane>();
  readonly #blocks = new Map<string, Open>();
  /** Parts that nobody has been asked for. */
  #queue: Part[] = [];
  #roundTripSeconds = Number.POSITIVE_INFINITY;
  #plan: StreamsPlan | null = null;
  /** What came in each of the last ticks. */
  #ticks: { bytes: number; seconds: number }[] = [];
  /** Ticks at which there was less to ask for than the way would have carried. */
  #idleTicks = 0;
  readonly #timer: NodeJS.Timeout;
  #tickedAt = performance.now();

  constructor(options: LanesOptions) {
    this.#options = options;
    this.#timer = setInterval(() => this.#tick(), TICK_MILLISECONDS);
    this.#timer.unref();
  }

  /** Another block may be asked for. */
  get room(): boolean {
    if (this.#queue.length > 0) return false;
    for (const lane of this.#lanes.values()) if (this.#free(lane) > 0) return true;
    return false;
  }

  /** Blocks may be asked for at all. */
  get open(): boolean {
    return this.#lanes.size > 0;
  }

  /** Blocks may be compared, and cut into parts. */
  get modern(): boolean {
    for (const { peer } of this.#lanes.values()) if (!peer.modern) return false;
    return true;
  }

  /** The source has welcomed this connection. */
  add(peer: SourcePeer): void {
    if (this.#plan !== null && this.#lanes.size >= this.#plan.streams) {
      peer.close(superfluous, true);
      return;
    }
    this.#lanes.set(peer, { peer, askedBytes: 0, heardBytes: peer.heardBytes, bytesPerSecond: null, retired: false });
    this.#roundTripSeconds = Math.min(this.#roundTripSeconds, peer.roundTripSeconds);
    if (this.#options.fixed === undefined && this.#plan === null) {
      this.#plan = firstPlan(performance.now() / 1000, this.#roundTripSeconds);
      this.#options.streams(this.#plan.streams);
    }
    if (this.#plan !== null) peer.streams(this.#plan.streams);
    this.#assign();
  }

  /** The connection is gone: others bring what it was asked for, if there are any. */
  remove(peer: SourcePeer, unanswered: readonly Part[], partialBytes: number): void {
    const wasLane = this.#lanes.delete(peer);
    if (partialBytes > 0) this.#options.unanswered([], partialBytes);
    this.#queue.unshift(...unanswered);
    if (wasLane && this.#lanes.size === 0) this.giveUp();
    else this.#drain();
    this.#assign();
  }

  /** Nothing that was asked for is wanted any more, at least not so; connections that it is due on are being closed. */
  giveUp(): void {
    for (const open of this.#blocks.values()) open.given = true;
    this.#drain();
  }

  ask(block: Asked): void {
    const bytes = block.buffer.length;
    const part = this.modern && !block.older ? Math.min(bytes, partBytes(this.#roundTripSeconds)) : bytes;
    const open: Open = { block, left: 0, wireBytes: 0, resentBytes: 0, given: false };
    this.#blocks.set(keyOf(block), open);
    for (let offset = 0; offset < bytes; offset += part) {
      this.#queue.push({ block, offset, length: Math.min(part, bytes - offset) });
      open.left++;
    }
    this.#assign();
  }

  async arrived(peer: SourcePeer, part: Part, head: BlockHead, data: Buffer): Promise<void> {
    this.#landed(peer, part);
    const { block, offset, length } = part;
    if (length === block.buffer.length) {
      this.#blocks.delete(keyOf(block));
      this.#options.arrived(block, head, data);
      return;
    }
    const open = this.#blocks.get(keyOf(block))!;
    open.wireBytes += head.length;
    if (head.repeated) open.resentBytes += head.length;
    // Bytes that do not decode stay what they were, and the block's hash tells.
    if (head.codec === 'zstd') (await decodeBlock(data, length))?.copy(block.buffer, offset);
    this.#settle(open);
  }

  /** The source has this block no longer: what it was asked for over this connection does not come. False when that is nothing. */
  gone(peer: SourcePeer, place: Place): boolean {
    const part = peer.unask(place);
    if (part === null) return false;
    this.#landed(peer, part);
    const open = this.#blocks.get(keyOf(part.block))!;
    open.given = true;
    this.#settle(open);
    this.#drain();
    return true;
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #landed(peer: SourcePeer, part: Part): void {
    const lane = this.#lanes.get(peer);
    if (lane === undefined) return;
    lane.askedBytes -= expectedBytes(part);
    this.#dismiss(lane);
    this.#assign();
  }

  #settle(open: Open): void {
    if (--open.left > 0) return;
    const { block, wireBytes, resentBytes } = open;
    this.#blocks.delete(keyOf(block));
    if (open.given) {
      this.#options.unanswered([block], 0);
      return;
    }
    const { disk, index, buffer } = block;
    const head = { disk, index, codec: 'raw' as const, repeated: false, patch: false, length: wireBytes, resentBytes };
    this.#options.arrived(block, head, buffer);
  }

  /** Takes what nobody wants out of the queue. */
  #drain(): void {
    const queue = this.#queue;
    this.#queue = [];
    for (const part of queue) {
      const open = this.#blocks.get(keyOf(part.block))!;
      if (open.given) this.#settle(open);
      else this.#queue.push(part);
    }
  }

  #free(lane: Lane): number {
    const { bytesPerSecond, askedBytes, retired } = lane;
    if (retired || !lane.peer.open) return 0;
    const roundTripSeconds = lane.peer.modern ? this.#roundTripSeconds : 0;
    return depthBytes({ bytesPerSecond, roundTripSeconds, lanes: this.#lanes.size }) - askedBytes;
  }

  /** Gives the parts that wait to the connections that have most room for them. */
  #assign(): void {
    while (this.#queue.length > 0) {
      let best: Lane | null = null;
      let most = 0;
      for (const lane of this.#lanes.values()) {
        const free = this.#free(lane);
        if (free > most) [best, most] = [lane, free];
      }
      if (best === null) return;
      const part = this.#queue.shift()!;
      best.askedBytes += expectedBytes(part);
      best.peer.ask(part);
    }
    if (this.room) this.#options.hungry();
  }

  #tick(): void {
    const now = performance.now();
    const seconds = (now - this.#tickedAt) / 1000;
    this.#tickedAt = now;
    let bytes = 0;
    for (const lane of this.#lanes.values()) {
      const came = lane.peer.heardBytes - lane.heardBytes;
      lane.heardBytes += came;
      bytes += came;
      const rate = came / seconds;
      const known = lane.bytesPerSecond;
      if (known === null) lane.bytesPerSecond = came > 0 ? rate : null;
      else lane.bytesPerSecond = known + (rate - known) * (rate > known ? 0.5 : 0.1);
    }
    if (this.#plan !== null) this.#decide(this.#plan, now / 1000, { bytes, seconds });
    this.#assign();
  }

  #decide(plan: StreamsPlan, at: number, tick: { bytes: number; seconds: number }): void {
    const roundTripSeconds = this.#roundTripSeconds;
    const window = Math.ceil((measureSeconds(roundTripSeconds) * 1000) / TICK_MILLISECONDS);
    this.#ticks = [...this.#ticks, tick].slice(-window);
    this.#idleTicks = this.room ? Math.min(window, this.#idleTicks + 1) : Math.max(0, this.#idleTicks - 1);
    const sum = (what: 'bytes' | 'seconds') => this.#ticks.reduce((all, one) => all + one[what], 0);
    const next = nextPlan(plan, {
      at,
      bytesPerSecond: sum('bytes') / sum('seconds'),
      busy: this.#idleTicks < window / 2,
      roundTripSeconds,
    });
    this.#plan = next;
    if (next.streams === plan.streams) return;
    this.#options.streams(next.streams);
    for (const { peer } of this.#lanes.values()) peer.streams(next.streams);
    const slowestFirst = [...this.#lanes.values()].sort((a, b) => (a.bytesPerSecond ?? 0) - (b.bytesPerSecond ?? 0));
    for (const lane of slowestFirst.slice(0, -next.streams)) {
      lane.retired = true;
      this.#dismiss(lane);
    }
  }

  #dismiss({ retired, askedBytes, peer }: Lane): void {
    if (retired && askedBytes === 0) peer.close(superfluous, true);
  }
}
