import { expect, test } from 'vitest';
import type { ImportProgress } from '../../../src/drivers/driver.ts';
import type { MachineDescription, PackageDescription } from '../../../src/model/machine.ts';
import type { Stage } from '../conformance.ts';
import {
  expectFault,
  exportRoots,
  feedsOf,
  madePackage,
  named,
  newWork,
  requestFor,
  runImport,
  snapshot,
  unfinished,
} from './work.ts';
import { lacks, type World } from './world.ts';

const KIB = 1024;
const MIB = 1024 * KIB;

export function importPromises({ world, cloud }: Stage): void {
  const signal = () => AbortSignal.timeout(30_000);

  test('placement is described with choices, and its defaults can be used', async () => {
    for (const option of await cloud().imports!.placement(world().machines, signal())) {
      expect(option.label).not.toBe('');
      if (option.type === 'choice') expect(option.choices?.length).toBeGreaterThan(0);
      if (option.default !== undefined && option.choices !== undefined) {
        expect(option.choices.map((choice) => choice.value)).toContain(option.default);
      }
      expect(option.required && option.default === undefined, `${option.name} has no default`).toBe(false);
    }
    await expectFault(cloud().imports!.placement('group-does-not-exist', signal()), world(), 'object.missing');
  });

  test('the checks pass for a package that fits, and name what is in the way of one that does not', async () => {
    const made = madePackage('checked first', [2 * MIB]);
    const request = requestFor(world(), made);
    const checks = await cloud().imports!.check(request, signal());
    expect(checks.filter((check) => check.outcome === 'fail')).toEqual([]);
    await runImport(world(), cloud(), madePackage('already here', [MIB]));
    const taken = await cloud().imports!.check({ ...request, name: 'already here' }, signal());
    const clash = taken.find((check) => check.outcome === 'fail');
    expect(clash?.remedy).toBeTruthy();
    if (lacks(world(), 'licenses')) return;
    const licensed = { ...request, description: { ...made.description, eulas: ['be kind'] } };
    const unaccepted = await cloud().imports!.check(licensed, signal());
    expect(unaccepted.some((check) => check.outcome === 'fail')).toBe(true);
    expect(await named(cloud(), 'checked first')).toEqual([]);
  });

  test('a machine with one disk arrives as it left, and leaves again with the same bytes', async () => {
    const made = madePackage('one disk', [9 * MIB + 5 * KIB]);
    const told: ImportProgress[] = [];
    const work = newWork();
    const request = requestFor(world(), made);
    const result = await cloud().imports!.run(request, feedsOf(made), work, (progress) => told.push({ ...progress }));
    expect(result.object.name).toBe('one disk');
    expect(told.at(-1)?.givenBytes).toBe(9 * MIB + 5 * KIB);
    for (let at = 1; at < told.length; at++) {
      expect(told[at]!.givenBytes).toBeGreaterThanOrEqual(told[at - 1]!.givenBytes);
    }
    if (world().givesChecksums) expect(result.checksums['machine-0/disk-0']).toMatch(/^sha(1|256):[0-9a-f]{40,64}$/);
    const standing = work.ledger.rows.filter((row) => row.state !== 'removed' && row.state !== 'absent');
    expect(standing.map((row) => [row.state, row.objectId])).toEqual([['made', result.object.id]]);
    const object = await cloud().inventory.get(result.object.id, signal());
    expect(object.machine?.power).toBe('off');
    await sameAgain(world(), result.object.id, made, result.description);
    expect(await world().openTransfers()).toBe(0);
  });

  test('three disks of odd sizes on two controllers keep their order, bus and unit', async () => {
    const made = madePackage('three disks', [3 * MIB + 7 * KIB, MIB + 512, 6 * MIB]);
    const result = await runImport(world(), cloud(), made);
    await sameAgain(world(), result.object.id, made, result.description);
  });

  test('a vApp with two machines and its start order goes through', async () => {
    const made = madePackage('two machines', [2 * MIB + 3 * KIB, MIB], 2);
    const result = await runImport(world(), cloud(), made);
    expect(result.object.kind).toBe('vapp');
    await sameAgain(world(), result.object.id, made, result.description);
    if (!world().lost.includes('startOrder')) {
      expect(result.description.startOrder.map(({ machine: _, ...entry }) => entry)).toEqual(
        made.description.startOrder.map(({ machine: _, ...entry }) => entry),
      );
    }
  });

  test('a template arrives as a template', async () => {
    const made = madePackage('golden image', [2 * MIB]);
    made.description.kind = 'template';
    const result = await runImport(world(), cloud(), made);
    expect(result.object.kind).toBe('template');
    expect((await cloud().inventory.get(result.object.id, signal())).kind).toBe('template');
    const { roots } = await exportRoots(cloud(), result.object.id);
    expect(roots).toEqual([...made.contents.values()].map((content) => content.root()));
    expect(unfinished(await snapshot(cloud()))).toEqual([]);
  });

  test('an empty disk stays empty', async () => {
    const made = madePackage('nothing on it', [4 * MIB]);
    const disk = [...made.contents.keys()][0]!;
    const feeds = new Map([[disk, { disk, capacityBytes: 4 * MIB, blocks: async function* () {} }]]);
    const result = await cloud().imports!.run(requestFor(world(), made), feeds, newWork(), () => undefined);
    const { disks, roots } = await exportRoots(cloud(), result.object.id);
    expect(disks).toHaveLength(1);
    const { BlockMap } = await import('../../../src/model/block-map.ts');
    expect(roots).toEqual([new BlockMap('disk', 4 * MIB).root()]);
  });

  test('mapped adapters are attached, the others arrive disconnected', async ({ skip }) => {
    if (lacks(world(), 'networks')) skip();
    const result = await runImport(world(), cloud(), madePackage('two adapters', [MIB]));
    const [office, lab] = result.description.machines[0]!.nics;
    expect(office).toMatchObject({ kind: 'vmxnet3', network: world().network.name, connected: true });
    expect(lab).toMatchObject({ kind: 'e1000e', connected: false });
  });

  test('MAC addresses and UUID are new, unless they shall be kept', async ({ skip }) => {
    if (lacks(world(), 'networks')) skip();
    const made = madePackage('identity', [MIB]);
    const fresh = await runImport(world(), cloud(), made, { name: 'identity fresh' });
    const kept = await runImport(world(), cloud(), made, { name: 'identity kept', keepMac: true, keepUuid: true });
    const before = made.description.machines[0]!;
    const macs = (machine: MachineDescription) => machine.nics.map((nic) => nic.mac);
    for (const mac of macs(fresh.description.machines[0]!)) expect(macs(before)).not.toContain(mac);
    expect(fresh.description.machines[0]!.uuid).not.toBe(before.uuid);
    if (!world().lost.includes('mac')) expect(macs(kept.description.machines[0]!)).toEqual(macs(before));
    if (!world().lost.includes('uuid')) expect(kept.description.machines[0]!.uuid).toBe(before.uuid);
  });

  test('a name that is taken is refused, or changed when asked; what exists stays', async () => {
    const made = madePackage('taken', [MIB]);
    const first = await runImport(world(), cloud(), made);
    const work = newWork();
    await expectFault(runImport(world(), cloud(), made, {}, work), world(), 'object.exists');
    expect(work.ledger.rows.filter((row) => row.state === 'made' || row.state === 'intent')).toEqual([]);
    const second = await runImport(world(), cloud(), made, { onNameClash: 'rename' });
    expect(second.object.name).toBe('taken (2)');
    expect((await cloud().inventory.get(first.object.id, signal())).name).toBe('taken');
  });

  test('a name with spaces, slash, percent sign and any letters stays as people wrote it', async () => {
    const name = world().oddName;
    const result = await runImport(world(), cloud(), madePackage(name, [MIB]));
    expect(result.object.name).toBe(name);
    expect((await cloud().inventory.get(result.object.id, signal())).name).toBe(name);
    expect((await snapshot(cloud())).find((object) => object.id === result.object.id)?.name).toBe(name);
    expect((await exportRoots(cloud(), result.object.id)).description.name).toBe(name);
  });

  test('a license that is not accepted stops an import before anything is made', async ({ skip }) => {
    if (lacks(world(), 'licenses')) skip();
    const made = madePackage('licensed', [MIB]);
    made.description.machines[0]!.eulas = ['be kind'];
    const work = newWork();
    await expectFault(runImport(world(), cloud(), made, {}, work), world(), 'eula.required');
    expect(work.ledger.rows).toEqual([]);
    expect((await runImport(world(), cloud(), made, { acceptEulas: true })).object.name).toBe('licensed');
  });

  async function sameAgain(
    at: World,
    id: string,
    made: { description: PackageDescription; contents: Map<string, { root(): string; capacityBytes: number }> },
    readBack: PackageDescription,
  ) {
    const { description, disks, roots } = await exportRoots(cloud(), id);
    expect(roots).toEqual([...made.contents.values()].map((content) => content.root()));
    const capacities = [...made.contents.values()].map((content) => content.capacityBytes);
    for (const [index, disk] of disks.entries()) {
      expect(disk.capacityBytes).toBeGreaterThanOrEqual(capacities[index]!);
      expect(disk.capacityBytes).toBeLessThan(capacities[index]! + MIB);
    }
    expect(description).toEqual(readBack);
    expect(description.machines.map((machine) => carried(machine, at))).toEqual(
      made.description.machines.map((machine) => carried(machine, at)),
    );
    if (description.kind === 'vapp' && !at.lost.includes('notes'))
      expect(description.notes).toBe(made.description.notes);
  }
}

/** The fields of a machine that a copy keeps, without those that this cloud is known to lose. */
function carried(machine: MachineDescription, world: World): Record<string, unknown> {
  const fields: Record<string, unknown> = {
    name: machine.name,
    notes: machine.notes,
    guestId: machine.guestId,
    hardwareVersion: machine.hardwareVersion,
    cpus: machine.cpus,
    coresPerSocket: machine.coresPerSocket,
    memoryMib: machine.memoryMib,
    firmware: machine.firmware,
    secureBoot: machine.secureBoot ?? false,
    controllers: machine.controllers.map(({ kind, bus }) => `${kind} ${bus}`).sort(),
    disks: machine.disks.map((disk) => `${disk.controller}:${disk.unit}`),
    nics: machine.nics.map((nic) => nic.kind),
    bootOrder: machine.bootOrder,
    extras: machine.extras,
  };
  for (const name of world.lost) delete fields[name];
  return fields;
}
