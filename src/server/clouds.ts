import { randomUUID } from 'node:crypto';
import type { z } from 'zod';
import { delay } from '../base/backoff.ts';
import type { Log } from '../base/log.ts';
import { Fault } from '../model/fault.ts';
import type { AddCloudSchema, CloudView } from '../protocol/api/clouds.ts';
import { sessionRequest, splitOptions } from './cloud-session.ts';
import type { Events } from './events.ts';
import type { Fleet } from './fleet/fleet.ts';
import type { NodeClient } from './link/node-client.ts';
import type { Nodes } from './nodes.ts';
import { type CloudRow, deleteCloud, insertCloud, readClouds, readSecrets, writeCloudState } from './store/clouds.ts';
import type { Database } from './store/database.ts';
import { applyInventory, countObjects } from './store/objects.ts';
import type { Vault } from './vault.ts';

const LONGEST_WAIT_MILLISECONDS = 30_000;
const SIGN_IN_MILLISECONDS = 120_000;
/** Pages are told of changes at most this often. */
const TELL_MILLISECONDS = 700;

export interface Clouds {
  list(): CloudView[];
  /** By id or name. Fault `object.missing`. */
  get(cloud: string): CloudRow;
  view(cloud: string): CloudView;
  /** Signs in on the node first; what cannot be signed in to is not stored. */
  add(request: z.output<typeof AddCloudSchema>, signal: AbortSignal): Promise<CloudView>;
  /** Signs in again, also after a refused login. */
  test(cloud: string, signal: AbortSignal): Promise<CloudView>;
  /** Forgets it here; touches nothing in it. The caller has checked that no job uses it. */
  remove(cloud: string): Promise<void>;
  /** Runs `work` with the node; when the node has lost the session, signs in and runs it once more. */
  use<T>(cloud: string, work: (node: NodeClient, id: string) => Promise<T>): Promise<T>;
  /** Signs in again where the node says `session.missing`. */
  reopen(cloud: string): Promise<void>;
  /** Reads anew what another server may have changed. */
  refresh(): Promise<void>;
  /** How a cloud is, by the server that watches it. */
  heard(view: CloudView): Promise<void>;
  /** Objects of it changed. */
  heardObjects(cloud: string): Promise<void>;
  /** Tells the other servers how the clouds are, where this one watches them. */
  tellAll(): void;
  close(): Promise<void>;
}

interface Entry {
  row: CloudRow;
  state: CloudView['state'];
  objects: number;
  stop: AbortController;
  opening: Promise<void> | null;
  open: boolean;
  /** Ends the wait before the next try. */
  wake: AbortController;
  keeper: Promise<void>;
}

export interface CloudsOptions {
  database: Database;
  nodes: Nodes;
  vault: Vault;
  events: Events;
  fleet: Fleet;
  owner: string;
  log: Log;
}

export async function openClouds({
  database,
  nodes,
  vault,
  events,
  fleet,
  owner,
  log,
}: CloudsOptions): Promise<Clouds> {
  const entries = new Map<string, Entry>();
  const told = new Map<string, NodeJS.Timeout>();

  const publish = (entry: Entry) => events.publish({ type: 'cloud', cloud: viewOf(entry) });

  const settle = async (entry: Entry, state: CloudView['state'], change: Partial<CloudRow>): Promise<void> => {
    entry.state = state;
    entry.row = { ...entry.row, ...change };
    if (!entries.has(entry.row.id)) return;
    await writeCloudState(database, entry.row);
    publish(entry);
  };

  const signIn = async (entry: Entry): Promise<void> => {
    const { row } = entry;
    const signal = AbortSignal.any([entry.stop.signal, AbortSignal.timeout(SIGN_IN_MILLISECONDS)]);
    const body = sessionRequest(row, await readSecrets(database, row.id), owner, vault);
    const about = await nodes.client(row.node).openSession({ cloud: row.id, body }, signal);
    entry.open = true;
    await settle(entry, 'connected', { about, fault: null });
  };

  const open = (entry: Entry): Promise<void> => {
    entry.opening ??= signIn(entry)
      .catch(async (error: unknown) => {
        const fault = Fault.from(error, entry.row.name);
        entry.open = false;
        if (!entry.stop.signal.aborted) {
          await settle(entry, fault.code === 'node.unreachable' ? 'connecting' : 'failed', { fault: fault.report() });
        }
        throw fault;
      })
      .finally(() => {
        entry.opening = null;
      });
    return entry.opening;
  };

  const watch = async (entry: Entry, signal: AbortSignal): Promise<void> => {
    const { id, node } = entry.row;
    for await (const event of nodes.client(node).inventory(id, signal)) {
      await applyInventory(database, owner, id, event);
      entry.objects = await countObjects(database, id);
      if (event.type === 'snapshot') publish(entry);
      if (told.has(id)) continue;
      const tell = () => {
        told.delete(id);
        events.publish({ type: 'inventory', cloud: id });
      };
      told.set(id, setTimeout(tell, TELL_MILLISECONDS));
    }
    throw new Fault('node.unreachable', `${entry.row.name}: the node ended the inventory`);
  };

  const keep = async (entry: Entry): Promise<void> => {
    const { signal } = entry.stop;
    for (let failures = 0; !signal.aborted; ) {
      const begun = performance.now();
      entry.wake = new AbortController();
      let steward: AbortSignal | null = null;
      try {
        if (!entry.open && entry.row.fault?.retry === 'never') await pause(entry, Number.POSITIVE_INFINITY);
        steward = await fleet.untilSteward(signal);
        await nodes.untilLinked(entry.row.node, AbortSignal.any([signal, steward]));
        if (!entry.open) await open(entry);
        await watch(entry, AbortSignal.any([signal, steward]));
      } catch (error) {
        if (signal.aborted) return;
        if (steward?.aborted === true) {
          // Another server watches it now, and says how it is.
          entry.open = false;
          continue;
        }
        const fault = Fault.from(error, entry.row.name);
        log.info({ cloud: entry.row.name, fault: fault.report() }, 'the watch of the inventory ended');
        entry.open = false;
        if (entry.state === 'connected') {
          await settle(entry, 'connecting', fault.code === 'session.missing' ? {} : { fault: fault.report() });
        }
        failures = performance.now() - begun > 20_000 ? 0 : failures + 1;
        const wait = Math.min(LONGEST_WAIT_MILLISECONDS, 250 * 2 ** Math.min(failures, 8));
        await pause(entry, Math.max(wait, (fault.retryAfterSeconds ?? 0) * 1000));
      }
    }
  };

  const pause = async (entry: Entry, milliseconds: number): Promise<void> => {
    const signal = AbortSignal.any([entry.stop.signal, entry.wake.signal]);
    await delay(Math.min(milliseconds, 2 ** 31 - 1), signal).catch(() => {});
  };

  const enter = (row: CloudRow, isOpen: boolean, objects: number): Entry => {
    const entry: Entry = {
      row,
      state: isOpen ? 'connected' : row.fault === null ? 'connecting' : 'failed',
      objects,
      stop: new AbortController(),
      opening: null,
      open: isOpen,
      wake: new AbortController(),
      keeper: Promise.resolve(),
    };
    entries.set(row.id, entry);
    entry.keeper = keep(entry).catch((error: unknown) => {
      if (!entry.stop.signal.aborted) log.error({ err: error, cloud: row.name }, 'the cloud is no longer watched');
    });
    return entry;
  };

  const find = (cloud: string): Entry => {
    const entry = entries.get(cloud) ?? [...entries.values()].find(({ row }) => row.name === cloud);
    if (entry === undefined) {
      throw new Fault('object.missing', `there is no cloud "${cloud}"`, {
        remedy: `Known clouds: ${[...entries.values()].map(({ row }) => row.name).join(', ') || 'none'}.`,
      });
    }
    return entry;
  };

  const leave = async (entry: Entry): Promise<void> => {
    entry.stop.abort(new Fault('server.unavailable', `${entry.row.name} is closed here`));
    await entry.keeper;
  };

  const reopen = async (entry: Entry): Promise<void> => {
    if (entry.row.fault?.retry === 'never') throw Fault.fromReport(entry.row.fault);
    await open(entry);
    entry.wake.abort();
  };

  const refresh = async (): Promise<void> => {
    const rows = await readClouds(database);
    for (const row of rows) {
      const entry = entries.get(row.id);
      if (entry === undefined) enter(row, false, await countObjects(database, row.id));
      else {
        const mended = entry.row.fault?.retry === 'never' && row.fault === null;
        entry.row = row;
        if (mended) entry.wake.abort();
      }
    }
    for (const [id, entry] of entries) {
      if (rows.some((row) => row.id === id)) continue;
      entries.delete(id);
      await leave(entry);
    }
  };

  nodes.onLinked((node) => {
    for (const entry of entries.values()) {
      if (entry.row.node === node && entry.row.fault?.retry !== 'never') entry.wake.abort();
    }
  });
  for (const row of await readClouds(database)) enter(row, false, await countObjects(database, row.id));

  return {
    list: () => [...entries.values()].map(viewOf).sort((a, b) => a.name.localeCompare(b.name)),
    get: (cloud) => find(cloud).row,
    view: (cloud) => viewOf(find(cloud)),
    async add(request, signal) {
      if ([...entries.values()].some(({ row }) => row.name === request.name)) {
        throw new Fault('object.exists', `there is a cloud "${request.name}" already`);
      }
      const node = nodes.get(request.node);
      const { plain, secrets } = splitOptions(node, request.driver, request.options, vault);
      const { name, driver, trust } = request;
      const row: CloudRow = {
        id: randomUUID(),
        name,
        driver,
        node: node.id,
        options: plain,
        trust,
        about: null,
        fault: null,
      };
      const limited = AbortSignal.any([signal, AbortSignal.timeout(SIGN_IN_MILLISECONDS)]);
      const client = nodes.client(node.id);
      row.about = await client.openSession(
        { cloud: row.id, body: sessionRequest(row, secrets, owner, vault) },
        limited,
      );
      try {
        await insertCloud(database, owner, row, secrets);
      } catch (error) {
        await client.closeSession({ cloud: row.id }, AbortSignal.timeout(10_000)).catch(() => {});
        throw error;
      }
      const entry = enter(row, true, 0);
      publish(entry);
      return viewOf(entry);
    },
    async test(cloud) {
      const entry = find(cloud);
      await open(entry);
      entry.wake.abort();
      return viewOf(entry);
    },
    async remove(cloud) {
      const entry = find(cloud);
      const { id, node } = entry.row;
      entries.delete(id);
      await leave(entry);
      await deleteCloud(database, id);
      await nodes
        .client(node)
        .closeSession({ cloud: id }, AbortSignal.timeout(10_000))
        .catch(() => {});
      events.publish({ type: 'cloud-gone', id });
    },
    async use(cloud, work) {
      const entry = find(cloud);
      const { id, node } = entry.row;
      try {
        return await work(nodes.client(node), id);
      } catch (error) {
        if (!(error instanceof Fault) || error.code !== 'session.missing') throw error;
        await reopen(entry);
        return await work(nodes.client(node), id);
      }
    },
    reopen: (cloud) => reopen(find(cloud)),
    refresh,
    async heard(view) {
      await refresh();
      const entry = entries.get(view.id);
      if (entry === undefined) return;
      Object.assign(entry, { state: view.state, objects: view.objects });
    },
    async heardObjects(cloud) {
      const entry = entries.get(cloud);
      if (entry !== undefined) entry.objects = await countObjects(database, cloud);
    },
    tellAll: () => {
      if (fleet.steward) for (const entry of entries.values()) publish(entry);
    },
    async close() {
      for (const timer of told.values()) clearTimeout(timer);
      await Promise.all([...entries.values()].map(leave));
    },
  };
}

function viewOf({ row, state, objects }: Entry): CloudView {
  return {
    id: row.id,
    name: row.name,
    driver: row.driver,
    node: row.node,
    options: row.options,
    trust: row.trust,
    state,
    ...(row.fault === null ? {} : { fault: row.fault }),
    ...(row.about === null ? {} : { product: row.about.product, version: row.about.version }),
    objects,
    facets: row.about?.facets ?? [],
  };
}
