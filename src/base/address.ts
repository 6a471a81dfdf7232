import { Fault } from '../model/fault.ts';
import type { DialTarget } from './tls.ts';

/** `host:port`, `[IPv6]:port`. `leastPort` 0 is for listening on a free one. Fault `input.invalid`. */
export function parseAddress(text: string, leastPort = 1): DialTarget {
  const match = /^(?:\[([0-9a-f:.]+(?:%\w+)?)\]|([^\s:/[\]]+)):(\d{1,5})$/i.exec(text.trim());
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  if (host === undefined || port < leastPort || port > 65_535) {
    throw new Fault('input.invalid', `"${text}" is not an address`, { remedy: 'Write host:port or [IPv6]:port.' });
  }
  return { host, port };
}

export function writeAddress({ host, port }: DialTarget): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
