import type { Lab } from './lab.ts';
import { type Invocation, kind, singleton } from './managed.ts';
import { openObject } from './objects.ts';
import { isA, isManaged } from './schema/types.ts';
import { notAuthenticated, type Session } from './session-manager.ts';
import { type Data, flag, isRef, type Ref, ref, reference, references, texts } from './value.ts';
import { invalidArgument, notFound } from './vim-fault.ts';

type View = {
  id: string;
  session: Session;
  list: (lab: Lab) => Ref[];
  container?: Ref;
  types: string[];
  recursive: boolean;
};

/** Properties that lead from a container to what it contains. */
const DOWN: Record<string, string[]> = {
  Folder: ['childEntity'],
  Datacenter: ['vmFolder', 'hostFolder', 'datastoreFolder', 'networkFolder'],
  ComputeResource: ['host', 'resourcePool'],
  ClusterComputeResource: ['host', 'resourcePool'],
  ResourcePool: ['resourcePool', 'vm'],
  VirtualApp: ['resourcePool', 'vm'],
  HostSystem: ['vm'],
};

function contained(lab: Lab, container: Ref): Ref[] {
  const object = openObject(lab, container);
  return (DOWN[container._ref] ?? []).flatMap((property) => {
    const value = object?.read(property);
    if (isRef(value)) return [value];
    return Array.isArray(value) ? value.filter(isRef) : [];
  });
}

function walk(lab: Lab, container: Ref, types: string[], recursive: boolean): Ref[] {
  const seen = new Map<string, Ref>();
  const queue = [container];
  const visited = new Set<string>([container.id]);
  for (let at = queue.shift(); at; at = queue.shift()) {
    for (const child of contained(lab, at)) {
      if (types.length === 0 || types.some((type) => isA(child._ref, type))) seen.set(child.id, child);
      // A cluster's hosts and pools, and a pool's machines, are one step for who asks without recursion.
      if (recursive && !visited.has(child.id)) {
        visited.add(child.id);
        queue.push(child);
      }
    }
  }
  return [...seen.values()];
}

function open(call: Invocation, type: string, view: Omit<View, 'id' | 'session'>): Ref {
  if (!call.session) throw notAuthenticated('ViewManager', 'ViewManager');
  const id = `session[${call.session.key}]${crypto.randomUUID()}`;
  call.session.objects.set(id, { ...view, id, session: call.session });
  return ref(type, id);
}

export const viewManager = singleton(
  'ViewManager',
  'ViewManager',
  {
    viewList: () => [],
  },
  {
    CreateContainerView(call, args: Data) {
      const container = reference(args, 'container');
      if (!container || !openObject(call.lab, container)) throw notFound(container?._ref ?? '', container?.id ?? '');
      if (!(container._ref in DOWN)) throw invalidArgument('container', `${container._ref} contains nothing`);
      const types = texts(args, 'type');
      for (const type of types) if (!isManaged(type)) throw invalidArgument('type', type);
      const recursive = flag(args, 'recursive') ?? false;
      return open(call, 'ContainerView', {
        container,
        types,
        recursive,
        list: (lab) => walk(lab, container, types, recursive),
      });
    },
    CreateListView(call, args) {
      const list = references(args, 'obj');
      return open(call, 'ListView', {
        types: [],
        recursive: false,
        list: (lab) => list.filter((one) => openObject(lab, one)),
      });
    },
  },
);

/** Views end with the session that made them and cannot be seen from another. */
function findView(lab: Lab, id: string): View | undefined {
  for (const session of lab.sessions.list) {
    const found = session.objects.get(id);
    if (found) return found as View;
  }
  return undefined;
}

function destroy(call: Invocation, view: View): undefined {
  view.session.objects.delete(view.id);
  call.lab.changed();
  return undefined;
}

export const containerView = kind<View>(
  'ContainerView',
  findView,
  {
    view: (lab, view) => view.list(lab),
    container: (_lab, view) => view.container,
    type: (_lab, view) => view.types,
    recursive: (_lab, view) => view.recursive,
  },
  { DestroyView: destroy },
);

export const listView = kind<View>(
  'ListView',
  findView,
  { view: (lab, view) => view.list(lab) },
  {
    DestroyView: destroy,
    ModifyListView(call, view, args) {
      const now = new Map(view.list(call.lab).map((one) => [one.id, one]));
      for (const gone of references(args, 'remove')) now.delete(gone.id);
      for (const added of references(args, 'add')) now.set(added.id, added);
      view.list = (lab) => [...now.values()].filter((one) => openObject(lab, one));
      call.lab.changed();
      return [];
    },
  },
);
