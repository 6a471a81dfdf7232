import type { InventoryObject } from '../../model/inventory.ts';
import { placeMark, ROW_FORMAT, rowOf, type SearchRow } from '../search/row.ts';
import type { Database, Query } from './database.ts';
import { readSetting, writeSetting } from './settings.ts';

const BATCH = 2_000;
/** No cloud nests deeper; it bounds a walk through parents that point in a circle. */
const DEEPEST = 64;
const FORMAT = 'search.format';
const LOCK = 7_213_552;

/** Until the end of the transaction nobody else changes what is known of this cloud: its rows tell of one another. */
export async function lockInventory(query: Query, cloud: string): Promise<void> {
  await query('SELECT pg_advisory_xact_lock($1, hashtext($2))', [LOCK, cloud]);
}

/** Makes the rows of a whole cloud; those that are right already are not written. */
export async function indexWhole(query: Query, cloud: string, objects: readonly InventoryObject[]): Promise<void> {
  const ids = objects.map(({ id }) => id);
  await query('DELETE FROM search WHERE cloud = $1 AND id <> ALL($2)', [cloud, ids]);
  const byId = new Map(objects.map((object) => [object.id, object]));
  const known = new Map<string, string[]>();
  const top = [placeMark(cloud, null)];
  const marksDownTo = (id: string | null, depth = 0): string[] => {
    const object = id === null ? undefined : byId.get(id);
    if (object === undefined || depth > DEEPEST) return top;
    const made = known.get(object.id) ?? [...marksDownTo(object.parent, depth + 1), placeMark(cloud, object.id)];
    known.set(object.id, made);
    return made;
  };
  const rows = function* () {
    for (const object of byId.values()) yield rowOf(cloud, object, marksDownTo(object.parent));
  };
  // Many rows at once: the index takes them in one go, sorted, instead of a little at a time.
  await query(
    `SELECT set_config('gin_pending_list_limit', '262144', true), set_config('maintenance_work_mem', '131072', true)`,
  );
  await writeRows(query, cloud, rows());
  const [index] = await query<{ name: string | null }>(`SELECT to_regclass('search_trigrams')::text AS name`);
  if (typeof index?.name === 'string') await query('SELECT gin_clean_pending_list($1)', [index.name]);
}

/** What hangs below these objects, at any depth, without themselves. */
export async function objectsBelow(query: Query, cloud: string, ids: readonly string[]): Promise<InventoryObject[]> {
  if (ids.length === 0) return [];
  const rows = await query<{ data: InventoryObject }>(
    `WITH RECURSIVE down AS (
       SELECT id FROM objects WHERE cloud = $1 AND parent = ANY($2)
       UNION SELECT o.id FROM down JOIN objects o ON o.cloud = $1 AND o.parent = down.id)
     SELECT o.data FROM down JOIN objects o ON o.cloud = $1 AND o.id = down.id WHERE o.id <> ALL($2)`,
    [cloud, ids],
  );
  return rows.map(({ data }) => data);
}

/** Those of the objects that are new here or were somewhere else; asked before they are stored. */
export async function movedOf(query: Query, cloud: string, objects: readonly InventoryObject[]): Promise<string[]> {
  const rows = await query<{ id: string; parent: string | null }>(
    'SELECT id, parent FROM objects WHERE cloud = $1 AND id = ANY($2)',
    [cloud, objects.map(({ id }) => id)],
  );
  const before = new Map(rows.map(({ id, parent }) => [id, parent]));
  return objects.filter(({ id, parent }) => before.get(id) !== parent).map(({ id }) => id);
}

/** Makes the rows of stored objects, whose places are read from what is stored. */
export async function indexSome(query: Query, cloud: string, objects: readonly InventoryObject[]): Promise<void> {
  if (objects.length === 0) return;
  const parents = [...new Set(objects.flatMap(({ parent }) => (parent === null ? [] : [parent])))];
  const chains = await query<{ start: string; ids: string[] }>(
    `WITH RECURSIVE up AS (
       SELECT id AS start, id, parent, 0 AS depth FROM objects WHERE cloud = $1 AND id = ANY($2)
       UNION ALL
       SELECT up.start, o.id, o.parent, up.depth + 1 FROM up JOIN objects o ON o.cloud = $1 AND o.id = up.parent
       WHERE up.depth < ${DEEPEST})
     SELECT start, array_agg(id ORDER BY depth DESC) AS ids FROM up GROUP BY start`,
    [cloud, parents],
  );
  const top = placeMark(cloud, null);
  const above = new Map(chains.map(({ start, ids }) => [start, [top, ...ids.map((id) => placeMark(cloud, id))]]));
  const rows = function* () {
    for (const object of objects) yield rowOf(cloud, object, above.get(object.parent ?? '') ?? [top]);
  };
  await writeRows(query, cloud, rows());
}

export async function removeRows(query: Query, cloud: string, ids: readonly string[]): Promise<void> {
  await query('DELETE FROM search WHERE cloud = $1 AND id = ANY($2)', [cloud, ids]);
}

async function writeRows(query: Query, cloud: string, rows: Iterable<SearchRow>): Promise<void> {
  let batch: SearchRow[] = [];
  const flush = async () => {
    await query(
      `INSERT INTO search (cloud, id, name, words, marks)
       SELECT $1, r.id, r.name, r.words, r.marks::bigint[]
       FROM unnest($2::text[], $3::text[], $4::text[], $5::text[]) AS r (id, name, words, marks)
       ON CONFLICT (cloud, id) DO UPDATE SET name = excluded.name, words = excluded.words, marks = excluded.marks
       WHERE (search.name, search.words, search.marks) IS DISTINCT FROM (excluded.name, excluded.words, excluded.marks)`,
      [
        cloud,
        batch.map(({ id }) => id),
        batch.map(({ name }) => name),
        batch.map(({ words }) => words),
        batch.map(({ marks }) => `{${marks.join(',')}}`),
      ],
    );
    batch = [];
  };
  for (const row of rows) {
    batch.push(row);
    if (batch.length === BATCH) await flush();
  }
  if (batch.length > 0) await flush();
}

/** Makes the rows that are missing or of an older format: after an update, and after a backup was put back. */
export async function completeRows(database: Database): Promise<void> {
  const old = (await readSetting(database, FORMAT)) !== ROW_FORMAT;
  const clouds = await database.query<{ id: string }>(
    `SELECT c.id FROM clouds c
     WHERE $1 OR (SELECT count(*) FROM objects o WHERE o.cloud = c.id) <> (SELECT count(*) FROM search s WHERE s.cloud = c.id)`,
    [old],
  );
  for (const { id } of clouds) {
    await database.transaction(async (query) => {
      await lockInventory(query, id);
      const objects = await query<{ data: InventoryObject }>('SELECT data FROM objects WHERE cloud = $1', [id]);
      await indexWhole(
        query,
        id,
        objects.map(({ data }) => data),
      );
    });
  }
  if (old) await writeSetting(database, FORMAT, ROW_FORMAT);
}
