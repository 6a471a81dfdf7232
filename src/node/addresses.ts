import { networkInterfaces } from 'node:os';
import { writeAddress } from '../base/address.ts';
import type { DialTarget } from '../base/tls.ts';

/**
 * Where others may dial a node: as people said, else as it listens; of a port on every address of the machine those that
 * lead off the machine. Empty when it does not listen and nobody said otherwise.
 */
export function addressesOf(told: readonly string[], bound: DialTarget | null): string[] {
  if (told.length > 0 || bound === null) return [...new Set(told)];
  return hostsOf(bound.host).map((host) => writeAddress({ host, port: bound.port }));
}

function hostsOf(host: string): string[] {
  if (host !== '0.0.0.0' && host !== '::') return [host];
  return Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .filter(({ internal, address }) => !internal && !/^(fe80|169\.254\.)/i.test(address))
    .filter(({ family }) => host === '::' || family === 'IPv4')
    .sort((a, b) => a.family.localeCompare(b.family))
    .map(({ address }) => address);
}
