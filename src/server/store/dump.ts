import type { Query } from './database.ts';

/** Sign-ins, join tokens and the list of servers are made anew; the list of migrations and what search looks at are. */
const LEFT_OUT = new Set([
  'public.sessions',
  'public.join_tokens',
  'public.servers',
  'public.leases',
  'public.migrations',
  'public.search',
  'dbos.dbos_migrations',
]);
const BATCH = 500;

/** Tables of the product and of its job executor, each behind those that it points to. */
export async function listTables(query: Query): Promise<string[]> {
  const tables = await query<{ name: string }>(
    `SELECT table_schema || '.' || table_name AS name FROM information_schema.tables
     WHERE table_schema IN ('public', 'dbos') AND table_type = 'BASE TABLE' ORDER BY 1`,
  );
  const links = await query<{ child: string; parent: string }>(
    `SELECT cn.nspname || '.' || c.relname AS child, pn.nspname || '.' || p.relname AS parent
     FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace cn ON cn.oid = c.relnamespace
     JOIN pg_class p ON p.oid = k.confrelid JOIN pg_namespace pn ON pn.oid = p.relnamespace WHERE k.contype = 'f'`,
  );
  const ordered = new Set<string>();
  const put = (name: string, above: string[]) => {
    if (ordered.has(name) || above.includes(name)) return;
    for (const { child, parent } of links) if (child === name) put(parent, [...above, name]);
    ordered.add(name);
  };
  for (const { name } of tables) put(name, []);
  return [...ordered].filter((name) => !LEFT_OUT.has(name));
}

/** Every row as the text of its JSON, a batch at a time. Inside of one transaction. */
export async function* readRows(query: Query, table: string): AsyncGenerator<string[]> {
  await query(`DECLARE rows NO SCROLL CURSOR FOR SELECT to_jsonb(t)::text AS row FROM ${quoted(table)} t`);
  for (;;) {
    const rows = await query<{ row: string }>(`FETCH ${BATCH} FROM rows`);
    if (rows.length === 0) break;
    yield rows.map(({ row }) => row);
  }
  await query('CLOSE rows');
}

export async function emptyTable(query: Query, table: string): Promise<void> {
  await query(`DELETE FROM ${quoted(table)}`);
}

/** Puts rows of `readRows` into the table as it is here: columns that only one side has are left to their defaults. */
export async function insertRows(query: Query, table: string, rows: readonly string[]): Promise<void> {
  const [first] = rows;
  if (first === undefined) return;
  const [schema, name] = table.split('.');
  const known = await query<{ name: string }>(
    `SELECT column_name AS name FROM information_schema.columns
     WHERE table_schema = $1 AND table_name = $2 AND is_generated = 'NEVER'`,
    [schema, name],
  );
  const given = new Set(Object.keys(JSON.parse(first) as object));
  const columns = known.filter((column) => given.has(column.name)).map((column) => `"${column.name}"`);
  await query(
    `INSERT INTO ${quoted(table)} (${columns.join(', ')}) OVERRIDING SYSTEM VALUE
     SELECT ${columns.join(', ')} FROM jsonb_populate_recordset(null::${quoted(table)}, $1::jsonb)`,
    [`[${rows.join(',')}]`],
  );
}

/** Running numbers go on behind the highest that is there. */
export async function raiseSequences(query: Query): Promise<void> {
  const columns = await query<{ table: string; name: string; column: string }>(
    `SELECT table_schema || '.' || table_name AS table, table_name AS name, column_name AS column
     FROM information_schema.columns WHERE table_schema IN ('public', 'dbos')
       AND pg_get_serial_sequence(quote_ident(table_schema) || '.' || quote_ident(table_name), column_name) IS NOT NULL`,
  );
  for (const { table, column } of columns) {
    await query(
      `SELECT setval(pg_get_serial_sequence($1, $2), greatest((SELECT max("${column}") FROM ${quoted(table)}), 1),
         EXISTS (SELECT FROM ${quoted(table)}))`,
      [quoted(table), column],
    );
  }
}

function quoted(table: string): string {
  return table
    .split('.')
    .map((part) => `"${part.replaceAll('"', '""')}"`)
    .join('.');
}
