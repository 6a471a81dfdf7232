import { expect, test } from 'vitest';
import { driver } from './index.ts';
import { readAccount } from './options.ts';

const values = {
  url: 'https://vcd.example.net:8443/tenant/org1',
  organization: 'org1',
  username: 'bob',
  password: 'pw',
};

test('the path of a portal address does not matter', () => {
  expect(readAccount(values).origin).toBe('https://vcd.example.net:8443');
  expect(driver.endpoint({ url: 'vcd.example.net' })).toEqual({ host: 'vcd.example.net', port: 443 });
  expect(driver.endpoint({ url: 'https://[::1]:9443' })).toEqual({ host: '::1', port: 9443 });
});

test('an API token takes the place of user and password', () => {
  const { username: _, password: __, ...rest } = values;
  expect(readAccount({ ...rest, 'api-token': 't' }).credentials).toEqual({ kind: 'token', token: 't' });
});

test('the option that is missing or wrong is named', () => {
  expect(() => readAccount({ ...values, password: '' })).toThrow(/"password"/);
  expect(() => readAccount({ ...values, organization: ' ' })).toThrow(/"organization"/);
  expect(() => readAccount({ ...values, url: 'http://vcd' })).toThrow(/https/);
  expect(() => readAccount({ ...values, url: '' })).toThrow(/"url"/);
});

test('secrets are declared as such', () => {
  expect(driver.options.filter(({ type }) => type === 'secret').map(({ name }) => name)).toEqual([
    'password',
    'api-token',
  ]);
});
