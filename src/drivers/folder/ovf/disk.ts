import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import type { DataBlock } from '../../../model/block-map.ts';
import { Fault } from '../../../model/fault.ts';
import type { OvfFile } from '../../../ovf/descriptor/package.ts';
import { decodeVmdk } from '../../../ovf/vmdk/decode.ts';
import { type Archive, namesOf } from './archive.ts';

/**
 * The blocks of a disk of an OVF package: chunks put together, gzip undone, VMDK decoded, and every file compared with
 * its digest in the manifest before the disk ends. Faults: `ovf.manifest`, `ovf.invalid`, `vmdk.*`.
 */
export async function* readDisk(
  archive: Archive,
  file: OvfFile,
  capacityBytes: number,
  label: string,
  signal: AbortSignal,
): AsyncGenerator<DataBlock> {
  if (file.compression !== undefined && file.compression !== 'gzip') {
    throw new Fault('vmdk.unsupported', `${label}: its file is compressed by "${file.compression}"`, {
      remedy: 'Unpack it first; gzip is understood.',
    });
  }
  const stop = new AbortController();
  const both = AbortSignal.any([signal, stop.signal]);
  const bytes = filesOf(archive, file, label, both);
  const packed = file.compression === 'gzip' || file.path.endsWith('.gz');
  const plain = packed ? gunzip(bytes, label, both) : bytes;
  try {
    // Decoding ends with the footer; what lies behind it still belongs to the digest.
    const kept = { [Symbol.asyncIterator]: () => ({ next: () => plain.next() }) };
    await using vmdk = await decodeVmdk(kept, { signal: both, label });
    if (vmdk.capacityBytes > capacityBytes) {
      throw new Fault(
        'vmdk.invalid',
        `${label}: the VMDK is a disk of ${vmdk.capacityBytes} bytes, its descriptor says ${capacityBytes}`,
      );
    }
    yield* vmdk.blocks;
    for await (const _rest of plain) both.throwIfAborted();
  } finally {
    stop.abort();
    await plain.return(undefined).catch(() => undefined);
  }
}

/** All files of a reference one behind the other, each proven at its end. */
async function* filesOf(
  archive: Archive,
  file: OvfFile,
  label: string,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  for (const name of namesOf(file)) {
    const source = await archive.file(name);
    const digest = archive.digests?.get(name);
    const hash = createHash(digest?.algorithm ?? 'sha256');
    if (file.chunkBytes === undefined && file.sizeBytes !== undefined && file.sizeBytes !== source.sizeBytes) {
      throw new Fault(
        'vmdk.truncated',
        `${label}: "${name}" has ${source.sizeBytes} bytes, its descriptor says ${file.sizeBytes}`,
        { retry: 'never', remedy: 'Get the package again.' },
      );
    }
    for await (const chunk of source.read(0, source.sizeBytes, signal)) {
      if (digest !== undefined) hash.update(chunk);
      yield chunk;
    }
    if (digest !== undefined && hash.digest('hex') !== digest.digest) {
      throw new Fault('ovf.manifest', `${label}: "${name}" has not the digest of the manifest`);
    }
  }
}

async function* gunzip(
  bytes: AsyncGenerator<Uint8Array>,
  label: string,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const source = Readable.from(bytes, { objectMode: false });
  const unpacked = createGunzip();
  source.on('error', (error) => unpacked.destroy(error));
  source.pipe(unpacked);
  try {
    for await (const chunk of unpacked) yield chunk as Buffer;
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof Fault) throw error;
    throw new Fault('vmdk.invalid', `${label}: its gzip cannot be undone: ${(error as Error).message}`, {
      cause: error,
    });
  } finally {
    source.destroy();
    unpacked.destroy();
  }
}
