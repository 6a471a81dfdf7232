import { expect, test } from 'vitest';
import { OFF } from '../../../src/model/setting.ts';
import type { Stage } from '../conformance.ts';
import { expectFault, exportRoots, madePackage, newWork, runImport } from './work.ts';
import { lacks } from './world.ts';

const MIB = 1024 * 1024;

export function sourcePromises({ world, cloud }: Stage): void {
  const signal = () => AbortSignal.timeout(30_000);
  const settings = (id: string) => cloud().sources!.settings(id, signal());
  const set = (id: string, ...[setting, value]: ['name' | 'nics' | 'autostart', string]) =>
    cloud().sources!.set(id, setting, value, signal());
  const made = async (name: string) => {
    const made = madePackage(name, [MIB]);
    const networks = Object.fromEntries(made.description.networks.map((one) => [one.name, world().network.id]));
    return (await runImport(world(), cloud(), made, { networks }, newWork())).object;
  };
  const connected = async (id: string) =>
    (await cloud().inventory.get(id, signal())).machine?.nics.map((nic) => nic.connected);

  test('takes the adapters off and connects them again as they were', async ({ skip }) => {
    if (lacks(world(), 'sources', 'networks')) skip();
    const { id } = await made('adapters');
    const before = await connected(id);
    expect(before).toContain(true);
    const { nics = '' } = await settings(id);
    await set(id, 'nics', OFF);
    await set(id, 'nics', OFF);
    expect(new Set(await connected(id))).toEqual(new Set([false]));
    expect((await settings(id)).nics).toBe(OFF);
    await set(id, 'nics', nics);
    expect(await connected(id)).toEqual(before);
    expect((await settings(id)).nics).toBe(nics);
    await cloud().sources!.discard(id, (await cloud().objects!.look(id, signal()))?.version ?? '', signal());
  });

  test('gives another name and the old one back, and leaves the disks as they are', async ({ skip }) => {
    if (lacks(world(), 'sources')) skip();
    const { id } = await made('named');
    const { roots } = await exportRoots(cloud(), id);
    await set(id, 'name', 'named (moved, job 7)');
    await set(id, 'name', 'named (moved, job 7)');
    expect(await settings(id)).toMatchObject({ name: 'named (moved, job 7)' });
    expect((await cloud().inventory.get(id, signal())).name).toBe('named (moved, job 7)');
    await set(id, 'name', 'named');
    expect((await settings(id)).name).toBe('named');
    expect((await exportRoots(cloud(), id)).roots).toEqual(roots);
    await cloud().sources!.discard(id, (await cloud().objects!.look(id, signal()))?.version ?? '', signal());
  });

  test('discards a source only as long as it reads the version that was told', async ({ skip }) => {
    if (lacks(world(), 'sources')) skip();
    const { id } = await made('discarded');
    const version = (await cloud().objects!.look(id, signal()))?.version ?? '';
    await world().reconfigure(id);
    await expectFault(cloud().sources!.discard(id, version, signal()), world(), 'object.changed');
    const seen = await cloud().objects!.look(id, signal());
    expect(seen?.id).toBe(id);
    await cloud().sources!.discard(id, seen?.version ?? '', signal());
    expect(await cloud().objects!.look(id, signal())).toBeNull();
    await cloud().sources!.discard(id, seen?.version ?? '', signal());
  });

  test('does not discard what runs', async ({ skip }) => {
    if (lacks(world(), 'sources', 'running-machines')) skip();
    const { id } = await made('running');
    await cloud().power!.apply(id, 'on', signal());
    const version = (await cloud().objects!.look(id, signal()))?.version ?? '';
    await expectFault(cloud().sources!.discard(id, version, signal()), world(), 'object.in-use');
    await cloud().power!.apply(id, 'off', signal());
  });

  test('what is not there has no settings', async ({ skip }) => {
    if (lacks(world(), 'sources')) skip();
    await expectFault(settings('vm-does-not-exist'), world(), 'object.missing');
  });
}
