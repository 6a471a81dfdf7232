import type { Check } from '../../model/check.ts';
import { Fault } from '../../model/fault.ts';
import { type PackageDescription, partsOf } from '../../model/machine.ts';
import type { ImportOrder } from '../../protocol/work.ts';
import type { Clouds } from '../clouds.ts';
import type { Nodes } from '../nodes.ts';
import type { Objects } from '../objects.ts';
import type { Paths } from '../reach/paths.ts';
import type { Database } from '../store/database.ts';
import type { CopyOrder } from '../store/jobs.ts';
import { readPaces } from '../store/pace.ts';
import { type Endpoints, resolveEndpoints, resolveNetworks } from './endpoints.ts';
import { modeCheck, timeCheck } from './expectation.ts';
import { mayBeMended } from './insist.ts';

/** What a copy will do, found out before anything is touched. Small: it is the output of a durable step. */
export interface CopyPlan {
  source: { cloud: string; node: string; object: string; kind: string; name: string };
  destination: { cloud: string; node: string; names: string[] };
  order: ImportOrder;
  networkNames: Record<string, string | null>;
  /** An earlier copy at the destination, and the ids of the source's disks in their order. */
  seed?: { object: string; name: string; disks: string[] };
  /** Of a move: the source is set aside. */
  move?: true;
  /** The source runs and shall be shut down first. */
  shutDown: boolean;
}

export interface Preflight {
  checks: Check[];
  totalBytes: number;
  plan: CopyPlan;
}

/** The check by which a driver refuses a machine that is not off. */
export const POWERED_OFF = 'machine-powered-off';

const SHUT_DOWN_CHOICE = 'Or ask for it: --power-off-source shuts the guest down before the copy.';

export interface PreflightOptions {
  database: Database;
  objects: Objects;
  clouds: Clouds;
  nodes: Nodes;
  paths: Paths;
}

/**
 * Every check of a copy; reads only. What the request itself has wrong (a path, a name) is thrown as a fault, and so is
 * what mends itself (a node or cloud that is away); what else the world has against it is a failed check.
 */
export async function preflightCopy(
  options: PreflightOptions,
  order: CopyOrder,
  signal: AbortSignal,
): Promise<Preflight> {
  const { objects, clouds } = options;
  const ends = await resolveEndpoints(objects, order);
  const description = await clouds.use(ends.sourceCloud, (node, cloud) =>
    node.describe({ cloud, object: ends.source.id }, signal),
  );
  if (description.kind === 'media') refuseMachineWishes(order, ends.source.name);
  const used = usedNetworks(description);
  const networks = await resolveNetworks(objects, ends, order.networks, used);
  const plan = planOf(ends, order, networks, clouds);
  if (ends.seed !== undefined) {
    const { id, name } = ends.seed;
    plan.seed = { object: id, name, disks: partsOf(description as PackageDescription).map(({ id }) => id) };
  }
  const checks = [
    ...(await checkWay(options, plan, signal)),
    ...(await collect('source', () =>
      clouds.use(ends.sourceCloud, (node, cloud) => node.checkExport({ cloud, object: ends.source.id }, signal)),
    )),
    ...(await collect('destination', () =>
      clouds.use(ends.destinationCloud, (node, cloud) =>
        node.checkImport({ cloud, body: { order: plan.order, description: description as never } }, signal),
      ),
    )),
  ];
  if (order.kind === 'move') checks.push(checkAside(clouds, plan));
  if (plan.seed !== undefined) checks.push(await checkSeed(options, plan, plan.seed, signal));
  checks.push(modeCheck(plan.source, plan.shutDown, order.powerOn));
  // Checks that were broken off are no failures of theirs.
  signal.throwIfAborted();
  const totalBytes = partsOf(description as PackageDescription).reduce((sum, { lengthBytes }) => sum + lengthBytes, 0);
  const paces = await readPaces(options.database, plan.source.cloud, plan.destination.cloud);
  checks.push(timeCheck(totalBytes, paces));
  return { checks: forShutdown(checks, plan.shutDown), totalBytes, plan };
}

function planOf(
  ends: Endpoints,
  order: CopyOrder,
  networks: { ids: Record<string, string | null>; names: Record<string, string | null> },
  clouds: Clouds,
): CopyPlan {
  const { placement, keepMac, keepUuid, onNameClash, properties, acceptEulas } = order;
  const { source, container } = ends;
  return {
    source: {
      cloud: ends.sourceCloud,
      node: clouds.get(ends.sourceCloud).node,
      object: source.id,
      kind: source.kind,
      name: source.name,
    },
    destination: {
      cloud: ends.destinationCloud,
      node: clouds.get(ends.destinationCloud).node,
      names: container.names,
    },
    order: {
      name: ends.name,
      destination: container.id,
      placement,
      networks: networks.ids,
      keepMac,
      keepUuid,
      onNameClash,
      properties,
      acceptEulas,
    },
    networkNames: networks.names,
    ...(order.kind === 'move' ? { move: true as const } : {}),
    shutDown: order.powerOffSource && source.machine !== undefined && source.machine.power !== 'off',
  };
}

async function checkWay({ nodes, paths }: PreflightOptions, plan: CopyPlan, signal: AbortSignal): Promise<Check[]> {
  const name = 'nodes-reach';
  const ends = { source: nodes.get(plan.source.node), destination: nodes.get(plan.destination.node) };
  const { source, destination } = ends;
  return collect(name, async () => {
    const { dialer, address, relay } = await paths.between(ends, signal);
    const pass = (found: string) => [{ name, outcome: 'pass' as const, found }];
    if (relay !== undefined) {
      const where = relay.addresses.length === 0 ? 'this server' : relay.addresses.join(', ');
      return pass(`Node ${source.name} and node ${destination.name} meet at a relay: ${where}.`);
    }
    if (address === undefined) return pass(`Node ${source.name} serves both clouds.`);
    const [from, to] = dialer === 'source' ? [source, destination] : [destination, source];
    return pass(`Node ${from.name} reaches node ${to.name} at ${address}.`);
  });
}

/** Nodes of earlier builds know no facet for it. */
function checkAside(clouds: Clouds, { source }: CopyPlan): Check {
  const name = 'source-set-aside';
  const cloud = clouds.list().find(({ id }) => id === source.cloud);
  if (cloud?.facets.includes('sources') === true) {
    return {
      name,
      outcome: 'pass',
      found: `"${source.name}" will be renamed and disconnected, and nothing will start it; an undo sets that back.`,
    };
  }
  return {
    name,
    outcome: 'fail',
    found: `${cloud?.name ?? source.cloud}: its driver, or the release of its node, cannot set a source aside.`,
    remedy: 'Update the node, or copy instead of moving and put the source away by hand.',
  };
}

/** A seed only saves bytes: one that cannot be read is left out of the plan. */
async function checkSeed(
  { clouds }: PreflightOptions,
  plan: CopyPlan,
  { object, name }: NonNullable<CopyPlan['seed']>,
  signal: AbortSignal,
): Promise<Check> {
  const found = await collect('seed', () =>
    clouds.use(plan.destination.cloud, (node, cloud) => node.checkExport({ cloud, object }, signal)),
  );
  const obstacle = found.find(({ outcome }) => outcome === 'fail');
  if (obstacle === undefined) {
    return { name: 'seed', outcome: 'pass', found: `Only what differs from "${name}" at the destination travels.` };
  }
  delete plan.seed;
  return {
    name: 'seed',
    outcome: 'warn',
    found: `"${name}" cannot be read to compare with it, so everything travels that the node does not hold: ${obstacle.found}`,
    ...(obstacle.remedy === undefined ? {} : { remedy: obstacle.remedy }),
  };
}

async function collect(
  name: string,
  look: () => Promise<{ [Key in keyof Check]: Check[Key] | undefined }[]>,
): Promise<Check[]> {
  try {
    return (await look()) as Check[];
  } catch (error) {
    if (!(error instanceof Fault) || error.code === 'internal' || mayBeMended(error)) throw error;
    return [{ name, outcome: 'fail', found: error.message, remedy: error.remedy }];
  }
}

/** A machine that will be shut down on request is no reason to refuse; without the request that choice is named. */
function forShutdown(checks: Check[], shutDown: boolean): Check[] {
  return checks.map((check) => {
    if (check.name !== POWERED_OFF || check.outcome !== 'fail') return check;
    if (!shutDown) return { ...check, remedy: `${check.remedy ?? ''} ${SHUT_DOWN_CHOICE}`.trim() };
    return { ...check, outcome: 'warn', remedy: 'It is shut down first, as the request says.' };
  });
}

/** Fault `input.invalid` names what media have not. */
function refuseMachineWishes(order: CopyOrder, name: string): void {
  const wishes: [boolean, string][] = [
    [order.powerOn, 'be powered on'],
    [order.powerOffSource, 'be shut down first'],
    [Object.keys(order.properties).length > 0, 'take OVF properties'],
  ];
  const wished = wishes.filter(([is]) => is).map(([, words]) => words);
  if (wished.length === 0) return;
  throw new Fault('input.invalid', `"${name}" is an image of a disc: it cannot ${wished.join(', nor ')}`, {
    remedy: 'Leave these wishes out; they are for machines.',
  });
}

function usedNetworks(
  description: Pick<PackageDescription, 'networks'> & { machines: { nics: { network: string | null }[] }[] },
) {
  const ofNics = description.machines.flatMap(({ nics }) => nics.map(({ network }) => network));
  const all = [...description.networks.map(({ name }) => name), ...ofNics.filter((name) => name !== null)];
  return [...new Set(all)];
}

/** Fault `preflight.failed` with every failed check, where there is one. */
export function refuseFailed(checks: Check[]): void {
  const failed = checks.filter(({ outcome }) => outcome === 'fail');
  const [first] = failed;
  if (first === undefined) return;
  throw new Fault('preflight.failed', failed.map(({ name, found }) => `${name}: ${found}`).join(' '), {
    remedy:
      [...new Set(failed.map(({ remedy }) => remedy).filter((remedy) => remedy !== undefined))].join(' ') ||
      'Follow the remedy of the check.',
    details: { checks: failed.map(({ name }) => name) },
  });
}
