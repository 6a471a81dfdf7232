import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Cost } from '../measure.ts';
import { type EndCost, Half, runBoth } from './half.ts';

interface End extends EndCost {
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
    const { sent, arrived, cost } = await runBoth<End, End>(source, destination);
    if (sent.root !== arrived.root) throw new Error(`the roots differ: ${sent.root} and ${arrived.root}`);
    return cost;
  } finally {
    ends.signal?.removeEventListener('abort', stop);
    stop();
    await rm(place, { recursive: true, force: true });
  }
}
