import { Fault } from '../../model/fault.ts';
import { pathOfHref } from './href.ts';

type DigestAlgorithm = 'sha1' | 'sha256' | 'sha384' | 'sha512';

export interface ManifestEntry {
  path: string;
  algorithm: DigestAlgorithm;
  /** Lower-case hex. */
  digest: string;
}

const MAX_MANIFEST_BYTES = 4 * 1024 * 1024;
const HEX_DIGITS: Record<DigestAlgorithm, number> = { sha1: 40, sha256: 64, sha384: 96, sha512: 128 };
const STRENGTH: DigestAlgorithm[] = ['sha1', 'sha256', 'sha384', 'sha512'];

/** `SHA1`, `SHA-256`, `SHA2-256`, `sha_512` … */
function algorithmOf(name: string): DigestAlgorithm | undefined {
  const plain = name.toLowerCase().replace(/[-_ ]/g, '');
  const short = /^sha2(256|384|512)$/.test(plain) ? plain.replace('sha2', 'sha') : plain;
  return STRENGTH.find((algorithm) => algorithm === short);
}

/**
 * Reads a manifest (`.mf`, OVF 1.1 section 5.2) in all the spellings that products use. A file that is listed more
 * than once keeps its strongest digest. Faults: `ovf.manifest` for a line that says nothing, `ovf.hostile` for paths
 * that leave the package.
 */
export function parseManifest(bytes: Uint8Array): Map<string, ManifestEntry> {
  if (bytes.length > MAX_MANIFEST_BYTES) throw new Fault('ovf.hostile', `the manifest has ${bytes.length} bytes`);
  const entries = new Map<string, ManifestEntry>();
  for (const line of Buffer.from(bytes)
    .toString('utf8')
    .replace(/^\ufeff/, '')
    .split(/\r\n|\r|\n/)) {
    if (line.trim() === '') continue;
    const found = /^\s*([A-Za-z][\w -]*?)\s*\(\s*(.+?)\s*\)\s*=\s*([0-9A-Fa-f]+)\s*$/.exec(line);
    const algorithm = algorithmOf(found?.[1] ?? '');
    if (!found?.[2] || !found[3] || !algorithm || found[3].length !== HEX_DIGITS[algorithm]) {
      throw new Fault(
        'ovf.manifest',
        `the manifest has a line that is no digest: ${JSON.stringify(line.slice(0, 200))}`,
      );
    }
    const path = pathOfHref(found[2]);
    const before = entries.get(path);
    if (before && STRENGTH.indexOf(before.algorithm) >= STRENGTH.indexOf(algorithm)) continue;
    entries.set(path, { path, algorithm, digest: found[3].toLowerCase() });
  }
  return entries;
}

/** A manifest with SHA-256 digests, by file name, in the order given. */
export function writeManifest(digests: Iterable<readonly [path: string, sha256: string]>): string {
  return Array.from(digests, ([path, digest]) => `SHA256(${path})= ${digest}\n`).join('');
}
