import { randomUUID } from 'node:crypto';
import {
  type Call,
  document,
  get,
  noContent,
  post,
  put,
  type Reply,
  type Route,
  referred,
  remove,
  uuidIn,
  type View,
} from './call.ts';
import { itemDocument } from './catalog-item.ts';
import type { Catalog, CatalogItem } from './entities.ts';
import { mediaTypes } from './media-types.ts';
import { link, reference, urn } from './references.ts';
import { badRequest, duplicateName, Refusal } from './refusal.ts';
import { removeMedia, removeTemplate } from './removal.ts';
import type { Simulator } from './simulator.ts';
import { accepted, begin, tasksOf } from './task-document.ts';
import { apiDeclarations } from './xml/namespaces.ts';
import { attributeOf, booleanOf, child, path, textOf } from './xml/tree.ts';
import { el, leaf, type Markup } from './xml/writer.ts';

function itemsOf(sim: Simulator, catalog: string): CatalogItem[] {
  return sim.store.all('catalogItem').filter((item) => item.catalog === catalog);
}

/** Checks that the name is free in the catalog and adds an item for the entity. */
export function addItem(
  sim: Simulator,
  catalog: Catalog,
  name: string,
  description: string,
  entity: CatalogItem['entity'],
): CatalogItem {
  refuseTakenName(sim, catalog, name);
  const item: CatalogItem = {
    id: randomUUID(),
    name,
    description,
    org: catalog.org,
    created: new Date().toISOString(),
    metadata: [],
    catalog: catalog.id,
    entity,
    version: 1,
  };
  sim.store.put('catalogItem', item);
  touchCatalog(sim, catalog.id);
  return item;
}

export function refuseTakenName(sim: Simulator, catalog: Catalog, name: string, except?: string): void {
  if (name === '' || name.length > 128) throw badRequest('The name must have 1 to 128 characters.');
  if (itemsOf(sim, catalog.id).some((item) => item.name === name && item.id !== except)) {
    throw duplicateName('catalog item', name);
  }
}

/** The catalog's version rises with every change of what is in it. */
export function touchCatalog(sim: Simulator, id: string): void {
  const catalog = sim.store.get('catalog', id);
  if (catalog !== undefined) sim.store.change('catalog', id, { version: catalog.version + 1 });
}

function catalogMarkup(view: View, catalog: Catalog, admin: boolean): Markup {
  const { store } = view.sim;
  const base = `/api/catalog/${catalog.id}`;
  const own = admin ? `/api/admin/catalog/${catalog.id}` : base;
  const type = admin ? mediaTypes.adminCatalog : mediaTypes.catalog;
  const owner = store.get('user', catalog.owner);
  const profile = catalog.storageProfile === null ? undefined : store.get('storageProfile', catalog.storageProfile);
  return el(
    admin ? 'AdminCatalog' : 'Catalog',
    {
      ...apiDeclarations,
      name: catalog.name,
      id: urn('catalog', catalog.id),
      href: view.href(own),
      type,
    },
    admin
      ? link(view, 'up', `/api/admin/org/${catalog.org}`, mediaTypes.adminOrg)
      : link(view, 'up', `/api/org/${catalog.org}`, mediaTypes.org),
    admin ? link(view, 'alternate', base, mediaTypes.catalog) : null,
    admin ? link(view, 'edit', own, mediaTypes.adminCatalog) : null,
    admin ? link(view, 'remove', own) : link(view, 'remove', `/api/admin/catalog/${catalog.id}`),
    link(view, 'down', `${own}/metadata`, mediaTypes.metadata),
    link(view, 'add', `${own}/metadata`, mediaTypes.metadata),
    link(view, 'add', `${base}/catalogItems`, mediaTypes.catalogItem),
    link(view, 'add', `${base}/action/upload`, mediaTypes.media),
    link(view, 'add', `${base}/action/upload`, mediaTypes.uploadParams),
    link(view, 'add', `${base}/action/captureVApp`, mediaTypes.captureParams),
    link(view, 'down', `/api/org/${catalog.org}/catalog/${catalog.id}/controlAccess/`, mediaTypes.controlAccess),
    link(
      view,
      'controlAccess',
      `/api/org/${catalog.org}/catalog/${catalog.id}/action/controlAccess`,
      mediaTypes.controlAccess,
    ),
    link(
      view,
      'publishToExternalOrganizations',
      `${own}/action/publishToExternalOrganizations`,
      mediaTypes.publishExternal,
    ),
    leaf('Description', catalog.description),
    tasksOf(view, catalog.id),
    el(
      'CatalogItems',
      {},
      itemsOf(view.sim, catalog.id).map((item) => reference(view, 'CatalogItem', 'catalogItem', item)),
    ),
    owner === undefined ? null : el('Owner', { type: mediaTypes.owner }, reference(view, 'User', 'user', owner)),
    admin && profile !== undefined
      ? el('CatalogStorageProfiles', {}, reference(view, 'VdcStorageProfile', 'storageProfile', profile))
      : null,
    leaf('IsPublished', catalog.isPublished),
    leaf('DateCreated', catalog.created),
    leaf('VersionNumber', catalog.version),
    admin || catalog.external !== null
      ? el(
          'PublishExternalCatalogParams',
          {},
          leaf('IsCachedEnabled', catalog.external?.cached ?? false),
          leaf('IsPublishedExternally', catalog.external !== null),
          catalog.external === null ? null : leaf('Password', '******'),
          leaf('PreserveIdentityInfoFlag', catalog.external?.preserveIdentity ?? false),
          leaf('catalogPublishedUrl', catalog.external === null ? '' : `/vcsp/lib/${catalog.id}/`),
        )
      : null,
  );
}

function catalogReply(call: Call, catalog: Catalog, admin: boolean, status = 200): Reply {
  return document(admin ? mediaTypes.adminCatalog : mediaTypes.catalog, catalogMarkup(call, catalog, admin), status);
}

function refuseTakenCatalog(sim: Simulator, org: string, name: string, except?: string): void {
  if (name === '' || name.length > 128) throw badRequest('The catalog name must have 1 to 128 characters.');
  if (
    sim.store.all('catalog').some((catalog) => catalog.org === org && catalog.name === name && catalog.id !== except)
  ) {
    throw duplicateName('catalog', name);
  }
}

async function createCatalog(call: Call): Promise<Reply> {
  const org = call.entity('org');
  const body = await call.xml('AdminCatalog', 'Catalog');
  const name = attributeOf(body, 'name') ?? '';
  refuseTakenCatalog(call.sim, org.id, name);
  const profileHref = attributeOf(path(body, 'CatalogStorageProfiles', 'VdcStorageProfile'), 'href');
  const catalog: Catalog = {
    id: randomUUID(),
    name,
    description: textOf(body, 'Description') ?? '',
    org: org.id,
    created: new Date().toISOString(),
    metadata: [],
    owner: call.caller.user.id,
    version: 1,
    storageProfile: profileHref === undefined ? null : referred(call, 'storageProfile', profileHref).id,
    isPublished: false,
    external: null,
    access: null,
  };
  call.sim.store.atomically(() => {
    call.sim.store.put('catalog', catalog);
    begin(
      call,
      'catalogCreateCatalog',
      `Creating Catalog ${name}(${catalog.id})`,
      { ...catalog, kind: 'catalog' },
      { kind: 'nothing', args: null },
    );
  });
  return catalogReply(call, catalog, true, 201);
}

async function updateCatalog(call: Call): Promise<Reply> {
  const catalog = call.entity('catalog');
  const body = await call.xml('AdminCatalog', 'Catalog');
  const name = attributeOf(body, 'name') ?? catalog.name;
  refuseTakenCatalog(call.sim, catalog.org, name, catalog.id);
  const profileHref = attributeOf(path(body, 'CatalogStorageProfiles', 'VdcStorageProfile'), 'href');
  const next = call.sim.store.change('catalog', catalog.id, {
    name,
    description: textOf(body, 'Description') ?? catalog.description,
    storageProfile:
      profileHref === undefined ? catalog.storageProfile : referred(call, 'storageProfile', profileHref).id,
  })!;
  return catalogReply(call, next, true);
}

function deleteCatalog(call: Call): Reply {
  const catalog = call.entity('catalog');
  const recursive = call.query.get('recursive')?.toLowerCase() === 'true';
  const items = itemsOf(call.sim, catalog.id);
  if (items.length > 0 && !recursive) {
    throw badRequest(`You must remove all the items of catalog "${catalog.name}" before you can delete it.`);
  }
  call.sim.tasks.refuseWhenBusy('catalog', catalog.name, catalog.id);
  const force = call.query.get('force')?.toLowerCase() === 'true';
  for (const item of items) {
    const entity = call.sim.store.get(item.entity.kind, item.entity.id);
    if (!force && entity !== undefined && entity.upload === null)
      call.sim.tasks.refuseWhenBusy('catalog item', item.name, entity.id);
  }
  return accepted(
    call,
    begin(
      call,
      'catalogDelete',
      `Deleting Catalog ${catalog.name}(${catalog.id})`,
      { ...catalog, kind: 'catalog' },
      { kind: 'catalogDelete', args: catalog.id },
    ),
  );
}

export function defineCatalogWork(sim: Simulator): void {
  sim.tasks.define('nothing', { run: async () => () => {} });
  sim.tasks.define('catalogDelete', {
    run:
      async ({ args }) =>
      () => {
        for (const item of itemsOf(sim, String(args))) {
          if (item.entity.kind === 'template') removeTemplate(sim, item.entity.id);
          else removeMedia(sim, item.entity.id);
          sim.store.remove('catalogItem', item.id);
        }
        sim.store.remove('catalog', String(args));
      },
  });
}

async function addExisting(call: Call): Promise<Reply> {
  const catalog = call.entity('catalog');
  const body = await call.xml('CatalogItem');
  const href = attributeOf(child(body, 'Entity'), 'href');
  const id = uuidIn(href) ?? '';
  const kind = call.sim.store.get('template', id) !== undefined ? 'template' : 'media';
  const entity = referred(call, kind, href);
  if (call.sim.store.all('catalogItem').some((item) => item.entity.id === entity.id)) {
    throw new Refusal(400, 'DUPLICATE_NAME', `"${entity.name}" is in a catalog already.`);
  }
  const item = call.sim.store.atomically(() =>
    addItem(call.sim, catalog, attributeOf(body, 'name') ?? entity.name, textOf(body, 'Description') ?? '', {
      kind,
      id: entity.id,
    }),
  );
  return itemDocument(call, item, 201);
}

async function publishExternally(call: Call): Promise<Reply> {
  const catalog = call.entity('catalog');
  const body = await call.xml('PublishExternalCatalogParams');
  if (call.sim.store.must('org', catalog.org).canPublishExternally === false) {
    throw new Refusal(403, 'ACCESS_TO_RESOURCE_IS_FORBIDDEN', 'The organization may not publish catalogs externally.');
  }
  const flag = (name: string) => booleanOf(textOf(body, name)) ?? false;
  call.sim.store.change('catalog', catalog.id, {
    external: flag('IsPublishedExternally')
      ? {
          cached: flag('IsCachedEnabled') || flag('IsCacheEnabled'),
          preserveIdentity: flag('PreserveIdentityInfoFlag'),
          password: textOf(body, 'Password') ?? '',
        }
      : null,
  });
  return noContent;
}

async function publish(call: Call): Promise<Reply> {
  const body = await call.xml('PublishCatalogParams');
  call.sim.store.change('catalog', call.entity('catalog').id, {
    isPublished: booleanOf(textOf(body, 'IsPublished')) ?? false,
  });
  return noContent;
}

export const catalogRoutes: Route[] = [
  post('/api/admin/org/:id/catalogs', createCatalog),
  get('/api/catalog/:id', (call) => catalogReply(call, call.entity('catalog'), false)),
  get('/api/admin/catalog/:id', (call) => catalogReply(call, call.entity('catalog'), true)),
  put('/api/admin/catalog/:id', updateCatalog),
  remove('/api/admin/catalog/:id', deleteCatalog),
  remove('/api/catalog/:id', deleteCatalog),
  post('/api/catalog/:id/catalogItems', addExisting),
  post('/api/catalog/:id/action/publish', publish),
  post('/api/admin/catalog/:id/action/publish', publish),
  post('/api/catalog/:id/action/publishToExternalOrganizations', publishExternally),
  post('/api/admin/catalog/:id/action/publishToExternalOrganizations', publishExternally),
];
