/** What one would do without thinking: the inventory in a table without search, and ILIKE over every column of another. */
import type { InventoryObject } from '../src/model/inventory.ts';
import { parseSearch } from '../src/server/search/language.ts';
import type { Database } from '../src/server/store/database.ts';

const COLUMNS = ['name', 'ip', 'mac', 'network', 'os', 'tag', 'power', 'owner', 'host', 'cloud', 'kind'] as const;

export const PLAIN_TABLES = `
  CREATE SCHEMA plain;
  CREATE TABLE plain.objects (LIKE public.objects INCLUDING INDEXES);
  CREATE TABLE plain.machines (${COLUMNS.map((column) => `${column} text`).join(', ')}, data jsonb);
`;

const BATCH = 2_000;

export async function writePlainly(database: Database, owner: string, cloud: string, objects: InventoryObject[]) {
  await database.transaction(async (query) => {
    for (let from = 0; from < objects.length; from += BATCH) {
      const part = objects.slice(from, from + BATCH);
      await query(
        `INSERT INTO plain.objects (cloud, owner, id, kind, name, parent, data)
         SELECT $1, $2, o.id, o.kind, o.name, o.parent, o.data
         FROM unnest($3::text[], $4::text[], $5::text[], $6::text[], $7::jsonb[]) AS o (id, kind, name, parent, data)
         ON CONFLICT (cloud, id) DO UPDATE
         SET kind = excluded.kind, name = excluded.name, parent = excluded.parent, data = excluded.data`,
        [
          cloud,
          owner,
          part.map(({ id }) => id),
          part.map(({ kind }) => kind),
          part.map(({ name }) => name),
          part.map(({ parent }) => parent),
          part.map((object) => JSON.stringify(object)),
        ],
      );
    }
  });
}

export async function fillPlainly(database: Database, cloud: string, objects: InventoryObject[]): Promise<void> {
  const rows = objects.map((object) => ({
    name: object.name,
    ip: object.machine?.ips.join(' '),
    mac: object.machine?.nics.map(({ mac }) => mac).join(' '),
    network: object.machine?.nics.map(({ network }) => network).join(' '),
    os: object.machine?.guest,
    tag: object.tags?.join(' '),
    power: object.machine?.power,
    owner: object.owner,
    host: object.machine?.host,
    cloud,
    kind: object.kind,
    data: object,
  }));
  await database.query('INSERT INTO plain.machines SELECT * FROM jsonb_populate_recordset(null::plain.machines, $1)', [
    JSON.stringify(rows),
  ]);
}

export function plainQuestion(q: string, limit: number): { text: string; values: string[] } {
  const values: string[] = [];
  const conditions = parseSearch(q).map(({ field, value, negated }) => {
    values.push(`%${value}%`);
    const columns = field === null ? COLUMNS : [field];
    const any = columns.map((column) => `coalesce(${column}, '') ILIKE $${values.length}`).join(' OR ');
    return negated ? `NOT (${any})` : `(${any})`;
  });
  const where = conditions.length === 0 ? 'false' : conditions.join(' AND ');
  return { text: `SELECT data FROM plain.machines WHERE ${where} ORDER BY name LIMIT ${limit}`, values };
}
