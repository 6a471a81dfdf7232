import { statfs } from 'node:fs/promises';
import { delay } from '../../base/backoff.ts';
import { Fault } from '../../model/fault.ts';
import type { InventoryEvent, InventoryObject, MachineFacts } from '../../model/inventory.ts';
import { disksOf, type PackageDescription } from '../../model/machine.ts';
import type { Inventory } from '../driver.ts';
import { type Item, itemAt, listItems, openItem } from './catalog.ts';
import { ROOT } from './files.ts';
import type { Session } from './session.ts';

/** A folder does not tell of changes: it is looked at so often. */
const EVERY_MILLISECONDS = 2000;

export function inventoryOf(session: Session): Inventory {
  const seen = new Map<string, { stamp: string; object: InventoryObject }>();
  const objectOf = async (item: Item, signal: AbortSignal): Promise<InventoryObject> => {
    const known = seen.get(item.id);
    if (known?.stamp === item.stamp && item.kind !== 'folder') return known.object;
    const object = await describeItem(session, item, signal);
    seen.set(item.id, { stamp: item.stamp, object });
    return object;
  };
  const all = async (signal: AbortSignal) => {
    const objects: InventoryObject[] = [];
    for (const item of await listItems(session, signal)) objects.push(await objectOf(item, signal));
    return objects;
  };
  return {
    async *watch(signal): AsyncGenerator<InventoryEvent> {
      let before = await all(signal);
      yield { type: 'snapshot', objects: before };
      for (;;) {
        try {
          await delay(EVERY_MILLISECONDS, signal);
        } catch {
          return;
        }
        const now = await all(signal);
        const known = new Map(before.map((object) => [object.id, JSON.stringify(object)]));
        const changed = now.filter((object) => known.get(object.id) !== JSON.stringify(object));
        const there = new Set(now.map(({ id }) => id));
        const gone = before.filter(({ id }) => !there.has(id)).map(({ id }) => id);
        for (const id of gone) seen.delete(id);
        if (changed.length > 0) yield { type: 'put', objects: changed };
        if (gone.length > 0) yield { type: 'gone', ids: gone };
        before = now;
      }
    },
    get: async (id, signal) => objectOf(await itemAt(session, id), signal),
  };
}

async function describeItem(session: Session, item: Item, signal: AbortSignal): Promise<InventoryObject> {
  const base = { id: item.id, name: item.name, parent: item.parent };
  if (item.kind === 'folder') {
    const capacity = item.id === ROOT ? { capacity: await spaceOf(item.path) } : {};
    return { ...base, kind: 'folder', abilities: ['hold-machines', 'hold-templates', 'hold-media'], ...capacity };
  }
  if (item.kind === 'address') return { ...base, kind: 'folder', abilities: [] };
  try {
    const { description } = await openItem(session, item, signal);
    if (description.kind === 'media') {
      const facts = { format: 'ISO', bytes: String(description.files?.[0]?.bytes ?? 0) };
      return { ...base, kind: 'media', abilities: ['export'], facts };
    }
    return {
      ...base,
      kind: description.kind,
      name: description.name,
      abilities: ['export'],
      machine: factsOf(description),
      facts: { format: { package: 'Cloudspan package', ova: 'OVA', ovf: 'OVF' }[item.kind as 'package'] },
    };
  } catch (error) {
    signal.throwIfAborted();
    const { code, message } = Fault.from(error, session.who);
    const name = item.kind === 'unfinished' ? item.name.replace(/\.(cloudspan|ova|iso)$/, '') : item.name;
    return { ...base, name, kind: 'media', abilities: [], facts: { state: code, why: message } };
  }
}

async function spaceOf(path: string): Promise<{ totalBytes: number; freeBytes: number }> {
  const { blocks, bavail, bsize } = await statfs(path);
  // In steps of 1 GiB, so that not every byte that is written is a change of the inventory.
  const step = 1024 ** 3;
  return { totalBytes: blocks * bsize, freeBytes: Math.floor((bavail * bsize) / step) * step };
}

function factsOf(description: PackageDescription): MachineFacts {
  const { machines, kind } = description;
  const disks = disksOf(description);
  const sum = (values: number[]) => values.reduce((total, value) => total + value, 0);
  return {
    power: 'off',
    cpus: sum(machines.map(({ cpus }) => cpus)),
    memoryMib: sum(machines.map(({ memoryMib }) => memoryMib)),
    guest: machines[0]?.guestId ?? '',
    notes: description.notes,
    diskBytes: sum(disks.map(({ capacityBytes }) => capacityBytes)),
    disks: disks.length,
    nics: machines.flatMap(({ nics }) =>
      nics.map(({ mac, network, connected }) => ({
        connected,
        ...(mac === undefined ? {} : { mac }),
        ...(network === null ? {} : { network }),
      })),
    ),
    ips: [],
    ...(kind === 'vm' ? {} : { machines: machines.length }),
  };
}
