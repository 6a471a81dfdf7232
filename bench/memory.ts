import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Row } from './measure.ts';
import { Half } from './ours/half.ts';

const MOST_BYTES = 300e6;
/** What counts as flat. */
const MOST_GROWTH_BYTES = 30e6;
const FILES_SECONDS = 60;

interface End {
  peakBytes: number;
  growthBytes: number;
  seconds: number;
}

/** Both ends of one load as processes of their own. */
async function ends(load: 'sparse' | 'files', folder: string): Promise<{ sent: End; arrived: End }> {
  const place = join(folder, load);
  await mkdir(place, { recursive: true });
  const source = new Half('many-source.ts', [load, place]);
  const { ports, pin } = await source.line<{ ports: number[]; pin: string }>();
  const destination = new Half('many-destination.ts', [load, pin, place, ...ports.map(String)]);
  try {
    await destination.line();
    source.go();
    destination.go();
    const [sent, arrived] = await Promise.all([source.line<End>(), destination.line<End>()]);
    return { sent, arrived };
  } finally {
    source.stop();
    destination.stop();
    await rm(place, { recursive: true, force: true });
  }
}

/**
 * Resident memory of a node under 8 transfers at once, each of a disk of 100 GiB with 200 MiB of data up to its end; and
 * the time of a package of 10,000 small files. There is no peer: the figure beside ours is the limit.
 */
export async function benchMemory(folder: string): Promise<Row[]> {
  const row = (name: string, unit: string, ours: number, limit: number): Row => ({
    case: name,
    unit,
    ours,
    peer: limit,
    peerName: 'limit',
    ratio: limit / Math.max(ours, limit / 1000),
    aim: 1,
  });
  const { sent, arrived } = await ends('sparse', folder);
  const load = '8 transfers of 100 GiB';
  const files = await ends('files', folder);
  return [
    row(`${load}: receiving node, peak`, 'MB', arrived.peakBytes / 1e6, MOST_BYTES / 1e6),
    row(`${load}: sending node, peak`, 'MB', sent.peakBytes / 1e6, MOST_BYTES / 1e6),
    row(`${load}: receiving node, growth`, 'MB', arrived.growthBytes / 1e6, MOST_GROWTH_BYTES / 1e6),
    row(`${load}: sending node, growth`, 'MB', sent.growthBytes / 1e6, MOST_GROWTH_BYTES / 1e6),
    row('10,000 files of 4 KiB', 's', files.arrived.seconds, FILES_SECONDS),
    row('10,000 files of 4 KiB: receiving node, peak', 'MB', files.arrived.peakBytes / 1e6, MOST_BYTES / 1e6),
  ];
}
