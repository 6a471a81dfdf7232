import { describe, expect, test } from 'vitest';
import { createWay, wayOfEnvironment } from './proxy-rules.ts';

const url = 'http://proxy.example:3128';
const leads = (exceptions: string, host: string, port = 443) => createWay({ url, exceptions })({ host, port }) !== null;

describe('exceptions', () => {
  test.each([
    ['example.com', 'example.com', 443, false],
    ['example.com', 'a.b.example.com', 443, false],
    ['example.com', 'notexample.com', 443, true],
    ['.example.com', 'vc.Example.COM.', 443, false],
    ['*.example.com', 'vc.example.com', 443, false],
    ['vc.example.com:8443', 'vc.example.com', 443, true],
    ['vc.example.com:8443', 'vc.example.com', 8443, false],
    ['10.0.0.0/8', '10.200.3.4', 443, false],
    ['10.0.0.0/8', '11.0.0.1', 443, true],
    ['10.0.0.0/8', 'ten.example', 443, true],
    ['192.168.1.7', '192.168.1.7', 443, false],
    ['192.168.1.7:80', '192.168.1.7', 443, true],
    ['fd00::/8', 'fd12:3456::1', 443, false],
    ['[::1]:443', '::1', 443, false],
    ['[::1]:443', '::1', 444, true],
    ['::1', '::1', 1, false],
    ['*', 'anything', 1, false],
    ['a.example, b.example\t10.1.1.1', '10.1.1.1', 1, false],
    ['', 'a.example', 1, true],
  ])('%s: %s port %i goes through the proxy: %s', (exceptions, host, port, through) => {
    expect(leads(exceptions, host, port)).toBe(through);
  });

  test.each(['10.0.0.0/99', 'a b/c', '.'])('%s is refused', (exceptions) => {
    expect(() => createWay({ url, exceptions })).toThrow(expect.objectContaining({ code: 'input.invalid' }));
  });
});

describe('credentials', () => {
  const target = { host: 'x', port: 1 };
  test('of the proxy itself come before those for any', () => {
    const credentials = 'any:one\nother:3128 no:no\nproxy.example:3128 me:pass word:x\n';
    expect(createWay({ url, credentials })(target)).toEqual({
      host: 'proxy.example',
      port: 3128,
      credentials: 'me:pass word:x',
    });
    expect(createWay({ url: 'http://[::1]:8080', credentials })(target)?.credentials).toBe('any:one');
  });

  test('are never taken from the address, and never told', () => {
    const secret = 'hunter2-very-secret';
    for (const bad of [`http://me:${secret}@proxy:1`, `https://${secret}@proxy`]) {
      const error = (() => {
        try {
          createWay({ url: bad });
        } catch (caught) {
          return caught as Error & { remedy: string };
        }
      })();
      expect(error).toMatchObject({ code: 'input.invalid' });
      expect(`${error?.message}${error?.remedy}`).not.toContain(secret);
    }
    expect(() => createWay({ url, credentials: secret })).toThrow(
      expect.not.objectContaining({ message: expect.stringContaining(secret) }),
    );
  });
});

test('the environment names the proxy of the command line', () => {
  expect(wayOfEnvironment({})({ host: 'a', port: 1 })).toBeNull();
  const way = wayOfEnvironment({
    CLOUDSPAN_PROXY: 'proxy:8080',
    CLOUDSPAN_NO_PROXY: 'b',
    CLOUDSPAN_PROXY_CREDENTIALS: 'u:p',
  });
  expect(way({ host: 'a', port: 1 })).toEqual({ host: 'proxy', port: 8080, credentials: 'u:p' });
  expect(way({ host: 'b', port: 1 })).toBeNull();
});
