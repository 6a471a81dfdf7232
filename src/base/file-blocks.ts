import { BLOCK_BYTES, type DataBlock } from '../model/block-map.ts';
import { Fault } from '../model/fault.ts';

/**
 * The bytes of a file as blocks; the last one ends with it. Fault `disk.changed` when there are more or fewer than it was
 * said to have.
 */
export async function* blocksOfFile(
  bytes: AsyncIterable<Uint8Array>,
  lengthBytes: number,
  label: string,
): AsyncGenerator<DataBlock> {
  const block = Buffer.allocUnsafe(Math.min(BLOCK_BYTES, lengthBytes));
  let at = 0;
  const wrong = (seen: string) =>
    new Fault('disk.changed', `${label} has ${seen} of the ${lengthBytes} bytes that it had at the beginning`, {
      remedy: 'Wait until nothing writes to it, then retry.',
    });
  for await (const chunk of bytes) {
    if (at + chunk.length > lengthBytes) throw wrong('more than all');
    for (let from = 0; from < chunk.length; ) {
      const filled = at % BLOCK_BYTES;
      const part = chunk.subarray(from, from + BLOCK_BYTES - filled);
      block.set(part, filled);
      from += part.length;
      at += part.length;
      if (at % BLOCK_BYTES === 0) yield { index: at / BLOCK_BYTES - 1, data: block };
    }
  }
  if (at < lengthBytes) throw wrong(`only ${at}`);
  const rest = lengthBytes % BLOCK_BYTES;
  if (rest > 0) yield { index: (lengthBytes - rest) / BLOCK_BYTES, data: block.subarray(0, rest) };
}

const ZEROS = Buffer.alloc(BLOCK_BYTES);

/**
 * The bytes of a file from byte `from` to its end out of its blocks with data; between them stand zeros. A piece is valid
 * until the next is asked for.
 * @param blocks From the block that holds byte `from`.
 */
export async function* bytesOfBlocks(
  blocks: AsyncIterable<DataBlock>,
  lengthBytes: number,
  from = 0,
): AsyncGenerator<Buffer> {
  let at = from;
  const zerosUpTo = function* (end: number) {
    while (at < end) {
      const part = ZEROS.subarray(0, Math.min(BLOCK_BYTES, end - at));
      at += part.length;
      yield part;
    }
  };
  for await (const { index, data } of blocks) {
    const begin = index * BLOCK_BYTES;
    if (begin + data.length <= at) continue;
    yield* zerosUpTo(begin);
    const part = data.subarray(at - begin, Math.min(data.length, lengthBytes - begin));
    at += part.length;
    yield part;
  }
  yield* zerosUpTo(lengthBytes);
}
