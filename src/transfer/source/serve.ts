import type { Duplex } from 'node:stream';
import type { Log } from '../../base/log.ts';
import { Fault } from '../../model/fault.ts';
import { type Outlet, openOutlet } from '../pace/pace.ts';
import { encodeBlock } from '../wire/codec.ts';
import { Connection, lost } from '../wire/connection.ts';
import { patchFor } from '../wire/pages.ts';
import { decodeStreams, decodeStretches } from '../wire/parts.ts';
import { MOST_STREAMS } from '../wire/streams.ts';
import {
  decodeCompare,
  decodeJson,
  decodePlaces,
  ENTRIES_PER_FRAME,
  encodeAnnouncements,
  encodeBlockHead,
  encodeFrame,
  encodeJson,
  encodePlaces,
  type FrameType,
  OLDEST_WIRE_VERSION,
  PLACES_PER_FRAME,
  type Place,
  SOURCE_HEARS,
  unspeakable,
  WIRE_VERSION,
} from '../wire/wire.ts';
import type { Offer } from './offer.ts';

export interface OfferServer {
  /** Serves one authenticated connection of the receiver until either side closes it. */
  accept(socket: Duplex): void;
  /** Closes all connections, after what was said has left. Idempotent. The offer itself is the caller's. */
  close(): Promise<void>;
}

/** Blocks that one connection may be asked for at a time. */
const MOST_ASKED = 1024;

export interface ServeOptions {
  log?: Log;
  stallSeconds?: number;
  outlet?: Outlet;
  /** Told how many connections the receiver wants, for a source that dials. */
  streams?: (count: number) => void;
}

export function serveOffer(offer: Offer, options: ServeOptions): OfferServer {
  const receivers = new Set<Receiver>();
  const unlisten = offer.listen(() => {
    for (const receiver of [...receivers]) receiver.changed();
  });
  let closed = false;
  return {
    accept(socket) {
      if (closed) {
        socket.destroy();
        return;
      }
      const receiver = new Receiver(offer, socket, options, (reason) => {
        receivers.delete(receiver);
        options.log?.debug({ transfer: offer.transfer, reason: reason.message }, 'a receiver connection ended');
      });
      receivers.add(receiver);
    },
    async close() {
      closed = true;
      unlisten();
      for (const receiver of [...receivers]) receiver.close();
    },
  };
}

/** A block that the receiver wants, or a part of it; with the sums of an older one that it holds. */
interface Wanted extends Place {
  offset?: number;
  length?: number;
  sums?: Buffer;
}

/** One connection of the receiver, seen from the source. */
class Receiver {
  readonly #offer: Offer;
  readonly #connection: Connection;
  #greeted = false;
  readonly #outlet: Outlet;
  readonly #streams: (count: number) => void;
  readonly #gone = new AbortController();
  #asked: Wanted[] = [];
  #sending = false;
  /** Number of the next announcement to say; null while nobody reads the map here. */
  #next: number | null = null;
  #announcing = false;
  #settled = false;

  constructor(offer: Offer, socket: Duplex, options: ServeOptions, closed: (reason: Fault) => void) {
    const { stallSeconds = 30, outlet = openOutlet, streams = () => {} } = options;
    this.#offer = offer;
    this.#outlet = outlet;
    this.#streams = streams;
    this.#connection = new Connection(socket, {
      hears: SOURCE_HEARS,
      stallSeconds,
      frame: (type, payload) => this.#heard(type, payload),
      begin: () => {
        throw unspeakable('a receiver sent a block');
      },
      block: () => {},
      closed: (reason) => {
        this.#asked = [];
        this.#gone.abort(reason);
        closed(reason);
      },
    });
  }

  /** The offer has something new. */
  changed(): void {
    if (!this.#greeted) return;
    if (this.#offer.fault !== null) this.#refuse(this.#offer.fault);
    else if (this.#offer.isDone && !this.#settled) {
      this.#settled = true;
      void this.#connection.send([encodeFrame('settled')]);
    } else void this.#announce();
  }

  close(): void {
    this.#connection.close(lost('the source closed it'), true);
  }

  #heard(type: FrameType, payload: Buffer): void {
    if (type === 'hello') {
      this.#greet(decodeJson(payload));
      return;
    }
    if (!this.#greeted) throw unspeakable(`"${type}" came before "hello"`);
    switch (type) {
      case 'map':
        if (payload.length !== 8) throw unspeakable('a position in the map has 8 bytes');
        this.#next = Number(payload.readBigUInt64BE());
        void this.#announce();
        return;
      case 'ask': {
        this.#want(decodePlaces(payload));
        return;
      }
      case 'compare': {
        const { place, sums } = decodeCompare(payload);
        this.#want([{ ...place, sums }]);
        return;
      }
      case 'askParts':
        this.#want(decodeStretches(payload));
        return;
      case 'streams':
        this.#streams(Math.min(MOST_STREAMS, Math.max(1, decodeStreams(payload))));
        return;
      case 'have':
        for (const { disk, index } of decodePlaces(payload)) this.#offer.drop(disk, index);
        return;
      case 'list': {
        const held = [...this.#offer.held()].slice(0, PLACES_PER_FRAME);
        if (held.length > 0) void this.#connection.send([encodePlaces('held', held)]);
        return;
      }
      case 'again': {
        const place = decodePlaces(payload)[0];
        if (place === undefined || this.#offer.holds(place.disk, place.index)) return;
        this.#offer.fail(
          new Fault(
            'transfer.rewound',
            `transfer ${this.#offer.transfer}: the receiver needs block ${place.index} of disk number ${place.disk} again, which is not in its storage, so the source is read again`,
          ),
        );
        return;
      }
      case 'done':
        this.#offer.confirm(decodeJson(payload) as Record<string, string>);
        this.changed();
        return;
      default:
        return;
    }
  }

  #want(wanted: readonly Wanted[]): void {
    this.#asked.push(...wanted);
    if (this.#asked.length > MOST_ASKED) throw unspeakable(`more than ${MOST_ASKED} blocks were asked for`);
    void this.#send();
  }

  #greet(hello: Record<string, unknown>): void {
    const { versions, transfer } = hello;
    if (!Array.isArray(versions) || typeof transfer !== 'string') throw unspeakable('"hello" has no versions');
    const [low, high] = versions as number[];
    const version = Math.min(WIRE_VERSION, Number(high));
    if (!(Number(low) <= version && version >= OLDEST_WIRE_VERSION)) {
      const ours = `${OLDEST_WIRE_VERSION} to ${WIRE_VERSION}`;
      this.#refuse(
        new Fault('protocol.version', `the source speaks block versions ${ours}, the receiver ${low} to ${high}`),
      );
      return;
    }
    if (transfer !== this.#offer.transfer) {
      this.#refuse(new Fault('transfer.unknown', `the source offers ${this.#offer.transfer}, not ${transfer}`));
      return;
    }
    this.#greeted = true;
    const { incarnation, description } = this.#offer;
    void this.#connection.send([encodeJson('welcome', { version, incarnation, description })]);
    if (this.#offer.fault !== null || this.#offer.isDone) this.changed();
  }

  #refuse(fault: Fault): void {
    void this.#connection.send([encodeJson('fault', fault.report())]);
    this.#connection.close(fault, true);
  }

  async #announce(): Promise<void> {
    if (this.#announcing || this.#next === null) return;
    this.#announcing = true;
    while (this.#connection.open) {
      const announcements = this.#offer.announcements(this.#next, ENTRIES_PER_FRAME);
      if (announcements.length === 0) break;
      this.#next += announcements.length;
      await this.#connection.send(encodeAnnouncements(announcements));
    }
    this.#announcing = false;
  }

  async #send(): Promise<void> {
    if (this.#sending) return;
    this.#sending = true;
    for (let place = this.#asked.shift(); place !== undefined; place = this.#asked.shift()) {
      const { disk, index, offset } = place;
      const lease = this.#offer.lease(disk, index, offset, place.length);
      if (lease === null) {
        void this.#connection.send([encodePlaces('gone', [place])]);
        continue;
      }
      const patch = place.sums === undefined ? null : patchFor(lease.data, place.sums);
      const { codec, data } = await encodeBlock(patch ?? lease.data);
      await this.#outlet.pass(data.length, this.#gone.signal);
      if (!this.#connection.open) {
        lease.release();
        break;
      }
      const { repeated } = lease;
      this.#offer.sent(data.length, repeated);
      const head = encodeBlockHead({
        disk,
        index,
        ...(offset === undefined ? {} : { offset }),
        codec,
        repeated,
        patch: patch !== null,
        length: data.length,
      });
      // One at a time: TLS would copy what waits together into one piece.
      await this.#connection.send([head, data]);
      lease.release();
    }
    this.#sending = false;
  }
}
