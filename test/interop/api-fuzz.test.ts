import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { API_PREFIX } from '../../src/protocol/api.ts';
import { type ServerInstallation, startServerProcess } from '../journeys/server-installation.ts';
import { missing, pathOf } from './witnesses.ts';

const run = promisify(execFile);
const CHECKS = [
  'not_a_server_error',
  'status_code_conformance',
  'content_type_conformance',
  'response_schema_conformance',
];
/**
 * The session of the fuzzer would end; the gate for wrong passwords would close; a channel or a provider that the fuzzer
 * made up is dialled and does not answer, which is a 502 by right.
 */
const LEFT_OUT = ['logout', 'login', 'testChannel', 'setProvider'];

describe.skipIf(missing('the API under its own description', ['schemathesis']))(
  'the API under its own description',
  () => {
    let server: ServerInstallation;
    beforeAll(async () => {
      server = await startServerProcess();
    });
    afterAll(async () => {
      await server?.close();
    });

    it('answers no request that schemathesis makes of it with a 5xx, nor in another form than it says', {
      timeout: 180_000,
    }, async () => {
      const words = [
        'run',
        `${server.ready.url}${API_PREFIX}/openapi.json`,
        '--tls-verify=false',
        ...['--header', `Authorization: Bearer ${server.token}`],
        ...['--checks', CHECKS.join(',')],
        ...['--phases', 'examples,coverage,fuzzing'],
        ...['--max-examples', '20'],
        ...['--seed', process.env.CLOUDSPAN_SEED ?? '1'],
        ...['--suppress-health-check', 'all'],
        ...LEFT_OUT.flatMap((operation) => ['--exclude-operation-id', operation]),
      ];
      const said = await run(pathOf('schemathesis'), words, {
        maxBuffer: 64 * 1024 * 1024,
        // It leaves a folder where it runs.
        cwd: server.folder,
      }).catch((error: { stdout?: string; stderr?: string }) => ({
        stdout: error.stdout ?? '',
        stderr: `failed ${error.stderr}`,
      }));
      expect(said.stderr.startsWith('failed'), said.stdout.slice(-8000)).toBe(false);
      const [, generated] = /(\d+) generated/.exec(said.stdout) ?? [];
      expect(Number(generated)).toBeGreaterThan(500);
    });
  },
);
