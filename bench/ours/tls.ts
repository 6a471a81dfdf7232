import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Cost } from '../measure.ts';
import { Half } from './half.ts';

interface End {
  cpuSeconds: number;
  peakBytes: number;
  bytes?: number;
}

/** Bytes from one Node process to another over TLS with the identities of nodes, from memory to nowhere. */
export async function bareTls(bytes: number, folder: string): Promise<Cost> {
  const place = join(folder, 'tls');
  await mkdir(place, { recursive: true });
  const source = new Half('tls-source.ts', [place, String(bytes)]);
  const { port, pin } = await source.line<{ port: number; pin: string }>();
  const destination = new Half('tls-destination.ts', [String(port), pin, place]);
  try {
    await destination.line();
    const start = performance.now();
    source.go();
    destination.go();
    const [sent, arrived] = await Promise.all([source.line<End>(), destination.line<End>()]);
    const seconds = (performance.now() - start) / 1000;
    if (arrived.bytes !== bytes) throw new Error(`${arrived.bytes} of ${bytes} bytes arrived over bare TLS`);
    return {
      seconds,
      cpuSeconds: sent.cpuSeconds + arrived.cpuSeconds,
      peakBytes: Math.max(sent.peakBytes, arrived.peakBytes),
    };
  } finally {
    source.stop();
    destination.stop();
    await rm(place, { recursive: true, force: true });
  }
}
