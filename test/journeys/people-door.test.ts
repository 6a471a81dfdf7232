import { afterAll, beforeAll, expect, test } from 'vitest';
import { type ServerInstallation, send, startServerProcess } from './server-installation.ts';

const RATE = 40;

let server: ServerInstallation;
beforeAll(async () => {
  server = await startServerProcess({ CLOUDSPAN_TEST_API_RATE: String(RATE) });
}, 60_000);
afterAll(() => server?.close());

const get = (path: string, token: string, headers = {}) =>
  send(server.ready.url, { method: 'GET', path }, token, headers);
const login = (password: string, query = '', token = '') => {
  const body = JSON.stringify({ user: 'admin', password });
  return send(server.ready.url, { method: 'POST', path: `/api/v1/login${query}`, body }, token);
};

test('every answer carries the strict headers, and answers of the API are kept by no cache', async () => {
  for (const path of ['/', '/api/v1/health', '/api/v1/me', '/api/v1/none']) {
    const { headers } = await get(path, '', { accept: 'text/html' });
    const policy = String(headers['content-security-policy']);
    for (const part of [
      "default-src 'none'",
      "script-src 'self'",
      "frame-ancestors 'none'",
      "base-uri 'none'",
      "form-action 'self'",
    ]) {
      expect(policy.split('; ')).toContain(part);
    }
    expect(policy).not.toMatch(/script-src[^;]*unsafe/);
    expect(headers).toMatchObject({
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'DENY',
      'referrer-policy': 'no-referrer',
      'cross-origin-opener-policy': 'same-origin',
      'cross-origin-resource-policy': 'same-origin',
      'permissions-policy': expect.stringContaining('camera=()'),
    });
    expect(headers['cache-control'] === 'no-store').toBe(path.startsWith('/api/'));
  }
});

test('the cookie of a session is for this site over TLS only, and no script reads it', async () => {
  const cookie = String((await login(server.password)).headers['set-cookie']).split('; ');
  expect(cookie).toEqual(expect.arrayContaining(['HttpOnly', 'Secure', 'SameSite=Strict', 'Path=/']));
  const own = { cookie: cookie[0] ?? '' };
  const write = (headers: Record<string, string>) =>
    send(server.ready.url, { method: 'PUT', path: '/api/v1/accounts/admin', body: '{}' }, '', { ...own, ...headers });
  expect(JSON.parse((await write({})).text)).toMatchObject({ code: 'auth.forbidden' });
  expect((await write({ 'x-cloudspan-request': '1' })).status).toBe(200);
});

test('a session that asks too much is told how long to wait, and others are not held up by it', async () => {
  const other = (JSON.parse((await login(server.password)).text) as { token: string }).token;
  const answers = [];
  for (let asked = 0; asked < RATE + 2; asked++) answers.push(await get('/api/v1/nodes', server.token));
  expect(answers.slice(0, RATE - 2).every(({ status }) => status === 200)).toBe(true);
  const last = answers.at(-1);
  expect(last?.status).toBe(429);
  expect(last?.headers['content-type']).toContain('application/problem+json');
  expect(JSON.parse(last?.text ?? '')).toMatchObject({ code: 'server.busy', retryAfterSeconds: expect.any(Number) });
  expect(Number(last?.headers['retry-after'])).toBeGreaterThan(0);
  expect((await get('/api/v1/nodes', other)).status).toBe(200);
});

test('sign-ins are bounded per address before any password is looked at', async () => {
  const wrong = await Promise.all(Array.from({ length: 130 }, (_, n) => login('wrong', `?n=${n}`, `invented${n}`)));
  const codes = wrong.map(({ text }) => (JSON.parse(text) as { code: string }).code);
  expect(codes).toContain('auth.locked');
  expect(codes).toContain('server.busy');
  expect(codes.filter((code) => code === 'auth.refused').length).toBeLessThanOrEqual(5);
});

test('inventing tokens does not get more answers out of the server', async () => {
  const codes = new Set<string>();
  for (let n = 0; n < RATE * 25 && !codes.has('server.busy'); n++) {
    const { text } = await get('/api/v1/me', `invented-${n}`);
    codes.add((JSON.parse(text) as { code: string }).code);
  }
  expect([...codes]).toEqual(['auth.required', 'server.busy']);
});
