import { expect, it } from 'vitest';
import type { CloudView } from '../../protocol/api/clouds.ts';
import type { JobView } from '../../protocol/api/jobs.ts';
import type { NodeView } from '../../protocol/api/nodes.ts';
import { findingsOf } from './findings.ts';

const GIB = 1024 ** 3;
const space = { limitBytes: 20 * GIB, usedBytes: 10 * GIB, freeDiskBytes: 100 * GIB, liveBytes: GIB, reservedBytes: 0 };

function found(
  node: Partial<NodeView>,
  cloud: Partial<CloudView> = { state: 'connected' },
  waiting: Partial<JobView>[] = [],
) {
  const nodes = [{ id: 'n1', name: 'berlin', connected: true, storage: space, ...node } as NodeView];
  const clouds = [{ id: 'c1', name: 'vc', node: 'n1', ...cloud } as CloudView];
  return findingsOf({ list: () => nodes }, { list: () => clouds }, waiting as JobView[]);
}

it('finds nothing where all is well', () => {
  expect(found({})).toEqual([]);
});

it('tells a node that is away with the clouds behind it, and these not a second time', () => {
  const findings = found({ connected: false }, { state: 'connecting' });
  expect(findings).toMatchObject([{ severity: 'fail', about: 'node', subject: 'berlin' }]);
  expect(findings[0]?.text).toContain('vc');
});

it.each([
  ['transfers need all of it', { liveBytes: 12 * GIB, reservedBytes: 8 * GIB }, 'fail'],
  ['transfers need nearly all of it', { liveBytes: 19 * GIB }, 'warn'],
  ['the disk ends before the limit', { freeDiskBytes: GIB / 2 }, 'fail'],
])('tells of a transfer storage where %s', (_, change, severity) => {
  expect(found({ storage: { ...space, ...change } })).toMatchObject([{ severity, about: 'storage' }]);
});

it('does not mistake a disk that is smaller than 1 GiB for a full one', () => {
  const small = { ...space, limitBytes: GIB / 4, usedBytes: 0, liveBytes: 0, freeDiskBytes: GIB / 2 };
  expect(found({ storage: small })).toEqual([]);
});

it('tells a cloud with its fault, and a job with what it waits for', () => {
  const fault = {
    code: 'auth.refused' as const,
    message: 'vc: wrong password',
    remedy: 'check it',
    retry: 'never' as const,
  };
  const steps = [{ name: 'transfer', state: 'running' as const, text: 'node berlin: its disk is full' }];
  const findings = found({}, { state: 'failed', fault }, [{ number: 7, title: 'Copy vm "a"', steps }]);
  expect(findings).toMatchObject([
    { severity: 'fail', about: 'cloud', subject: 'vc', text: 'vc: wrong password', remedy: 'check it' },
    { severity: 'warn', about: 'job', subject: '7', text: expect.stringContaining('disk is full') },
  ]);
});
