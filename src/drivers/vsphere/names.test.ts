import { expect, test } from 'vitest';
import { checkName, freeName } from './machine-names.ts';
import { carriesMarker, decodeName, encodeName, unfinishedName } from './names.ts';

test('names are escaped for vCenter and come back as people wrote them', () => {
  for (const name of ['a/b', '100%', '%2f', 'x\\y', '東京 ü', '%25']) expect(decodeName(encodeName(name))).toBe(name);
  expect(encodeName('a/b\\c%')).toBe('a%2fb%5cc%25');
  expect(decodeName('a%2Fb')).toBe('a/b');
});

test('an unfinished name carries the marker whole and fits into what vCenter takes', () => {
  for (const name of ['web', 'x'.repeat(80), '/'.repeat(40)]) {
    const unfinished = unfinishedName(name, '0123456789abcdef');
    expect(carriesMarker(unfinished, '0123456789abcdef')).toBe(true);
    expect(encodeName(unfinished).length).toBeLessThanOrEqual(80);
  }
  expect(carriesMarker('web [cloudspan 1]', '2')).toBe(false);
});

test('a taken name is a fault, or the next free number', () => {
  const taken = new Set(['web', 'web (2)']);
  expect(freeName(taken, 'db', 'fail', 'vsphere vc1')).toBe('db');
  expect(freeName(taken, 'web', 'rename', 'vsphere vc1')).toBe('web (3)');
  expect(() => freeName(taken, 'web', 'fail', 'vsphere vc1')).toThrowError('vsphere vc1: there is already');
});

test('a name that vCenter would refuse is refused before anything is made', () => {
  expect(() => checkName('  ', 'vsphere vc1')).toThrowError(/needs a name/);
  expect(() => checkName('%'.repeat(30), 'vsphere vc1')).toThrowError(/90 characters/);
});
