import { expect, test } from 'vitest';
import type { InventoryEvent, InventoryObject } from '../../../src/model/inventory.ts';
import type { Stage } from '../conformance.ts';
import { expectFault, snapshot } from './work.ts';
import { lacks } from './world.ts';

export function inventoryPromises({ world, cloud }: Stage): void {
  const signal = () => AbortSignal.timeout(30_000);

  test('a watch begins with everything, parents first, ids unique', async () => {
    const objects = await snapshot(cloud());
    const seen = new Set<string>();
    for (const object of objects) {
      expect(seen.has(object.id), `${object.id} is there twice`).toBe(false);
      if (object.parent !== null) expect(seen.has(object.parent), `parent of ${object.name}`).toBe(true);
      seen.add(object.id);
    }
    const { vm, vapp, template } = world();
    for (const [known, kind] of [
      [vm, 'vm'],
      [vapp, 'vapp'],
      [template, 'template'],
    ] as const) {
      expect(objects.find((object) => object.id === known.id)).toMatchObject({ name: known.name, kind });
    }
    expect(objects.find((object) => object.id === world().machines)?.abilities).toContain('hold-machines');
    expect(objects.find((object) => object.id === world().templates)?.abilities).toContain('hold-templates');
    if (lacks(world(), 'networks')) return;
    expect(objects.find((object) => object.id === world().network.id)).toMatchObject({
      kind: 'network',
      name: world().network.name,
    });
  });

  test('one object read alone is what the snapshot shows', async () => {
    const objects = await snapshot(cloud());
    for (const id of [world().vm.id, world().vapp.id, world().template.id, world().machines]) {
      expect(await cloud().inventory.get(id, signal())).toEqual(objects.find((object) => object.id === id));
    }
  });

  test('a machine tells its size and state', async () => {
    const { machine } = await cloud().inventory.get(world().vm.id, signal());
    expect(machine).toMatchObject({ power: 'off', disks: world().vm.disks.length });
    expect(machine?.cpus).toBeGreaterThan(0);
    expect(machine?.memoryMib).toBeGreaterThan(0);
    expect(machine?.diskBytes).toBe(world().vm.disks.reduce((sum, disk) => sum + disk.capacityBytes, 0));
    if (lacks(world(), 'running-machines')) return;
    expect((await cloud().inventory.get(world().running, signal())).machine?.power).toBe('on');
  });

  test('an id that does not exist is missing', async () => {
    await expectFault(cloud().inventory.get('vm-does-not-exist', signal()), world(), 'object.missing');
  });

  test('changes made by others arrive within seconds, and what goes is told', async () => {
    const stop = new AbortController();
    const limit = AbortSignal.any([stop.signal, AbortSignal.timeout(25_000)]);
    const events = cloud().inventory.watch(limit)[Symbol.asyncIterator]();
    try {
      const first = await events.next();
      expect((first.value as InventoryEvent).type).toBe('snapshot');
      const { id, seen } = await world().change();
      await until(events, (event) => objectsOf(event).some((object) => object.id === id && seen(object)));
      const removed = await world().remove();
      await until(
        events,
        (event) =>
          (event.type === 'gone' && event.ids.includes(removed)) ||
          (event.type === 'snapshot' && !event.objects.some((object) => object.id === removed)),
      );
    } finally {
      stop.abort();
      await events.return?.();
    }
  });

  test('a watch survives the loss of its session', async ({ skip }) => {
    if (lacks(world(), 'accounts')) skip();
    const stop = new AbortController();
    const limit = AbortSignal.any([stop.signal, AbortSignal.timeout(50_000)]);
    const events = cloud().inventory.watch(limit)[Symbol.asyncIterator]();
    try {
      await events.next();
      await world().expireSessions();
      const { id, seen } = await world().change();
      await until(events, (event) => objectsOf(event).some((object) => object.id === id && seen(object)));
    } finally {
      stop.abort();
      await events.return?.();
    }
  });

  test('a watch ends soon after its abort', async () => {
    const stop = new AbortController();
    const events = cloud().inventory.watch(stop.signal)[Symbol.asyncIterator]();
    await events.next();
    const next = events.next().then(
      (result) => result.done,
      () => true,
    );
    const at = performance.now();
    stop.abort();
    expect(await next).toBe(true);
    expect(performance.now() - at).toBeLessThan(5000);
  });
}

function objectsOf(event: InventoryEvent): InventoryObject[] {
  return event.type === 'gone' ? [] : event.objects;
}

async function until(events: AsyncIterator<InventoryEvent>, found: (event: InventoryEvent) => boolean): Promise<void> {
  for (;;) {
    const { value, done } = await events.next();
    if (done) throw new Error('the watch ended before the event came');
    if (found(value)) return;
  }
}
