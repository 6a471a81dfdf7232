import { mkdir, open, rename, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Lab } from './lab.ts';
import { VimFault } from './vim-fault.ts';
import { flatDescriptor } from './vmdk/format.ts';

/** A place on a datastore: `[name] folder/file` to clients, the datastore's id and a relative path here. */
export type Place = { datastore: string; path: string };

function badPath(written: string): VimFault {
  return new VimFault('InvalidDatastorePath', `Invalid datastore path '${written}'.`, { datastorePath: written });
}

/** @throws InvalidDatastorePath for a path that leaves its datastore or is written in another way */
function checkRelative(relative: string, written = relative): string {
  const parts = relative.split('/').filter((part) => part !== '' && part !== '.');
  if (parts.includes('..') || relative.includes('\0')) throw badPath(written);
  return parts.join('/');
}

/** Reads `[datastore] path` within a datacenter. */
export function parsePlace(lab: Lab, written: string, datacenter?: string): Place {
  const match = /^\[([^\]]*)\]\s?(.*)$/.exec(written);
  if (!match) throw badPath(written);
  const found = lab
    .all('Datastore')
    .find((one) => one.name === match[1] && (!datacenter || lab.above('Datacenter', one.id)?.id === datacenter));
  if (!found) throw new VimFault('InvalidDatastore', `Datastore '${match[1]}' is not known.`, { name: match[1] ?? '' });
  return { datastore: found.id, path: checkRelative(match[2] ?? '', written) };
}

export function writePlace(lab: Lab, place: Place): string {
  return `[${lab.get('Datastore', place.datastore).name}] ${place.path}`;
}

export function onDisk(lab: Lab, place: Place): string {
  return path.join(lab.datastoreFolder(place.datastore), checkRelative(place.path));
}

/** The raw file behind a disk's descriptor `x.vmdk`: `x-flat.vmdk`. */
export function flatOf(place: Place): Place {
  return { ...place, path: place.path.replace(/\.vmdk$/, '-flat.vmdk') };
}

export async function exists(file: string): Promise<boolean> {
  return (await stat(file).catch(() => undefined)) !== undefined;
}

/** Makes an empty thin disk: a sparse raw file and its descriptor. */
export async function createDisk(lab: Lab, place: Place, capacityBytes: number, adapter = 'lsilogic'): Promise<void> {
  const flat = onDisk(lab, flatOf(place));
  await mkdir(path.dirname(flat), { recursive: true });
  if (await exists(flat))
    throw new VimFault('FileAlreadyExists', `${writePlace(lab, place)} already exists`, {
      file: writePlace(lab, place),
    });
  await using file = await open(flat, 'wx');
  await file.truncate(capacityBytes);
  const text = flatDescriptor(Math.ceil(capacityBytes / 512), path.basename(flat), adapter, true);
  await writeFile(onDisk(lab, place), text);
}

const CHUNK = 1024 * 1024;
const ZERO = Buffer.alloc(CHUNK);

/** Copies a file, leaving holes where it holds zeros. `progress` gets a share of 100. */
export async function copySparse(
  from: string,
  to: string,
  progress: (percent: number) => void,
  signal?: AbortSignal,
): Promise<void> {
  await mkdir(path.dirname(to), { recursive: true });
  await using source = await open(from, 'r');
  await using target = await open(to, 'wx');
  const { size, blocks } = await source.stat();
  await target.truncate(size);
  const buffer = Buffer.allocUnsafe(CHUNK);
  for (let at = 0; blocks > 0 && at < size; at += CHUNK) {
    signal?.throwIfAborted();
    const { bytesRead } = await source.read(buffer, 0, CHUNK, at);
    const part = buffer.subarray(0, bytesRead);
    if (bytesRead > 0 && !part.equals(ZERO.subarray(0, bytesRead))) await target.write(part, 0, bytesRead, at);
    progress((at / size) * 100);
  }
  await target.datasync();
}

/** Removes the disk's two files. */
export async function deleteDisk(lab: Lab, place: Place): Promise<void> {
  await rm(onDisk(lab, flatOf(place)), { force: true });
  await rm(onDisk(lab, place), { force: true });
}

/** A folder name on the datastore that is free: `web-01`, `web-01_1` … */
export async function freeFolder(lab: Lab, datastore: string, wanted: string): Promise<string> {
  const safe =
    wanted
      .replace(/%2f|%5c|[/\\\0]/gi, '_')
      .slice(0, 80)
      .trim() || 'vm';
  const base = safe === '.' || safe === '..' ? 'vm' : safe;
  for (let count = 0; ; count++) {
    const name = count ? `${base}_${count}` : base;
    const folder = onDisk(lab, { datastore, path: name });
    await mkdir(path.dirname(folder), { recursive: true });
    try {
      await mkdir(folder);
      return name;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
  }
}

export async function movePath(from: string, to: string): Promise<void> {
  await mkdir(path.dirname(to), { recursive: true });
  await rename(from, to);
}
