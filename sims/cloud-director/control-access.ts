import { type Call, document, get, post, put, type Reply, type Route } from './call.ts';
import { mediaTypes } from './media-types.ts';
import { apiDeclarations, apiPrefixes } from './xml/namespaces.ts';
import type { XmlElement } from './xml/tree.ts';
import { toMarkup } from './xml/tree.ts';
import { el, leaf } from './xml/writer.ts';

type Shared = 'catalog' | 'vapp' | 'vdc';

function show(call: Call, access: XmlElement | null): Reply {
  const attributes = { ...apiDeclarations, type: mediaTypes.controlAccess };
  const inner =
    access === null
      ? [leaf('IsSharedToEveryone', false)]
      : access.children.map((child) => toMarkup(child, apiPrefixes));
  return document(
    mediaTypes.controlAccess,
    el('ControlAccessParams', { ...attributes, href: call.href(call.path) }, inner),
  );
}

/** Sharing is kept and shown; in the lab every user of an organization sees everything in it anyway. */
async function change(call: Call, kind: Shared, id: string): Promise<Reply> {
  call.entity(kind, id);
  const access = await call.xml('ControlAccessParams');
  call.sim.store.change(kind, id, { access });
  return show(call, access);
}

function pair(base: string, kind: Shared, parameter: string): Route[] {
  const id = (call: Call) => (call.params[parameter] ?? '').replace(/^vapp-/, '');
  return [
    get(`${base}/controlAccess`, (call) => show(call, call.entity(kind, id(call)).access)),
    post(`${base}/action/controlAccess`, (call) => change(call, kind, id(call))),
    put(`${base}/action/controlAccess`, (call) => change(call, kind, id(call))),
  ];
}

export const controlAccessRoutes: Route[] = [
  ...pair('/api/catalog/:id', 'catalog', 'id'),
  ...pair('/api/org/:org/catalog/:id', 'catalog', 'id'),
  ...pair('/api/vApp/:id', 'vapp', 'id'),
  ...pair('/api/vdc/:id', 'vdc', 'id'),
];
