import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Cost } from '../measure.ts';
import { Half } from './half.ts';

interface End {
  cpuSeconds: number;
  peakBytes: number;
  root: string;
}

/** Where the two ends run. */
export interface Ends {
  /** On which the source listens. */
  host: string;
  /** Words in front of the ends' commands. */
  source: string[];
  destination: string[];
  /** The file that the destination writes the disk to. */
  out?: string;
  /** Ends the transfer: it rejects. */
  signal?: AbortSignal;
}

/** One transfer between two processes of ours; always proven: every block hashed at both ends, durable, roots compared. */
export async function transfer(
  disk: string,
  folder: string,
  ends: Ends = { host: '127.0.0.1', source: [], destination: [] },
): Promise<Cost> {
  const place = join(folder, 'ours');
  await rm(place, { recursive: true, force: true });
  await mkdir(place, { recursive: true });
  const source = new Half('source.ts', [disk, place, ends.host], ends.source);
  const { port, pin } = await source.line<{ port: number; pin: string }>();
  const words = [ends.host, String(port), pin, place, ...(ends.out === undefined ? [] : [ends.out])];
  const destination = new Half('destination.ts', words, ends.destination);
  const stop = () => {
    source.stop();
    destination.stop();
  };
  ends.signal?.addEventListener('abort', stop);
  try {
    await destination.line();
    const start = performance.now();
    source.go();
    destination.go();
    const [sent, arrived] = await Promise.all([source.line<End>(), destination.line<End>()]);
    const seconds = (performance.now() - start) / 1000;
    if (sent.root !== arrived.root) throw new Error(`the roots differ: ${sent.root} and ${arrived.root}`);
    return {
      seconds,
      cpuSeconds: sent.cpuSeconds + arrived.cpuSeconds,
      peakBytes: Math.max(sent.peakBytes, arrived.peakBytes),
    };
  } finally {
    ends.signal?.removeEventListener('abort', stop);
    stop();
    await rm(place, { recursive: true, force: true });
  }
}
