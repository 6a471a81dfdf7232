import { expect, test } from 'vitest';
import type { PowerAction } from '../../../src/drivers/driver.ts';
import type { Stage } from '../conformance.ts';
import { expectFault } from './work.ts';

export function powerPromises({ world, cloud }: Stage): void {
  const signal = () => AbortSignal.timeout(30_000);
  const apply = (id: string, action: PowerAction) => cloud().power!.apply(id, action, signal());
  const power = async (id: string) => (await cloud().inventory.get(id, signal())).machine?.power;

  test('switches a machine off and on, and an action whose state is reached succeeds', async ({ skip }) => {
    if (cloud().power === undefined) skip();
    const id = world().running;
    for (const [action, state] of [
      ['on', 'on'],
      ['off', 'off'],
      ['off', 'off'],
      ['shutdown', 'off'],
      ['on', 'on'],
      ['suspend', 'suspended'],
      ['suspend', 'suspended'],
      ['resume', 'on'],
      ['reset', 'on'],
    ] as const) {
      await apply(id, action);
      expect(await power(id), `after ${action}`).toBe(state);
    }
  });

  test('switches a vApp on and off as a whole', async ({ skip }) => {
    if (cloud().power === undefined) skip();
    const { id } = world().vapp;
    await apply(id, 'on');
    await apply(id, 'on');
    expect(await power(id)).toBe('on');
    await apply(id, 'off');
    await apply(id, 'off');
    expect(await power(id)).toBe('off');
  });

  test('a template has no power, and an object that is not there is missing', async ({ skip }) => {
    if (cloud().power === undefined) skip();
    await expectFault(apply(world().template.id, 'on'), world(), 'object.wrong-kind');
    await expectFault(apply('vm-does-not-exist', 'on'), world(), 'object.missing');
  });

  test('an abort ends an action with its reason', async ({ skip }) => {
    if (cloud().power === undefined) skip();
    const reason = new Error('no longer wanted');
    await expect(cloud().power!.apply(world().running, 'on', AbortSignal.abort(reason))).rejects.toBe(reason);
  });
}
