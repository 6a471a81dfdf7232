import type { Duplex } from 'node:stream';
import { Fault, type FaultReport } from '../../model/fault.ts';
import { Connection } from '../wire/connection.ts';
import { pageSums } from '../wire/pages.ts';
import { encodeStreams, encodeStretches } from '../wire/parts.ts';
import {
  type BlockHead,
  decodeJson,
  decodePages,
  encodeCompare,
  encodeFrame,
  encodeJson,
  encodePlaces,
  type FrameType,
  OLDEST_WIRE_VERSION,
  PLACES_PER_FRAME,
  type Place,
  RECEIVER_HEARS,
  unspeakable,
  WIRE_VERSION,
} from '../wire/wire.ts';

/** A block that is on its way. */
export interface Asked extends Place {
  hash: Buffer;
  /** Where its bytes go when they come uncompressed. */
  buffer: Buffer;
  /** An older block lies in the buffer: what turns it into the wanted one is enough. */
  older: boolean;
}

/** What one connection brings of a block: all of it, or a part. */
export interface Part {
  block: Asked;
  offset: number;
  length: number;
}

export interface PeerEvents {
  welcome(peer: SourcePeer, incarnation: string, description: unknown): void;
  frame(peer: SourcePeer, type: FrameType, payload: Buffer): void;
  /** `data` as it came: a part of the block, all of it, or the patch for the older one in its buffer. */
  part(peer: SourcePeer, part: Part, head: BlockHead, data: Buffer): void;
  /** `unanswered` is what did not come; `partialBytes` arrived of the one that was coming. */
  closed(peer: SourcePeer, reason: Fault, unanswered: Part[], partialBytes: number): void;
}

const keyOf = ({ disk, index }: Place, offset = 0) => `${disk}/${index}/${offset}`;

/** One connection to the source, seen from the receiver. */
export class SourcePeer {
  readonly #connection: Connection;
  readonly #events: PeerEvents;
  readonly #asked = new Map<string, Part>();
  readonly #openedAt = performance.now();
  #version = 0;
  incarnation: string | null = null;
  /** From our first word to the answer: the round trip, and what the source took to think. */
  roundTripSeconds = 0;

  constructor(socket: Duplex, transfer: string, stallSeconds: number, events: PeerEvents) {
    this.#events = events;
    this.#connection = new Connection(socket, {
      hears: RECEIVER_HEARS,
      stallSeconds,
      frame: (type, payload) => this.#heard(type, payload),
      begin: (head) => this.#begin(head),
      block: (head, data) => {
        const key = keyOf(head, head.offset);
        const part = this.#asked.get(key)!;
        this.#asked.delete(key);
        events.part(this, part, head, data);
      },
      closed: (reason) => {
        const unanswered = [...this.#asked.values()];
        const partialBytes = this.#connection.partial?.bytes ?? 0;
        this.#asked.clear();
        events.closed(this, reason, unanswered, partialBytes);
      },
    });
    void this.#connection.send([encodeJson('hello', { versions: [OLDEST_WIRE_VERSION, WIRE_VERSION], transfer })]);
  }

  get open(): boolean {
    return this.#connection.open;
  }

  /** Everything that came over this connection. */
  get heardBytes(): number {
    return this.#connection.heardBytes;
  }

  /** Whether the source can be asked to compare, and for parts of blocks. */
  get modern(): boolean {
    return this.#version >= 2;
  }

  ask(part: Part): void {
    const { block, offset, length } = part;
    const { disk, index, buffer } = block;
    this.#asked.set(keyOf(block, offset), part);
    const frame = block.older
      ? encodeCompare(block, pageSums(buffer))
      : length === buffer.length
        ? encodePlaces('ask', [block])
        : encodeStretches([{ disk, index, offset, length }]);
    void this.#connection.send([frame]);
  }

  /** What was asked for first of this block does not come. */
  unask({ disk, index }: Place): Part | null {
    for (const [key, part] of this.#asked) {
      if (part.block.disk !== disk || part.block.index !== index) continue;
      this.#asked.delete(key);
      return part;
    }
    return null;
  }

  /** Tells the source how many connections are wanted. */
  streams(count: number): void {
    if (this.modern) void this.#connection.send([encodeStreams(count)]);
  }

  have(places: readonly Place[]): void {
    for (let at = 0; at < places.length; at += PLACES_PER_FRAME) {
      void this.#connection.send([encodePlaces('have', places.slice(at, at + PLACES_PER_FRAME))]);
    }
  }

  /** Reads the map from announcement number `from` on. */
  readMap(from: number): void {
    const payload = Buffer.alloc(8);
    payload.writeBigUInt64BE(BigInt(from));
    void this.#connection.send([encodeFrame('map', payload)]);
  }

  /** Asks what the source still holds: acknowledgements may have been lost with another connection. */
  list(): void {
    void this.#connection.send([encodeFrame('list')]);
  }

  again(place: Place): void {
    void this.#connection.send([encodePlaces('again', [place])]);
  }

  done(roots: Record<string, string>): void {
    void this.#connection.send([encodeJson('done', roots)]);
  }

  close(reason: Fault, gently = false): void {
    this.#connection.close(reason, gently);
  }

  #begin(head: BlockHead): Buffer {
    const part = this.#asked.get(keyOf(head, head.offset));
    if (part === undefined) throw unspeakable(`block ${head.index} of disk ${head.disk} came without being asked for`);
    const { block, offset, length } = part;
    if ((head.offset === undefined) !== (length === block.buffer.length)) throw unspeakable('another part came');
    if (head.codec === 'zstd') return Buffer.allocUnsafe(head.length);
    if (head.length !== length) throw unspeakable(`a block of ${head.length} bytes came`);
    return block.buffer.subarray(offset, offset + length);
  }

  #heard(type: FrameType, payload: Buffer): void {
    if (type === 'ping') return;
    if (type === 'fault') throw readFault(payload);
    if (type === 'welcome') {
      const { version, incarnation, description } = decodeJson(payload);
      if (this.incarnation !== null || typeof incarnation !== 'string') throw unspeakable('a second "welcome" came');
      this.incarnation = incarnation;
      this.#version = Number(version);
      this.roundTripSeconds = (performance.now() - this.#openedAt) / 1000;
      this.#events.welcome(this, incarnation, description);
      return;
    }
    if (this.incarnation === null) throw unspeakable(`"${type}" came before "welcome"`);
    if (type === 'pages') this.#patched(payload);
    else this.#events.frame(this, type, payload);
  }

  #patched(payload: Buffer): void {
    const { head, patch } = decodePages(payload);
    const part = this.unask(head);
    if (part === null || !part.block.older)
      throw unspeakable(`pages of block ${head.index} of disk ${head.disk} came without being asked for`);
    this.#events.part(this, part, head, patch);
  }
}

/** The source's own words. Kinds that this release does not know become `internal`. */
function readFault(payload: Buffer): Fault {
  const { code, message, remedy, retry, retryAfterSeconds } = decodeJson(payload);
  const retries = ['soon', 'later', 'never'] as const;
  const known = retries.find((word) => word === retry);
  if (typeof code !== 'string' || typeof message !== 'string' || known === undefined) {
    throw unspeakable('a fault came without code, message or retry');
  }
  return Fault.fromReport({
    code: code as FaultReport['code'],
    message: `source: ${message}`,
    remedy: typeof remedy === 'string' ? remedy : '',
    retry: known,
    ...(typeof retryAfterSeconds === 'number' ? { retryAfterSeconds } : {}),
  });
}
