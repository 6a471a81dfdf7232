import { readdir } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { Fault } from '../../../model/fault.ts';
import { type ManifestEntry, parseManifest } from '../../../ovf/descriptor/manifest.ts';
import type { OvfFile, OvfPackage } from '../../../ovf/descriptor/package.ts';
import { readDescriptor } from '../../../ovf/descriptor/read.ts';
import { readOva } from '../../../ovf/ova/read.ts';
import { pathInside } from '../files.ts';
import type { Remote } from './remote.ts';
import { type ByteSource, fileSource, seekable } from './source.ts';

const MAX_TEXT_BYTES = 8 * 1024 * 1024;

/** An OVF package that was opened: its descriptor, and its files wherever they lie. */
export interface Archive {
  ovf: OvfPackage;
  version: string;
  /** Digests by path; null when the package has no manifest. */
  digests: ReadonlyMap<string, ManifestEntry> | null;
  /** One file of it. Fault: `ovf.invalid` when it is not there. */
  file(path: string): Promise<ByteSource>;
}

/** Reads the index of an OVA; the bytes of its disks are passed over. Faults: `ova.invalid`, `ovf.invalid`, `ovf.hostile`. */
export async function openOva(source: ByteSource, who: string, signal: AbortSignal): Promise<Archive> {
  const members = new Map<string, { offset: number; sizeBytes: number }>();
  for await (const { name, offset, sizeBytes } of readOva(seekable(source, signal), signal)) {
    if (offset + sizeBytes > source.sizeBytes) {
      throw new Fault('ova.invalid', `${who}: it ends inside of "${name}"`, {
        remedy: 'The file is cut: get it again.',
      });
    }
    members.set(name, { offset, sizeBytes });
  }
  const descriptor = onlyDescriptor([...members.keys()], who);
  const open = (path: string): ByteSource | undefined => {
    const member = members.get(path);
    return member === undefined ? undefined : part(source, member.offset, member.sizeBytes);
  };
  return openArchive(descriptor, source.version, async (path) => open(path), who, signal);
}

/** Opens a descriptor of the folder with the files beside it. @param id Of the descriptor. */
export async function openOvf(root: string, id: string, who: string, signal: AbortSignal): Promise<Archive> {
  const { path } = await pathInside(root, id, who);
  const beside = dirname(id) === '.' ? '' : `${dirname(id)}/`;
  const open = async (name: string) => {
    try {
      const found = await pathInside(root, `${beside}${name}`, who);
      return found.stats.isFile() ? await fileSource(found.path, `${who}: "${name}"`) : undefined;
    } catch (error) {
      if (error instanceof Fault && error.code === 'object.missing') return undefined;
      throw error;
    }
  };
  const names = await readdir(dirname(path));
  const stamps: string[] = [];
  const archive = await openArchive(basename(path), '', open, who, signal);
  for (const { path: name } of archive.ovf.files) {
    const file = names.includes(name) || name.includes('/') ? await open(name) : undefined;
    stamps.push(`${name} ${file?.version ?? 'missing'}`);
  }
  return { ...archive, version: [(await open(basename(path)))?.version, ...stamps].join(' ') };
}

/** Opens a descriptor behind an address with the files beside it. */
export async function openRemoteOvf(remote: Remote, who: string, signal: AbortSignal): Promise<Archive> {
  const open = async (name: string) => {
    const source = await remote.source(name === remote.name ? undefined : name, `${who}: "${name}"`, signal);
    return source ?? undefined;
  };
  const archive = await openArchive(remote.name, '', open, who, signal);
  const stamps: string[] = [];
  for (const { path, chunkBytes } of archive.ovf.files) {
    if (chunkBytes === undefined) stamps.push(`${path} ${(await open(path))?.version ?? 'missing'}`);
  }
  return { ...archive, version: [(await open(remote.name))?.version, ...stamps].join(' ') };
}

async function openArchive(
  descriptor: string,
  version: string,
  open: (path: string) => Promise<ByteSource | undefined>,
  who: string,
  signal: AbortSignal,
): Promise<Archive> {
  const text = async (path: string) => {
    const source = await open(path);
    if (source === undefined) return undefined;
    if (source.sizeBytes > MAX_TEXT_BYTES) {
      throw new Fault('ovf.hostile', `${who}: "${path}" has ${source.sizeBytes} bytes, which no descriptor has`);
    }
    return Buffer.concat(await Array.fromAsync(source.read(0, source.sizeBytes, signal)));
  };
  const bytes = await text(descriptor);
  if (bytes === undefined) throw new Fault('ovf.invalid', `${who}: it has no "${descriptor}"`);
  const manifest = await text(descriptor.replace(/\.ovf$/i, '.mf'));
  const digests = manifest === undefined ? null : parseManifest(manifest);
  const digest = digests?.get(descriptor);
  if (digest !== undefined) await proveDigest(bytes, digest, who);
  return {
    ovf: readDescriptor(bytes),
    version,
    digests,
    async file(path) {
      const source = await open(path);
      if (source !== undefined) return source;
      throw new Fault('ovf.invalid', `${who}: its descriptor names the file "${path}", which is not there`, {
        remedy: 'Put the file beside the descriptor, or get the package again.',
      });
    },
  };
}

async function proveDigest(bytes: Buffer, entry: ManifestEntry, who: string): Promise<void> {
  const { createHash } = await import('node:crypto');
  if (createHash(entry.algorithm).update(bytes).digest('hex') === entry.digest) return;
  throw new Fault('ovf.manifest', `${who}: "${entry.path}" has not the digest of the manifest`);
}

/** The one descriptor among the members: at the top, and not twice. */
function onlyDescriptor(names: string[], who: string): string {
  const found = names.filter((name) => /^[^/]+\.ovf$/i.test(name));
  const [first] = found;
  if (first !== undefined && found.length === 1) return first;
  throw new Fault('ovf.invalid', `${who}: it has ${found.length === 0 ? 'no' : 'more than one'} OVF descriptor`);
}

function part(source: ByteSource, offset: number, sizeBytes: number): ByteSource {
  return {
    sizeBytes,
    version: source.version,
    read: (from, to, signal) => source.read(offset + from, offset + Math.min(to, sizeBytes), signal),
  };
}

/** The files that hold one reference: itself, or its chunks in order. */
export function namesOf(file: OvfFile): string[] {
  if (file.chunkBytes === undefined) return [file.path];
  const chunks = Math.max(1, Math.ceil((file.sizeBytes ?? file.chunkBytes) / file.chunkBytes));
  return Array.from(
    { length: Math.min(chunks, 100_000) },
    (_, number) => `${file.path}.${String(number).padStart(9, '0')}`,
  );
}
