import { expect, it } from 'vitest';
import { weakProof, weakResult } from './source-needed.ts';

const NOW = Date.parse('2026-07-01T00:00:00Z');
const disk = (level: 'sent' | 'checksum' | 'readback') => ({
  disk: 'd',
  label: 'Disk 1',
  capacityBytes: 1,
  sourceRoot: 'a',
  destinationRoot: 'a',
  level,
});
const there = { marker: 'm', finished: true };
const look = (seen: Parameters<typeof weakResult>[0]) => weakResult(seen, 'm', '"web" in vcd', NOW)?.why;

it('takes a checksum or a reading back for a proof, of every disk, and never what was only sent', () => {
  expect(weakProof({ disks: [disk('checksum'), disk('readback')] })).toBeUndefined();
  expect(weakProof({ disks: [disk('readback'), disk('sent')] })?.why).toMatch(/Disk 1 says only what was sent/);
  expect(weakProof(null)?.why).toMatch(/no receipt/);
});

it('wants the copy there, finished, and with its marker', () => {
  expect(look(there)).toBeUndefined();
  expect(look(null)).toMatch(/not there any more/);
  expect(look({ marker: null, finished: true })).toMatch(/no longer carries the marker/);
  expect(look({ marker: 'm', finished: false })).toMatch(/no longer carries the marker/);
});

it('keeps the source while a lease of the copy ends soon, or at no time that can be read', () => {
  expect(look({ ...there, leaseEnds: '2026-07-20T00:00:00Z' })).toMatch(/storage lease .* ends at 2026-07-20/);
  expect(look({ ...there, leaseEnds: 'soon' })).toMatch(/storage lease/);
  expect(look({ ...there, leaseEnds: '2026-09-01T00:00:00Z' })).toBeUndefined();
});
