import { createHash } from 'node:crypto';
import { mkdir, open, readdir, readFile, rm, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { syncFolder, writeDurably } from '../../base/files.ts';
import type { Log } from '../../base/log.ts';
import { BlockMap, ENTRY_BYTES, type MapKind } from '../../model/block-map.ts';
import { Fault } from '../../model/fault.ts';
import { type PackageDescription, partsOf } from '../../model/machine.ts';
import { Keyring, type Sealing } from './sealing.ts';

/** Whose version of what a map is. Only hashes of these words are written down. */
export interface VersionName {
  /** The same for every version of one machine, whoever copies it: its cloud and its id there. */
  lineage: string;
  /** The disk's or file's id in the package. */
  disk: string;
  /** What machines that only resemble it have too, the most telling first, for lineages that are not known. */
  alike?: readonly string[];
}

/** The names of a package's disks and files by their ids. `lineage`: see `VersionName`; null when the server did not tell it. */
export function versionNames(description: PackageDescription, lineage: string | null): Map<string, VersionName> {
  // Labels and ids are the cloud's own words: a copy in another cloud has other ones.
  return new Map(
    partsOf(description).map(({ kind, id, lengthBytes }, at) => {
      // A disk and a file of one length are not alike.
      const size = kind === 'disk' ? [at, lengthBytes] : [at, lengthBytes, kind];
      const named = JSON.stringify([description.name, ...size]);
      // Machines that were made from one image have disks of one size.
      return [id, { lineage: lineage ?? `like ${named}`, disk: id, alike: [named, JSON.stringify(size)] }];
    }),
  );
}

export interface VersionsOptions {
  /** Most bytes of all maps together (32 per block). Default 256 MiB. */
  limitBytes?: number;
  log?: Log;
  /** Default: nothing is encrypted. */
  keyring?: Keyring;
}

/**
 * The maps of disks that came through this node: which block stood where in an earlier version. By owner; the least
 * recently used go first. Whether a block is still held is known by the store (`has`). Encrypted as the blocks are; without
 * the key nothing is remembered or recalled.
 */
export interface Versions {
  /**
   * Resolves when the map is durable; it replaces the one of the same lineage and disk. A map larger than the limit is
   * not kept. Fault `storage.full`.
   */
  remember(owner: string, name: VersionName, map: BlockMap): Promise<void>;
  /** Of the same lineage and disk, else the last used one of those that are alike; null when there is none that is whole. */
  recall(owner: string, name: VersionName): Promise<BlockMap | null>;
  /** Removes all maps of an owner. Idempotent. */
  forget(owner: string): Promise<void>;
  usedBytes(): number;
}

interface Kept {
  path: string;
  owner: string;
  alike: readonly string[];
  bytes: number;
  usedAt: number;
}

/**
 * One file per map: magic `CSVM` · format u32 · length of JSON u32 · JSON (see `Head`) · entries · SHA-256 of all that.
 * Numbers are big-endian. The file's time is that of its last use.
 */
const MAGIC = 0x4353564d;
const FORMAT = 1;
const PREFIX_BYTES = 12;
const DIGEST_BYTES = 32;
const MOST_HEAD_BYTES = 4096;
const LIMIT_BYTES = 256 * 1024 * 1024;
const FILE = /^[0-9a-f]{64}\.map$/;

interface Head {
  owner: string;
  alike: readonly string[];
  /** Name of the key under which the entries are encrypted. */
  key?: string;
  kind: MapKind;
  lengthBytes: number;
}

/** Opens the maps in `folder`, which is made if need be. Reads the beginning of each. */
export async function openVersions(folder: string, options: VersionsOptions = {}): Promise<Versions> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const versions = new MapFolder(folder, options);
  await versions.load();
  return versions;
}

class MapFolder implements Versions {
  readonly #folder: string;
  readonly #limitBytes: number;
  readonly #log: Log | undefined;
  readonly #keyring: Keyring;
  readonly #kept = new Map<string, Kept>();
  #usedBytes = 0;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(folder: string, options: VersionsOptions) {
    this.#folder = folder;
    this.#limitBytes = options.limitBytes ?? LIMIT_BYTES;
    this.#log = options.log;
    this.#keyring = options.keyring ?? new Keyring(false);
  }

  async load(): Promise<void> {
    for (const name of await readdir(this.#folder)) {
      const path = join(this.#folder, name);
      const kept = FILE.test(name) ? await readKept(path, this.#keyring.encrypted) : null;
      if (kept !== null) this.#keep(name, kept);
      else if (/^[0-9a-f]{64}\.map(\.|$)/.test(name)) await rm(path, { force: true });
    }
    await this.#shrink();
  }

  remember(owner: string, name: VersionName, map: BlockMap): Promise<void> {
    return this.#inTurn(async () => {
      const sealing = this.#keyring.find(owner);
      if (sealing === null) return;
      const head: Head = {
        owner,
        alike: likenesses(sealing, owner, name),
        ...(sealing.key === undefined ? {} : { key: sealing.key }),
        kind: map.kind,
        lengthBytes: map.lengthBytes,
      };
      const content = encode(head, sealing.wrap(map.entries()));
      const file = fileOf(sealing, owner, name);
      const path = join(this.#folder, file);
      if (content.length > this.#limitBytes) return this.#drop(file);
      try {
        await writeDurably(path, content);
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        if (code !== 'ENOSPC' && code !== 'EDQUOT') throw error;
        throw new Fault('storage.full', `versions ${this.#folder}: the disk is full`, { cause: error });
      }
      this.#unkeep(file);
      this.#keep(file, { path, owner, alike: head.alike, bytes: content.length, usedAt: Date.now() });
      await this.#shrink();
    });
  }

  recall(owner: string, name: VersionName): Promise<BlockMap | null> {
    return this.#inTurn(async () => {
      const sealing = this.#keyring.find(owner);
      if (sealing === null) return null;
      const map = await this.#read(fileOf(sealing, owner, name), sealing);
      if (map !== null) return map;
      for (const likeness of likenesses(sealing, owner, name)) {
        const found = await this.#readAlike(owner, likeness, sealing);
        if (found !== null) return found;
      }
      return null;
    });
  }

  forget(owner: string): Promise<void> {
    return this.#inTurn(async () => {
      for (const [file, kept] of this.#kept) if (kept.owner === owner) await this.#drop(file);
      await syncFolder(this.#folder);
    });
  }

  usedBytes(): number {
    return this.#usedBytes;
  }

  async #readAlike(owner: string, likeness: string, sealing: Sealing): Promise<BlockMap | null> {
    const alike = [...this.#kept]
      .filter(([, kept]) => kept.owner === owner && kept.alike.includes(likeness))
      .sort(([, one], [, other]) => other.usedAt - one.usedAt);
    for (const [file] of alike) {
      const found = await this.#read(file, sealing);
      if (found !== null) return found;
    }
    return null;
  }

  async #read(file: string, sealing: Sealing): Promise<BlockMap | null> {
    const kept = this.#kept.get(file);
    if (kept === undefined) return null;
    const map = await readMap(kept.path, sealing).catch(() => null);
    if (map === null) {
      this.#log?.warn({ map: kept.path }, 'a damaged map of an earlier version was dropped');
      await this.#drop(file);
      return null;
    }
    kept.usedAt = Date.now();
    await utimes(kept.path, kept.usedAt / 1000, kept.usedAt / 1000);
    return map;
  }

  async #shrink(): Promise<void> {
    if (this.#usedBytes <= this.#limitBytes) return;
    const oldest = [...this.#kept].sort(([, one], [, other]) => one.usedAt - other.usedAt);
    for (const [file] of oldest) {
      if (this.#usedBytes <= this.#limitBytes) return;
      await this.#drop(file);
    }
  }

  async #drop(file: string): Promise<void> {
    this.#unkeep(file);
    await rm(join(this.#folder, file), { force: true });
  }

  #keep(file: string, kept: Kept): void {
    this.#kept.set(file, kept);
    this.#usedBytes += kept.bytes;
  }

  #unkeep(file: string): void {
    this.#usedBytes -= this.#kept.get(file)?.bytes ?? 0;
    this.#kept.delete(file);
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(work);
    this.#turn = done.catch(() => {});
    return done;
  }
}

function fileOf(sealing: Sealing, owner: string, { lineage, disk }: VersionName): string {
  return `${sealing.word(['version', owner, lineage, disk])}.map`;
}

function likenesses(sealing: Sealing, owner: string, { alike = [] }: VersionName): string[] {
  return alike.map((likeness) => sealing.word(['likeness', owner, likeness]));
}

function encode(head: Head, entries: Buffer): Buffer {
  const json = Buffer.from(JSON.stringify(head));
  if (json.length > MOST_HEAD_BYTES - PREFIX_BYTES) throw new RangeError('the name of an owner is too long for a map');
  const prefix = Buffer.alloc(PREFIX_BYTES);
  prefix.writeUInt32BE(MAGIC, 0);
  prefix.writeUInt32BE(FORMAT, 4);
  prefix.writeUInt32BE(json.length, 8);
  const sum = createHash('sha256').update(prefix).update(json).update(entries).digest();
  return Buffer.concat([prefix, json, entries, sum]);
}

function decodeHead(bytes: Buffer): { head: Head; end: number } | null {
  if (bytes.length < PREFIX_BYTES || bytes.readUInt32BE(0) !== MAGIC || bytes.readUInt32BE(4) !== FORMAT) return null;
  const end = PREFIX_BYTES + bytes.readUInt32BE(8);
  if (end > bytes.length) return null;
  try {
    return { head: JSON.parse(bytes.toString('utf8', PREFIX_BYTES, end)) as Head, end };
  } catch {
    return null;
  }
}

/** Null also for one of before the encryption was switched. */
async function readKept(path: string, encrypted: boolean): Promise<Kept | null> {
  const file = await open(path, 'r');
  try {
    const bytes = Buffer.alloc(MOST_HEAD_BYTES);
    const { bytesRead } = await file.read(bytes, 0, bytes.length, 0);
    const found = decodeHead(bytes.subarray(0, bytesRead));
    if (found === null || (found.head.key !== undefined) !== encrypted) return null;
    const { size, mtimeMs } = await file.stat();
    return { path, owner: found.head.owner, alike: found.head.alike, bytes: size, usedAt: mtimeMs };
  } finally {
    await file.close();
  }
}

async function readMap(path: string, sealing: Sealing): Promise<BlockMap | null> {
  const bytes = await readFile(path);
  const body = bytes.subarray(0, Math.max(0, bytes.length - DIGEST_BYTES));
  if (!createHash('sha256').update(body).digest().equals(bytes.subarray(body.length))) return null;
  const found = decodeHead(body);
  const entries = found === null ? null : sealing.unwrap(body.subarray(found.end));
  if (found === null || entries === null || entries.length % ENTRY_BYTES !== 0) return null;
  const map = BlockMap.fromEntries(found.head.kind, found.head.lengthBytes, entries);
  map.complete = true;
  return map;
}
