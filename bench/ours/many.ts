/** What both ends of the memory bench know: which transfers there are, and what their packages hold. */
import { BLOCK_BYTES } from '../../src/model/block-map.ts';
import type { PackageDescription } from '../../src/model/machine.ts';
import { packageOf } from './parts.ts';

export const SPARSE_TRANSFERS = 8;
export const SPARSE_BYTES = 100 * 1024 ** 3;
export const SMALL_FILES = 10_000;
export const SMALL_BYTES = 4096;

/** Data of a sparse disk lies in runs of 8 blocks, evenly spread up to its end. */
const RUN_BLOCKS = 8;
const RUNS = 25;

export type Load = 'sparse' | 'files';

export const transfersOf = (load: Load) =>
  Array.from({ length: load === 'sparse' ? SPARSE_TRANSFERS : 1 }, (_, number) => `${load}-${number}`);

export function describe(load: Load): PackageDescription {
  if (load === 'sparse') return packageOf(SPARSE_BYTES);
  const files = Array.from({ length: SMALL_FILES }, (_, number) => ({
    id: `file-${number}`,
    path: `files/${number}`,
    bytes: SMALL_BYTES,
  }));
  return { ...packageOf(0), files };
}

/** Positions of the data blocks of a sparse disk, ascending. */
export function* dataBlocks(): Generator<number> {
  const stride = Math.floor(SPARSE_BYTES / BLOCK_BYTES / RUNS);
  for (let run = 1; run <= RUNS; run++) {
    for (let block = 0; block < RUN_BLOCKS; block++) yield run * stride - RUN_BLOCKS + block;
  }
}

/** Resident memory of this process, ten times a second. */
export function watchMemory(): { stop(): { peakBytes: number; growthBytes: number } } {
  const samples: number[] = [];
  const timer = setInterval(() => samples.push(process.memoryUsage.rss()), 100);
  const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);
  return {
    stop() {
      clearInterval(timer);
      const quarter = Math.floor(samples.length / 4);
      return {
        peakBytes: process.resourceUsage().maxRSS * 1024,
        growthBytes: mean(samples.slice(-quarter)) - mean(samples.slice(0, quarter)),
      };
    },
  };
}
