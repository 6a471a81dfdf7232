import { Fault } from '../../model/fault.ts';
import { joinPath, splitPath } from '../../model/path.ts';
import { type Objects, onlyOne } from '../objects.ts';
import type { CopyOrder } from '../store/jobs.ts';
import type { StoredObject } from '../store/objects.ts';

/** Both ends of a copy, as objects of the inventory. */
export interface Endpoints {
  sourceCloud: string;
  source: StoredObject;
  destinationCloud: string;
  /** The object that shall hold what arrives. */
  container: StoredObject;
  name: string;
  /** An earlier copy there that this one is compared with. */
  seed?: StoredObject;
}

/** Media go into what holds media, everything else into what holds machines or templates. */
type Holds = (object: StoredObject) => boolean;
const holdsMedia: Holds = ({ abilities }) => abilities.includes('hold-media');
const holdsMachines: Holds = ({ abilities }) =>
  abilities.includes('hold-machines') || abilities.includes('hold-templates');

/**
 * Finds what a request names. The destination is a container, or a container and a new name behind it. Faults:
 * `object.missing`, `object.ambiguous`, `object.wrong-kind`, `object.exists`, `input.invalid` (also for clouds of two
 * tenants), `auth.forbidden`.
 */
export async function resolveEndpoints(objects: Objects, order: CopyOrder): Promise<Endpoints> {
  const found = await objects.find(order.source);
  const exportable = found.objects.filter(({ abilities }) => abilities.includes('export'));
  const source = onlyOne(exportable.length > 0 ? exportable : found.objects, order.source);
  if (exportable.length === 0) {
    throw new Fault('object.wrong-kind', `"${order.source}" is a ${source.kind}: it cannot be copied`, {
      remedy: 'Choose a VM, a vApp, a template or media.',
    });
  }
  const media = source.kind === 'media';
  const { cloud, container, name } = await resolveDestination(objects, order.destination, media);
  objects.refuseApart(found.cloud, cloud);
  objects.demand('copy-out', found.cloud, source);
  objects.demand('copy-in', cloud, container);
  if (order.kind === 'move') demandMove(objects, order, found.cloud, source);
  if (order.powerOffSource) objects.demand('operate', found.cloud, source);
  if (order.powerOn) objects.demand('operate', cloud, container);
  const seed = order.seed === undefined ? undefined : await resolveSeed(objects, order.seed, cloud);
  return {
    sourceCloud: found.cloud,
    source,
    destinationCloud: cloud,
    container,
    name: order.name ?? name ?? source.name,
    ...(seed === undefined ? {} : { seed }),
  };
}

function demandMove(objects: Objects, order: CopyOrder, cloud: string, source: StoredObject): void {
  if (source.kind === 'media') {
    throw new Fault('object.wrong-kind', `"${source.name}" is an image of a disc: it is copied, not moved`, {
      remedy: 'Copy it, and remove the source in its cloud when nobody needs it.',
    });
  }
  objects.demand('operate', cloud, source);
  if (order.deleteSourceAfterDays !== undefined) objects.demand('delete', cloud, source);
}

async function resolveSeed(objects: Objects, text: string, cloud: string): Promise<StoredObject> {
  const found = await objects.find(text);
  if (found.cloud !== cloud) {
    throw new Fault('input.invalid', `the seed "${text}" lies in another cloud than the destination`, {
      remedy:
        'Name an earlier copy in the cloud of the destination: it is read there, near to where the new one comes.',
    });
  }
  const seed = onlyOne(found.objects, text);
  if (seed.abilities.includes('export')) return seed;
  throw new Fault('object.wrong-kind', `the seed "${text}" is a ${seed.kind}, which has no disks to read`, {
    remedy: 'Choose a VM, a vApp, a template or media.',
  });
}

async function resolveDestination(objects: Objects, text: string, media: boolean) {
  const holds = media ? holdsMedia : holdsMachines;
  const what = media ? 'media' : 'a copy';
  const { cloud, names, objects: found } = await objects.find(text);
  const containers = found.filter(holds);
  if (containers.length > 0) return { cloud, container: onlyOne(containers, text), name: undefined };
  const [other] = found;
  const parents = names.length > 1 ? await objects.at(cloud, names.slice(0, -1)) : [];
  const above = parents.filter(holds);
  if (other !== undefined) {
    if (above.length > 0 && (other.machine !== undefined || other.kind === 'media')) {
      throw new Fault('object.exists', `"${text}" exists already: nothing that exists is replaced`);
    }
    throw new Fault('object.wrong-kind', `"${text}" is a ${other.kind}, which cannot hold ${what}`, {
      remedy: media
        ? 'Name a catalog, a datastore or a folder that can.'
        : 'Choose a folder, pool, VDC or catalog that can.',
    });
  }
  if (above.length > 0) return { cloud, container: onlyOne(above, text), name: names.at(-1) };
  const parentText = `${text.split('/')[0]}${joinPath(names.slice(0, -1))}`;
  throw new Fault('object.missing', `nothing that can hold ${what} is at "${text}", nor at "${parentText}"`, {
    remedy: `List it: cloudspan ls ${parentText}`,
  });
}

/**
 * Ids of the destination's networks by name of the source's network. A value is an id, a path or a name; of several
 * with one name the nearest to the container is meant. Fault `input.invalid` names those there are.
 */
export async function resolveNetworks(
  objects: Objects,
  ends: Endpoints,
  wanted: CopyOrder['networks'],
  used: string[],
) {
  const there = await objects.ofKinds(ends.destinationCloud, ['network']);
  const ids: Record<string, string | null> = {};
  const names: Record<string, string | null> = {};
  for (const [sourceName, value] of Object.entries(wanted)) {
    if (!used.includes(sourceName)) {
      throw new Fault('input.invalid', `"${ends.source.name}" uses no network "${sourceName}"`, {
        remedy: `It uses: ${used.join(', ') || 'none'}.`,
        details: { networks: used },
      });
    }
    const network = value === null ? null : chooseNetwork(there, ends.container, value);
    ids[sourceName] = network?.id ?? null;
    names[sourceName] = network?.name ?? null;
  }
  return { ids, names };
}

function chooseNetwork(there: StoredObject[], container: StoredObject, value: string): StoredObject {
  const path = value.startsWith('/') ? joinPath(splitPath(value)) : null;
  const named = there.filter(({ id, name, names }) => id === value || name === value || joinPath(names) === path);
  const nearness = (network: StoredObject) => {
    const apart = network.names.findIndex((name, index) => name !== container.names[index]);
    return apart < 0 ? network.names.length : apart;
  };
  const nearest = Math.max(...named.map(nearness));
  const best = named.filter((network) => nearness(network) === nearest);
  if (best.length > 0) return onlyOne(best, value);
  const known = there.map(({ name }) => name);
  throw new Fault('input.invalid', `the destination has no network "${value}"`, {
    remedy: `There are: ${known.join(', ') || 'none'}.`,
    details: { networks: known },
  });
}
