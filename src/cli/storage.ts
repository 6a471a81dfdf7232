import type { StorageView } from '../protocol/nouns.ts';
import { bytesText } from './output.ts';

/** One cell of a table. */
export function storageText(storage: StorageView | undefined): string {
  if (storage === undefined) return '';
  const { limitBytes, usedBytes, liveBytes = usedBytes, cacheBytes = 0 } = storage;
  const cache = cacheBytes > 0 ? ` + ${bytesText(cacheBytes)} cache` : '';
  return `${bytesText(liveBytes)}${cache} of ${bytesText(limitBytes)}`;
}

/** One line per part. */
export function storageLines(storage: StorageView): string[] {
  const { limitBytes, usedBytes, freeDiskBytes, liveBytes, cacheBytes, reservedBytes } = storage;
  const parts: [string, number | undefined][] = [
    ['limit', limitBytes],
    ['used', usedBytes],
    ['by transfers', liveBytes],
    ['by the cache', cacheBytes],
    ['reserved', reservedBytes],
    ['free on disk', freeDiskBytes],
  ];
  const lines = parts.flatMap(([name, bytes]) =>
    bytes === undefined ? [] : [`${name.padEnd(14)}${bytesText(bytes)}`],
  );
  if (storage.encrypted !== undefined) lines.push(`${'encrypted'.padEnd(14)}${storage.encrypted ? 'yes' : 'no'}`);
  return lines;
}
