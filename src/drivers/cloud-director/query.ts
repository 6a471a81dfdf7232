import { Fault } from '../../model/fault.ts';
import { uuidOf } from './entity.ts';
import type { Session } from './session.ts';
import { child, childrenOf, textAt, type XmlElement } from './xml.ts';

/** The most that the query service gives at once. */
const PAGE_SIZE = 128;
/** Against an answer that never ends: 128 × 2000 records. */
const MOST_PAGES = 2_000;

/** Query types of this driver with the type that a system administrator asks for to see every organization. */
const ADMIN_TYPES = {
  orgVdc: 'adminOrgVdc',
  catalog: 'adminCatalog',
  vApp: 'adminVApp',
  vm: 'adminVM',
  vAppTemplate: 'adminVAppTemplate',
  media: 'adminMedia',
  orgVdcNetwork: 'orgVdcNetwork',
  orgVdcStorageProfile: 'adminOrgVdcStorageProfile',
  task: 'adminTask',
} as const;

export type QueryType = keyof typeof ADMIN_TYPES;
/** Attributes of one record; references are addresses (`format=records`). */
export type QueryRecord = Readonly<Record<string, string>>;

/** All records of a type, page by page. `filter`: references by attribute, all of which must be equal. */
export async function query(
  session: Session,
  type: QueryType,
  signal: AbortSignal,
  filter: Readonly<Record<string, string>> = {},
): Promise<QueryRecord[]> {
  return (await queryElements(session, type, signal, filterText(filter))).map(({ attributes }) => attributes);
}

/** Records with some attributes only, and with the value of one key of their metadata. */
export async function queryMetadata(
  session: Session,
  type: QueryType,
  fields: readonly string[],
  key: string,
  signal: AbortSignal,
): Promise<{ record: QueryRecord; value: string | undefined }[]> {
  const wanted = [...fields, `metadata:${encodeURIComponent(key)}`].join(',');
  const elements = await queryElements(session, type, signal, `&fields=${wanted}`);
  return elements.map((element) => {
    const entries = childrenOf(child(element, 'Metadata'), 'MetadataEntry');
    const entry = entries.find((one) => textAt(one, 'Key') === key);
    return { record: element.attributes, value: textAt(entry, 'TypedValue', 'Value') || undefined };
  });
}

async function queryElements(
  session: Session,
  type: QueryType,
  signal: AbortSignal,
  more: string,
): Promise<XmlElement[]> {
  const records: XmlElement[] = [];
  const name = session.isProvider ? ADMIN_TYPES[type] : type;
  for (let page = 1; page <= MOST_PAGES; page++) {
    const href = `/api/query?type=${name}&format=records&page=${page}&pageSize=${PAGE_SIZE}${more}`;
    const result = await session.read(href, `list ${type}`, signal);
    const found = result.children.filter(isRecord);
    records.push(...found);
    const total = Number(result.attributes.total ?? records.length);
    if (found.length === 0 || records.length >= total) return records;
  }
  throw new Fault('cloud.protocol', `${session.who}: list ${type}: the answer does not end`);
}

function isRecord(element: XmlElement): boolean {
  return element.name !== 'Link' && element.attributes.href !== undefined;
}

/**
 * Only references are compared in the cloud, by their UUID: releases disagree on how often a name with spaces, brackets
 * or commas has to be encoded, so names are compared by the caller.
 */
function filterText(filter: Readonly<Record<string, string>>): string {
  const entries = Object.entries(filter);
  if (entries.length === 0) return '';
  return `&filter=(${entries.map(([attribute, href]) => `${attribute}==${uuidOf(href) ?? ''}`).join(';')})`;
}
