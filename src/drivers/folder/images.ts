import { lstat } from 'node:fs/promises';
import { blocksOfFile } from '../../base/file-blocks.ts';
import type { DataBlock } from '../../model/block-map.ts';
import { Fault } from '../../model/fault.ts';
import type { Item } from './catalog.ts';
import { fileFault } from './files.ts';
import { type ByteSource, fileSource } from './ovf/source.ts';
import type { Session } from './session.ts';

/** An image of a disc, in the folder or behind the address. */
export interface Image extends Pick<ByteSource, 'sizeBytes' | 'version'> {
  /** From its beginning to its end. Faults: `disk.changed`, `cloud.unreachable`. */
  blocks(signal: AbortSignal): AsyncGenerator<DataBlock>;
}

/** Faults of the place; `object.missing`. */
export async function openImage(session: Session, item: Item, who: string, signal: AbortSignal): Promise<Image> {
  const { remote } = session;
  const source = remote === undefined ? await fileSource(item.path, who) : await remote.source(undefined, who, signal);
  if (source === null) throw new Fault('object.missing', `${who}: there is nothing at ${session.root}`);
  const { sizeBytes, version } = source;
  return {
    sizeBytes,
    version,
    async *blocks(readSignal) {
      yield* blocksOfFile(source.read(0, sizeBytes, readSignal), sizeBytes, who);
      if (remote === undefined) await requireUnchanged(item.path, version, who);
    },
  };
}

/** Somebody who writes to the file meanwhile changes its length or its time. */
async function requireUnchanged(path: string, version: string, who: string): Promise<void> {
  const { size, mtimeMs } = await lstat(path).catch((error) => {
    throw fileFault(error, who, 'look at it again');
  });
  if (`${size}@${mtimeMs}` === version) return;
  throw new Fault('disk.changed', `${who}: it changed while it was read (it has ${size} bytes now)`, {
    retry: 'later',
    remedy: 'Wait until nothing writes to it, then repeat.',
  });
}
