import { expect, test } from 'vitest';
import { apiOperations } from '../api.ts';
import { type ApiOperation, nothing } from './operation.ts';

test('an operation that does not say what it needs is not compiled', () => {
  // @ts-expect-error `needs` is missing.
  const undeclared: ApiOperation = { method: 'GET', path: '/x', summary: '', answer: nothing };
  expect(undeclared).not.toHaveProperty('needs');
});

const operations = Object.entries<ApiOperation>(apiOperations);

test('what an operation needs can be told from its path and body', () => {
  for (const [name, { needs, path, body }] of operations) {
    if (typeof needs === 'string') continue;
    if ('object' in needs) expect([name, path]).toEqual([name, expect.stringMatching(/:cloud\/objects\/:object/)]);
    if ('cloud' in needs) expect([name, path]).toEqual([name, expect.stringContaining(':cloud')]);
    if ('job' in needs) expect([name, path]).toEqual([name, expect.stringContaining(':job')]);
    if ('copy' in needs)
      expect([name, body?.safeParse({ kind: 'copy', source: '', destination: '' }).success]).toEqual([name, true]);
  }
});

test('no operation changes the audit log, and none writes a secret into it', () => {
  const ofAudit = operations.filter(([, { path }]) => path.startsWith('/audit'));
  expect(ofAudit.map(([, { method }]) => method)).toEqual(['GET']);
  for (const [name, { audit }] of operations) {
    for (const field of audit || [])
      expect([name, field]).toEqual([name, expect.not.stringMatching(/pass|secret|token|options|old|new/)]);
  }
});
