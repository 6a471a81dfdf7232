import { Fault } from '../model/fault.ts';
import type { InventoryObject } from '../model/inventory.ts';
import { escapeName, joinPath, parseCloudPath } from '../model/path.ts';
import type { Right } from '../model/rights.ts';
import type { ObjectView } from '../protocol/api/objects.ts';
import type { Clouds } from './clouds.ts';
import { createMisses } from './misses.ts';
import { refuseObject } from './people/refuse.ts';
import type { Rights } from './people/rights.ts';
import type { Database } from './store/database.ts';
import {
  applyInventory,
  childrenOf,
  objectById,
  objectsAt,
  objectsOfKinds,
  type StoredObject,
} from './store/objects.ts';

const ASK_MILLISECONDS = 10_000;

export interface Objects {
  /** What `GET /objects` answers. */
  list(query: { cloud: string; parent?: string; path?: string; kinds?: string }): Promise<ObjectView[]>;
  /** All objects that `<cloud>/<path>` or `<cloud>/id:…` names, and the cloud's id. Fault: `object.missing` (cloud). */
  find(text: string): Promise<{ cloud: string; names: string[]; objects: StoredObject[] }>;
  /** Fault: `object.missing`. */
  get(cloud: string, id: string): Promise<StoredObject>;
  ofKinds(cloud: string, kinds: string[]): Promise<StoredObject[]>;
  at(cloud: string, names: string[]): Promise<StoredObject[]>;
  /** Fault `auth.forbidden` where whoever looks may not do this with an object that it sees. */
  demand(right: Right, cloud: string, object: StoredObject): void;
  /** Fault `input.invalid` for clouds of two tenants: nothing goes from one to the other. */
  refuseApart(source: string, destination: string): void;
}

/**
 * @param rights Of whoever looks: what it does not see is not there. Without them everything is seen.
 * @param misses What the clouds were asked for in vain.
 */
export function createObjects(
  database: Database,
  clouds: Pick<Clouds, 'get' | 'use'>,
  rights?: Rights,
  misses = createMisses(),
): Objects {
  const seen = async (cloud: string, found: Promise<StoredObject[]>) =>
    (await found).flatMap((object) => asSeen(rights, cloud, object));
  const get = async (cloud: string, id: string) => {
    const found = (await objectById(database, cloud, id)) ?? (await askCloud(cloud, id));
    const object = found === null ? undefined : asSeen(rights, cloud, found)[0];
    if (object === undefined) throw new Fault('object.missing', `${clouds.get(cloud).name} holds no object ${id}`);
    return object;
  };
  /** A cloud may have objects that its inventory does not list (files on datastores): it knows them by their ids. */
  const askCloud = async (cloud: string, id: string) => {
    if (misses.has(cloud, id)) return null;
    try {
      const signal = AbortSignal.timeout(ASK_MILLISECONDS);
      const seen = await clouds.use(cloud, (node) => node.getObject({ cloud, object: id }, signal));
      await applyInventory(database, clouds.get(cloud).owner, cloud, {
        type: 'put',
        objects: [seen as InventoryObject],
      });
      return await objectById(database, cloud, seen.id);
    } catch (error) {
      if (error instanceof Fault && error.code === 'object.missing') misses.add(cloud, id);
      // Also of a cloud that does not answer nothing more is known than what it listed.
      return null;
    }
  };
  return {
    get,
    ofKinds: (cloud, kinds) => seen(cloud, objectsOfKinds(database, cloud, kinds)),
    at: (cloud, names) => seen(cloud, objectsAt(database, cloud, names)),
    demand(right, cloud, object) {
      if (rights !== undefined) refuseObject(right, rights, clouds.get(cloud), object);
    },
    refuseApart(source, destination) {
      const [from, to] = [clouds.get(source), clouds.get(destination)];
      if (from.owner === to.owner) return;
      throw new Fault('input.invalid', `${from.name} and ${to.name} belong to different tenants`, {
        remedy: 'Copy within one tenant; by a disk it goes as well: cloudspan export, then cloudspan import.',
      });
    },
    async list({ cloud, parent, path, kinds }) {
      const { id, base } = clouds.get(cloud);
      const wanted = kinds === undefined ? null : kinds.split(',').map((kind) => kind.trim());
      const view = (object: StoredObject): ObjectView => viewOf(base ?? id, object);
      if (parent !== undefined) {
        return (await seen(id, childrenOf(database, id, parent === 'root' ? null : parent, wanted))).map(view);
      }
      if (path !== undefined) {
        const text = `${escapeName(cloud)}/${path.replace(/^\//, '')}`;
        const parsed = parseCloudPath(text);
        const found =
          parsed.id === undefined ? await seen(id, objectsAt(database, id, parsed.names)) : [await get(id, parsed.id)];
        return found.filter(({ kind }) => wanted === null || wanted.includes(kind)).map(view);
      }
      if (wanted !== null) return (await seen(id, objectsOfKinds(database, id, wanted))).map(view);
      return (await seen(id, childrenOf(database, id, null, null))).map(view);
    },
    async find(text) {
      const parsed = parseCloudPath(text);
      const { id } = clouds.get(parsed.cloud);
      const objects =
        parsed.id === undefined ? await seen(id, objectsAt(database, id, parsed.names)) : [await get(id, parsed.id)];
      return { cloud: id, names: parsed.names, objects };
    },
  };
}

/** Of what only leads to something that is seen, no more than it takes to find the way. */
function asSeen(rights: Rights | undefined, cloud: string, object: StoredObject): StoredObject[] {
  const shown = rights?.shows(cloud, object.ids) ?? 'whole';
  if (shown === 'whole') return [object];
  if (shown === 'not') return [];
  const { machine: _machine, capacity: _capacity, facts: _facts, owner: _owner, tags: _tags, ...way } = object;
  return [way];
}

function viewOf(cloud: string, { names, ids: _, ...object }: StoredObject): ObjectView {
  return { ...object, cloud, path: joinPath(names) };
}

/** The one object that is meant. Faults: `object.missing`, `object.ambiguous` with the ids. */
export function onlyOne(objects: StoredObject[], text: string): StoredObject {
  const [first, second] = objects;
  if (first === undefined) throw new Fault('object.missing', `nothing is at "${text}"`);
  if (second === undefined) return first;
  const lines = objects.map(({ id, kind, name }) => `${id} (${kind} ${name})`);
  throw new Fault('object.ambiguous', `"${text}" fits ${objects.length} objects: ${lines.join(', ')}`, {
    remedy: 'Name one by its id: <cloud>/id:<id>.',
    details: { ids: objects.map(({ id }) => id) },
  });
}
