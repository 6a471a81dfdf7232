import { expect, test } from 'vitest';
import { CAPABILITIES } from '../../../src/model/cloud-check.ts';
import type { Stage } from '../conformance.ts';
import { expectFault, faultOf } from './work.ts';
import { lacks } from './world.ts';

export function connectPromises({ world, cloud }: Stage): void {
  const signal = () => AbortSignal.timeout(30_000);

  test('tells about the cloud and its user', async () => {
    const about = await cloud().about(signal());
    for (const field of ['vendor', 'product', 'version', 'apiVersion', 'instance', 'user'] as const) {
      expect(about[field], field).not.toBe('');
    }
    expect(await cloud().about(signal())).toMatchObject({ instance: about.instance, product: about.product });
  });

  test('says what its release and its rights make of each capability, with nothing against an administrator', async () => {
    const { checks, capabilities } = await cloud().examine(signal());
    expect(checks.map(({ name }) => name)).toEqual(['version', 'privileges']);
    expect(checks.find(({ name }) => name === 'privileges')?.outcome).toBe('pass');
    expect(capabilities.map(({ name }) => name)).toEqual([...CAPABILITIES]);
    const short = capabilities.filter(({ state }) => state !== 'works');
    // Packages in a folder do not run; the API of some releases leaves something out.
    for (const { state, name, remedy } of short) {
      expect(remedy, name).toBeDefined();
      expect([name, state]).toEqual(
        lacks(world(), 'running-machines') ? ['power', 'missing'] : ['copy-in', 'degraded'],
      );
    }
  });

  test('names the address that it dials, so that its certificate can be shown', ({ skip }) => {
    if (lacks(world(), 'network-access')) skip();
    const endpoint = world().driver.endpoint(world().settings.options);
    expect(endpoint?.port).toBeGreaterThan(0);
    expect(endpoint?.host).not.toBe('');
  });

  test('describes its options, secrets as secrets', () => {
    const { options } = world().driver;
    expect(options.filter((option) => option.type === 'secret').length).toBeGreaterThan(0);
    expect(new Set(options.map((option) => option.name)).size).toBe(options.length);
    for (const name of Object.keys(world().settings.options))
      expect(options.map((option) => option.name)).toContain(name);
  });

  test('a wrong password is refused, and sent once', async ({ skip }) => {
    if (lacks(world(), 'accounts')) skip();
    const before = await world().logins();
    const settings = { ...world().settings, options: world().wrongPassword };
    await expectFault(world().driver.connect(settings, signal()), world(), 'auth.refused');
    expect((await world().logins()) - before).toBe(1);
  });

  test('a certificate that was not confirmed is not believed, and nothing is sent', async ({ skip }) => {
    if (lacks(world(), 'network-access')) skip();
    const before = await world().logins();
    const settings = { ...world().settings, trust: { kind: 'pin' as const, sha256: '0'.repeat(64) } };
    await expectFault(world().driver.connect(settings, signal()), world(), 'cloud.untrusted');
    expect(await world().logins()).toBe(before);
  });

  test('an address where nobody listens is unreachable', async ({ skip }) => {
    if (lacks(world(), 'network-access')) skip();
    const settings = { ...world().settings, options: world().unreachable };
    await expectFault(world().driver.connect(settings, signal()), world(), 'cloud.unreachable');
  });

  test('a missing option is named', async () => {
    for (const option of world().driver.options.filter((item) => item.required)) {
      const { [option.name]: _, ...options } = world().settings.options;
      const fault = await faultOf(world().driver.connect({ ...world().settings, options }, signal()));
      expect(fault.code).toBe('input.invalid');
    }
  });

  test('an aborted connect ends with the reason of the abort', async () => {
    const reason = new Error('no longer wanted');
    await expect(world().driver.connect(world().settings, AbortSignal.abort(reason))).rejects.toBe(reason);
  });

  test('closing twice is fine, and a closed cloud does not work on', async () => {
    const second = await world().driver.connect(world().settings, signal());
    await second.close();
    await second.close();
    await faultOf(second.inventory.get(world().vm.id, signal()));
  });

  test('an expired session is renewed once, in silence, also for many calls at once', async ({ skip }) => {
    if (lacks(world(), 'accounts')) skip();
    await cloud().inventory.get(world().vm.id, signal());
    const before = await world().logins();
    await world().expireSessions();
    const reads = Array.from({ length: 5 }, () => cloud().inventory.get(world().vm.id, signal()));
    for (const object of await Promise.all(reads)) expect(object.name).toBe(world().vm.name);
    expect((await world().logins()) - before).toBe(1);
  });

  test('503 with Retry-After becomes cloud.busy with the seconds, and is not retried', async ({ skip }) => {
    if (lacks(world(), 'network-access')) skip();
    await world().answerBusy(7);
    const fault = await expectFault(cloud().inventory.get(world().vm.id, signal()), world(), 'cloud.busy');
    expect(fault.retryAfterSeconds).toBe(7);
    expect((await cloud().inventory.get(world().vm.id, signal())).id).toBe(world().vm.id);
  });
}
