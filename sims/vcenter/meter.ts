import { setTimeout as sleep } from 'node:timers/promises';
import type { FaultRules } from './faults.ts';

/** Passes bytes on no faster than the fault rules allow for a listener, and cuts them where a rule says so. */
export async function* metered(
  source: AsyncIterable<Buffer>,
  faults: FaultRules,
  listener: 'vcenter' | 'host',
): AsyncGenerator<Buffer, void, undefined> {
  const started = Date.now();
  let bytes = 0;
  const cutAfter = faults.takeCut(listener);
  for await (const chunk of source) {
    bytes += chunk.length;
    if (cutAfter !== undefined && bytes > cutAfter) {
      const keep = chunk.subarray(0, Math.max(0, chunk.length - (bytes - cutAfter)));
      if (keep.length) yield keep;
      throw new Error('a fault rule cut the connection');
    }
    const rate = faults.bytesPerSecond(listener);
    if (rate) {
      const due = started + (bytes / rate) * 1000;
      const wait = due - Date.now();
      if (wait > 5) await sleep(wait);
    }
    yield chunk;
  }
}
