import { expect, test } from 'vitest';
import { fold, macPart } from './fold.ts';
import { parseSearch } from './language.ts';

/** Terms in short: `-field:value`. */
const read = (text: string) =>
  parseSearch(text).map(({ field, value, negated }) => `${negated ? '-' : ''}${field ?? ''}:${value}`);

test('words, fields, quotes and what must not be', () => {
  expect(read('Web prod')).toEqual([':web', ':prod']);
  expect(read('name:Web-01 ip:10.0.0 MAC:00:50:56')).toEqual(['name:web-01', 'ip:10.0.0', 'mac:00:50:56']);
  expect(read('"two words" network:"VM Network"')).toEqual([':two words', 'network:vm network']);
  expect(read('-dev !test -os:windows -"old one" !tag:"a b"')).toEqual([
    '-:dev',
    '-:test',
    '-os:windows',
    '-:old one',
    '-tag:a b',
  ]);
  expect(read('state:on net:lan guest:linux type:vm address:10.1')).toEqual([
    'power:on',
    'network:lan',
    'os:linux',
    'kind:vm',
    'ip:10.1',
  ]);
});

test('what is still being typed is never wrong', () => {
  expect(read('')).toEqual([]);
  expect(read('  - ! -- ')).toEqual([]);
  expect(read('name:')).toEqual([]);
  expect(read('web name: prod')).toEqual([':web', ':prod']);
  expect(read('"open quo')).toEqual([':open quo']);
  expect(read('network:"VM Net')).toEqual(['network:vm net']);
  expect(read('""')).toEqual([]);
});

test('what is no field is a word with a colon in it', () => {
  expect(read('00:50:56:ab')).toEqual([':00:50:56:ab']);
  expect(read('fe80::1')).toEqual([':fe80::1']);
  expect(read('env:prod')).toEqual([':env:prod']);
  expect(read('web-01 5"')).toEqual([':web-01', ':5"']);
});

test('nobody can ask for more than anybody types', () => {
  expect(() => parseSearch('x'.repeat(301))).toThrow(/300 characters/);
  expect(() => parseSearch('a '.repeat(17))).toThrow(/16 words/);
  expect(parseSearch('-'.repeat(300))).toEqual([]);
  expect(parseSearch('"'.repeat(300))).toEqual([]);
});

test('case and accents do not matter', () => {
  expect(fold('  Société\tGÉNÉRALE ')).toBe('societe generale');
  expect(fold('ＷＥＢ')).toBe('web');
});

test('a part of a MAC address is known in any notation', () => {
  expect(macPart('00:50:56')).toBe('005056');
  expect(macPart('00-50-5')).toBe('00505');
  expect(macPart('0050.56ab')).toBe('005056ab');
  expect(macPart(':56:ab')).toBe('56ab');
  for (const other of ['10.0.0.5', '10.12', 'web-01', 'fe80::1', '00:50-56', '2024-11-28', 'ab']) {
    expect(macPart(other), other).toBeNull();
  }
});
