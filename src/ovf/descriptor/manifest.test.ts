import { expect, test } from 'vitest';
import { parseManifest, writeManifest } from './manifest.ts';

const sha1 = 'A9993E364706816ABA3E25717850C26C9CD0D89D';
const sha256 = 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad';
const sha512 = sha256 + sha256;

test('every spelling of a manifest is read', () => {
  const text = [
    `SHA1(a.ovf)= ${sha1}`,
    `SHA-1 (b c.vmdk) = ${sha1}`,
    `SHA256(d(1).vmdk)=${sha256}`,
    `sha2-256( e.vmdk )= ${sha256.toUpperCase()}`,
    '',
    `  SHA512 (disks/f.vmdk)= ${sha512}  `,
  ].join('\r\n');
  const entries = parseManifest(Buffer.from(`\ufeff${text}`));
  expect([...entries.values()]).toEqual([
    { path: 'a.ovf', algorithm: 'sha1', digest: sha1.toLowerCase() },
    { path: 'b c.vmdk', algorithm: 'sha1', digest: sha1.toLowerCase() },
    { path: 'd(1).vmdk', algorithm: 'sha256', digest: sha256 },
    { path: 'e.vmdk', algorithm: 'sha256', digest: sha256 },
    { path: 'disks/f.vmdk', algorithm: 'sha512', digest: sha512 },
  ]);
});

test('of several digests of a file the strongest is kept', () => {
  const lines = [`SHA256(a)= ${sha256}`, `SHA1(a)= ${sha1}`];
  for (const text of [lines.join('\n'), lines.toReversed().join('\n')]) {
    expect(parseManifest(Buffer.from(text)).get('a')?.algorithm).toBe('sha256');
  }
});

test('lines that are no digest, and paths that leave the package, are refused', () => {
  for (const line of ['hello', `MD5(a)= ${sha1.slice(8)}`, `SHA256(a)= ${sha1}`, `SHA1 a ${sha1}`]) {
    expect(() => parseManifest(Buffer.from(line))).toThrow(expect.objectContaining({ code: 'ovf.manifest' }));
  }
  expect(() => parseManifest(Buffer.from(`SHA1(../a)= ${sha1}`))).toThrow(
    expect.objectContaining({ code: 'ovf.hostile' }),
  );
});

test('a written manifest is read again', () => {
  const text = writeManifest([
    ['a.ovf', sha256],
    ['b.vmdk', sha256],
  ]);
  expect(text).toBe(`SHA256(a.ovf)= ${sha256}\nSHA256(b.vmdk)= ${sha256}\n`);
  expect(parseManifest(Buffer.from(text)).size).toBe(2);
});
