import { type Call, document, get, noContent, post, put, type Reply, type Route, referred, remove } from './call.ts';
import { refuseTakenName, touchCatalog } from './catalog.ts';
import type { CatalogItem } from './entities.ts';
import { mediaTypes } from './media-types.ts';
import { link, reference, urn } from './references.ts';
import { badRequest } from './refusal.ts';
import { removeMedia, removeTemplate } from './removal.ts';
import { accepted } from './task-document.ts';
import { copyTemplate } from './template-copy.ts';
import { apiDeclarations } from './xml/namespaces.ts';
import { attributeOf, child, textOf } from './xml/tree.ts';
import { el, leaf } from './xml/writer.ts';

export function itemDocument(call: Call, item: CatalogItem, status = 200): Reply {
  const own = `/api/catalogItem/${item.id}`;
  const entity = call.sim.store.get(item.entity.kind, item.entity.id);
  return document(
    mediaTypes.catalogItem,
    el(
      'CatalogItem',
      {
        ...apiDeclarations,
        name: item.name,
        id: urn('catalogItem', item.id),
        href: call.href(own),
        type: mediaTypes.catalogItem,
      },
      link(call, 'up', `/api/catalog/${item.catalog}`, mediaTypes.catalog),
      link(call, 'down', `${own}/metadata`, mediaTypes.metadata),
      link(call, 'edit', own, mediaTypes.catalogItem),
      link(call, 'remove', own),
      leaf('Description', item.description),
      entity === undefined ? null : reference(call, 'Entity', item.entity.kind, entity),
      leaf('DateCreated', item.created),
      leaf('VersionNumber', item.version),
    ),
    status,
  );
}

async function updateItem(call: Call): Promise<Reply> {
  const item = call.entity('catalogItem');
  const body = await call.xml('CatalogItem');
  const name = attributeOf(body, 'name') ?? item.name;
  const description = textOf(body, 'Description') ?? item.description;
  const { store } = call.sim;
  refuseTakenName(call.sim, store.must('catalog', item.catalog), name, item.id);
  const next = store.atomically(() => {
    store.change(item.entity.kind, item.entity.id, { name, description });
    touchCatalog(call.sim, item.catalog);
    return store.change('catalogItem', item.id, { name, description, version: item.version + 1 })!;
  });
  return itemDocument(call, next);
}

function deleteItem(call: Call): Reply {
  const item = call.entity('catalogItem');
  const { store, tasks } = call.sim;
  const entity = store.get(item.entity.kind, item.entity.id);
  if (entity !== undefined && entity.upload === null) tasks.refuseWhenBusy('catalog item', item.name, entity.id);
  store.atomically(() => {
    if (item.entity.kind === 'template') removeTemplate(call.sim, item.entity.id);
    else removeMedia(call.sim, item.entity.id);
    store.remove('catalogItem', item.id);
    touchCatalog(call.sim, item.catalog);
  });
  return noContent;
}

async function copyOrMove(call: Call, move: boolean): Promise<Reply> {
  const catalog = call.entity('catalog');
  const body = await call.xml('CopyOrMoveCatalogItemParams');
  const item = referred(call, 'catalogItem', attributeOf(child(body, 'Source'), 'href'));
  if (item.entity.kind !== 'template') throw badRequest('Only vApp templates can be copied or moved here.');
  const name = attributeOf(body, 'name') ?? item.name;
  const description = textOf(body, 'Description') ?? item.description;
  refuseTakenName(call.sim, catalog, name);
  return accepted(call, copyTemplate(call, item, catalog, name, description, move));
}

export const catalogItemRoutes: Route[] = [
  get('/api/catalogItem/:id', (call) => itemDocument(call, call.entity('catalogItem'))),
  put('/api/catalogItem/:id', updateItem),
  remove('/api/catalogItem/:id', deleteItem),
  post('/api/catalog/:id/action/copy', (call) => copyOrMove(call, false)),
  post('/api/catalog/:id/action/move', (call) => copyOrMove(call, true)),
];
