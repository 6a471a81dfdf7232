import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Cost } from '../measure.ts';
import { type EndCost, Half, runBoth } from './half.ts';

interface End extends EndCost {
  bytes: number;
}

/** Bytes from one Node process to another over TLS with the identities of nodes, from memory to nowhere. */
export async function bareTls(bytes: number, folder: string): Promise<Cost> {
  const place = join(folder, 'tls');
  await mkdir(place, { recursive: true });
  const source = new Half('tls-source.ts', [place, String(bytes)]);
  const { port, pin } = await source.line<{ port: number; pin: string }>();
  const destination = new Half('tls-destination.ts', [String(port), pin, place]);
  try {
    const { arrived, cost } = await runBoth<EndCost, End>(source, destination);
    if (arrived.bytes !== bytes) throw new Error(`${arrived.bytes} of ${bytes} bytes arrived over bare TLS`);
    return cost;
  } finally {
    source.stop();
    destination.stop();
    await rm(place, { recursive: true, force: true });
  }
}
