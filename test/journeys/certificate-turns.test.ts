import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openUiCertificate } from '../../src/server/certificate/ui.ts';
import { issue, signRequest } from './paper-ca.ts';

test('a request that is made while the one before is answered waits for it, and stays', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'cloudspan-turns-'));
  try {
    const root = await issue('Paper Root', null, { ca: true });
    const ui = await openUiCertificate(folder);
    const pem = await signRequest(await ui.request(['cs.example'], 'ec'), root);
    const [view, later] = await Promise.all([ui.upload({ pem }, 'cs.example'), ui.request(['later.example'], 'ec')]);
    expect(view.subject).toBe('CN=cs.example');
    expect((await ui.view()).request).toBe(later);
  } finally {
    await rm(folder, { recursive: true });
  }
});
