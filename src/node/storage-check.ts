import type { Check } from '../model/check.ts';
import { expectedBytes, type PackageDescription } from '../model/machine.ts';
import type { StoreUsage } from '../transfer/store/store.ts';

/**
 * Whether a package fits into the transfer storage of this node, the receiving one: the source's node holds no more of a
 * transfer than its window, in memory.
 * @param walks How often the destination takes every block; a walk more reads the source once more for what did not fit.
 */
export function checkStorage(description: PackageDescription, usage: StoreUsage, walks: number): Check {
  const name = 'transfer-storage';
  const bytes = expectedBytes(description);
  const room = usage.limitBytes - usage.liveBytes - usage.reservedBytes;
  const free = Math.max(0, Math.min(room, usage.freeDiskBytes + usage.cacheBytes));
  if (bytes <= free) {
    return {
      name,
      outcome: 'pass',
      found: `Up to ${text(bytes)} come; the transfer storage has room for ${text(free)}.`,
    };
  }
  const again =
    walks > 1
      ? 'The destination wants sizes before bytes, so what does not fit is read at the source and sent once more for each disk'
      : 'If the import breaks and has to begin anew, what does not fit is read at the source and sent again';
  return {
    name,
    outcome: 'warn',
    found: `The transfer may be larger than the transfer storage: up to ${text(bytes)} come, there is room for ${text(free)} (limit ${text(usage.limitBytes)}, ${text(usage.freeDiskBytes)} free on its disk). It completes all the same. ${again}.`,
    remedy:
      'To avoid that, give the node at the destination a larger --storage-limit, or wait until other transfers are over.',
  };
}

function text(bytes: number): string {
  const GIB = 1024 ** 3;
  return bytes >= GIB ? `${(bytes / GIB).toFixed(1)} GiB` : `${Math.ceil(bytes / 1024 ** 2)} MiB`;
}
