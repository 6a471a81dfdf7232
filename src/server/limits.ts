import type { Log } from '../base/log.ts';
import { Fault } from '../model/fault.ts';
import type { Limit, NodeLimits } from '../model/limit.ts';
import type { NodeView } from '../protocol/api/nodes.ts';
import { insist } from './jobs/insist.ts';
import type { Nodes } from './nodes.ts';
import type { Database } from './store/database.ts';
import { deleteLimit, type LimitRow, readLimits, writeLimit } from './store/limits.ts';

/** The limits as they are written down, by the ids of nodes. */
export interface LimitBook {
  readonly rows: readonly LimitRow[];
  /** Durable when it resolves. Null takes the limit away. */
  put(node: string, peer: string, limit: Limit | null): Promise<void>;
  viewOf(node: string): Pick<NodeView, 'limit' | 'pairs'>;
  /** Anew, since a removed node takes its limits with it. */
  read(): Promise<void>;
}

export async function openLimitBook(database: Database, owner: string): Promise<LimitBook> {
  let rows = await readLimits(database);
  const book: LimitBook = {
    get rows() {
      return rows;
    },
    async put(one, other, limit) {
      const [node = one, peer = other] = [one, other].toSorted();
      if (limit === null) await deleteLimit(database, node, peer);
      else await writeLimit(database, owner, { node, peer, data: limit });
      await book.read();
    },
    async read() {
      rows = await readLimits(database);
    },
    viewOf(id) {
      const own = rows.find(({ node, peer }) => node === id && peer === id);
      const pairs = rows
        .filter(({ node, peer }) => node !== peer && (node === id || peer === id))
        .map(({ node, peer, data }) => ({ node: node === id ? peer : node, limit: data }));
      return { ...(own === undefined ? {} : { limit: own.data }), ...(pairs.length === 0 ? {} : { pairs }) };
    },
  };
  return book;
}

export interface Limits {
  /**
   * Limits a node, or what goes between it and another one. Nodes that are linked keep to it when this resolves, others
   * from their next link on. Faults: `object.missing`, `input.invalid` (a pair of one).
   */
  set(node: string, to: string | undefined, limit: Limit | null): Promise<NodeView>;
}

/** How long a node is told again that did not take a limit at once. */
const PATIENCE_MILLISECONDS = 60_000;

/** Keeps every linked node informed. */
export function createLimits(book: LimitBook, nodes: Nodes, closing: AbortSignal, log: Log): Limits {
  const tell = async (id: string): Promise<void> => {
    const signal = AbortSignal.any([closing, AbortSignal.timeout(PATIENCE_MILLISECONDS)]);
    try {
      const tellOnce = () => nodes.client(id).setLimits({ body: limitsOf(id) }, signal);
      await insist(nodes, id, tellOnce, signal);
    } catch (error) {
      if (closing.aborted || book.rows.length === 0) return;
      log.warn({ node: id, fault: Fault.from(error, id).report() }, 'the node does not know its limits');
    }
  };

  const limitsOf = (id: string): NodeLimits => {
    const limits: NodeLimits = { own: null, pairs: {}, peers: {} };
    const pins = new Map(nodes.list().map((one) => [one.id, one.pin]));
    for (const { node, peer, data } of book.rows) {
      const other = node === id ? peer : node;
      if (node === id && peer === id) limits.own = data;
      else if (node === peer) limits.peers[pins.get(node) ?? node] = data;
      else if (node === id || peer === id) limits.pairs[pins.get(other) ?? other] = data;
    }
    return limits;
  };

  nodes.onLinked((id) => void tell(id));
  return {
    async set(name, to, limit) {
      const node = nodes.get(name);
      const peer = to === undefined ? node : nodes.get(to);
      if (to !== undefined && peer.id === node.id) {
        throw new Fault('input.invalid', `node ${node.name} is no pair with itself`, {
          remedy: 'Name another node, or leave it out to limit the node as a whole.',
        });
      }
      await book.put(node.id, peer.id, limit === null ? null : inZoneOf(node.about?.timeZone, limit));
      for (const { id } of new Set([node, peer])) nodes.tell(id);
      await Promise.all(nodes.list().map(({ id, connected }) => (connected ? tell(id) : undefined)));
      return nodes.list().find(({ id }) => id === node.id)!;
    },
  };
}

/** Windows are by the clock of the node that was named, whoever keeps to them. */
function inZoneOf(timeZone: string | undefined, limit: Limit): Limit {
  if (limit.windows.length === 0 || limit.timeZone !== undefined || timeZone === undefined) return limit;
  return { ...limit, timeZone };
}
