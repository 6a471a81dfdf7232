import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import { type Identity, loadIdentity, signWith } from '../../src/base/identity.ts';
import { createLog } from '../../src/base/log.ts';
import { identityServerOptions } from '../../src/base/tls.ts';
import { Fault } from '../../src/model/fault.ts';
import type { InventoryEvent, InventoryObject } from '../../src/model/inventory.ts';
import type { NodeLimits } from '../../src/model/limit.ts';
import { type Handlers, openApi } from '../../src/node/api.ts';
import { joinServer } from '../../src/node/join.ts';
import { keepLink } from '../../src/node/link/dial-home.ts';
import type { JoinedServer } from '../../src/node/membership.ts';
import { STRAIGHT } from '../../src/node/outward.ts';
import { acceptUpgrade } from '../../src/node/upgrade.ts';
import { INVENTORY_PATH } from '../../src/protocol/link.ts';
import type { WorkOrder, WorkState } from '../../src/protocol/work.ts';
import { ledgerRow, ROOT, resultOf } from './server-fake-works.ts';
import { description, inventory, machine } from './server-toy-cloud.ts';

export interface FakeWork {
  order: WorkOrder;
  state: WorkState;
  kept: boolean;
  signed: string[];
}

/** A node whose link, join and API are the real ones; what it says about clouds and works is up to the test. */
export interface FakeNode {
  readonly name: string;
  readonly works: Map<string, FakeWork>;
  /** Every command in order: `startWork job.export`. */
  readonly calls: string[];
  objects: InventoryObject[];
  /** As the server told them last. */
  limits: NodeLimits | null;
  /** Keys of its storage, as they were given. It says that it encrypts. */
  keys: string[];
  /** Password that the cloud takes. */
  password: string;
  /** Accounts of the cloud by user name, with what it shows to them. */
  people: Map<string, { password: string; objects: InventoryObject[] }>;
  /** Runs before each answer of the API, with the name of the operation. */
  before: ((operation: string) => Promise<void>) | undefined;
  /** Works stay running until it is false. */
  hold: boolean;
  /** Root with which imports arrive. */
  arrivingRoot: string;
  /** Tells everybody who watches. */
  tell(event: InventoryEvent): void;
  /** Forgets all sessions, as a restart does. */
  loseSessions(): void;
  sessions: Map<string, string>;
  /** User names with which sessions were opened. */
  users: Map<string, string>;
  /** User name of every try to sign in, refused ones too. */
  tries: string[];
  identity: Identity;
  stop(): Promise<void>;
  start(): void;
  close(): Promise<void>;
}

export async function startFakeNode(
  name: string,
  token: string,
  how: { link?: 'dial-home' | 'direct'; public?: boolean } = {},
): Promise<FakeNode> {
  const folder = await mkdtemp(join(tmpdir(), 'cloudspan-fake-node-'));
  const log = createLog(name, 'silent');
  const identity = await loadIdentity(folder, 'node', name);
  const watchers = new Set<(event: InventoryEvent) => void>();
  let door: Server | null = null;
  let server: JoinedServer | null = null;
  const node: FakeNode = {
    name,
    works: new Map(),
    calls: [],
    objects: inventory(),
    limits: null,
    keys: [],
    password: 'right',
    people: new Map(),
    hold: false,
    before: undefined,
    arrivingRoot: ROOT,
    sessions: new Map(),
    users: new Map(),
    tries: [],
    identity,
    tell: (event) => {
      for (const watcher of watchers) watcher(event);
    },
    loseSessions: () => {
      node.sessions.clear();
      for (const watcher of watchers) watcher({ type: 'gone', ids: ['the end'] });
    },
    start: () => {},
    stop: async () => {},
    close: async () => {
      await node.stop();
      await api.close();
      await new Promise((resolve) => (door === null ? resolve(null) : door.close(resolve)));
      await rm(folder, { recursive: true, force: true });
    },
  };
  const api = await openApi(
    withHook(node, handlersOf(node)),
    { [INVENTORY_PATH]: ({ parameters, signal }) => watch(node, watchers, parameters.cloud ?? '', signal) },
    log,
  );

  let address: string | undefined;
  if (how.link === 'direct' || how.public === true) {
    door = createServer(identityServerOptions(identity));
    const sockets = new Set<TLSSocket>();
    door.on('secureConnection', (socket: TLSSocket) => sockets.add(socket));
    door.on('upgrade', async (message, socket, head) => {
      if (server === null) return socket.destroy();
      await acceptUpgrade(message, socket, head, 'server');
      api.accept(socket, server.id);
    });
    door.on('close', () => {});
    await new Promise<void>((resolve) => door?.listen(0, '127.0.0.1', resolve));
    address = `127.0.0.1:${(door.address() as AddressInfo).port}`;
    node.stop = async () => {
      for (const socket of sockets) socket.destroy();
    };
  }
  server = await joinServer({
    folder,
    name,
    token,
    link: how.link ?? 'dial-home',
    public: how.public ?? false,
    ...(address === undefined ? {} : { address }),
  }).catch(async (error: unknown) => {
    await node.close();
    throw error;
  });
  const joined = server;
  if (how.link !== 'direct') {
    let control = new AbortController();
    let kept: Promise<void> = Promise.resolve();
    const stopSockets = node.stop;
    node.start = () => {
      control = new AbortController();
      kept = keepLink(joined, { identity, ways: STRAIGHT }, api, log, 30, control.signal);
    };
    node.stop = async () => {
      control.abort();
      await kept;
      await stopSockets();
    };
    node.start();
  }
  return node;
}

async function watch(
  node: FakeNode,
  watchers: Set<(event: InventoryEvent) => void>,
  cloud: string,
  signal: AbortSignal,
) {
  if (!node.sessions.has(cloud)) throw new Fault('session.missing', `${node.name} holds no session with ${cloud}`);
  const stream = new Readable({ read() {} });
  const push = (event: InventoryEvent) => {
    if (node.sessions.has(cloud)) stream.push(`${JSON.stringify(event)}\n`);
    else stream.push(null);
  };
  push({ type: 'snapshot', objects: node.people.get(node.users.get(cloud) ?? '')?.objects ?? node.objects });
  watchers.add(push);
  signal.addEventListener('abort', () => watchers.delete(push), { once: true });
  return stream;
}

function withHook(node: FakeNode, handlers: Handlers): Handlers {
  const entries = Object.entries(handlers).map(([name, handler]) => {
    const hooked = async (call: unknown) => {
      await node.before?.(name);
      return (handler as (call: unknown) => Promise<unknown>)(call);
    };
    return [name, hooked];
  });
  return Object.fromEntries(entries) as Handlers;
}

function handlersOf(node: FakeNode): Handlers {
  const find = (work: string | undefined): FakeWork => {
    const found = node.works.get(work ?? '');
    if (found === undefined) throw new Fault('work.unknown', `${node.name} does not know ${work}`);
    return found;
  };
  const note = (call: string) => node.calls.push(call);
  const objectOf = (id: string | undefined, objects = node.objects): InventoryObject => {
    const found = objects.find((one) => one.id === id);
    if (found === undefined) throw new Fault('object.missing', `there is no ${id}`);
    return found;
  };
  const needSession = (cloud: string | undefined) => {
    if (!node.sessions.has(cloud ?? '')) throw new Fault('session.missing', `${node.name} holds no session`);
  };
  const end = (work: FakeWork, phase: WorkState['phase']) => {
    work.state = { ...work.state, phase, revision: work.state.revision + 1, text: phase };
    if (phase !== 'done') return;
    work.state.result = resultOf(node.arrivingRoot, work.order);
    const made = work.state.result.object;
    if (made !== undefined)
      node.objects = [...node.objects.filter(({ id }) => id !== made.id), machine(made.id, made.name)];
  };
  return {
    about: async () => ({
      name: node.name,
      version: '0.0.0',
      protocol: 1,
      time: new Date().toISOString(),
      drivers: [
        {
          name: 'toy',
          title: 'Toy cloud',
          options: [
            { name: 'url', label: 'Address', help: '', type: 'url', required: true },
            { name: 'username', label: 'User', help: '', type: 'text', required: false },
            { name: 'password', label: 'Password', help: '', type: 'secret', required: true },
          ],
        },
      ],
      storage: { limitBytes: 1, usedBytes: 0, freeDiskBytes: 1, encrypted: true },
    }),
    async giveKey({ body }) {
      node.keys.push(body.key);
      return {};
    },
    async eraseOwner() {
      if ([...node.works.values()].some(({ state }) => state.phase === 'running')) {
        throw new Fault('job.state', 'a work still runs');
      }
      note('eraseOwner');
      return {};
    },
    setServers: async () => ({}),
    async setLimits({ body }) {
      node.limits = body;
      return {};
    },
    getLogLevel: async () => ({ level: 'silent', usual: 'silent' }),
    setLogLevel: async () => ({ level: 'silent', usual: 'silent' }),
    probe: async () => ({ certificate: null }),
    async checkCloud({ body }) {
      const at = new Date().toISOString();
      if (body.options.password === (node.people.get(body.options.username ?? '')?.password ?? node.password)) {
        return { at, checks: [{ name: 'login', outcome: 'pass', found: 'It lets in.' }], capabilities: [] };
      }
      const fault = new Fault('auth.refused', `toy ${body.label}: wrong password`, { details: { step: 'login' } });
      const refused = { name: 'login', outcome: 'fail' as const, found: 'It does not let in.' };
      return { at, checks: [refused], capabilities: [], fault: fault.report() };
    },
    async openSession({ parameters, body }) {
      note(`openSession ${body.label}`);
      node.tries.push(body.options.username ?? '');
      const person = node.people.get(body.options.username ?? '');
      if (body.options.password !== (person?.password ?? node.password))
        throw new Fault('auth.refused', `toy ${body.label}: wrong password`);
      node.sessions.set(parameters.cloud ?? '', body.label);
      node.users.set(parameters.cloud ?? '', body.options.username ?? '');
      return {
        vendor: 'Toys',
        product: 'Toy',
        version: '1',
        apiVersion: '1',
        instance: node.name,
        user: 'me',
        facets: ['power', 'exports', 'imports'],
      };
    },
    async closeSession({ parameters }) {
      node.sessions.delete(parameters.cloud ?? '');
      return {};
    },
    getObject: async ({ parameters }) => {
      const seen = node.people.get(node.users.get(parameters.cloud ?? '') ?? '')?.objects ?? node.objects;
      return objectOf(parameters.object, seen);
    },
    lookAt: async () => ({ seen: null }),
    listMarked: async () => ({ objects: [] }),
    removeMarked: async () => ({}),
    discardSource: async () => ({}),
    checkRemoval: async () => ({ verdicts: [] }),
    async describe({ parameters }) {
      needSession(parameters.cloud);
      return description(objectOf(parameters.object).name) as never;
    },
    placement: async () => [],
    async handPackageKey() {
      throw new Fault('package.locked', 'a toy has no packages');
    },
    async checkExport({ parameters }) {
      const off = objectOf(parameters.object).machine?.power === 'off';
      return [{ name: 'machine-powered-off', outcome: off ? 'pass' : 'fail', found: off ? 'It is off.' : 'It runs.' }];
    },
    checkImport: async () => [{ name: 'name-free', outcome: 'pass', found: 'The name is free.' }],
    async power({ parameters, body }) {
      needSession(parameters.cloud);
      note(`power ${parameters.object} ${body.action}`);
      const found = node.objects.find(({ id }) => id === parameters.object);
      if (found?.machine !== undefined) found.machine.power = body.action === 'on' ? 'on' : 'off';
      return {};
    },
    async startWork({ parameters, body }) {
      const id = parameters.work ?? '';
      note(`startWork ${id.split('.').slice(1).join('.')} ${body.epoch}`);
      const known = node.works.get(id);
      const over = known?.state.phase === 'failed' || known?.state.phase === 'cancelled';
      if (known !== undefined && !(over && body.epoch > known.state.epoch)) {
        if (body.epoch < known.state.epoch) throw new Fault('epoch.stale', 'an older epoch');
        known.state.epoch = body.epoch;
        known.order = body;
        return known.state;
      }
      const { epoch, job } = body;
      const ledger = body.kind === 'import' ? [ledgerRow(body, 'made')] : [];
      const state: WorkState = {
        id,
        kind: body.kind,
        job,
        epoch,
        revision: 1,
        phase: 'running',
        text: 'moving',
        ledger,
        log: [],
      };
      state.log.push({ number: 1, at: new Date().toISOString(), level: 'info', text: `${body.kind} begins` });
      const work = { order: body, state, kept: false, signed: [] };
      node.works.set(id, work);
      if (body.kind === 'undo') {
        for (const other of body.works) {
          const undone = node.works.get(other);
          if (undone === undefined) continue;
          undone.state.ledger = undone.state.ledger.map((row) => ({
            ...row,
            state: 'removed',
            at: new Date().toISOString(),
          }));
        }
        end(work, 'done');
      } else if (!node.hold) end(work, 'done');
      return work.state;
    },
    async getWork({ parameters }) {
      const work = find(parameters.work);
      if (work.state.phase === 'running' && !node.hold) end(work, 'done');
      return work.state;
    },
    async cancelWork({ parameters, body }) {
      const work = find(parameters.work);
      note(`cancelWork ${parameters.work?.split('.').slice(1).join('.')}`);
      work.state.epoch = body.epoch;
      if (work.state.phase === 'running') end(work, 'cancelled');
      return work.state;
    },
    async keepWork({ parameters }) {
      const work = find(parameters.work);
      work.kept = true;
      work.state.ledger = work.state.ledger.map((row) => ({ ...row, state: 'kept', at: new Date().toISOString() }));
      return work.state;
    },
    async forgetWork({ parameters }) {
      note(`forgetWork ${parameters.work?.split('.').slice(1).join('.')}`);
      node.works.delete(parameters.work ?? '');
      return {};
    },
    async signReceipt({ parameters, body }) {
      find(parameters.work).signed.push(body.receipt);
      return { pin: node.identity.pin, signature: signWith(node.identity, body.receipt) };
    },
    reach: async () => ({ reachable: true }),
  };
}
