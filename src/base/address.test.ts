import { expect, test } from 'vitest';
import { parseAddress, writeAddress } from './address.ts';

test('an address is a host name, an IPv4 or a bracketed IPv6 address with a port', () => {
  expect(parseAddress('node-a.example.org:8443')).toEqual({ host: 'node-a.example.org', port: 8443 });
  expect(parseAddress('10.0.0.7:443')).toEqual({ host: '10.0.0.7', port: 443 });
  expect(parseAddress('[::1]:443')).toEqual({ host: '::1', port: 443 });
});

test.each(['', 'host', 'host:', 'host:0', 'host:70000', '::1:443', 'https://host:443', 'a b:1'])(
  'an address without one clear host and port is refused: "%s"',
  (text) => {
    expect(() => parseAddress(text)).toThrow(expect.objectContaining({ code: 'input.invalid' }));
  },
);

test('what was read is written the same', () => {
  for (const text of ['node.example:8443', '10.0.0.1:1', '[2001:db8::1]:65535'])
    expect(writeAddress(parseAddress(text))).toBe(text);
});

test('port 0 stands for a free one where somebody listens', () => {
  expect(parseAddress('127.0.0.1:0', 0)).toEqual({ host: '127.0.0.1', port: 0 });
});
