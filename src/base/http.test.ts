import { expect, test } from 'vitest';
import { CloudHttp } from './http.ts';

test('nothing is sent after close', async () => {
  const http = new CloudHttp({ trust: { kind: 'pin', sha256: 'ab'.repeat(32) }, who: 'test', stallSeconds: 5 });
  await http.close();
  const late = http.request({ method: 'GET', url: 'https://127.0.0.1:9/', signal: AbortSignal.timeout(5_000) });
  await expect(late).rejects.toMatchObject({ code: 'cloud.session' });
});
