import { expect, test } from 'vitest';
import { choose, compareVersions } from './versions.ts';

const versions = (...list: string[]) =>
  `<SupportedVersions xmlns="http://www.vmware.com/vcloud/versions">${list
    .map((version) => `<VersionInfo deprecated="false"><Version>${version}</Version></VersionInfo>`)
    .join('')}</SupportedVersions>`;

test('the highest common version is taken, by number and not by letter', () => {
  expect(choose(versions('9.0', '36.0', '37.2', '37.10', '35.2'), 'https://h', 'who').text).toBe('37.10');
});

test('versions of another product mode and trial versions are passed over', () => {
  expect(choose(versions('36.3', '40.0', '38.0.0-alpha'), 'https://h', 'who').text).toBe('36.3');
});

test('without a common version the fault names what is offered', () => {
  expect(() => choose(versions('31.0', '33.0'), 'https://h', 'cloud-director c')).toThrow(/offered are 31\.0, 33\.0/);
});

test('versions compare part by part', () => {
  expect(compareVersions('37.1', '37.0')).toBeGreaterThan(0);
  expect(compareVersions('36.3', '37.0')).toBeLessThan(0);
  expect(compareVersions('38.0', '38.0')).toBe(0);
});
