import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** Bytes of chunks after which they are worth a collection of the young generation, which takes about a millisecond. */
const COLLECT_AFTER_BYTES = 16 * 1024 * 1024;

type Collect = (options: { type: 'minor' }) => void;

let collect: Collect | null = null;
let passedBytes = 0;

/**
 * For a process through which bytes stream. Each chunk that a socket reads is memory outside of the heap, held by a small
 * young object. V8 by itself marks the whole heap for every few dozen megabytes of such chunks: a tenth of the CPU time
 * of a transfer. Told to count them as heap, and with a young collection every 16 MiB, it neither marks nor hoards.
 */
export function collectYoungGarbage(): void {
  if (collect !== null) return;
  setFlagsFromString('--external-memory-accounted-in-global-limit');
  // The young generation stays as small as it is: what lives through one collection is a transfer's, and lives long.
  setFlagsFromString('--semi-space-growth-factor=1');
  setFlagsFromString('--expose-gc');
  collect = runInNewContext('gc') as Collect;
}

/** Chunks of so many bytes have been read and will be garbage soon. Does nothing unless `collectYoungGarbage` was called. */
export function chunkPassed(bytes: number): void {
  passedBytes += bytes;
  if (passedBytes < COLLECT_AFTER_BYTES) return;
  passedBytes = 0;
  collect?.({ type: 'minor' });
}
