import { expect, test } from 'vitest';
import { type FilterRow, parseFilter } from './filter.ts';

const id = '11111111-2222-4333-8444-555555555555';

function row(attributes: Record<string, string>): FilterRow {
  return { attributes, metadata: [{ key: 'k', value: 'v', domain: 'GENERAL' }] };
}

test.each([
  ['name==a%28b%29', { name: 'a(b)' }, true],
  ['name==a+b', { name: 'a b' }, true],
  ['name==a%2Bb', { name: 'a+b' }, true],
  ['name%3D%3Da%2520b', { name: 'a b' }, true],
  ['name==a\\;b;size=gt=9', { name: 'a;b', size: '10' }, true],
  ['size=lt=9', { size: '10' }, false],
  ['(name==x,name==y);size=ge=10', { name: 'y', size: '10' }, true],
  ['name!=x', { name: 'y' }, true],
  ['name==*%C3%A9*', { name: 'aéb' }, true],
  ['name==a.c', { name: 'abc' }, false],
  [`vdc==urn:vcloud:vdc:${id}`, { vdc: `https://h/api/vdc/${id}` }, true],
  [`vdc==https%3A%2F%2Fother%2Fapi%2Fvdc%2F${id}`, { vdc: `https://h/api/vdc/${id}` }, true],
  ['metadata:k==STRING:v', {}, true],
  ['metadata@SYSTEM:k==STRING:v', {}, false],
] as [string, Record<string, string>, boolean][])('the filter %s fits as it should', (filter, attributes, fits) => {
  expect(parseFilter(filter)(row(attributes))).toBe(fits);
});

test('a filter that is no filter, or names an attribute that is not there, is refused', () => {
  expect(() => parseFilter('name')).toThrow(/not understood/);
  expect(() => parseFilter('(name==x')).toThrow(/parenthesis/);
  expect(() => parseFilter('nonsense==x')(row({ name: 'x' }))).toThrow(/cannot be used/);
});
