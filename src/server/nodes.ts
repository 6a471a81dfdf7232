import type { Duplex } from 'node:stream';
import { delay } from '../base/backoff.ts';
import type { Identity } from '../base/identity.ts';
import type { Log } from '../base/log.ts';
import { publicKeyOf } from '../base/sealed-key.ts';
import { Fault } from '../model/fault.ts';
import type { Way } from '../model/proxy.ts';
import type { NodeView } from '../protocol/api/nodes.ts';
import type { Events } from './events.ts';
import type { LimitBook } from './limits.ts';
import { dialLink } from './link/dial.ts';
import { createNodeClient, type NodeClient } from './link/node-client.ts';
import { type LinkSession, openLinkSession } from './link/session.ts';
import type { Database } from './store/database.ts';
import { deleteNode, type NodeRow, readNodes, writeAbout } from './store/nodes.ts';

const LONGEST_WAIT_MILLISECONDS = 15_000;
/** How often a linked node is asked about itself: its storage fills while it works. */
const ABOUT_MILLISECONDS = 30_000;

export interface Nodes {
  list(): NodeView[];
  /** By id or name. Fault `object.missing`. */
  get(node: string): NodeRow;
  byPin(pin: string): NodeRow | null;
  client(id: string): NodeClient;
  connected(id: string): boolean;
  /** Hands over the socket of a node that dialled home; it replaces an older link. */
  linked(node: NodeRow, socket: Duplex): void;
  /** After a join: the row is new or changed. */
  admitted(node: NodeRow): void;
  /** Tells open pages what the node is now. */
  tell(id: string): void;
  /** Reads anew what another server may have changed. */
  refresh(): Promise<void>;
  /** Forgets the pin and closes the link. The caller has checked that nothing depends on it. */
  remove(id: string): Promise<void>;
  /** Told after each new link, once the node has said what it is. */
  onLinked(listener: (id: string) => void): void;
  /** Told the pin of a node that was removed. */
  onForgotten(listener: (pin: string) => void): void;
  /** Resolves at the next link of the node, at once when there is one. */
  untilLinked(id: string, signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

interface Entry {
  row: NodeRow;
  link: LinkSession | null;
  client: NodeClient;
  stop: AbortController;
  dialling: Promise<void> | null;
}

export async function openNodes(
  database: Database,
  identity: Identity,
  events: Events,
  book: LimitBook,
  log: Log,
  stallSeconds: number,
  way: Way | undefined,
  owner: string,
): Promise<Nodes> {
  const entries = new Map<string, Entry>();
  const listeners: ((id: string) => void)[] = [];
  const forgetters: ((pin: string) => void)[] = [];
  const tasks = new Set<Promise<void>>();
  let closed = false;

  const publish = (entry: Entry) => events.publish({ type: 'node', node: viewOf(entry.row, entry.link, book, owner) });

  const serve = async (entry: Entry, socket: Duplex): Promise<void> => {
    const { row } = entry;
    const link = openLinkSession(socket, row.name, stallSeconds);
    entry.link?.close();
    entry.link = link;
    log.info({ node: row.name }, 'node linked');
    try {
      await learn(entry, link);
      for (const listener of listeners) listener(row.id);
      await keepLearning(entry, link);
    } catch (error) {
      log.warn({ node: row.name, fault: Fault.from(error, row.name).report() }, 'the link is of no use');
    } finally {
      link.close();
      await link.ended;
      if (entry.link === link) {
        entry.link = null;
        log.info({ node: row.name }, 'node unlinked');
        if (!closed && entries.has(row.id)) publish(entry);
      }
    }
  };

  const learn = async (entry: Entry, link: LinkSession): Promise<void> => {
    const about = await createNodeClient(entry.row.name, () => link).about({}, AbortSignal.timeout(20_000));
    entry.row = { ...entry.row, about };
    await writeAbout(database, entry.row.id, about);
    publish(entry);
  };

  const keepLearning = async (entry: Entry, link: LinkSession): Promise<void> => {
    const over = new AbortController();
    void link.ended.then(() => over.abort());
    while (!over.signal.aborted) {
      await delay(ABOUT_MILLISECONDS, over.signal).catch(() => {});
      if (!over.signal.aborted) await learn(entry, link);
    }
  };

  const keepDialling = async (entry: Entry, address: string): Promise<void> => {
    const { signal } = entry.stop;
    for (let failures = 0; !signal.aborted; failures++) {
      const begun = performance.now();
      try {
        await serve(entry, await dialLink({ ...entry.row, address }, identity, signal, way));
        if (performance.now() - begun > 10_000) failures = 0;
      } catch (error) {
        if (signal.aborted) return;
        log.warn({ node: entry.row.name, fault: Fault.from(error, entry.row.name).report() }, 'no link to the node');
      }
      const wait = Math.min(LONGEST_WAIT_MILLISECONDS, 250 * 2 ** Math.min(failures, 8));
      await delay(wait * (0.5 + Math.random() / 2), signal).catch(() => {});
    }
  };

  const enter = (row: NodeRow): Entry => {
    const entry: Entry = {
      row,
      link: null,
      client: createNodeClient(row.name, () => entry.link),
      stop: new AbortController(),
      dialling: null,
    };
    entries.set(row.id, entry);
    if (row.link === 'direct' && row.address !== null) entry.dialling = keepDialling(entry, row.address);
    return entry;
  };

  const leave = async (entry: Entry): Promise<void> => {
    entry.stop.abort(new Fault('node.unreachable', `node ${entry.row.name} was closed`));
    entry.link?.close();
    await entry.dialling;
  };

  for (const row of await readNodes(database)) enter(row);

  const find = (node: string): Entry => {
    const entry = entries.get(node) ?? [...entries.values()].find(({ row }) => row.name === node);
    if (entry === undefined) throw new Fault('object.missing', `there is no node "${node}"`);
    return entry;
  };

  return {
    list: () =>
      [...entries.values()]
        .map(({ row, link }) => viewOf(row, link, book, owner))
        .sort((a, b) => a.name.localeCompare(b.name)),
    get: (node) => find(node).row,
    byPin: (pin) => [...entries.values()].find(({ row }) => row.pin === pin)?.row ?? null,
    client: (id) => find(id).client,
    connected: (id) => entries.get(id)?.link != null,
    linked(node, socket) {
      const task = serve(find(node.id), socket);
      tasks.add(task);
      void task.finally(() => tasks.delete(task));
    },
    admitted(row) {
      const old = entries.get(row.id);
      if (old !== undefined) void leave(old);
      publish(enter(row));
    },
    tell: (id) => publish(find(id)),
    async refresh() {
      const rows = await readNodes(database);
      await book.read();
      for (const row of rows) {
        const old = entries.get(row.id);
        if (old !== undefined && joinOf(old.row) === joinOf(row)) continue;
        if (old !== undefined) void leave(old);
        enter(row);
      }
      for (const [id, entry] of entries) {
        if (rows.some((row) => row.id === id)) continue;
        entries.delete(id);
        for (const forget of forgetters) forget(entry.row.pin);
        await leave(entry);
      }
    },
    async remove(id) {
      const entry = find(id);
      await deleteNode(database, id);
      await book.read();
      entries.delete(id);
      for (const forget of forgetters) forget(entry.row.pin);
      await leave(entry);
      events.publish({ type: 'node-gone', id });
    },
    onLinked: (listener) => void listeners.push(listener),
    onForgotten: (listener) => void forgetters.push(listener),
    async untilLinked(id, signal) {
      while (find(id).link === null) await delay(200, signal);
    },
    async close() {
      closed = true;
      await Promise.all([...entries.values()].map(leave));
      await Promise.all(tasks);
    },
  };
}

/** What a node said when it joined. */
function joinOf({ name, pin, link, public: open, address }: NodeRow): string {
  return JSON.stringify([name, pin, link, open, address]);
}

function viewOf(row: NodeRow, link: LinkSession | null, book: LimitBook, owner: string): NodeView {
  return {
    id: row.id,
    name: row.name,
    pin: row.pin,
    publicKey: publicKeyOf(row.certificate),
    link: row.link,
    public: row.public,
    ...(row.owner === owner ? {} : { tenant: row.owner }),
    ...(row.address === null ? {} : { address: row.address }),
    connected: link !== null,
    ...(link === null ? {} : { since: link.since }),
    ...(row.about === null ? {} : { version: row.about.version, storage: row.about.storage }),
    ...book.viewOf(row.id),
    drivers: row.about?.drivers ?? [],
  };
}
