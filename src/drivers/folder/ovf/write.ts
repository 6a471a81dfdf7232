import { createHash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { BLOCK_BYTES, type DataBlock } from '../../../model/block-map.ts';
import { Fault } from '../../../model/fault.ts';
import { type DiskDescription, disksOf, type PackageDescription } from '../../../model/machine.ts';
import { writeManifest } from '../../../ovf/descriptor/manifest.ts';
import { writeDescriptor } from '../../../ovf/descriptor/write.ts';
import { TAR_BLOCK, writeTarHeader } from '../../../ovf/ova/header.ts';
import { encodeVmdk } from '../../../ovf/vmdk/encode.ts';
import { SECTOR } from '../../../ovf/vmdk/header.ts';
import type { DiskFeed } from '../../driver.ts';
import { groupOf } from './marker.ts';

export interface OvaOrder {
  path: string;
  description: PackageDescription;
  feeds: ReadonlyMap<string, DiskFeed>;
  marker: string;
  signal: AbortSignal;
  /** Hears the logical bytes of a disk that are in the file. */
  given(disk: DiskDescription, bytes: number): void;
}

const LARGEST = 2 ** 53 - 1;

/**
 * Writes an OVA in one pass: descriptor, stream-optimized VMDKs, then the manifest with their SHA-256 (OVF 1.1, section
 * 5.3 allows it at the end). The sizes that tar and descriptor want in front are put there when they are known.
 */
export async function writeOvaFile(order: OvaOrder): Promise<void> {
  await using file = await open(order.path, 'w', 0o600);
  const base = baseName(order.description.name);
  const disks = disksOf(order.description);
  const names = disks.map((_, index) => `${base}-disk${index + 1}.vmdk`);
  const text = (sizes: number[]) =>
    writeDescriptor(order.description, {
      dialect: 'vsphere',
      identity: true,
      files: new Map(disks.map((disk, index) => [disk.id, { href: names[index]!, sizeBytes: sizes[index]! }])),
    });
  const room = Buffer.byteLength(text(disks.map(() => LARGEST)));
  const digests: [string, string][] = [];
  const sizes: number[] = [];
  let offset = TAR_BLOCK + padded(room);
  for (const [index, disk] of disks.entries()) {
    const name = names[index]!;
    const { sizeBytes, sha256 } = await writeDisk(file, offset + TAR_BLOCK, name, disk, order);
    await file.write(writeTarHeader({ name, sizeBytes, type: '0' }), 0, TAR_BLOCK, offset);
    offset += TAR_BLOCK + padded(sizeBytes);
    sizes.push(sizeBytes);
    digests.push([name, sha256]);
  }
  const descriptor = Buffer.alloc(room, '\n');
  descriptor.write(text(sizes));
  await file.write(
    writeTarHeader({ name: `${base}.ovf`, sizeBytes: room, type: '0', group: groupOf(order.marker) }),
    0,
    TAR_BLOCK,
    0,
  );
  await file.write(descriptor, 0, room, TAR_BLOCK);
  digests.unshift([`${base}.ovf`, createHash('sha256').update(descriptor).digest('hex')]);
  const manifest = Buffer.from(writeManifest(digests));
  await file.write(writeTarHeader({ name: `${base}.mf`, sizeBytes: manifest.length, type: '0' }), 0, TAR_BLOCK, offset);
  await file.write(manifest, 0, manifest.length, offset + TAR_BLOCK);
  await file.truncate(offset + TAR_BLOCK + padded(manifest.length) + 2 * TAR_BLOCK);
  await file.datasync();
}

async function writeDisk(
  file: FileHandle,
  begin: number,
  fileName: string,
  disk: DiskDescription,
  { feeds, signal, given }: OvaOrder,
): Promise<{ sizeBytes: number; sha256: string }> {
  const feed = feeds.get(disk.id);
  if (feed === undefined) throw new Fault('internal', `no blocks come for disk "${disk.id}"`);
  let passed = 0;
  async function* watched(blocks: AsyncIterable<DataBlock>): AsyncGenerator<DataBlock> {
    for await (const block of blocks) {
      yield block;
      passed = Math.min(disk.capacityBytes, (block.index + 1) * BLOCK_BYTES);
    }
  }
  const blocks = watched(feed.blocks(0, signal));
  const hash = createHash('sha256');
  let sizeBytes = 0;
  for await (const part of encodeVmdk({ capacityBytes: disk.capacityBytes, blocks, fileName, signal })) {
    hash.update(part);
    const { bytesWritten } = await file.write(part, 0, part.length, begin + sizeBytes);
    if (bytesWritten < part.length) throw Object.assign(new Error('the disk is full'), { code: 'ENOSPC' });
    sizeBytes += part.length;
    given(disk, passed);
  }
  given(disk, disk.capacityBytes);
  return { sizeBytes, sha256: hash.digest('hex') };
}

/** The same with disks of whole sectors, as a VMDK has them. */
export function inSectors(description: PackageDescription): PackageDescription {
  const machines = description.machines.map((machine) => ({
    ...machine,
    disks: machine.disks.map((disk) => ({ ...disk, capacityBytes: padded(disk.capacityBytes, SECTOR) })),
  }));
  return { ...description, machines };
}

function padded(bytes: number, unit = TAR_BLOCK): number {
  return Math.ceil(bytes / unit) * unit;
}

/** Short and plain: other products read these names, people read those in the descriptor. */
function baseName(name: string): string {
  const plain = name.replace(/[^A-Za-z0-9._-]+/g, '-').replace(/^[-.]+|[-.]+$/g, '');
  return plain.slice(0, 60) || 'package';
}
