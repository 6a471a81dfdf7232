import type { InventoryEvent, InventoryObject } from '../../model/inventory.ts';
import type { Database, Query } from './database.ts';
import { indexSome, indexWhole, lockInventory, movedOf, objectsBelow, removeRows } from './search-rows.ts';

const BATCH = 2_000;
/** No cloud nests deeper; it bounds a walk through parents that point in a circle. */
const DEEPEST = 64;

export interface StoredObject extends InventoryObject {
  /** Names from the root down to the object. */
  names: string[];
  /** Their ids. */
  ids: string[];
}

/** Brings the cache, and what search looks at, up to date with one event; all of it or nothing. */
export async function applyInventory(database: Database, owner: string, cloud: string, event: InventoryEvent) {
  await database.transaction(async (query) => {
    await lockInventory(query, cloud);
    if (event.type === 'gone') {
      const orphans = await objectsBelow(query, cloud, event.ids);
      await query('DELETE FROM objects WHERE cloud = $1 AND id = ANY($2)', [cloud, event.ids]);
      await removeRows(query, cloud, event.ids);
      await indexSome(query, cloud, orphans);
      return;
    }
    const objects = [...new Map(event.objects.map((object) => [object.id, object])).values()];
    const whole = event.type === 'snapshot';
    const moved = whole ? [] : await movedOf(query, cloud, objects);
    if (whole) {
      const ids = objects.map(({ id }) => id);
      await query('DELETE FROM objects WHERE cloud = $1 AND id <> ALL($2)', [cloud, ids]);
    }
    for (let from = 0; from < objects.length; from += BATCH) {
      await upsert(query, owner, cloud, objects.slice(from, from + BATCH));
    }
    if (whole) return indexWhole(query, cloud, objects);
    await indexSome(query, cloud, objects);
    const told = new Set(objects.map(({ id }) => id));
    await indexSome(
      query,
      cloud,
      (await objectsBelow(query, cloud, moved)).filter(({ id }) => !told.has(id)),
    );
  });
}

/** What is the same already is not written. */
async function upsert(query: Query, owner: string, cloud: string, objects: InventoryObject[]): Promise<void> {
  await query(
    `INSERT INTO objects (cloud, owner, id, kind, name, parent, data)
     SELECT $1, $2, o.id, o.kind, o.name, o.parent, o.data
     FROM unnest($3::text[], $4::text[], $5::text[], $6::text[], $7::jsonb[]) AS o (id, kind, name, parent, data)
     ON CONFLICT (cloud, id) DO UPDATE
     SET kind = excluded.kind, name = excluded.name, parent = excluded.parent, data = excluded.data
     WHERE objects.data IS DISTINCT FROM excluded.data`,
    [
      cloud,
      owner,
      objects.map(({ id }) => id),
      objects.map(({ kind }) => kind),
      objects.map(({ name }) => name),
      objects.map(({ parent }) => parent),
      objects.map((object) => JSON.stringify(object)),
    ],
  );
}

export async function countObjects({ query }: Database, cloud: string): Promise<number> {
  const [row] = await query<{ count: string }>('SELECT count(*) AS count FROM objects WHERE cloud = $1', [cloud]);
  return Number(row?.count ?? 0);
}

export async function objectById(database: Database, cloud: string, id: string): Promise<StoredObject | null> {
  return (await withNames(database, cloud, 'cloud = $1 AND id = $2', [id]))[0] ?? null;
}

/** Children of an object, or of the root (null): those without a parent, or whose parent is not shown to the account. */
export async function childrenOf(database: Database, cloud: string, parent: string | null, kinds: string[] | null) {
  const where =
    parent === null
      ? `cloud = $1 AND $2::text IS NULL AND (parent IS NULL OR NOT EXISTS
           (SELECT FROM objects up WHERE up.cloud = $1 AND up.id = objects.parent))`
      : 'cloud = $1 AND parent = $2';
  return withNames(database, cloud, `${where} AND ($3::text[] IS NULL OR kind = ANY($3))`, [parent, kinds]);
}

export async function objectsOfKinds(database: Database, cloud: string, kinds: string[]): Promise<StoredObject[]> {
  return withNames(database, cloud, 'cloud = $1 AND kind = ANY($2)', [kinds]);
}

/** All objects that the names fit, from the root downwards. */
export async function objectsAt(database: Database, cloud: string, names: string[]): Promise<StoredObject[]> {
  const [first, ...rest] = names;
  if (first === undefined) return [];
  let found = (await childrenOf(database, cloud, null, null)).filter(({ name }) => name === first);
  for (const name of rest) {
    if (found.length === 0) return [];
    found = await withNames(database, cloud, 'cloud = $1 AND parent = ANY($2) AND name = $3', [
      found.map(({ id }) => id),
      name,
    ]);
  }
  return found;
}

async function withNames(database: Database, cloud: string, where: string, values: unknown[]): Promise<StoredObject[]> {
  const rows = await database.query<{ data: InventoryObject; names: string[]; ids: string[] }>(
    `WITH RECURSIVE found AS (SELECT id, name, parent, data FROM objects WHERE ${where}),
     up AS (
       SELECT id AS start, id, parent, name, 0 AS depth FROM found
       UNION ALL
       SELECT up.start, o.id, o.parent, o.name, up.depth + 1 FROM up JOIN objects o ON o.cloud = $1 AND o.id = up.parent
       WHERE up.depth < ${DEEPEST})
     SELECT f.data, p.names, p.ids FROM found f
     JOIN (
       SELECT start, array_agg(name ORDER BY depth DESC) AS names, array_agg(id ORDER BY depth DESC) AS ids
       FROM up GROUP BY start) p ON p.start = f.id
     ORDER BY f.name, f.id`,
    [cloud, ...values],
  );
  return rows.map(({ data, names, ids }) => ({ ...data, names, ids }));
}
