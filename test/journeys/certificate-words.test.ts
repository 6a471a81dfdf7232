import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { confirmServer } from '../../src/cli/session.ts';
import { faultCode, Terminal } from './terminal.ts';

let terminal: Terminal;
beforeAll(async () => {
  terminal = await Terminal.open();
});
afterAll(() => terminal[Symbol.asyncDispose]());
afterEach(() => vi.unstubAllEnvs());

test('a key of its own file that is encrypted is asked for its password', async () => {
  const [key, certificate] = [join(terminal.home, 'cs.key'), join(terminal.home, 'cs.pem')];
  await writeFile(key, '-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n');
  await writeFile(certificate, '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n');
  const said = await terminal.run(['certificates', 'upload', certificate, '--key', key, '--json']);
  expect(faultCode(said)).toBe('input.invalid');
  expect(said.stdout).toContain('Password of the key is needed');
});

test('a certificate is not said to be confirmed where the environment names another one', async () => {
  vi.stubEnv('CLOUDSPAN_SERVER', 'https://cs.example:8443');
  vi.stubEnv('CLOUDSPAN_FINGERPRINT', '1'.repeat(64));
  vi.stubEnv('CLOUDSPAN_TOKEN', 'token');
  const sha256 = '2'.repeat(64);
  const seen = { sha256, subject: 'CN=cs', issuer: 'CN=cs', validFrom: '2026-01-01', validTo: '2027-01-01' };
  await expect(confirmServer(seen, sha256)).rejects.toMatchObject({
    code: 'input.invalid',
    remedy: expect.stringContaining(sha256),
  });
});
