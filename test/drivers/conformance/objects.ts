import { expect, test } from 'vitest';
import type { MarkedObject } from '../../../src/model/seen-object.ts';
import type { Stage } from '../conformance.ts';
import { expectFault, exportRoots, madePackage, named, newWork, runImport } from './work.ts';
import { lacks } from './world.ts';

const MIB = 1024 * 1024;

export function objectPromises({ world, cloud }: Stage): void {
  const signal = () => AbortSignal.timeout(30_000);
  const look = (id: string) => cloud().objects!.look(id, signal());
  const listed = async (marker: string) =>
    (await cloud().objects!.marked(signal())).filter((object) => object.marker === marker);

  test('what nobody touched reads the same again, also after its disks were read', async () => {
    const work = newWork();
    const { object, description } = await runImport(world(), cloud(), madePackage('untouched', [2 * MIB]), {}, work);
    const first = await look(object.id);
    expect(first).toMatchObject({ ...object, marker: work.marker, finished: true, power: 'off', ran: false });
    expect(first?.description).toEqual(description);
    const { version } = await exportRoots(cloud(), object.id);
    expect(first?.version).toBe(version);
    expect(await look(object.id)).toEqual(first);
  });

  test('a setting that somebody changed is seen', async () => {
    const { object } = await runImport(world(), cloud(), madePackage('looked at', [MIB]));
    const before = await look(object.id);
    await world().reconfigure(object.id);
    const after = await look(object.id);
    expect(after?.id).toBe(object.id);
    expect(after?.version).not.toBe(before?.version);
  });

  test('what no job here made is looked at as well, and nothing is where nothing is', async () => {
    const seen = await look(world().vm.id);
    expect(seen).toMatchObject({ id: world().vm.id, kind: 'vm', name: world().vm.name });
    const { object } = await runImport(world(), cloud(), madePackage('soon gone', [MIB]));
    await cloud().objects!.remove(object.id, (await look(object.id))?.marker ?? '', signal());
    expect(await look(object.id)).toBeNull();
  });

  test('everything that carries a marker is listed once, from the middle of its making on', async () => {
    const work = newWork();
    // A driver may walk over the disks before it makes anything.
    let meanwhile: MarkedObject[] = [];
    const { object } = await runImport(world(), cloud(), madePackage('listed', [3 * MIB], 2), {}, work, {
      before: async () => {
        if (meanwhile.length === 0) meanwhile = await listed(work.marker);
      },
    });
    expect(meanwhile.map(({ finished }) => finished)).toEqual([false]);
    const found = await listed(work.marker);
    expect(found).toMatchObject([{ ...object, finished: true, power: 'off' }]);
    expect(Number.isNaN(Date.parse(found[0]?.madeAt ?? ''))).toBe(false);
  });

  test('removes a result that is kept, by its id, and forgives that it is gone', async () => {
    const work = newWork();
    const { object } = await runImport(world(), cloud(), madePackage('kept and removed', [MIB]), {}, work);
    await cloud().objects!.remove(object.id, work.marker, signal());
    expect(await named(cloud(), 'kept and removed')).toEqual([]);
    expect(await listed(work.marker)).toEqual([]);
    await cloud().objects!.remove(object.id, work.marker, signal());
  });

  test('refuses to remove what carries another marker, or none any more', async () => {
    const work = newWork();
    const { object } = await runImport(world(), cloud(), madePackage('not ours', [MIB]), {}, work);
    const { remove } = cloud().objects!;
    await expectFault(remove(object.id, newWork().marker, signal()), world(), 'object.changed');
    await world().stripMarker(object.id);
    await expectFault(remove(object.id, work.marker, signal()), world(), 'object.changed');
    await expectFault(remove(world().vm.id, work.marker, signal()), world(), 'object.changed', 'object.wrong-kind');
    expect(await look(object.id)).toMatchObject({ id: object.id, marker: null });
    expect(await listed(work.marker)).toEqual([]);
  });

  test('refuses to remove what runs, and tells later that it has run', async ({ skip }) => {
    if (lacks(world(), 'running-machines')) skip();
    const work = newWork();
    const { object } = await runImport(world(), cloud(), madePackage('has run', [MIB]), {}, work);
    await cloud().power!.apply(object.id, 'on', signal());
    expect(await look(object.id)).toMatchObject({ power: 'on', ran: true });
    await expectFault(cloud().objects!.remove(object.id, work.marker, signal()), world(), 'object.in-use');
    await cloud().power!.apply(object.id, 'off', signal());
    expect(await look(object.id)).toMatchObject({ power: 'off', ran: true });
  });
}
