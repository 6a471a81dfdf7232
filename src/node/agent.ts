import { chmod, mkdir } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { loadIdentity } from '../base/identity.ts';
import type { Log } from '../base/log.ts';
import { Relay } from '../base/relay.ts';
import { STALL_SECONDS } from '../base/silence.ts';
import type { DialTarget } from '../base/tls.ts';
import { collectYoungGarbage } from '../base/young-garbage.ts';
import { INVENTORY_PATH, LINK_PATH, LINK_UPGRADE, type NodeReach } from '../protocol/link.ts';
import { PEER_PATH, PEER_UPGRADE } from '../protocol/peer.ts';
import { addressesOf } from './addresses.ts';
import { openApi } from './api.ts';
import { type DriverList, driversOf } from './drivers.ts';
import { WorkJournal } from './journal.ts';
import { Limits } from './limits.ts';
import { directDoor } from './link/direct.ts';
import { Links } from './link/links.ts';
import { Membership, readMembership } from './membership.ts';
import { type Outward, STRAIGHT, type Ways } from './outward.ts';
import { relayDoor } from './peer/relay-door.ts';
import { Peers } from './peers.ts';
import { type Door, type OpenPort, openPort } from './port.ts';
import { aboutRoute } from './routes/about.ts';
import { cloudCheckRoute } from './routes/cloud-check.ts';
import { cloudRoutes } from './routes/clouds.ts';
import { inventoryRoute } from './routes/inventory.ts';
import { limitsRoute } from './routes/limits.ts';
import { logLevelRoutes } from './routes/log-level.ts';
import { ownerRoutes } from './routes/owners.ts';
import { packageRoutes } from './routes/packages.ts';
import { reachRoute } from './routes/reach.ts';
import { serversRoute } from './routes/servers.ts';
import { workRoutes } from './routes/works.ts';
import { Sessions } from './sessions.ts';
import { openStorage } from './storage.ts';
import { VERSION } from './version.ts';
import { Arrivals } from './work/arrivals.ts';
import { PATIENCE, type Patience } from './work/patience.ts';
import { Works } from './work/works.ts';

export interface NodeOptions {
  /** Identity, joined servers, journals and transfer storage: one node per folder. */
  folder: string;
  name?: string;
  /** Needed when servers (`direct`) or other nodes (`public`) dial this one. */
  listen?: DialTarget;
  /** `host:port` under which others reach it, instead of what was told at the join and of what it listens on. */
  addresses?: string[];
  /** Proxies for the ways out; straight when absent. */
  ways?: Ways;
  /** The same proxies as the server may know them: `host:port`. */
  proxies?: NodeReach['proxies'];
  /** Most bytes of blocks on their way. Default 10 GiB. */
  transferLimitBytes?: number;
  /** Blocks lie encrypted on the disk, under a key that each server gives. Default false. */
  encryptStorage?: boolean;
  log: Log;
  /** Folders, files and https addresses whose packages this node may use (driver `folder`); none when left out. */
  packages?: readonly string[];
  /** SHA-256 of the certificate of https addresses among them; the CAs of this machine when left out. */
  packageFingerprint?: string;
  /** Opens encrypted packages there, in place of the clouds' own. */
  packagePassphrase?: string;
  /** Default: all that there are. */
  drivers?: DriverList;
  patience?: Partial<Patience>;
  /** Silence after which a connection is given up; the same on every node that this one meets. Default 30. */
  stallSeconds?: number;
}

export interface RunningNode {
  readonly name: string;
  /** Public-key hash that servers and peers know it by. */
  readonly pin: string;
  /** Where it listens, when it does. */
  readonly address: DialTarget | null;
  /** Stops works where they stand, signs out of the clouds and closes everything; the next start goes on. */
  close(): Promise<void>;
}

const TRANSFER_LIMIT_BYTES = 10 * 1024 ** 3;

/**
 * Starts the transfer agent: keeps a link to every joined server, and goes on with the works of before. A process that
 * is killed loses nothing that was acknowledged. Faults: `input.invalid` (the port), `storage.full`.
 */
export async function startNode(options: NodeOptions): Promise<RunningNode> {
  const { folder, log, transferLimitBytes = TRANSFER_LIMIT_BYTES, stallSeconds = STALL_SECONDS } = options;
  const name = options.name ?? hostname();
  collectYoungGarbage();
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await chmod(folder, 0o700);
  await using opened = new AsyncDisposableStack();
  const identity = await loadIdentity(folder, 'node', name);
  const membership = new Membership(await readMembership(folder));
  const journal = opened.use(new WorkJournal(join(folder, 'works.sqlite')));
  const storage = opened.use(
    await openStorage(folder, { limitBytes: transferLimitBytes, encrypted: options.encryptStorage ?? false, log }),
  );

  const list = options.drivers ?? driversOf(options, identity);
  const outward: Outward = { identity, membership, ways: options.ways ?? STRAIGHT };
  const sessions = new Sessions(list, log, 2 * stallSeconds, outward.ways.cloud);
  opened.defer(() => sessions.closeAll());
  const peers = new Peers(outward, log);
  const limits = await Limits.open(folder);
  const patience = { ...PATIENCE, ...options.patience };
  const works = new Works({
    sessions,
    peers,
    limits,
    keyring: storage.keyring,
    store: storage.store,
    versions: storage.versions,
    transfers: storage.transfers,
    journal,
    arrivals: new Arrivals(),
    patience,
    stallSeconds,
    log,
  });
  opened.defer(() => works.close());

  let port: OpenPort | undefined;
  const take = (socket: TLSSocket) => void (port === undefined ? socket.destroy() : port.take(socket));
  peers.dialled = take;
  const reach = (server: string): NodeReach => {
    const told = options.addresses ?? membership.byId(server)?.addresses ?? [];
    return { addresses: addressesOf(told, port?.address ?? null), relay: true, proxies: options.proxies ?? {} };
  };
  const handlers = {
    ...aboutRoute({ name, version: VERSION, drivers: list, storage: () => storage.usage(), reach }),
    ...cloudRoutes(sessions, list, outward.ways.cloud, () => storage.usage()),
    ...cloudCheckRoute(list, { way: outward.ways.cloud, log, stallSeconds: 2 * stallSeconds }),
    ...workRoutes(works, identity),
    ...ownerRoutes(storage, works),
    ...reachRoute(outward, take),
    ...packageRoutes(identity),
    ...limitsRoute(limits),
    ...logLevelRoutes(log),
    ...serversRoute(folder),
  };
  const api = await openApi(handlers, { [INVENTORY_PATH]: inventoryRoute(sessions) }, log);
  opened.defer(() => api.close());

  const link = directDoor(membership, api, log, stallSeconds);
  port = await openDoors(options.listen, outward, link, peers, log);
  opened.defer(() => port?.close());
  await works.resume();
  const links = new Links(folder, outward, api, log, stallSeconds);
  opened.defer(() => links.close());
  links.start();
  log.info({ name, pin: identity.pin, servers: membership.servers.length, listen: port?.address }, 'node started');

  const resources = opened.move();
  let closed: Promise<void> | undefined;
  return {
    name,
    pin: identity.pin,
    address: port?.address ?? null,
    close() {
      closed ??= resources.disposeAsync();
      return closed;
    },
  };
}

async function openDoors(
  listen: DialTarget | undefined,
  { identity, membership }: Outward,
  link: Door,
  peers: Peers,
  log: Log,
): Promise<OpenPort> {
  const doors = {
    [LINK_PATH]: { upgrade: LINK_UPGRADE, open: link },
    [PEER_PATH]: { upgrade: PEER_UPGRADE, open: (caller: Parameters<Peers['admit']>[0]) => peers.admit(caller) },
  };
  return openPort({ identity, listen, doors, relay: relayDoor(new Relay(), identity, membership), log });
}
