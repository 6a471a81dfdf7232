import { type Call, document, get, mayUse, post, put, type Reply, type Route, remove } from './call.ts';
import type { Entity, Kind, Kinds, Metadatum, OwnerKind } from './entities.ts';
import { mediaTypes } from './media-types.ts';
import { link } from './references.ts';
import { badRequest, forbidden } from './refusal.ts';
import type { Simulator } from './simulator.ts';
import { accepted, begin } from './task-document.ts';
import { apiDeclarations } from './xml/namespaces.ts';
import { attributeOf, child, childrenOf, textOf, type XmlElement } from './xml/tree.ts';
import { el, leaf, type Markup } from './xml/writer.ts';

type MetadataKind = Extract<Kind, OwnerKind | 'storageProfile'>;

/** First path segments under which entities carry metadata. */
const bases: readonly { path: string; kind: (id: string) => MetadataKind }[] = [
  { path: '/api/vApp', kind: (id) => (id.startsWith('vm-') ? 'vm' : 'vapp') },
  { path: '/api/vAppTemplate', kind: (id) => (id.startsWith('vm-') ? 'vm' : 'template') },
  ...(['media', 'catalog', 'catalogItem', 'vdc', 'org', 'disk', 'network'] as const).flatMap((kind) => [
    { path: `/api/${kind}`, kind: () => kind },
    { path: `/api/admin/${kind}`, kind: () => kind },
  ]),
  { path: '/api/vdcStorageProfile', kind: () => 'storageProfile' as const },
];

interface Target {
  kind: MetadataKind;
  entity: Entity;
  path: string;
}

function target(call: Call, base: (typeof bases)[number]): Target {
  const raw = call.params.id ?? '';
  const kind = base.kind(raw);
  const entity: Entity | undefined = call.sim.store.get(kind, call.id);
  if (entity === undefined || !mayUse(call, entity.org)) throw forbidden(`${kind} ${raw}`);
  return { kind, entity, path: `${base.path}/${raw}/metadata` };
}

function entryPath(at: Target, entry: Metadatum): string {
  return `${at.path}/${entry.domain === 'SYSTEM' ? 'SYSTEM/' : ''}${encodeURIComponent(entry.key)}`;
}

function values(entry: Metadatum): Markup[] {
  return [
    el('Domain', { visibility: entry.visibility }, entry.domain),
    el('TypedValue', { 'xsi:type': entry.type }, leaf('Value', entry.value)),
  ];
}

function shown(call: Call, entries: readonly Metadatum[]): readonly Metadatum[] {
  return call.caller.system ? entries : entries.filter((entry) => entry.visibility !== 'PRIVATE');
}

function list(call: Call, at: Target): Reply {
  return document(
    mediaTypes.metadata,
    el(
      'Metadata',
      { ...apiDeclarations, href: call.href(at.path), type: mediaTypes.metadata },
      link(call, 'up', at.path.replace(/\/metadata$/, '')),
      link(call, 'add', at.path, mediaTypes.metadata),
      shown(call, at.entity.metadata).map((entry) => {
        const [domain, value] = values(entry);
        return el(
          'MetadataEntry',
          { href: call.href(entryPath(at, entry)), type: mediaTypes.metadataValue },
          link(call, 'up', at.path, mediaTypes.metadata),
          domain,
          leaf('Key', entry.key),
          value,
        );
      }),
    ),
  );
}

function find(call: Call, at: Target): Metadatum {
  const { key = '', domain } = call.params;
  const wanted = domain ?? 'GENERAL';
  const entry = shown(call, at.entity.metadata).find((one) => one.key === key && one.domain === wanted);
  if (entry === undefined) throw forbidden(`metadata ${key}`);
  return entry;
}

function one(call: Call, at: Target): Reply {
  const entry = find(call, at);
  const path = entryPath(at, entry);
  return document(
    mediaTypes.metadataValue,
    el(
      'MetadataValue',
      { ...apiDeclarations, href: call.href(path), type: mediaTypes.metadataValue },
      link(call, 'up', at.path, mediaTypes.metadata),
      link(call, 'edit', path, mediaTypes.metadataValue),
      link(call, 'remove', path),
      values(entry),
    ),
  );
}

const types: readonly Metadatum['type'][] = [
  'MetadataStringValue',
  'MetadataNumberValue',
  'MetadataBooleanValue',
  'MetadataDateTimeValue',
];

function readEntry(call: Call, element: XmlElement, key: string, pathDomain: string | undefined): Metadatum {
  if (key === '') throw badRequest('A metadata entry has no key.');
  const typed = child(element, 'TypedValue');
  const named = attributeOf(typed, 'type')?.replace(/^.*:/, '') ?? 'MetadataStringValue';
  const type = types.find((candidate) => candidate === named);
  if (type === undefined) throw badRequest(`The metadata type "${named}" is unknown.`);
  const value = child(typed, 'Value')?.text ?? textOf(element, 'Value') ?? '';
  const fits =
    type === 'MetadataNumberValue'
      ? /^-?\d+$/.test(value.trim())
      : type === 'MetadataBooleanValue'
        ? /^(true|false)$/i.test(value.trim())
        : type === 'MetadataDateTimeValue'
          ? !Number.isNaN(Date.parse(value))
          : true;
  if (!fits) throw badRequest(`"${value}" is not a ${type}.`);
  const domainElement = child(element, 'Domain');
  const domain = (pathDomain ?? textOf(element, 'Domain')) === 'SYSTEM' ? 'SYSTEM' : 'GENERAL';
  if (domain === 'SYSTEM' && !call.caller.system) throw forbidden(`metadata ${key} of the SYSTEM domain`);
  const visibility = attributeOf(domainElement, 'visibility');
  return {
    domain,
    key,
    type,
    value,
    visibility: domain === 'GENERAL' ? 'READWRITE' : visibility === 'PRIVATE' ? 'PRIVATE' : 'READONLY',
  };
}

function change(call: Call, at: Target, set: Metadatum[], drop: Metadatum[]): Reply {
  const owner =
    at.kind === 'storageProfile'
      ? { ...at.entity, kind: 'vdc' as const, id: call.sim.store.must('storageProfile', at.entity.id).vdc }
      : { ...at.entity, kind: at.kind };
  return accepted(
    call,
    begin(call, 'metadataUpdate', `Updating metadata for ${at.entity.name}(${at.entity.id})`, owner, {
      kind: 'metadata',
      args: { kind: at.kind, id: at.entity.id, set, drop },
    }),
  );
}

export function defineMetadataWork(sim: Simulator): void {
  sim.tasks.define('metadata', {
    run:
      async ({ args }) =>
      () => {
        const { kind, id, set, drop } = args as { kind: MetadataKind; id: string; set: Metadatum[]; drop: Metadatum[] };
        const entity: Kinds[MetadataKind] | undefined = sim.store.get(kind, id);
        if (entity === undefined) return;
        const same = (a: Metadatum, b: Metadatum) => a.key === b.key && a.domain === b.domain;
        const kept = entity.metadata.filter((entry) => ![...set, ...drop].some((other) => same(entry, other)));
        sim.store.change(kind, id, { metadata: [...kept, ...set] });
      },
  });
}

async function merge(call: Call, at: Target): Promise<Reply> {
  const body = await call.xml('Metadata');
  const entries = childrenOf(body, 'MetadataEntry').map((entry) =>
    readEntry(call, entry, textOf(entry, 'Key') ?? '', undefined),
  );
  return change(call, at, entries, []);
}

async function setOne(call: Call, at: Target): Promise<Reply> {
  const body = await call.xml('MetadataValue');
  return change(call, at, [readEntry(call, body, call.params.key ?? '', call.params.domain)], []);
}

export const metadataRoutes: Route[] = bases.flatMap((base) => {
  const bound = (handler: (call: Call, at: Target) => Reply | Promise<Reply>) => (call: Call) =>
    handler(call, target(call, base));
  const all = `${base.path}/:id/metadata`;
  return [
    get(all, bound(list)),
    post(all, bound(merge)),
    ...[`${all}/:key`, `${all}/:domain/:key`].flatMap((path) => [
      get(path, bound(one)),
      put(path, bound(setOne)),
      remove(
        path,
        bound((call, at) => change(call, at, [], [find(call, at)])),
      ),
    ]),
  ];
});
