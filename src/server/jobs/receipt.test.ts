import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { canonicalJson, rootOfDisks } from '../../base/receipts.ts';
import type { WorkResult } from '../../protocol/work.ts';
import { compareDisks } from './receipt.ts';

const result = (...roots: string[]) =>
  ({
    disks: roots.map((root, index) => ({
      disk: `d${index}`,
      label: `Disk ${index}`,
      capacityBytes: 1,
      root,
      level: 'sent',
    })),
    differences: [],
    leftovers: [],
  }) as unknown as WorkResult;

test('canonical JSON does not depend on the order in which a value was made', () => {
  const text = canonicalJson({ b: [{ z: 1, a: null }], a: 'x' });
  expect(text).toBe('{"a":"x","b":[{"a":null,"z":1}]}');
  expect(canonicalJson({ a: 'x', b: [{ a: null, z: 1 }] })).toBe(text);
});

test('disks whose roots agree are proven with the level of the destination', () => {
  const disks = compareDisks(result('aa', 'bb'), result('aa', 'bb'), 'copy');
  expect(disks).toMatchObject([{ disk: 'd0', sourceRoot: 'aa', destinationRoot: 'aa', level: 'sent' }, { disk: 'd1' }]);
});

test('a different root, a missing disk and an extra disk are mismatches that name the disk', () => {
  const mismatch = (label: string) =>
    expect.objectContaining({ code: 'transfer.mismatch', message: expect.stringContaining(label) });
  expect(() => compareDisks(result('aa', 'bb'), result('aa', 'cc'), 'copy')).toThrow(mismatch('Disk 1'));
  expect(() => compareDisks(result('aa', 'bb'), result('aa'), 'copy')).toThrow(mismatch('Disk 1'));
  expect(() => compareDisks(result('aa'), result('aa', 'bb'), 'copy')).toThrow(mismatch('Disk 1'));
});

test('the root over all disks is the hash over their bytes in order', () => {
  const [one, two] = ['11'.repeat(32), '22'.repeat(32)];
  const expected = createHash('sha256')
    .update(Buffer.from(one + two, 'hex'))
    .digest('hex');
  expect(rootOfDisks([one, two])).toBe(expected);
  expect(rootOfDisks([two, one])).not.toBe(expected);
});
