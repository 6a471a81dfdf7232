import { BLOCK_BYTES, blockCount, type DataBlock } from '../../model/block-map.ts';
import { Fault } from '../../model/fault.ts';
import { ByteReader } from '../byte-reader.ts';
import { type EmbeddedDescriptor, parseEmbeddedDescriptor } from './embedded-descriptor.ts';
import { GrainStream } from './grain-stream.ts';
import { inflateInThread } from './grain-threads.ts';
import { INFLATE_OUTPUT_BYTES, type InflateWork, inflateBlock } from './grains.ts';
import { parseHeader, SECTOR, type SparseHeader } from './header.ts';
import { inOrder } from './in-order.ts';

const READ_AHEAD_BLOCKS = 6;
/** The grains of a block that take up more than this did not shrink: to copy them costs less than the way to a thread. */
const STORED_BYTES = 0.99 * BLOCK_BYTES;

export interface DecodeOptions {
  signal: AbortSignal;
  /** Begins the sentence of every Fault: `vsphere vc1: disk 2 of "web-01"`. */
  label?: string;
  /** Capacity that the disk is known to have; another one is `vmdk.invalid`. */
  expectedCapacityBytes?: number;
}

export interface VmdkDisk {
  readonly capacityBytes: number;
  readonly grainBytes: number;
  readonly descriptor: EmbeddedDescriptor;
  /**
   * Blocks with data in ascending order, decoded as the stream arrives; what is not yielded is zero. Every block has
   * BLOCK_BYTES bytes, zeros behind the disk's end, and is valid until the next one is asked for. To be walked once.
   * Ends without a Fault only when the stream was whole: every grain that its tables name, footer and end marker seen.
   * Faults: `vmdk.truncated`, `vmdk.invalid`, `vmdk.unsupported`; what the source throws; the reason of an abort.
   * Blocks that came before a fault are yielded before it is thrown.
   */
  readonly blocks: AsyncIterable<DataBlock>;
  /** Ends the source; needed only when `blocks` is not walked to its end. Idempotent. */
  [Symbol.asyncDispose](): Promise<void>;
}

/** Puts the label in front of a fault of the format; other errors pass unchanged. */
function named(error: unknown, label: string | undefined): unknown {
  if (label === undefined || !(error instanceof Fault) || !error.code.startsWith('vmdk.')) return error;
  const { code, message, remedy, retry, cause } = error;
  return new Fault(code, `${label}: ${message}`, { remedy, retry, cause });
}

async function readFront(reader: ByteReader): Promise<{ header: SparseHeader; descriptor: EmbeddedDescriptor }> {
  const first = await reader.read(SECTOR);
  if (first.length < SECTOR) {
    throw new Fault('vmdk.truncated', `the VMDK ends at byte ${first.length}, inside of its header`);
  }
  const header = parseHeader(first);
  if (header.directorySector === 0) throw new Fault('vmdk.invalid', 'the VMDK has no grain directory');
  const length = header.descriptorSectors * SECTOR;
  await reader.skip(header.descriptorSectors > 0 ? header.descriptorSector * SECTOR - SECTOR : 0);
  const text = await reader.read(length);
  if (text.length < length) {
    throw new Fault('vmdk.truncated', `the VMDK ends at byte ${reader.position}, inside of its descriptor`);
  }
  return { header, descriptor: parseEmbeddedDescriptor(text) };
}

async function* decodeBlocks(reader: ByteReader, header: SparseHeader, signal: AbortSignal): AsyncGenerator<DataBlock> {
  const capacityBytes = header.capacitySectors * SECTOR;
  const grainBytes = header.grainSectors * SECTOR;
  const stream = new GrainStream(reader, header);
  const outputs: ArrayBuffer[] = [];
  const results = inOrder(stream.batches(), READ_AHEAD_BLOCKS, signal, async (batch) => {
    const work: InflateWork = {
      kind: 'inflate',
      input: batch.input.buffer as ArrayBuffer,
      output: outputs.pop() ?? Buffer.allocUnsafeSlow(INFLATE_OUTPUT_BYTES).buffer,
      grainBytes,
      validBytes: Math.min(BLOCK_BYTES, capacityBytes - batch.block * BLOCK_BYTES),
      grains: Int32Array.from(batch.grains),
    };
    const result = batch.usedBytes > STORED_BYTES ? inflateBlock(work) : await inflateInThread(work);
    stream.recycle(result.input);
    return { index: batch.block, result };
  });
  for await (const { index, result } of results) {
    if (result.bad) {
      const sector = (index * BLOCK_BYTES + result.bad.grain * grainBytes) / SECTOR;
      throw new Fault(
        'vmdk.invalid',
        `the VMDK has a grain for sector ${sector} that cannot be decompressed: ${result.bad.reason}`,
      );
    }
    if (!result.zero) yield { index, data: Buffer.from(result.output, 0, BLOCK_BYTES) };
    outputs.push(result.output);
  }
}

/**
 * Opens a stream-optimized VMDK that arrives as `source`: resolves as soon as header and embedded descriptor are
 * there. At most 6 blocks are decoded ahead of the consumer; a slow consumer stops the source.
 * Faults: `vmdk.unsupported` (says what the disk is instead), `vmdk.invalid`, `vmdk.truncated`; what the source throws.
 */
export async function decodeVmdk(source: AsyncIterable<Uint8Array>, options: DecodeOptions): Promise<VmdkDisk> {
  const { signal, label, expectedCapacityBytes } = options;
  const reader = new ByteReader(source, signal);
  try {
    const { header, descriptor } = await readFront(reader);
    const capacityBytes = header.capacitySectors * SECTOR;
    if (expectedCapacityBytes !== undefined && expectedCapacityBytes !== capacityBytes) {
      throw new Fault(
        'vmdk.invalid',
        `the VMDK is a disk of ${capacityBytes} bytes instead of ${expectedCapacityBytes}`,
      );
    }
    async function* blocks(): AsyncGenerator<DataBlock> {
      try {
        for await (const block of decodeBlocks(reader, header, signal)) {
          signal.throwIfAborted();
          if (block.index < blockCount(capacityBytes)) yield block;
        }
      } catch (error) {
        throw named(error, label);
      } finally {
        reader.close();
      }
    }
    return {
      capacityBytes,
      grainBytes: header.grainSectors * SECTOR,
      descriptor,
      blocks: blocks(),
      [Symbol.asyncDispose]: async () => reader.close(),
    };
  } catch (error) {
    reader.close();
    throw named(error, label);
  }
}
