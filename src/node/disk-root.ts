import type { OpenExport } from '../drivers/driver.ts';
import { BlockMap, hashBlock, isZero } from '../model/block-map.ts';
import type { PackagePart } from '../model/machine.ts';

/** A block that was read; `hash` is null for zeros. `data` is valid until the promise of who looks at it resolves. */
export interface ReadBlock {
  index: number;
  data: Buffer;
  hash: Buffer | null;
}

/** Reads a disk or file and answers its map: complete, unless `onBlock` answered false, which ends the reading behind that block. */
export async function readMap(
  open: Pick<OpenExport, 'read'>,
  { kind, id, lengthBytes }: PackagePart,
  signal: AbortSignal,
  onBlock: (block: ReadBlock) => boolean | Promise<boolean> = () => true,
): Promise<BlockMap> {
  const map = new BlockMap(kind, lengthBytes);
  for await (const { index, data } of open.read(id, signal)) {
    const hash = isZero(data) ? null : hashBlock(data);
    if (hash !== null) map.set(index, hash);
    if (!(await onBlock({ index, data, hash }))) return map;
  }
  signal.throwIfAborted();
  map.complete = true;
  return map;
}
