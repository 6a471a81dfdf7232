import { randomUUID } from 'node:crypto';
import type { z } from 'zod';
import type { Log } from '../base/log.ts';
import { Fault, type FaultReport } from '../model/fault.ts';
import type { Trust } from '../model/option.ts';
import type { AddCloudSchema, CheckNewCloudSchema, CloudView } from '../protocol/api/clouds.ts';
import type { CloudCheck } from '../protocol/cloud-check.ts';
import { refuseFailedWalk, tooOld, walkToCloud } from './cloud-check.ts';
import { asTold, sessionRequest, splitOptions, withoutAccount } from './cloud-session.ts';
import { viewOfCloud } from './cloud-view.ts';
import { createWatch, type Entry } from './cloud-watch.ts';
import type { Events } from './events.ts';
import type { Fleet } from './fleet/fleet.ts';
import type { NodeClient } from './link/node-client.ts';
import type { Nodes } from './nodes.ts';
import { partsOfId } from './sign-in-id.ts';
import {
  type CloudRow,
  deleteCloud,
  insertCloud,
  readClouds,
  readSecrets,
  writeCloudState,
  writeTrust,
} from './store/clouds.ts';
import type { Database } from './store/database.ts';
import { countObjects } from './store/objects.ts';
import type { Vault } from './vault.ts';

const SIGN_IN_MILLISECONDS = 120_000;

export interface Clouds {
  /** Without the sign-ins of people. */
  list(): CloudView[];
  /** By id (also of a person's sign-in) or name. Fault `object.missing`. */
  get(cloud: string): CloudRow;
  view(cloud: string): CloudView;
  /** By id, also of a person's sign-in: it is called as the cloud. Null where it is not known. */
  nameOf(id: string): string | null;
  /** Watches a person's sign-in that has just been opened, in the place of the one before. */
  adopt(row: CloudRow): Promise<CloudView>;
  /** Ends a person's sign-in. Idempotent. */
  drop(id: string): Promise<void>;
  /** Has the node walk to it step by step, then signs in; what cannot be signed in to is not stored. */
  add(request: z.output<typeof AddCloudSchema>, signal: AbortSignal): Promise<CloudView>;
  /** The same walk without adding anything. Fault `cloud.unsupported`: the node is too old. */
  checkNew(request: z.output<typeof CheckNewCloudSchema>, signal: AbortSignal): Promise<CloudCheck>;
  /** The walk to a cloud that is there, by one more session; what it found is kept. */
  check(cloud: string, signal: AbortSignal): Promise<CloudCheck>;
  /** Signs in again, also after a refused login. */
  test(cloud: string, signal: AbortSignal): Promise<CloudView>;
  /** Believes another certificate from now on, and signs in with it. Faults as `test`; what `cloud.untrusted` refuses is not kept. */
  trust(cloud: string, trust: Trust): Promise<CloudView>;
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

  const publish = (entry: Entry) => events.publish({ type: 'cloud', cloud: viewOfCloud(entry, owner) });

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
    const body = sessionRequest(row, await readSecrets(database, row.id), vault);
    const about = await nodes.client(row.node).openSession({ cloud: row.id, body }, signal);
    entry.open = true;
    const checked = entry.row.about?.checked;
    await settle(entry, 'connected', {
      about: { ...about, ...(checked === undefined ? {} : { checked }) },
      fault: null,
    });
  };

  const open = async (entry: Entry): Promise<void> => {
    const { base, name, sign_in } = entry.row;
    if (sign_in === 'own-only' && base === null) throw new Fault('cloud.signed-out', `${name} is used by people only`);
    entry.opening ??= signIn(entry)
      .catch(async (error: unknown) => {
        const fault = Fault.from(error, entry.row.name);
        entry.open = false;
        // What this server cannot open another one may: who watches goes on trying, and nobody is told that it is over.
        const locked = fault.code === 'vault.locked';
        if (!entry.stop.signal.aborted && (!locked || fleet.steward)) {
          const passing = locked || fault.code === 'node.unreachable';
          const report: FaultReport = { ...fault.report(), ...(locked ? { retry: 'later' } : {}) };
          await settle(entry, passing ? 'connecting' : 'failed', { fault: report });
        }
        throw asTold(entry.row, fault);
      })
      .finally(() => {
        entry.opening = null;
      });
    return entry.opening;
  };

  const { keep, close: closeWatch } = createWatch({ database, nodes, events, fleet, log }, { open, settle, publish });

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
    if (row.sign_in === 'own-only' && row.base === null) return Object.assign(entry, { state: 'connected' });
    entry.keeper = keep(entry).catch((error: unknown) => {
      if (!entry.stop.signal.aborted) log.error({ err: error, cloud: row.name }, 'the cloud is no longer watched');
    });
    return entry;
  };

  const ofAll = () => [...entries.values()].filter(({ row }) => row.base === null);
  const find = (cloud: string): Entry => {
    const entry =
      entries.get(cloud) ?? [...entries.values()].find(({ row }) => row.base === null && row.name === cloud);
    const { cloud: base, account } = partsOfId(cloud);
    if (entry === undefined && account !== null && entries.has(base)) {
      throw new Fault('cloud.signed-out', `whoever uses ${find(base).row.name} here is not signed in to it any more`);
    }
    // Which there are is told by whoever knows what the account sees.
    if (entry === undefined) throw new Fault('object.missing', `there is no cloud "${cloud}"`);
    return entry;
  };

  const leave = async (entry: Entry): Promise<void> => {
    entry.stop.abort(new Fault('server.unavailable', `${entry.row.name} is closed here`));
    await entry.keeper;
  };

  const drop = async (entry: Entry): Promise<void> => {
    const { id, node } = entry.row;
    entries.delete(id);
    await leave(entry);
    await nodes
      .client(node)
      .closeSession({ cloud: id }, AbortSignal.timeout(10_000))
      .catch(() => {});
  };

  const reopen = async (entry: Entry): Promise<void> => {
    if (entry.row.fault?.retry === 'never') throw asTold(entry.row, Fault.fromReport(entry.row.fault));
    await open(entry);
    entry.wake.abort();
  };

  const believe = async (entry: Entry, trust: Trust): Promise<void> => {
    await writeTrust(database, entry.row.id, trust);
    await entry.opening?.catch(() => {});
    const { row: before, state } = entry;
    entry.open = false;
    entry.row = { ...before, trust, fault: null };
    try {
      if (before.sign_in !== 'own-only' || before.base !== null) await open(entry);
    } catch (error) {
      if (!(error instanceof Fault) || error.code !== 'cloud.untrusted') throw error;
      // A CA that does not vouch for it replaces nothing, and what waits goes on waiting.
      await writeTrust(database, before.id, before.trust);
      await settle(entry, state === 'connected' ? 'connecting' : state, { trust: before.trust, fault: before.fault });
      throw error;
    } finally {
      entry.wake.abort();
    }
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
    list: () =>
      ofAll()
        .map((entry) => viewOfCloud(entry, owner))
        .sort((a, b) => a.name.localeCompare(b.name)),
    get: (cloud) => find(cloud).row,
    view: (cloud) => viewOfCloud(find(cloud), owner),
    nameOf: (id) => entries.get(id)?.row.name ?? null,
    async adopt(row) {
      const before = entries.get(row.id);
      entries.delete(row.id);
      if (before !== undefined) await leave(before);
      const entry = enter(row, true, await countObjects(database, row.id));
      publish(entry);
      return viewOfCloud(entry, owner);
    },
    async drop(id) {
      const entry = entries.get(id);
      if (entry === undefined) return;
      await drop(entry);
      // Other servers read anew whose sign-ins there are, and pages what is left of the cloud to whoever signed out.
      const base = entries.get(entry.row.base ?? '');
      if (base !== undefined) publish(base);
    },
    async add(request, signal) {
      const node = nodes.get(request.node);
      if (ofAll().some(({ row }) => row.name === request.name && row.owner === node.owner)) {
        throw new Fault('object.exists', `there is a cloud "${request.name}" already`);
      }
      const { plain, secrets } = splitOptions(node, request.driver, request.options, vault);
      const { name, driver, trust } = request;
      const row: CloudRow = {
        id: randomUUID(),
        owner: node.owner,
        name,
        driver,
        node: node.id,
        options: plain,
        trust,
        about: null,
        fault: null,
        sign_in: request.signIn,
        base: null,
        account: null,
      };
      const limited = AbortSignal.any([signal, AbortSignal.timeout(SIGN_IN_MILLISECONDS)]);
      const client = nodes.client(node.id);
      const body = sessionRequest(row, secrets, vault);
      const checked = await walkToCloud(client, body, limited);
      if (checked !== null) refuseFailedWalk(checked);
      const about = await client.openSession({ cloud: row.id, body }, limited);
      row.about = { ...about, ...(checked === null ? {} : { checked }) };
      try {
        if (row.sign_in === 'own-only') {
          row.options = withoutAccount(plain);
          await client.closeSession({ cloud: row.id }, limited);
        }
        await insertCloud(database, row, row.sign_in === 'own-only' ? [] : secrets);
      } catch (error) {
        await client.closeSession({ cloud: row.id }, AbortSignal.timeout(10_000)).catch(() => {});
        throw error;
      }
      const entry = enter(row, true, 0);
      publish(entry);
      return viewOfCloud(entry, owner);
    },
    async checkNew({ name, node: nodeName, driver, options, trust }, signal) {
      const node = nodes.get(nodeName);
      if (trust !== undefined) splitOptions(node, driver, options, vault);
      const limited = AbortSignal.any([signal, AbortSignal.timeout(SIGN_IN_MILLISECONDS)]);
      const checked = await walkToCloud(nodes.client(node.id), { driver, label: name, options, trust }, limited);
      if (checked === null) throw tooOld(node.name);
      return checked;
    },
    async check(cloud, signal) {
      const entry = find(cloud);
      const { row } = entry;
      const limited = AbortSignal.any([signal, entry.stop.signal, AbortSignal.timeout(SIGN_IN_MILLISECONDS)]);
      const body = sessionRequest(row, await readSecrets(database, row.id), vault);
      const checked = await walkToCloud(nodes.client(row.node), body, limited);
      if (checked === null) throw tooOld(nodes.get(row.node).name);
      const { about } = entry.row;
      if (about !== null) await settle(entry, entry.state, { about: { ...about, checked } });
      return checked;
    },
    async test(cloud) {
      const entry = find(cloud);
      await open(entry);
      entry.wake.abort();
      return viewOfCloud(entry, owner);
    },
    async trust(cloud, trust) {
      const entry = find(cloud);
      await believe(entry, trust);
      for (const own of [...entries.values()].filter(({ row }) => row.base === entry.row.id)) {
        await believe(own, trust).catch(() => {});
      }
      return viewOfCloud(entry, owner);
    },
    async remove(cloud) {
      const entry = find(cloud);
      const { id } = entry.row;
      const all = [...entries.values()].filter(({ row }) => row.base === id);
      await Promise.all([entry, ...all].map(drop));
      await deleteCloud(database, id);
      events.publish({ type: 'cloud-gone', id });
    },
    async use(cloud, work) {
      const entry = find(cloud);
      const { id, node } = entry.row;
      try {
        return await work(nodes.client(node), id);
      } catch (error) {
        if (!(error instanceof Fault)) throw error;
        if (error.code !== 'session.missing') throw asTold(entry.row, error);
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
      closeWatch();
      await Promise.all([...entries.values()].map(leave));
    },
  };
}
