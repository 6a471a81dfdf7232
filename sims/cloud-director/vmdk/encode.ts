import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { deflate, deflateSync } from 'node:zlib';
import type { DiskReader } from '../disk-files.ts';
import {
  directoryAtEnd,
  type ExtentHeader,
  grainBytes,
  grainSectors,
  markerKinds,
  sectorBytes,
  sectorsOf,
  tableEntries,
  writeHeader,
  writeMarker,
} from './format.ts';

const deflateAsync = promisify(deflate);
const grainsAtOnce = 16;
const overheadSectors = 128;

function descriptorText(capacitySectors: number, name: string): string {
  const cylinders = Math.min(65_535, Math.max(1, Math.floor(capacitySectors / (255 * 63))));
  const contentId = createHash('sha256').update(name).digest('hex').slice(0, 8);
  return [
    '# Disk DescriptorFile',
    'version=1',
    `CID=${contentId}`,
    'parentCID=ffffffff',
    'createType="streamOptimized"',
    '',
    '# Extent description',
    `RDONLY ${capacitySectors} SPARSE "disk.vmdk"`,
    '',
    '# The Disk Data Base',
    'ddb.adapterType = "lsilogic"',
    `ddb.geometry.cylinders = "${cylinders}"`,
    'ddb.geometry.heads = "255"',
    'ddb.geometry.sectors = "63"',
    'ddb.virtualHWVersion = "19"',
    'ddb.comment = ""',
    '',
  ].join('\n');
}

function padded(bytes: Buffer): Buffer {
  const rest = bytes.length % sectorBytes;
  return rest === 0 ? bytes : Buffer.concat([bytes, Buffer.alloc(sectorBytes - rest)]);
}

function packGrain(sector: number, packed: Buffer): Buffer {
  const head = Buffer.alloc(12);
  head.writeBigUInt64LE(BigInt(sector), 0);
  head.writeUInt32LE(packed.length, 8);
  return padded(Buffer.concat([head, packed]));
}

/**
 * Yields a raw disk as a stream-optimized VMDK (deflate level 1, or stored where that would not help), in order. Grains that hold only zeros are left out.
 * The capacity is the reader's length and must be whole sectors. The same disk gives the same bytes each time.
 */
export async function* encodeVmdk(reader: DiskReader, name: string, signal: AbortSignal): AsyncGenerator<Buffer> {
  const capacitySectors = sectorsOf(reader.bytes);
  const header: ExtentHeader = {
    version: 3,
    flags: 0x30001,
    capacitySectors,
    grainSectors,
    descriptorOffset: 1,
    descriptorSectors: 20,
    overheadSectors,
    compression: 1,
    directoryOffset: directoryAtEnd,
  };
  const opening = Buffer.alloc(overheadSectors * sectorBytes);
  writeHeader(header).copy(opening, 0);
  opening.write(descriptorText(capacitySectors, name), sectorBytes, 'utf8');
  yield opening;
  let position = overheadSectors;

  const grains = Math.ceil(reader.bytes / grainBytes);
  const tables = Math.ceil(grains / tableEntries);
  const directory = Buffer.alloc(sectorsOf(tables * 4) * sectorBytes);

  for (let table = 0; table < tables; table++) {
    const first = table * tableEntries;
    const last = Math.min(first + tableEntries, grains);
    const entries = Buffer.alloc(tableEntries * 4);
    let used = false;
    for (let start = first; start < last; start += grainsAtOnce) {
      signal.throwIfAborted();
      const batch = [];
      for (let grain = start; grain < Math.min(start + grainsAtOnce, last); grain++) {
        if (reader.isHole(grain * grainBytes, grainBytes)) continue;
        batch.push(readGrain(reader, grain));
      }
      for (const { grain, packed } of await Promise.all(batch)) {
        if (packed === undefined) continue;
        const block = packGrain(grain * grainSectors, packed);
        entries.writeUInt32LE(position, (grain - first) * 4);
        position += block.length / sectorBytes;
        used = true;
        yield block;
      }
    }
    if (!used) continue;
    yield writeMarker(entries.length / sectorBytes, markerKinds.grainTable);
    directory.writeUInt32LE(position + 1, table * 4);
    yield entries;
    position += 1 + entries.length / sectorBytes;
  }

  yield writeMarker(directory.length / sectorBytes, markerKinds.grainDirectory);
  const directoryOffset = BigInt(position + 1);
  yield directory;
  yield writeMarker(1, markerKinds.footer);
  yield writeHeader({ ...header, directoryOffset });
  yield writeMarker(0, markerKinds.endOfStream);
}

async function readGrain(reader: DiskReader, grain: number): Promise<{ grain: number; packed: Buffer | undefined }> {
  const plain = Buffer.alloc(grainBytes);
  await reader.read(grain * grainBytes, plain);
  if (plain.equals(zeroGrain)) return { grain, packed: undefined };
  return { grain, packed: await deflateAsync(plain, { level: looksCompressible(plain) ? 1 : 0 }) };
}

const sampleBytes = 2048;

/** Two samples say whether deflate is worth its time; a grain that would not shrink is stored. */
function looksCompressible(plain: Buffer): boolean {
  const middle = grainBytes / 2;
  const sample = Buffer.concat([plain.subarray(0, sampleBytes), plain.subarray(middle, middle + sampleBytes)]);
  return deflateSync(sample, { level: 1 }).length < sample.length * 0.95;
}

const zeroGrain = Buffer.alloc(grainBytes);
