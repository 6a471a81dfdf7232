import { BLOCK_BYTES, ENTRY_BYTES } from '../../model/block-map.ts';
import { Fault } from '../../model/fault.ts';
import type { Announcement } from '../source/offer.ts';
import { PAGE_BYTES, patchLimit } from './pages.ts';

/**
 * What receiver and source say to each other on an authenticated connection, whoever dialled: frames in both directions,
 * each a head of 8 bytes (type u8 · zeros · length of the payload u32) and its payload. Numbers are big-endian; disks are
 * numbered in the order of the package's description. Every connection may carry everything; the map is read on one.
 *
 *     receiver → source                                        source → receiver
 *     hello    JSON {versions: [low, high], transfer}           welcome  JSON {version, incarnation, description}
 *     map      first announcement wanted u64                    entries  n × (disk u32, index u32, hash)
 *                                                               end      disk u32, blocks u32, root
 *     ask      n × (disk u32, index u32)                        block    disk u32, index u32, codec u8, repeated u8, zeros u16, then the bytes
 *                                                               gone     disk u32, index u32: asked for, but no longer held
 *     compare  disk u32, index u32, CRC-32 of each 4 KiB page   pages    disk u32, index u32, codec u8, repeated u8, zeros u16, then
 *              of an older block at this place (version 2)               the patch (a bit per page, and the pages that differ); or a block
 *     askParts n × (disk, index, offset, length: u32 each)      part     disk u32, index u32, codec u8, repeated u8, zeros u16, offset u32,
 *              of blocks (version 2)                                     then the bytes; *gone* answers for one part of a block too
 *     have     n × (disk u32, index u32): durable, drop them
 *     list     empty                                            held     n × (disk u32, index u32): what still waits for *have*
 *     again    disk u32, index u32: wanted once more, and dropped by the source
 *     done     JSON, roots by disk id                           settled  empty: the roots are equal
 *     streams  u32: so many connections are wanted (version 2)
 *     ping     empty                                            ping     empty
 *                                                               fault    JSON FaultReport, then the connection ends
 */
export const WIRE_VERSION = 2;
/** The oldest version that is spoken too; it has neither *compare* and *pages* nor *askParts*, *part* and *streams*. */
export const OLDEST_WIRE_VERSION = 1;

export type FrameType = keyof typeof frameTypes;

const MIB = 1024 * 1024;
const PLACES = 64 * 1024;
const SUMS = (BLOCK_BYTES / PAGE_BYTES) * 4;

/** Number on the wire and longest payload. */
const frameTypes = {
  hello: [1, 64 * 1024],
  map: [2, 8],
  ask: [3, PLACES],
  have: [4, PLACES],
  list: [5, 0],
  again: [6, 8],
  done: [7, 16 * MIB],
  compare: [8, 8 + SUMS],
  askParts: [9, 2 * PLACES],
  streams: [10, 4],
  welcome: [16, 16 * MIB],
  entries: [17, 1024 * (8 + ENTRY_BYTES)],
  end: [18, 8 + ENTRY_BYTES],
  block: [19, 12 + BLOCK_BYTES],
  gone: [20, 8],
  held: [21, PLACES],
  settled: [22, 0],
  pages: [24, 12 + patchLimit(BLOCK_BYTES)],
  fault: [23, 256 * 1024],
  part: [25, 16 + BLOCK_BYTES],
  ping: [31, 0],
} as const;

export const SOURCE_HEARS: readonly FrameType[] = [
  'hello',
  'map',
  'ask',
  'compare',
  'askParts',
  'have',
  'list',
  'again',
  'done',
  'streams',
  'ping',
];
export const RECEIVER_HEARS: readonly FrameType[] = [
  'welcome',
  'entries',
  'end',
  'block',
  'pages',
  'part',
  'gone',
  'held',
  'settled',
  'fault',
  'ping',
];

export const ENTRIES_PER_FRAME = 1024;
export const PLACES_PER_FRAME = PLACES / 8;
const HEAD_BYTES = 8;
const BLOCK_HEAD_BYTES = 12;
/** Of a part, which has its offset behind the block's head. */
const PART_HEAD_BYTES = 16;

export interface Place {
  disk: number;
  index: number;
}

export interface BlockHead extends Place {
  /** Where in the block a part of it begins; absent for a whole block. */
  offset?: number;
  codec: 'raw' | 'zstd';
  repeated: boolean;
  /** Not the block, but the pages of it that differ from an older one. */
  patch: boolean;
  /** Bytes on the wire. */
  length: number;
  /** Of these, where only some parts of the block are repeated. */
  resentBytes?: number;
}

/** A peer that does not keep to the frames above. */
export function unspeakable(why: string): Fault {
  return new Fault('transfer.mismatch', `the other node broke the rules of the block connection: ${why}`, {
    retry: 'never',
    remedy: 'Update both nodes to the same release; if it stays so, report it with both logs.',
  });
}

export function encodeFrame(type: FrameType, payload?: Buffer): Buffer {
  const bytes = Buffer.alloc(HEAD_BYTES + (payload?.length ?? 0));
  bytes.writeUInt8(frameTypes[type][0], 0);
  bytes.writeUInt32BE(payload?.length ?? 0, 4);
  payload?.copy(bytes, HEAD_BYTES);
  return bytes;
}

export function encodeJson(type: FrameType, value: unknown): Buffer {
  return encodeFrame(type, Buffer.from(JSON.stringify(value)));
}

/** Frame head and head of a block or of its pages; `length` bytes have to follow. */
export function encodeBlockHead(head: BlockHead): Buffer {
  const type = head.offset !== undefined ? 'part' : head.patch ? 'pages' : 'block';
  const bytes = Buffer.alloc(HEAD_BYTES + headBytes(type));
  bytes.writeUInt8(frameTypes[type][0], 0);
  bytes.writeUInt32BE(headBytes(type) + head.length, 4);
  bytes.writeUInt32BE(head.disk, 8);
  bytes.writeUInt32BE(head.index, 12);
  bytes.writeUInt8(head.codec === 'zstd' ? 1 : 0, 16);
  bytes.writeUInt8(head.repeated ? 1 : 0, 17);
  if (head.offset !== undefined) bytes.writeUInt32BE(head.offset, 20);
  return bytes;
}

function headBytes(type: FrameType | null): number {
  return type === 'part' ? PART_HEAD_BYTES : BLOCK_HEAD_BYTES;
}

export function encodeCompare(place: Place, sums: Buffer): Buffer {
  const payload = Buffer.allocUnsafe(8 + sums.length);
  payload.writeUInt32BE(place.disk, 0);
  payload.writeUInt32BE(place.index, 4);
  sums.copy(payload, 8);
  return encodeFrame('compare', payload);
}

export function decodeCompare(payload: Buffer): { place: Place; sums: Buffer } {
  if (payload.length < 8) throw unspeakable(`${payload.length} bytes are no comparison`);
  const place = { disk: payload.readUInt32BE(0), index: payload.readUInt32BE(4) };
  return { place, sums: payload.subarray(8) };
}

/** The head of a *pages* frame, and its patch as it is on the wire. */
export function decodePages(payload: Buffer): { head: BlockHead; patch: Buffer } {
  if (payload.length <= BLOCK_HEAD_BYTES) throw unspeakable('pages without bytes came');
  return {
    head: decodeBlockHead(payload, 0, payload.length - BLOCK_HEAD_BYTES, true),
    patch: payload.subarray(BLOCK_HEAD_BYTES),
  };
}

function decodeBlockHead(bytes: Buffer, at: number, length: number, patch: boolean): BlockHead {
  const codec = bytes.readUInt8(at + 8);
  if (codec > 1) throw unspeakable(`a block with codec ${codec} came`);
  return {
    disk: bytes.readUInt32BE(at),
    index: bytes.readUInt32BE(at + 4),
    codec: codec === 1 ? 'zstd' : 'raw',
    repeated: bytes.readUInt8(at + 9) !== 0,
    patch,
    length,
  };
}

export function encodePlaces(type: 'ask' | 'have' | 'held' | 'gone' | 'again', places: readonly Place[]): Buffer {
  const payload = Buffer.alloc(places.length * 8);
  for (const [at, { disk, index }] of places.entries()) {
    payload.writeUInt32BE(disk, at * 8);
    payload.writeUInt32BE(index, at * 8 + 4);
  }
  return encodeFrame(type, payload);
}

export function decodePlaces(payload: Buffer): Place[] {
  if (payload.length % 8 !== 0) throw unspeakable(`${payload.length} bytes are no list of blocks`);
  return Array.from({ length: payload.length / 8 }, (_, at) => ({
    disk: payload.readUInt32BE(at * 8),
    index: payload.readUInt32BE(at * 8 + 4),
  }));
}

/** Entries are gathered into as few frames as their order allows. */
export function encodeAnnouncements(announcements: readonly Announcement[]): Buffer[] {
  const frames: Buffer[] = [];
  let entries: Buffer[] = [];
  const flush = () => {
    if (entries.length > 0) frames.push(encodeFrame('entries', Buffer.concat(entries)));
    entries = [];
  };
  for (const announcement of announcements) {
    const place = Buffer.alloc(8);
    place.writeUInt32BE(announcement.disk, 0);
    if (announcement.kind === 'entry') {
      place.writeUInt32BE(announcement.index, 4);
      entries.push(place, announcement.hash);
    } else {
      flush();
      place.writeUInt32BE(announcement.blocks, 4);
      frames.push(encodeFrame('end', Buffer.concat([place, Buffer.from(announcement.root, 'hex')])));
    }
  }
  flush();
  return frames;
}

export function decodeEntries(payload: Buffer): { disk: number; index: number; hash: Buffer }[] {
  const bytes = 8 + ENTRY_BYTES;
  if (payload.length % bytes !== 0) throw unspeakable(`${payload.length} bytes are no entries of a map`);
  return Array.from({ length: payload.length / bytes }, (_, number) => {
    const at = number * bytes;
    return {
      disk: payload.readUInt32BE(at),
      index: payload.readUInt32BE(at + 4),
      hash: payload.subarray(at + 8, at + bytes),
    };
  });
}

export function decodeEnd(payload: Buffer): { disk: number; blocks: number; root: string } {
  if (payload.length !== 8 + ENTRY_BYTES) throw unspeakable(`${payload.length} bytes are no end of a disk`);
  return { disk: payload.readUInt32BE(0), blocks: payload.readUInt32BE(4), root: payload.toString('hex', 8) };
}

export function decodeJson(payload: Buffer): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(payload.toString('utf8'));
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  } catch {
    // Said below.
  }
  throw unspeakable('a message is not a JSON object');
}

export interface FrameSink {
  frame(type: FrameType, payload: Buffer): void;
  /** A block begins: where its bytes belong. */
  begin(head: BlockHead): Buffer;
  /** `data` is the filled part of what `begin` gave. */
  block(head: BlockHead, data: Buffer): void;
}

/**
 * Cuts a stream of bytes into frames. The bytes of a block go straight into the buffer that the sink gives; everything
 * else is gathered, within the limit of its type. Throws what the sink throws, and a fault for anything not understood.
 */
export class FrameReader {
  readonly #types = new Map<number, [FrameType, number]>();
  readonly #sink: FrameSink;
  readonly #head = Buffer.alloc(HEAD_BYTES + PART_HEAD_BYTES);
  #headBytes = 0;
  #type: FrameType | null = null;
  #block: BlockHead | null = null;
  #body: Buffer | null = null;
  #filled = 0;

  constructor(hears: readonly FrameType[], sink: FrameSink) {
    for (const type of hears) this.#types.set(frameTypes[type][0], [type, frameTypes[type][1]]);
    this.#sink = sink;
  }

  /** The block whose bytes are arriving, and how many of them did. */
  get partial(): { head: BlockHead; bytes: number } | null {
    return this.#block === null ? null : { head: this.#block, bytes: this.#filled };
  }

  /** Nothing of the chunk is kept. */
  push(chunk: Buffer, bytes = chunk.length): void {
    let at = 0;
    while (at < bytes) {
      if (this.#body === null) {
        const type = this.#type;
        const wanted = HEAD_BYTES + (type === 'block' || type === 'part' ? headBytes(type) : 0);
        const taken = Math.min(wanted - this.#headBytes, bytes - at);
        chunk.copy(this.#head, this.#headBytes, at, at + taken);
        this.#headBytes += taken;
        at += taken;
        if (this.#headBytes === HEAD_BYTES) this.#begin();
        else if (this.#headBytes === wanted) this.#beginBlock();
      } else {
        const taken = Math.min(this.#body.length - this.#filled, bytes - at);
        chunk.copy(this.#body, this.#filled, at, at + taken);
        this.#filled += taken;
        at += taken;
      }
      if (this.#body !== null && this.#filled === this.#body.length) this.#finish();
    }
  }

  #begin(): void {
    const found = this.#types.get(this.#head.readUInt8(0));
    const length = this.#head.readUInt32BE(4);
    if (found === undefined) throw unspeakable(`a frame of type ${this.#head.readUInt8(0)} came`);
    const [type, most] = found;
    if (length > most) throw unspeakable(`a frame "${type}" of ${length} bytes came, ${most} are allowed`);
    this.#type = type;
    if (type === 'block' || type === 'part') {
      if (length <= headBytes(type)) throw unspeakable('a block without bytes came');
    } else {
      this.#body = Buffer.allocUnsafe(length);
    }
  }

  #beginBlock(): void {
    const length = this.#head.readUInt32BE(4) - headBytes(this.#type);
    this.#block = decodeBlockHead(this.#head, HEAD_BYTES, length, false);
    if (this.#type === 'part') this.#block.offset = this.#head.readUInt32BE(HEAD_BYTES + BLOCK_HEAD_BYTES);
    const into = this.#sink.begin(this.#block);
    if (into.length < this.#block.length) throw unspeakable('a block came that is longer than its place');
    this.#body = into.subarray(0, this.#block.length);
  }

  #finish(): void {
    const type = this.#type!;
    const block = this.#block;
    const body = this.#body!;
    this.#type = null;
    this.#block = null;
    this.#body = null;
    this.#filled = 0;
    this.#headBytes = 0;
    if (block === null) this.#sink.frame(type, body);
    else this.#sink.block(block, body);
  }
}
