import type { Log } from '../../base/log.ts';
import type { InventoryObject } from '../../model/inventory.ts';
import { type Conditions, contains, escapeLike } from '../search/conditions.ts';
import type { Database, Query } from './database.ts';
import { allOf, type Sql, sql } from './sql.ts';

/** More hits than these are not ranked at once: the names are read in their order until a page is full. */
const FEW = 6_000;
/** So many rows of the table tell how many fit, and from this part of them on it is quicker to read names in order. */
const SAMPLE = 1_000;
const OFTEN = 0.025;
const DEEPEST = 64;

/** Where a hit stands: how well it fits (0 is best), its folded name, and what it is. */
export interface Position {
  rank: number;
  name: string;
  cloud: string;
  id: string;
}

export interface FoundObject {
  cloud: string;
  data: InventoryObject;
  /** Names from the root down to the object. */
  names: string[];
}

/**
 * Makes the indexes of search. That of trigrams needs the extension `pg_trgm`, which every owner of a database may add
 * where it is installed; without it search works, and reads every row.
 * @returns whether there are trigrams.
 */
export async function openIndexes(database: Database, log: Log): Promise<boolean> {
  let schema = await schemaOfTrigrams(database.query);
  if (schema === null) {
    try {
      await database.query('CREATE EXTENSION IF NOT EXISTS pg_trgm');
    } catch (error) {
      log.warn(
        `search is slow: the database has no extension pg_trgm and this account may not add it (${(error as Error).message}); let its administrator run CREATE EXTENSION pg_trgm in it, then start the server again`,
      );
    }
    schema = await schemaOfTrigrams(database.query);
  }
  const columns = schema === null ? 'marks' : `words ${schema}.gin_trgm_ops, name ${schema}.gin_trgm_ops, marks`;
  const name = schema === null ? 'search_marks' : 'search_trigrams';
  await database.query(`CREATE INDEX IF NOT EXISTS ${name} ON search USING gin (${columns})`);
  return schema !== null;
}

async function schemaOfTrigrams(query: Query): Promise<string | null> {
  const [row] = await query<{ schema: string }>(
    `SELECT quote_ident(n.nspname) AS schema FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
     WHERE e.extname = 'pg_trgm'`,
  );
  return row?.schema ?? null;
}

/**
 * A page of hits behind `after`: names that are the words, names that begin with the first word, names with all words,
 * then the rest; by name among their like. Few hits are looked up in the indexes and ranked; of many each class is read in
 * the order of names until the page is full. Which it is, a sample tells: the planner's own guesses are too far off.
 * @param rows About how many there are.
 * @param trigrams Whether the database has them.
 */
export async function findPositions(
  database: Database,
  conditions: Conditions,
  { after, limit, rows, trigrams }: { after: Position | null; limit: number; rows: number; trigrams: boolean },
): Promise<Position[]> {
  const { where, words, byMarks, byTrigrams } = conditions;
  const indexed = byMarks || (byTrigrams && trigrams);
  const classes = classesOf(words);
  return database.transaction(async (query) => {
    const ask: Ask = { query, classes, after, way: null, lookup: indexed ? 'lookup' : 'scan' };
    const often = await sampled(ask, where, rows);
    if (!often.all) {
      const hits = await few(ask, where, limit);
      if (hits !== null) return hits;
    }
    const found: Position[] = [];
    for (const [rank, { only, scattered }] of classes.entries()) {
      if (found.length >= limit) break;
      if (after !== null && after.rank > rank) continue;
      const condition = sql`${where} AND ${only}`;
      const hits = scattered && often[rank] !== true ? await few(ask, condition, limit) : null;
      found.push(...(hits ?? (await many(ask, condition, rank, limit - found.length))));
    }
    return found.slice(0, limit);
  });
}

type Way = 'lookup' | 'scan' | 'order';

interface Ask {
  query: Query;
  classes: readonly RankClass[];
  after: Position | null;
  /** How the last statement looked for its rows, and how one does that is not in the order of names. */
  way: Way | null;
  lookup: Way;
}

/** Whether hits, and those of each class, are many. */
async function sampled(ask: Ask, where: Sql, rows: number): Promise<{ all: boolean; [rank: number]: boolean }> {
  await plan(ask, 'scan');
  const counts = ask.classes.map(({ only }) => sql`count(*) FILTER (WHERE ${only})`);
  const part = Math.min(100, (100 * SAMPLE) / Math.max(1, rows));
  const { text, values } = sql`
    SELECT ARRAY[${counts.reduce((one, other) => sql`${one}, ${other}`)}]::int[] AS counts, count(*)::int AS fitting,
      (SELECT count(*)::int FROM search TABLESAMPLE SYSTEM (${part}::real) REPEATABLE (1)) AS looked
    FROM search s TABLESAMPLE SYSTEM (${part}::real) REPEATABLE (1) WHERE ${where}`.numbered();
  const [row] = await ask.query<{ counts: number[]; fitting: number; looked: number }>(text, values);
  const bound = Math.max(1, (row?.looked ?? 0) * OFTEN);
  // A small table is looked through whatever fits.
  if (rows <= FEW) return { all: false };
  return { all: (row?.fitting ?? 0) >= bound, ...(row?.counts ?? []).map((count) => count >= bound) };
}

interface RankClass {
  only: Sql;
  /** Not a range of the index of names. */
  scattered: boolean;
}

/** How well a name fits, best first: every hit is in one of them. */
function classesOf(words: readonly string[]): RankClass[] {
  const [first] = words;
  if (first === undefined) return [{ only: sql`true`, scattered: false }];
  const is = sql`s.name = ${words.join(' ')}`;
  const begins = sql`s.name LIKE ${`${escapeLike(first)}%`}`;
  const best = [
    { only: is, scattered: false },
    { only: sql`${begins} AND NOT (${is})`, scattered: false },
  ];
  const rest = sql`NOT (${begins}) AND NOT (${is})`;
  const inside = allOf(words.map((word) => contains(sql`s.name`, word).sql));
  return [
    ...best,
    { only: sql`${rest} AND ${inside}`, scattered: true },
    { only: sql`${rest} AND NOT (${inside})`, scattered: true },
  ];
}

/** All hits, ranked; null where they are many. */
async function few(ask: Ask, condition: Sql, limit: number): Promise<Position[] | null> {
  await plan(ask, ask.lookup);
  const { query, classes, after } = ask;
  const cases = classes.map(({ only }, rank) => sql`WHEN ${only} THEN ${rank}::int`);
  const rank = sql`CASE ${cases.reduce((one, other) => sql`${one} ${other}`)} END`;
  const { rank: from, name, cloud, id } = after ?? { rank: -1, name: '', cloud: '', id: '' };
  const { text, values } = sql`
    WITH hits AS MATERIALIZED (
      SELECT s.cloud, s.id, s.name, ${rank} AS rank FROM search s WHERE ${condition} LIMIT ${FEW + 1}::int),
    page AS (
      SELECT * FROM hits WHERE (rank, name, cloud, id) > (${from}::int, ${name}::text, ${cloud}::text, ${id}::text)
      ORDER BY rank, name, cloud, id LIMIT ${limit}::int)
    SELECT (SELECT count(*)::int FROM hits) AS total, (SELECT json_agg(page) FROM page) AS hits`.numbered();
  const [row] = await query<{ total: number; hits: Position[] | null }>(text, values);
  return (row?.total ?? 0) > FEW ? null : (row?.hits ?? []);
}

/** One class in the order of names. */
async function many(ask: Ask, condition: Sql, rank: number, limit: number): Promise<Position[]> {
  await plan(ask, 'order');
  const { query, after } = ask;
  const behind =
    after?.rank === rank
      ? sql`(s.name, s.cloud, s.id) > (${after.name}::text, ${after.cloud}::text, ${after.id}::text)`
      : sql`true`;
  const { text, values } = sql`
    SELECT s.cloud, s.id, s.name FROM search s WHERE ${condition} AND ${behind}
    ORDER BY s.name, s.cloud, s.id LIMIT ${limit}::int`.numbered();
  const rows = await query<Omit<Position, 'rank'>>(text, values);
  return rows.map((row): Position => ({ ...row, rank }));
}

const WAYS: Readonly<Record<Way, { bitmapscan: boolean; indexscan: boolean; seqscan: boolean; sort: boolean }>> = {
  lookup: { bitmapscan: true, indexscan: false, seqscan: false, sort: true },
  scan: { bitmapscan: false, indexscan: false, seqscan: true, sort: true },
  order: { bitmapscan: false, indexscan: true, seqscan: false, sort: false },
};

/** How the next statement looks for its rows. */
async function plan(ask: Ask, way: Way): Promise<void> {
  if (ask.way === way) return;
  ask.way = way;
  const settings = Object.entries(WAYS[way]).map(([name, on]) => `SET LOCAL enable_${name} = ${on}`);
  await ask.query(['SET LOCAL jit = off', ...settings].join('; '));
}

/** About how many rows there are. */
export async function countRows({ query }: Database): Promise<number> {
  const [row] = await query<{ count: number }>('SELECT count(*)::int AS count FROM search');
  return row?.count ?? 0;
}

/** The objects at these positions, in their order, without those that have gone meanwhile. */
export async function readFound({ query }: Database, positions: readonly Position[]): Promise<FoundObject[]> {
  if (positions.length === 0) return [];
  return query<FoundObject>(
    `WITH RECURSIVE found AS (
       SELECT w.place, o.cloud, o.id, o.name, o.parent, o.data
       FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS w (cloud, id, place)
       JOIN objects o ON o.cloud = w.cloud AND o.id = w.id),
     up AS (
       SELECT place, cloud, parent, name, 0 AS depth FROM found
       UNION ALL
       SELECT up.place, o.cloud, o.parent, o.name, up.depth + 1
       FROM up JOIN objects o ON o.cloud = up.cloud AND o.id = up.parent WHERE up.depth < ${DEEPEST})
     SELECT f.cloud, f.data, p.names FROM found f
     JOIN (SELECT place, array_agg(name ORDER BY depth DESC) AS names FROM up GROUP BY place) p ON p.place = f.place
     ORDER BY f.place`,
    [positions.map(({ cloud }) => cloud), positions.map(({ id }) => id)],
  );
}
