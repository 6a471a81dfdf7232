import { type Call, document, get, type Reply, type Route } from '../call.ts';
import type { Kind } from '../entities.ts';
import { mediaTypes } from '../media-types.ts';
import { link, typeOf, urn } from '../references.ts';
import { badRequest } from '../refusal.ts';
import { apiDeclarations } from '../xml/namespaces.ts';
import { el, leaf, type Markup } from '../xml/writer.ts';
import { type FilterRow, parseFilter } from './filter.ts';
import { type QueryRow, type QueryType, queryTypes } from './records.ts';

const formats = { records: mediaTypes.records, idrecords: mediaTypes.idRecords, references: mediaTypes.references };
type Format = keyof typeof formats;

function queryList(call: Call): Reply {
  const names = queryTypes.flatMap((type) => (type.admin === null ? [type.type] : [type.type, type.admin]));
  return document(
    mediaTypes.queryList,
    el(
      'QueryList',
      { ...apiDeclarations, href: call.href('/api/query'), type: mediaTypes.queryList },
      names.flatMap((name) =>
        Object.entries(formats).map(([format, type]) =>
          link(call, 'down', `/api/query?type=${name}&format=${format}`, type, name),
        ),
      ),
    ),
  );
}

/** A parameter's raw text: the filter must be split before it is decoded. */
function rawParameter(rawQuery: string, name: string): string | undefined {
  const part = rawQuery
    .replace(/^\?/, '')
    .split('&')
    .find((piece) => piece.startsWith(`${name}=`));
  return part?.slice(name.length + 1);
}

function positive(text: string | null, fallback: number, maximum: number, name: string): number {
  if (text === null || text === '') return fallback;
  if (!/^[1-9]\d*$/.test(text)) throw badRequest(`${name}=${text} is not a positive number.`);
  return Math.min(Number(text), maximum);
}

function formatOf(call: Call): Format {
  const text = call.query.get('format') ?? 'records';
  if (text === 'records' || text === 'idrecords' || text === 'references') return text;
  throw badRequest(`The query format "${text}" is unknown.`);
}

function runQuery(call: Call, found: QueryType, admin: boolean, format: Format): Reply {
  const filter = rawParameter(call.rawQuery, 'filter');
  const predicate = filter === undefined || filter === '' ? undefined : parseFilter(filter);
  let rows = found.rows(call);
  if (predicate !== undefined) rows = rows.filter((row) => predicate(filterRow(row)));
  sort(rows, call.query.get('sortAsc'), 1);
  sort(rows, call.query.get('sortDesc'), -1);
  const pageSize = positive(call.query.get('pageSize'), 25, 128, 'pageSize');
  const page = positive(call.query.get('page'), 1, Number.MAX_SAFE_INTEGER, 'page');
  const offset = call.query.get('offset');
  const start =
    offset === null
      ? (page - 1) * pageSize
      : positive(String(Number(offset) + 1), 1, Number.MAX_SAFE_INTEGER, 'offset') - 1;
  const shown = rows.slice(start, start + pageSize);
  const type = formats[format];
  const self = `${call.path}?${call.rawQuery.replace(/^[?&]+/, '')}`;
  const paged = (number: number) => `${call.path}?${withPage(call.rawQuery, number, pageSize)}`;
  const name = admin && found.admin !== null ? found.admin : found.type;
  const root = format === 'references' ? `${found.references}s` : 'QueryResultRecords';
  const fields = call.query
    .get('fields')
    ?.split(',')
    .filter((field) => field !== '');
  return document(
    type,
    el(
      root,
      {
        ...apiDeclarations,
        name,
        type,
        page,
        pageSize,
        total: rows.length,
        href: call.href(self),
      },
      page > 1 ? [link(call, 'previousPage', paged(page - 1), type), link(call, 'firstPage', paged(1), type)] : null,
      start + pageSize < rows.length
        ? [
            link(call, 'nextPage', paged(page + 1), type),
            link(call, 'lastPage', paged(Math.ceil(rows.length / pageSize)), type),
          ]
        : null,
      Object.entries(formats)
        .filter(([other]) => other !== format)
        .map(([other, otherType]) => link(call, 'alternate', `/api/query?type=${name}&format=${other}`, otherType)),
      shown.map((row) => rowMarkup(found, row, admin, format, fields)),
    ),
  );
}

function filterRow(row: QueryRow): FilterRow {
  const entries = Object.entries(row.values).map(
    ([key, value]) => [key, value === undefined ? undefined : String(value)] as const,
  );
  return {
    attributes: { ...Object.fromEntries(entries), name: row.name, href: row.href, id: row.id },
    metadata: row.metadata,
  };
}

function sort(rows: QueryRow[], attribute: string | null, direction: 1 | -1): void {
  if (attribute === null || attribute === '') return;
  const value = (row: QueryRow) => (attribute === 'name' ? row.name : row.values[attribute]);
  rows.sort((a, b) => {
    const [left, right] = [value(a), value(b)];
    if (typeof left === 'number' && typeof right === 'number') return (left - right) * direction;
    return String(left ?? '').localeCompare(String(right ?? '')) * direction;
  });
}

function withPage(rawQuery: string, page: number, pageSize: number): string {
  const kept = rawQuery
    .replace(/^\?/, '')
    .split('&')
    .filter((part) => part !== '' && !/^page(Size)?=/.test(part));
  return [...kept, `page=${page}`, `pageSize=${pageSize}`].join('&');
}

const idKinds: Readonly<Record<string, Kind>> = {
  vApp: 'vapp',
  vAppTemplate: 'template',
  vdcStorageProfile: 'storageProfile',
};

/** Turns an href of this API into the URN of what it names. */
function urnOf(value: string): string {
  const found = /\/api\/(?:admin\/)?(\w+)\/(?:vapp-|vm-|vappTemplate-)?([0-9a-f-]{36})$/.exec(value);
  if (found === null) return value;
  const kind = value.includes('/vm-') ? 'vm' : (idKinds[found[1]!] ?? (found[1] as Kind));
  return urn(kind, found[2]!);
}

function rowMarkup(
  found: QueryType,
  row: QueryRow,
  admin: boolean,
  format: Format,
  fields: string[] | undefined,
): Markup {
  const id = row.kind === 'vappNetwork' ? urn('network', row.id) : urn(row.kind, row.id);
  const type = row.kind === 'vappNetwork' ? mediaTypes.vappNetwork : typeOf(row.kind);
  if (format === 'references') return el(found.references, { href: row.href, id, name: row.name, type });
  const values = Object.entries(row.values).filter(([key]) => fields === undefined || fields.includes(key));
  const written = values.map(([key, value]) => {
    return [
      key,
      format === 'idrecords' && typeof value === 'string' && value.startsWith('https://') ? urnOf(value) : value,
    ] as const;
  });
  const identity = format === 'idrecords' ? { id } : { href: row.href };
  return el(
    admin ? found.adminElement : found.element,
    { ...identity, name: row.name, ...Object.fromEntries(written) },
    metadataMarkup(row, fields),
  );
}

/** `fields=metadata:<key>` has each record carry that key of its metadata. */
function metadataMarkup(row: QueryRow, fields: string[] | undefined): Markup | null {
  const keys = (fields ?? []).flatMap((field) => /^metadata(?:@SYSTEM)?:(.+)$/.exec(field)?.[1] ?? []);
  const entries = row.metadata.filter(({ key }) => keys.includes(key));
  if (entries.length === 0) return null;
  return el(
    'Metadata',
    { type: mediaTypes.metadata },
    entries.map(({ key, value, type }) =>
      el('MetadataEntry', {}, leaf('Key', key), el('TypedValue', { 'xsi:type': type }, leaf('Value', value))),
    ),
  );
}

function query(call: Call): Reply {
  const name = call.query.get('type') ?? call.query.get('?type');
  if (name === null || name === '') return queryList(call);
  return queryOf(call, name);
}

function queryOf(call: Call, name: string): Reply {
  const plain = queryTypes.find((type) => type.type === name);
  if (plain !== undefined) return runQuery(call, plain, false, formatOf(call));
  const admin = queryTypes.find((type) => type.admin === name);
  if (admin !== undefined) return runQuery(call, admin, true, formatOf(call));
  throw badRequest(`The query type "${name}" is unknown.`);
}

export const queryRoutes: Route[] = [
  get('/api/query', query),
  get('/api/catalogs/query', (call) => queryOf(call, 'catalog')),
  get('/api/vApps/query', (call) => queryOf(call, 'vApp')),
  get('/api/vAppTemplates/query', (call) => queryOf(call, 'vAppTemplate')),
  get('/api/vms/query', (call) => queryOf(call, 'vm')),
  get('/api/mediaList/query', (call) => queryOf(call, 'media')),
];
