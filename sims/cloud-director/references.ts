import type { View } from './call.ts';
import type { Kind, OwnerKind } from './entities.ts';
import { mediaTypes } from './media-types.ts';
import { el, type Markup } from './xml/writer.ts';

/** Path of an entity below the host. */
export function pathOf(kind: Kind, id: string, parent?: 'vapp' | 'template'): string {
  switch (kind) {
    case 'vapp':
      return `/api/vApp/vapp-${id}`;
    case 'vm':
      return parent === 'template' ? `/api/vAppTemplate/vm-${id}` : `/api/vApp/vm-${id}`;
    case 'template':
      return `/api/vAppTemplate/vappTemplate-${id}`;
    case 'storageProfile':
      return `/api/vdcStorageProfile/${id}`;
    case 'user':
      return `/api/admin/user/${id}`;
    default:
      return `/api/${kind}/${id}`;
  }
}

const urnNames: Partial<Record<Kind, string>> = {
  catalogItem: 'catalogitem',
  template: 'vapptemplate',
  storageProfile: 'vdcstorageProfile',
};

export function urn(kind: Kind | 'role', id: string): string {
  return `urn:vcloud:${kind === 'role' ? 'role' : (urnNames[kind] ?? kind)}:${id}`;
}

const types: Partial<Record<Kind, string>> = {
  org: mediaTypes.org,
  user: mediaTypes.adminUser,
  vdc: mediaTypes.vdc,
  storageProfile: mediaTypes.storageProfile,
  catalog: mediaTypes.catalog,
  catalogItem: mediaTypes.catalogItem,
  network: mediaTypes.orgVdcNetwork,
  template: mediaTypes.template,
  vapp: mediaTypes.vapp,
  vm: mediaTypes.vm,
  media: mediaTypes.media,
  disk: mediaTypes.disk,
  task: mediaTypes.task,
};

export function typeOf(kind: Kind): string | undefined {
  return types[kind];
}

/** A reference element: `<Name href id name type/>`. */
export function reference(
  view: View,
  element: string,
  kind: Kind,
  entity: { id: string; name: string },
  parent?: 'vapp' | 'template',
): Markup {
  return el(element, {
    href: view.href(pathOf(kind, entity.id, parent)),
    id: urn(kind, entity.id),
    name: entity.name,
    type: typeOf(kind),
  });
}

export function link(view: View, rel: string, path: string, type?: string, name?: string): Markup {
  return el('Link', { rel, href: view.href(path), name, type });
}

export function ownerReference(view: View, owner: { kind: OwnerKind; id: string; name: string }): Markup {
  const parent = owner.kind === 'vm' ? view.sim.store.get('vm', owner.id)?.parent.kind : undefined;
  return reference(view, 'Owner', owner.kind, owner, parent);
}
