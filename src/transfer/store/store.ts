import { mkdir, open } from 'node:fs/promises';
import { syncFolder } from '../../base/files.ts';
import type { Log } from '../../base/log.ts';
import { BLOCK_BYTES, hashBlock } from '../../model/block-map.ts';
import { Fault } from '../../model/fault.ts';
import type { Bell } from '../bell.ts';
import { NONE } from './block-index.ts';
import { Room, recordBytes, type StoreUsage } from './room.ts';
import { Keyring, sealingOf } from './sealing.ts';
import { loadSegments, proveOwner } from './segment-load.ts';
import { dropRecord } from './segment-scan.ts';
import { type OpenSegment, SegmentWriter } from './segment-writer.ts';
import { type Holder, type Segment, Segments } from './segments.ts';

export type { StoreUsage } from './room.ts';

export interface StoreOptions {
  /** Most bytes of all segments together. */
  limitBytes: number;
  log?: Log;
  /** Default: nothing is encrypted. */
  keyring?: Keyring;
}

/**
 * The transfer storage of a node, and the cache that is made of what transfers leave behind. Blocks are known by owner
 * and SHA-256: no owner sees another's, and equal blocks of one owner are stored once. A block stays as long as one
 * transfer refers to it; then it is cache, which any later transfer of the owner finds, until its room is needed: whole
 * segments go, the least recently used first. Where the keyring encrypts, what needs the key fails with `storage.locked`
 * until `unlock` has given it.
 */
export interface BlockStore {
  /**
   * Resolves when the block is durable. `data` must not change until then. A block that is there already only gets a
   * reference of `transfer`. Fault `storage.full`: what transfers need and have reserved fills the limit, or the disk.
   */
  put(owner: string, transfer: string, hash: Uint8Array, data: Buffer): Promise<void>;
  /** Refers to a block that is there; resolves to false when it is not. Durable when it resolves. Fault `storage.full`. */
  keep(owner: string, transfer: string, hash: Uint8Array): Promise<boolean>;
  /**
   * The transfer can do without the block from now on: it becomes cache, unless another one refers to it. Not written
   * down: after a restart the transfer refers to it again, if it is still there. Idempotent.
   */
  spare(owner: string, transfer: string, hash: Uint8Array): void;
  /** Also of cache, which may be gone a moment later: `keep` it to rely on it. */
  has(owner: string, hash: Uint8Array): boolean;
  /** Faults: `object.missing`; `storage.damaged` when the bytes have not their hash: the block is then gone. */
  get(owner: string, hash: Uint8Array): Promise<Buffer>;
  /** The same into a buffer of the caller; resolves to the part of it that was filled. */
  read(owner: string, hash: Uint8Array, into: Buffer): Promise<Buffer>;
  /** Ends the references and the reservation of a transfer: what it alone needed is cache. Idempotent. */
  release(owner: string, transfer: string): Promise<void>;
  /**
   * Keeps up to `bytes` of the limit free for what this transfer has here at a time, what it has already included: no
   * other transfer is let into it. Answers how many; others are left their part. Replaces an earlier reservation; ends
   * with `release` or the process.
   */
  reserve(owner: string, transfer: string, bytes: number): number;
  /** Bytes that this transfer could put right now, once all cache had made way for it; the disk may have fewer. */
  room(owner: string, transfer: string): number;
  /** Rings when something may fit that did not fit before. */
  readonly freed: Bell;
  /**
   * Gives the key of an owner (KEY_BYTES) to the keyring. First removes what lies here under another key, or under none,
   * and proves what was being written when the process was killed. Idempotent.
   */
  unlock(owner: string, key: Uint8Array): Promise<void>;
  /** Forgets the key of an owner, then deletes all of his blocks. The caller has ended his transfers. Idempotent. */
  erase(owner: string): Promise<void>;
  usage(): StoreUsage;
  /** Transfers with blocks here, so that forgotten ones can be released. */
  transfers(): { owner: string; transfer: string }[];
  close(): Promise<void>;
}

/** Opens the storage in `folder`, which is made if need be. The index is read out of the segments. */
export async function openStore(folder: string, options: StoreOptions): Promise<BlockStore> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const store = new SegmentStore(folder, options);
  await store.load();
  return store;
}

class SegmentStore implements BlockStore {
  readonly #folder: string;
  readonly #log: Log | undefined;
  readonly #segments = new Segments();
  readonly #room: Room;
  readonly #keyring: Keyring;
  /** Blocks and references that are being written, by owner and id. */
  readonly #pending = new Map<string, Promise<unknown>>();
  #number = 0;

  constructor(folder: string, options: StoreOptions) {
    this.#folder = folder;
    this.#log = options.log;
    this.#keyring = options.keyring ?? new Keyring(false);
    this.#room = new Room(folder, options.limitBytes, this.#segments, (holder) => this.#writer(holder));
  }

  get freed(): Bell {
    return this.#room.freed;
  }

  async load(): Promise<void> {
    this.#number = await loadSegments(this.#folder, this.#segments, this.#keyring.encrypted, this.#log);
    await this.#room.shrink();
  }

  async put(owner: string, transfer: string, hash: Uint8Array, data: Buffer): Promise<void> {
    const sealing = this.#keyring.sealing(owner);
    const id = sealing.id(hash);
    const name = nameOf(owner, id);
    for (;;) {
      const before = this.#pending.get(name);
      if (before !== undefined) await before.catch(() => {});
      else if (this.#find(owner, id) === NONE) break;
      else if (await this.#keep(owner, transfer, id)) return;
    }
    const segments = this.#segments;
    const holder = segments.holder(owner, transfer);
    await this.#exclusively(name, async () => {
      const { segment, offset } = await this.#room.admit(holder, recordBytes(data.length), () =>
        this.#writer(holder).append(id, sealing.seal(id, data)),
      );
      const entry = segments.index(segments.byNumber.get(segment.number)!, id, offset, data.length);
      segments.refer(holder, entry);
    });
  }

  async keep(owner: string, transfer: string, hash: Uint8Array): Promise<boolean> {
    return this.#keep(owner, transfer, this.#keyring.sealing(owner).id(hash));
  }

  async #keep(owner: string, transfer: string, id: Uint8Array): Promise<boolean> {
    const { index } = this.#segments.of(owner);
    const entry = index.find(id);
    if (entry === NONE) return false;
    const holder = this.#segments.holder(owner, transfer);
    const name = JSON.stringify([nameOf(owner, id), transfer]);
    if (holder.entries.has(entry)) {
      await this.#pending.get(name);
      return true;
    }
    // Referred to at once, so that nothing in between takes it away.
    this.#segments.refer(holder, entry);
    const segment = this.#segments.byNumber.get(index.segment(entry))!;
    this.#segments.use(segment);
    if (segment.holder === holder) return true;
    try {
      await this.#exclusively(name, () =>
        this.#room.admit(holder, recordBytes(0), () => this.#referenceWriter(holder).append(id, null)),
      );
    } catch (error) {
      this.#segments.unrefer(holder, entry);
      throw error;
    }
    return true;
  }

  spare(owner: string, transfer: string, hash: Uint8Array): void {
    const sealing = this.#keyring.find(owner);
    const holder = this.#segments.owners.get(owner)?.holders.get(transfer);
    if (sealing === null || holder === undefined) return;
    const entry = this.#find(owner, sealing.id(hash));
    if (entry === NONE) return;
    this.#segments.unrefer(holder, entry);
    this.#room.freed.ring();
  }

  has(owner: string, hash: Uint8Array): boolean {
    return this.#find(owner, this.#keyring.sealing(owner).id(hash)) !== NONE;
  }

  get(owner: string, hash: Uint8Array): Promise<Buffer> {
    return this.read(owner, hash, Buffer.allocUnsafe(BLOCK_BYTES));
  }

  async read(owner: string, hash: Uint8Array, into: Buffer): Promise<Buffer> {
    const sealing = this.#keyring.sealing(owner);
    const id = sealing.id(hash);
    for (let tries = 0; ; tries++) {
      const entry = this.#find(owner, id);
      if (entry === NONE) throw this.#missing(hash);
      const { index } = this.#segments.of(owner);
      const segment = this.#segments.byNumber.get(index.segment(entry))!;
      const offset = index.offset(entry);
      const data = into.subarray(0, index.length(entry));
      this.#segments.use(segment);
      const bytesRead = await readAt(segment.path, data, offset);
      if (bytesRead === data.length) {
        sealing.open(id, data);
        if (hashBlock(data).equals(hash)) return data;
      }
      // Renamed, moved or evicted meanwhile.
      if (bytesRead === null && tries < 5) continue;
      await this.#discard(owner, id, segment, offset);
      if (bytesRead === null) throw this.#missing(hash);
      const what = `transfer storage ${this.#folder}: block ${hexOf(hash)} is damaged and was dropped`;
      throw new Fault('storage.damaged', what);
    }
  }

  async release(owner: string, transfer: string): Promise<void> {
    const holder = this.#segments.owners.get(owner)?.holders.get(transfer);
    if (holder === undefined) return;
    this.#segments.forget(holder);
    this.#room.forget(holder);
    await closeWriters(holder);
    for (const segment of [...holder.segments]) {
      if (segment.path.endsWith('.references')) await this.#segments.delete(segment);
      else await this.#segments.release(segment);
    }
    this.#room.freed.ring();
  }

  async unlock(owner: string, key: Uint8Array): Promise<void> {
    if (!this.#keyring.encrypted) return;
    const sealing = sealingOf(key);
    if (this.#keyring.find(owner)?.key === sealing.key) return;
    this.#keyring.forget(owner);
    await proveOwner(this.#segments, owner, sealing, this.#log);
    this.#keyring.give(owner, sealing);
  }

  async erase(owner: string): Promise<void> {
    this.#keyring.forget(owner);
    const holders = [...(this.#segments.owners.get(owner)?.holders.values() ?? [])];
    for (const holder of holders) {
      this.#segments.forget(holder);
      this.#room.forget(holder);
    }
    await Promise.all(holders.map(closeWriters));
    for (const segment of [...this.#segments.byNumber.values()]) {
      if (segment.owner === owner) await this.#segments.delete(segment);
    }
    await syncFolder(this.#folder);
  }

  reserve(owner: string, transfer: string, bytes: number): number {
    return this.#room.reserve(this.#segments.holder(owner, transfer), bytes);
  }

  room(owner: string, transfer: string): number {
    return Math.max(0, this.#room.roomFor(this.#segments.holder(owner, transfer)));
  }

  usage(): StoreUsage {
    return this.#room.usage();
  }

  transfers(): { owner: string; transfer: string }[] {
    const found: { owner: string; transfer: string }[] = [];
    for (const [owner, { holders }] of this.#segments.owners) {
      for (const { transfer, segments } of holders.values()) if (segments.size > 0) found.push({ owner, transfer });
    }
    return found;
  }

  async close(): Promise<void> {
    const holders = [...this.#segments.owners.values()].flatMap((blocks) => [...blocks.holders.values()]);
    await Promise.all(holders.map(closeWriters));
  }

  async #exclusively(name: string, work: () => Promise<unknown>): Promise<void> {
    const working = work();
    this.#pending.set(name, working);
    try {
      await working;
    } finally {
      this.#pending.delete(name);
    }
  }

  #writer(holder: Holder): SegmentWriter {
    checkLive(holder);
    holder.writer ??= this.#openWriter(holder, 'segment');
    return holder.writer;
  }

  #referenceWriter(holder: Holder): SegmentWriter {
    checkLive(holder);
    holder.referenceWriter ??= this.#openWriter(holder, 'references');
    return holder.referenceWriter;
  }

  #openWriter(holder: Holder, kind: 'segment' | 'references'): SegmentWriter {
    const segments = this.#segments;
    const { owner, transfer } = holder;
    const { key } = this.#keyring.sealing(owner);
    return new SegmentWriter({
      folder: this.#folder,
      head: key === undefined ? { owner, transfer } : { owner, transfer, key },
      kind,
      segmentBytes: this.#room.segmentBytes,
      nextNumber: () => ++this.#number,
      onGrow: (at, bytes) => {
        if (!segments.byNumber.has(at.number)) segments.add(begun(at, holder, key));
        segments.grow(segments.byNumber.get(at.number)!, bytes);
      },
      onSeal: (at, footerBytes, footerAt) => {
        const segment = segments.byNumber.get(at.number)!;
        segments.grow(segment, footerBytes);
        segment.footerAt = footerAt;
        segment.busy = kind === 'references';
        segments.settle(segment);
      },
    });
  }

  #find(owner: string, id: Uint8Array): number {
    return this.#segments.owners.get(owner)?.index.find(id) ?? NONE;
  }

  /** The block is not what it was: it is forgotten, here and on the disk. */
  async #discard(owner: string, id: Uint8Array, segment: Segment, offset: number): Promise<void> {
    const { index } = this.#segments.of(owner);
    const entry = index.find(id);
    if (entry === NONE || index.segment(entry) !== segment.number || index.offset(entry) !== offset) return;
    const record = { kind: 'data' as const, id: index.id(entry), offset, length: index.length(entry) };
    this.#segments.remove(owner, entry);
    this.#log?.warn({ segment: segment.path, offset }, 'a damaged block was dropped');
    segment.holder?.writer?.spoil(segment.number, offset);
    const end = segment.footerAt;
    segment.footerAt = null;
    if (end !== null) this.#segments.grow(segment, end - segment.bytes);
    await dropRecord(segment.path, record, end).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error;
    });
  }

  #missing(hash: Uint8Array): Fault {
    const what = `transfer storage ${this.#folder}: block ${hexOf(hash)} is not there`;
    return new Fault('object.missing', what, { retry: 'soon' });
  }
}

const hexOf = (hash: Uint8Array) => Buffer.from(hash).toString('hex');
const nameOf = (owner: string, hash: Uint8Array) =>
  JSON.stringify([owner, Buffer.from(hash.buffer, hash.byteOffset, hash.byteLength).toString('latin1')]);

function checkLive({ over, transfer }: Holder): void {
  if (over) throw new Fault('job.cancelled', `transfer ${transfer} was released while it was still being written`);
}

function begun({ path, number }: OpenSegment, holder: Holder, key: string | undefined): Segment {
  const { owner, transfer } = holder;
  return {
    owner,
    transfer,
    holder,
    ...(key === undefined ? {} : { key }),
    path,
    number,
    bytes: 0,
    footerAt: null,
    first: NONE,
    blocks: 0,
    live: 0,
    liveBytes: 0,
    busy: true,
    gone: false,
    touchedAt: Date.now(),
  };
}

async function closeWriters(holder: Holder): Promise<void> {
  const { writer, referenceWriter } = holder;
  holder.writer = null;
  holder.referenceWriter = null;
  await Promise.all([writer?.close(), referenceWriter?.close()]);
}

/** Bytes that were read: fewer where the disk fails. Null when the file is not there. */
async function readAt(path: string, into: Buffer, offset: number): Promise<number | null> {
  try {
    const file = await open(path, 'r');
    try {
      return (await file.read(into, 0, into.length, offset)).bytesRead;
    } finally {
      await file.close();
    }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return null;
    if (code === 'EIO') return 0;
    throw error;
  }
}
