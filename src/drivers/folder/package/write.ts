import { createPublicKey, randomBytes } from 'node:crypto';
import { lstat, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { writeDurably } from '../../../base/files.ts';
import { pinOfKey } from '../../../base/identity.ts';
import { BLOCK_BYTES } from '../../../model/block-map.ts';
import { Fault } from '../../../model/fault.ts';
import { disksOf, type PackageDescription } from '../../../model/machine.ts';
import { MANIFEST_FILE, type Manifest, PACKAGE_FORMAT } from '../../../protocol/package.ts';
import type { DiskFeed, ImportProgress, WorkContext } from '../../driver.ts';
import type { Protection } from '../placement.ts';
import { codecOf, readManifest, type Session } from '../session.ts';
import { lockByNode, lockByPassphrase, newDataKey } from './keys.ts';
import { PackageWriter } from './writer.ts';

export interface PackageOrder {
  /** Of the unfinished package. */
  folder: string;
  description: PackageDescription;
  protection: Protection;
  feeds: ReadonlyMap<string, DiskFeed>;
  context: WorkContext;
  progress: (progress: ImportProgress) => void;
}

/** Writes a package, or goes on with one that was interrupted. It is complete when it resolves. */
export async function writePackage(session: Session, order: PackageOrder): Promise<void> {
  const { folder, description, feeds, context, progress } = order;
  const { signal, marker, log } = context;
  const manifest = (await interrupted(session, folder)) ?? (await begin(session, order));
  const codec = await codecOf(session, manifest, description.name);
  const disks = disksOf(description);
  const writer = await PackageWriter.open(folder, codec, disks.length, signal);
  try {
    for (const [number, disk] of disks.entries()) {
      const feed = feeds.get(disk.id);
      if (feed === undefined) throw new Fault('internal', `${session.who}: no blocks come for disk "${disk.id}"`);
      const from = writer.next(number);
      const given = (next: number) => {
        progress({ disk: disk.id, givenBytes: Math.min(disk.capacityBytes, next * BLOCK_BYTES) });
      };
      if (from > 0) log.info(`${disk.label}: goes on behind ${from} MiB that are in the package`);
      try {
        await writer.write(number, feed.blocks(from, signal), signal, given);
      } catch (error) {
        // Blocks that are still the same are found again by their hash.
        if (error instanceof Fault && error.code === 'disk.changed') await writer.beginAnew(number);
        throw error;
      }
      progress({ disk: disk.id, givenBytes: disk.capacityBytes });
    }
    const about = {
      name: description.name,
      createdAt: new Date().toISOString(),
      writer: 'cloudspan',
      source: { job: marker },
    };
    await writer.finish({ ...about, description }, disks);
  } finally {
    await writer.close();
  }
}

/** The manifest of what an earlier attempt began; null when there is none that can be gone on with. */
async function interrupted(session: Session, folder: string): Promise<Manifest | null> {
  const there = await lstat(join(folder, MANIFEST_FILE)).catch(() => null);
  return there === null ? null : readManifest(session, folder, 'unfinished');
}

async function begin(session: Session, { folder, protection, context }: PackageOrder): Promise<Manifest> {
  const id = randomBytes(16).toString('hex');
  const secret = newDataKey();
  const keys: Manifest['keys'] = [];
  if (protection.kind === 'passphrase') keys.push(await lockByPassphrase(secret, session.keyring.passphrase ?? '', id));
  if (protection.kind === 'node') {
    // Until it is complete the writer opens it as well, to go on after an interruption.
    keys.push(
      lockByNode(secret, protection.recipient, id),
      lockByNode(secret, createPublicKey(session.keyring.identity), id),
    );
  }
  const manifest: Manifest = {
    format: PACKAGE_FORMAT,
    version: 1,
    id,
    protection: protection.kind === 'plain' ? 'plain' : 'aes-256-gcm',
    keys,
    marker: context.marker,
  };
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await writeManifest(folder, manifest);
  return manifest;
}

function writeManifest(folder: string, manifest: Manifest): Promise<void> {
  return writeDurably(join(folder, MANIFEST_FILE), `${JSON.stringify(manifest, null, 2)}\n`, 0o644);
}

/** The writer opens a package for another node only until it is complete. Idempotent. */
export async function forgetOwnKey(session: Session, folder: string, protection: Protection): Promise<void> {
  if (protection.kind !== 'node') return;
  const own = pinOfKey(createPublicKey(session.keyring.identity));
  if (pinOfKey(protection.recipient) === own) return;
  const manifest = await readManifest(session, folder, 'finished');
  const keys = manifest.keys.filter((key) => key.kind !== 'node' || key.pin !== own);
  if (keys.length < manifest.keys.length) await writeManifest(folder, { ...manifest, keys });
}
