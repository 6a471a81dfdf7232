import { expect, test } from 'vitest';
import { Fault } from '../../model/fault.ts';
import { insist } from './insist.ts';

const signal = AbortSignal.timeout(20_000);

test('a node that is away is waited for, then asked again', async () => {
  const happened: string[] = [];
  const nodes = { untilLinked: async (node: string) => void happened.push(`linked ${node}`) };
  const call = async () => {
    happened.push('call');
    if (happened.length < 2) throw new Fault('node.unreachable', 'away');
    return 'answer';
  };
  const waits: string[] = [];
  expect(await insist(nodes, 'n1', call, signal, (fault) => waits.push(fault.code))).toBe('answer');
  expect(happened).toEqual(['call', 'linked n1', 'call']);
  expect(waits).toEqual(['node.unreachable']);
});

test('what waiting cannot mend is thrown at once', async () => {
  let calls = 0;
  const call = async () => {
    calls++;
    throw new Fault('auth.refused', 'no');
  };
  await expect(insist({ untilLinked: async () => {} }, 'n', call, signal)).rejects.toMatchObject({
    code: 'auth.refused',
  });
  expect(calls).toBe(1);
});

test('an abort ends the waiting with its own reason', async () => {
  const control = new AbortController();
  const call = async () => {
    control.abort(new Fault('job.cancelled', 'enough'));
    throw new Fault('cloud.busy', 'wait');
  };
  await expect(insist({ untilLinked: async () => {} }, 'n', call, control.signal)).rejects.toMatchObject({
    code: 'job.cancelled',
  });
});
