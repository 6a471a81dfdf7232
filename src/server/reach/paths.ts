import type { Identity } from '../../base/identity.ts';
import { Fault } from '../../model/fault.ts';
import type { PeerRoute } from '../jobs/ticket.ts';
import type { Nodes } from '../nodes.ts';
import type { NodeRow } from '../store/nodes.ts';
import { dialable, type Ends, type Trial, tryDirect, tryRelay } from './trials.ts';

const CACHE_MILLISECONDS = 10 * 60_000;
const LONGEST_MILLISECONDS = 45_000;
/** Public nodes that are asked to be the relay when the server cannot. */
const MOST_RELAYS = 3;

export interface Paths {
  /**
   * The way between two nodes that was found good, tried anew when it was last tried long ago, when an address changed
   * or after `forget`. Faults: `node.unreachable`: with retry `soon` where one of them has no link to the server, with
   * `later` where no way is open; its sentence says what blocks each.
   */
  between(ends: Ends, signal: AbortSignal): Promise<PeerRoute>;
  /** Every way that was tried, the open one last. Fault: `node.unreachable`, one of them has no link. */
  explore(ends: Ends, signal: AbortSignal): Promise<Trial[]>;
  forget(ends: Ends): void;
}

export function createPaths(options: {
  nodes: Nodes;
  identity: Identity;
  owner: string;
  /** Whether this server lets nodes meet on its port. */
  relay: boolean;
  /** Where nodes that are to meet here dial this server; none: where each joined. */
  ownAddresses: () => string[];
}): Paths {
  const { nodes, identity } = options;
  const known = new Map<string, { route: PeerRoute; until: number }>();

  const relays = ({ source, destination }: Ends) => {
    const others = nodes
      .list()
      .filter(({ id, connected }) => connected && id !== source.id && id !== destination.id)
      .map(({ id }) => nodes.get(id))
      .filter((node) => node.about?.reach?.relay === true && dialable(node).length > 0)
      .map((node) => ({ name: `node ${node.name}`, pin: node.pin, addresses: dialable(node) }));
    const own = options.relay ? [{ name: 'this server', pin: identity.pin, addresses: options.ownAddresses() }] : [];
    return [...own, ...others.slice(0, MOST_RELAYS)];
  };

  const explore = async (ends: Ends, outer: AbortSignal): Promise<Trial[]> => {
    const { source, destination } = ends;
    for (const { id, name } of [source, destination]) {
      if (!nodes.connected(id)) throw new Fault('node.unreachable', `node ${name} has no link to the server`);
    }
    const limit = AbortSignal.timeout(LONGEST_MILLISECONDS);
    const signal = AbortSignal.any([outer, limit]);
    try {
      const direct = await Promise.all([
        ...(dialable(source).length > 0 ? [tryDirect(options, ends, 'destination', signal)] : []),
        ...(dialable(destination).length > 0 ? [tryDirect(options, ends, 'source', signal)] : []),
      ]);
      const open = direct.find(({ reachable }) => reachable);
      if (open !== undefined) return [...direct.filter((trial) => trial !== open && !trial.reachable), open];
      const trials = [...direct];
      const meets = [source, destination].every(({ about }) => about?.reach?.relay === true);
      for (const relay of meets ? relays(ends) : []) {
        const trial = await tryRelay(options, ends, relay, signal);
        trials.push(trial);
        if (trial.reachable) break;
      }
      return trials;
    } catch (error) {
      outer.throwIfAborted();
      if (!limit.aborted) throw error;
      throw new Fault(
        'node.unreachable',
        `nodes ${source.name} and ${destination.name} did not find each other in time`,
      );
    }
  };

  return {
    explore,
    forget: (ends) => void known.delete(keyOf(ends)),
    async between(ends, signal) {
      const { source, destination } = ends;
      if (source.id === destination.id) return { dialer: 'destination' };
      const key = keyOf(ends);
      const found = known.get(key);
      if (found !== undefined && found.until > performance.now()) return found.route;
      const trials = await explore(ends, signal);
      const open = trials.at(-1);
      if (open?.reachable !== true) throw blocked(ends, trials);
      known.set(key, { route: open.route, until: performance.now() + CACHE_MILLISECONDS });
      return open.route;
    },
  };
}

/** An address that changed makes another key. */
function keyOf({ source, destination }: Ends): string {
  const part = (node: NodeRow) => [node.id, node.pin, dialable(node)];
  return JSON.stringify([part(source), part(destination)]);
}

function blocked({ source, destination }: Ends, trials: Trial[]): Fault {
  const who = `nodes ${source.name} and ${destination.name} do not reach each other`;
  const faults = trials.flatMap(({ legs }) => legs.flatMap(({ node, fault }) => (fault ? [{ node, fault }] : [])));
  if (faults.length === 0) {
    return new Fault('node.unreachable', `${who}: neither can be dialled and there is no relay`, {
      retry: 'later',
      remedy:
        'Join one of them as public with an address that the other reaches, or update both so that they meet at the server.',
    });
  }
  const why = [...new Set(faults.map(({ node, fault }) => `from ${node}: ${fault.message}`))].join('; ');
  return new Fault('node.unreachable', `${who}: ${why}`, {
    retry: 'later',
    remedy:
      `Ask \`cloudspan nodes check ${source.name} ${destination.name}\` what blocks. ${faults[0]?.fault.remedy ?? ''}`.trim(),
  });
}
