import { Fault } from '../../model/fault.ts';
import { childrenOf, flagOf, numberOf, type Ref, refOf, refsOf } from './element.ts';
import { toFault } from './faults.ts';
import { decodeName } from './names.ts';
import { filterSpec, type ObjectContent, objectsOfView, retrieve, withView } from './property-collector.ts';
import type { Session } from './session.ts';

/** A place where machines can run: a cluster's or host's root pool, or a pool of its own. */
export interface PoolChoice {
  /** Id of the cluster, host or pool, as the inventory shows it. */
  id: string;
  label: string;
  pool: Ref;
  compute: Ref;
  host?: Ref;
}

export interface DatastoreChoice {
  ref: Ref;
  name: string;
  totalBytes: number;
  freeBytes: number;
  usable: boolean;
}

/** Everything around one destination that an import can be put on. */
export interface Site {
  destination: ObjectContent;
  name: string;
  /** The folder that will hold the machine when the destination says so itself. */
  folder: Ref | undefined;
  folders: { ref: Ref; label: string }[];
  pools: PoolChoice[];
  datastores: DatastoreChoice[];
  networks: { ref: Ref; name: string }[];
  /** Ids of what a compute resource sees. */
  seenBy(compute: Ref): { datastores: Set<string>; networks: Set<string> };
}

const SETS = [
  { type: 'Datacenter', paths: ['name', 'parent', 'vmFolder'] },
  { type: 'Folder', paths: ['name', 'parent', 'childType'] },
  { type: 'ComputeResource', paths: ['name', 'parent', 'resourcePool', 'host', 'datastore', 'network'] },
  { type: 'HostSystem', paths: ['name', 'parent', 'runtime.connectionState', 'runtime.inMaintenanceMode'] },
  { type: 'VirtualApp', paths: ['name', 'parent'] },
  { type: 'ResourcePool', paths: ['name', 'parent', 'owner'] },
  {
    type: 'Datastore',
    paths: ['name', 'parent', 'summary.capacity', 'summary.freeSpace', 'summary.accessible', 'summary.maintenanceMode'],
  },
  { type: 'Network', paths: ['name', 'parent'] },
];
const TYPES = ['Datacenter', 'Folder', 'ComputeResource', 'HostSystem', 'ResourcePool', 'Datastore', 'Network'];

/** Reads what there is around a destination. Faults: `object.missing`, `object.wrong-kind`. */
export async function readSite(session: Session, destination: string, signal: AbortSignal): Promise<Site> {
  const all = await readAll(session, signal);
  const at = all.get(destination);
  if (at === undefined) {
    throw new Fault('object.missing', `${session.who}: there is no destination with the id ${destination}`);
  }
  const datacenter = ancestor(all, at, 'Datacenter');
  const inside = [...all.values()].filter(
    (content) => datacenter !== undefined && ancestor(all, content, 'Datacenter')?.ref.id === datacenter.ref.id,
  );
  const name = nameOf(at);
  const folder = destinationFolder(at);
  const isCompute = ['ComputeResource', 'ClusterComputeResource', 'HostSystem', 'ResourcePool'].includes(at.ref.type);
  if (datacenter === undefined || (folder === undefined && !isCompute)) {
    throw new Fault('object.wrong-kind', `${session.who}: "${name}" cannot hold machines`, {
      remedy: 'Choose a folder of machines, a datacenter, a cluster, a host or a resource pool.',
    });
  }
  const vmFolder = refOf(datacenter.props.get('vmFolder'));
  const pools = poolsOf(all, inside).filter((pool) => !isCompute || belongs(all, at, pool));
  return {
    destination: at,
    name,
    folder,
    folders: inside
      .filter((content) => destinationFolder(content) !== undefined && content.ref.type === 'Folder')
      .map(({ ref }) => ({ ref, label: pathOf(all, ref, datacenter) }))
      .sort((one, other) => Number(other.ref.id === vmFolder?.id) - Number(one.ref.id === vmFolder?.id)),
    pools,
    datastores: inside.filter((content) => content.ref.type === 'Datastore').map(datastoreOf),
    networks: inside.filter(isNetwork).map((content) => ({ ref: content.ref, name: nameOf(content) })),
    seenBy(compute) {
      const props = all.get(compute.id)?.props;
      return {
        datastores: new Set(refsOf(props?.get('datastore')).map((ref) => ref.id)),
        networks: new Set(refsOf(props?.get('network')).map((ref) => ref.id)),
      };
    },
  };
}

type Contents = Map<string, ObjectContent>;

async function readAll(session: Session, signal: AbortSignal): Promise<Contents> {
  try {
    const contents = await withView(session, session.service('rootFolder'), TYPES, signal, (view) =>
      retrieve(session, filterSpec(SETS, objectsOfView(view)), signal),
    );
    return new Map(contents.map((content) => [content.ref.id, content]));
  } catch (error) {
    signal.throwIfAborted();
    throw toFault(error, session.who, 'reading where machines can be put');
  }
}

function nameOf(content: ObjectContent): string {
  return decodeName(content.props.get('name')?.text ?? content.ref.id);
}

function isNetwork(content: ObjectContent): boolean {
  return /Network$|Portgroup$/.test(content.ref.type);
}

/** The folder of machines that a destination stands for, if it does. */
function destinationFolder(content: ObjectContent): Ref | undefined {
  if (content.ref.type === 'Datacenter') return refOf(content.props.get('vmFolder'));
  if (content.ref.type !== 'Folder') return undefined;
  const types = childrenOf(content.props.get('childType'), 'string').map((item) => item.text);
  return types.includes('VirtualMachine') ? content.ref : undefined;
}

function ancestor(all: Contents, from: ObjectContent, ...types: string[]): ObjectContent | undefined {
  let at: ObjectContent | undefined = from;
  for (let depth = 0; at !== undefined && depth < 100; depth++) {
    if (types.includes(at.ref.type)) return at;
    at = all.get(refOf(at.props.get('parent'))?.id ?? '');
  }
  return undefined;
}

function pathOf(all: Contents, ref: Ref, top: ObjectContent): string {
  const names: string[] = [];
  let at = all.get(ref.id);
  while (at !== undefined && at.ref.id !== top.ref.id && names.length < 100) {
    names.unshift(nameOf(at));
    at = all.get(refOf(at.props.get('parent'))?.id ?? '');
  }
  return names.join('/');
}

function poolsOf(all: Contents, inside: readonly ObjectContent[]): PoolChoice[] {
  const choices: PoolChoice[] = [];
  for (const content of inside) {
    if (!/ComputeResource$/.test(content.ref.type)) continue;
    const pool = refOf(content.props.get('resourcePool'));
    if (pool === undefined) continue;
    const hosts = refsOf(content.props.get('host')).map((ref) => all.get(ref.id));
    const usable = hosts.filter((host) => host !== undefined).filter(isUsableHost);
    if (usable.length === 0) continue;
    choices.push({ id: content.ref.id, label: nameOf(content), pool, compute: content.ref });
    if (content.ref.type === 'ClusterComputeResource') {
      for (const host of usable) {
        const label = `${nameOf(content)}/${nameOf(host)}`;
        choices.push({ id: host.ref.id, label, pool, compute: content.ref, host: host.ref });
      }
    } else {
      for (const host of usable)
        choices.push({ ...choices.at(-1)!, id: host.ref.id, label: nameOf(host), host: host.ref });
    }
    for (const inner of inside) {
      if (inner.ref.type !== 'ResourcePool') continue;
      if (ancestor(all, inner, 'ComputeResource', 'ClusterComputeResource')?.ref.id !== content.ref.id) continue;
      const label = inner.ref.id === pool.id ? `${nameOf(content)}/Resources` : poolPath(all, inner, content);
      choices.push({ id: inner.ref.id, label, pool: inner.ref, compute: content.ref });
    }
  }
  return choices;
}

function poolPath(all: Contents, pool: ObjectContent, compute: ObjectContent): string {
  return `${nameOf(compute)}/${pathOf(all, pool.ref, compute)}`;
}

function isUsableHost(host: ObjectContent): boolean {
  const connected = host.props.get('runtime.connectionState')?.text ?? 'connected';
  return connected === 'connected' && !flagOf(host.props.get('runtime.inMaintenanceMode'));
}

/** Whether a destination that is a cluster, host or pool means this choice. */
function belongs(all: Contents, destination: ObjectContent, choice: PoolChoice): boolean {
  if (destination.ref.id === choice.id) return true;
  if (!/ComputeResource$/.test(destination.ref.type)) return false;
  const at = all.get(choice.id);
  return at !== undefined && choice.compute.id === destination.ref.id;
}

function datastoreOf(content: ObjectContent): DatastoreChoice {
  const { props } = content;
  const mode = props.get('summary.maintenanceMode')?.text ?? 'normal';
  return {
    ref: content.ref,
    name: nameOf(content),
    totalBytes: numberOf(props.get('summary.capacity')) ?? 0,
    freeBytes: numberOf(props.get('summary.freeSpace')) ?? 0,
    usable: flagOf(props.get('summary.accessible')) !== false && mode === 'normal',
  };
}
