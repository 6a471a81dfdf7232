import { delay } from '../../base/backoff.ts';
import { Fault } from '../../model/fault.ts';
import type { InventoryEvent, InventoryObject } from '../../model/inventory.ts';
import type { Inventory } from '../driver.ts';
import { attributeNames } from './attributes.ts';
import { type Ref, refsOf } from './element.ts';
import { isVimFault, toFault } from './faults.ts';
import { isMediaId, mediaObject, readMedia } from './media.ts';
import { decodeName } from './names.ts';
import {
  attributeKeys,
  describeObject,
  inventoryProperties,
  inventoryTypes,
  networksUsed,
  type Surroundings,
} from './objects.ts';
import {
  createView,
  filterSpec,
  type ObjectContent,
  objectsOfView,
  readObjects,
  release,
  retrieve,
  returned,
  withView,
} from './property-collector.ts';
import type { Session } from './session.ts';
import { element, leaf } from './soap.ts';
import { type UpdateBatch, waitForUpdates } from './updates.ts';
import { World } from './world.ts';

/**
 * The inventory of one session. It also knows the vendor's type of every id that went by, since the API wants both.
 */
export class VsphereInventory implements Inventory {
  readonly #session: Session;
  readonly #types = new Map<string, string>();

  constructor(session: Session) {
    this.#session = session;
  }

  async *watch(signal: AbortSignal): AsyncGenerator<InventoryEvent> {
    for (;;) {
      let began = false;
      try {
        for await (const event of this.#watchOnce(signal)) {
          began = true;
          yield event;
        }
      } catch (error) {
        if (signal.aborted) return;
        const lost = isVimFault(error, 'ManagedObjectNotFound', 'InvalidCollectorVersion', 'NotAuthenticated');
        if (!lost || !began) throw toFault(error, this.#session.who, 'watching the inventory');
        await delay(200, signal).catch(() => undefined);
      }
      if (signal.aborted) return;
    }
  }

  async get(id: string, signal: AbortSignal): Promise<InventoryObject> {
    const session = this.#session;
    if (isMediaId(id)) return mediaObject(await readMedia(session, id, signal));
    const ref = await this.resolve(id, signal);
    try {
      const paths = inventoryProperties.find((set) => set.type === baseType(ref.type))?.paths ?? ['name', 'parent'];
      const [content] = await readObjects(session, [ref], paths, signal);
      if (content === undefined) throw this.#missing(id);
      const machines = ref.type === 'VirtualApp' ? await this.#machinesOf(ref, signal) : [];
      const around = await this.#surroundings([content, ...machines], machines, signal);
      const object = describeObject(content, around);
      if (object === undefined) throw this.#missing(id);
      return object;
    } catch (error) {
      signal.throwIfAborted();
      if (isVimFault(error, 'ManagedObjectNotFound')) {
        this.#types.delete(id);
        throw this.#missing(id);
      }
      throw toFault(error, session.who, `reading ${id}`);
    }
  }

  /** The reference of an id. Fault: `object.missing`. An id that is known is not looked up again. */
  async resolve(id: string, signal: AbortSignal): Promise<Ref> {
    const known = this.#types.get(id);
    if (known !== undefined) return { type: known, id };
    const session = this.#session;
    try {
      for (const { ref } of await this.list(inventoryTypes, ['name'], signal)) this.#types.set(ref.id, ref.type);
    } catch (error) {
      signal.throwIfAborted();
      throw toFault(error, session.who, `looking for ${id}`);
    }
    const type = this.#types.get(id);
    if (type === undefined) throw this.#missing(id);
    return { type, id };
  }

  /** Some properties of every object of some types, anywhere under `container` (default: everything). */
  async list(
    types: readonly string[],
    paths: readonly string[],
    signal: AbortSignal,
    container = this.#session.service('rootFolder'),
  ): Promise<ObjectContent[]> {
    const session = this.#session;
    const sets = types.map((type) => ({ type, paths }));
    return await withView(session, container, types, signal, (view) =>
      retrieve(session, filterSpec(sets, objectsOfView(view)), signal),
    );
  }

  async *#watchOnce(signal: AbortSignal): AsyncGenerator<InventoryEvent> {
    const session = this.#session;
    const root = session.service('rootFolder');
    const world = new World(root.id);
    const main = session.service('propertyCollector');
    const view = await createView(session, root, inventoryTypes, signal);
    let collector: Ref | undefined;
    try {
      collector = returned(await session.call('CreatePropertyCollector', main, signal));
      const spec = filterSpec(inventoryProperties, objectsOfView(view));
      await session.call('CreateFilter', collector, signal, {
        content: element('spec', spec) + leaf('partialUpdates', false),
      });
      let first = true;
      let batch: UpdateBatch = { version: '', truncated: false, updates: [] };
      for (;;) {
        batch = await waitForUpdates(session, collector, batch.version, signal);
        world.apply(batch.updates);
        for (const { ref, kind } of batch.updates) if (kind !== 'leave') this.#types.set(ref.id, ref.type);
        if (first && (batch.truncated || batch.updates.length === 0)) continue;
        if (world.lacksAttributes()) world.nameAttributes(await attributeNames(session, signal));
        if (first) yield { type: 'snapshot', objects: world.snapshot() };
        else yield* world.changes();
        first = false;
      }
    } finally {
      if (collector !== undefined) await release(session, 'DestroyPropertyCollector', collector);
      await release(session, 'DestroyView', view);
    }
  }

  async #machinesOf(vapp: Ref, signal: AbortSignal): Promise<ObjectContent[]> {
    const [content] = await readObjects(this.#session, [vapp], ['vm'], signal);
    const paths = inventoryProperties.find((set) => set.type === 'VirtualMachine')!.paths;
    return await readObjects(this.#session, refsOf(content?.props.get('vm')), paths, signal);
  }

  async #surroundings(
    contents: ObjectContent[],
    machines: ObjectContent[],
    signal: AbortSignal,
  ): Promise<Surroundings> {
    const names = new Map<string, string>();
    if (contents.some((content) => networksUsed(content).length > 0)) {
      for (const [id, name] of await this.networkNames(signal)) names.set(id, name);
    }
    const hosts = new Map<string, string>();
    if (contents.some(({ props }) => props.has('runtime.host'))) {
      for (const { ref, props } of await this.list(['HostSystem'], ['name'], signal)) {
        hosts.set(ref.id, decodeName(props.get('name')?.text ?? ref.id));
      }
    }
    const attributes = contents.some((content) => attributeKeys(content).length > 0)
      ? await attributeNames(this.#session, signal)
      : new Map<string, string>();
    return {
      networkName: (id) => names.get(id),
      hostName: (id) => hosts.get(id),
      attributeName: (key) => attributes.get(key),
      machinesOf: () => machines,
      rootFolder: this.#session.service('rootFolder').id,
    };
  }

  /** Names of networks by id and by port group key. */
  async networkNames(signal: AbortSignal): Promise<Map<string, string>> {
    const session = this.#session;
    const sets = [
      { type: 'DistributedVirtualPortgroup', paths: ['name', 'key'] },
      { type: 'Network', paths: ['name'] },
    ];
    const contents = await withView(session, session.service('rootFolder'), ['Network'], signal, (view) =>
      retrieve(session, filterSpec(sets, objectsOfView(view)), signal),
    );
    const names = new Map<string, string>();
    for (const { ref, props } of contents) {
      const name = decodeName(props.get('name')?.text ?? ref.id);
      names.set(ref.id, name);
      const key = props.get('key')?.text;
      if (key !== undefined) names.set(key, name);
    }
    return names;
  }

  #missing(id: string): Fault {
    return new Fault('object.missing', `${this.#session.who}: there is no object with the id ${id}`);
  }
}

function baseType(type: string): string {
  if (type === 'ClusterComputeResource') return 'ComputeResource';
  if (type === 'StoragePod') return 'Folder';
  if (type === 'OpaqueNetwork') return 'Network';
  return type;
}
