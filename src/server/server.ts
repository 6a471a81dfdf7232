import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { hostname } from 'node:os';
import { writeAddress } from '../base/address.ts';
import type { Log } from '../base/log.ts';
import { Relay } from '../base/relay.ts';
import { STALL_SECONDS } from '../base/silence.ts';
import { Fault } from '../model/fault.ts';
import type { Way } from '../model/proxy.ts';
import { keepAlarms } from './alarms/alarms.ts';
import { keepChannels } from './alarms/channels.ts';
import { createAuth } from './auth.ts';
import { openUiCertificate } from './certificate/ui.ts';
import { keepCloudCertificates } from './cloud-certificates.ts';
import { openClouds } from './clouds.ts';
import { createEvents } from './events.ts';
import { announceServers } from './fleet/announce.ts';
import { openFleet } from './fleet/fleet.ts';
import { openKeys } from './fleet/keys.ts';
import { shareEvents } from './fleet/share.ts';
import type { Wire } from './fleet/wire.ts';
import { lockFolder } from './folder-lock.ts';
import { openHold } from './hold.ts';
import { createApp } from './http/app.ts';
import { createPort } from './http/port.ts';
import { createIdempotency } from './idempotency.ts';
import { openJobs } from './jobs/jobs.ts';
import { createRecords } from './jobs/record.ts';
import { createJoining } from './join.ts';
import { createLimits, openLimitBook } from './limits.ts';
import { acceptLink } from './link/accept.ts';
import { createMetrics } from './metrics/metrics.ts';
import { openMetricsToken } from './metrics/token.ts';
import { openNodes } from './nodes.ts';
import { createObjects } from './objects.ts';
import { openPeople } from './people/people.ts';
import { createPaths } from './reach/paths.ts';
import { relayDoor } from './reach/relay-door.ts';
import { createReadiness } from './readiness.ts';
import { keepRetention } from './retention/retention.ts';
import { alarmRoutes } from './routes/alarms.ts';
import { certificateRoutes } from './routes/certificate.ts';
import { cloudCertificateRoutes } from './routes/cloud-certificates.ts';
import { cloudRoutes } from './routes/clouds.ts';
import { doctorRoutes } from './routes/doctor.ts';
import { groupRoutes } from './routes/groups.ts';
import { jobRoutes } from './routes/jobs.ts';
import { logRoutes } from './routes/logs.ts';
import { nodeRoutes } from './routes/nodes.ts';
import { objectRoutes } from './routes/objects.ts';
import { readingRoutes } from './routes/readings.ts';
import { retentionRoutes } from './routes/retention.ts';
import { searchRoutes } from './routes/search.ts';
import { serverRoutes } from './routes/server.ts';
import { storageRoutes } from './routes/storage.ts';
import { vaultRoutes } from './routes/vault.ts';
import { openSearch } from './search/search.ts';
import { keepStorageKeys } from './storage-keys.ts';
import { openDatabase } from './store/database.ts';
import { loadOwner } from './store/settings.ts';
import { lookAtVault } from './vault/look.ts';

export interface ServerOptions {
  /** Keys, certificates and the embedded database. Made if it is not there. */
  folder: string;
  /** Port 0 takes a free one. */
  listen: { host: string; port: number };
  /** A PostgreSQL of one's own instead of the embedded one; several servers may share it. */
  databaseUrl?: string;
  /** `host:port` where nodes dial this very server. Default: where it listens. */
  address?: string;
  /** Whether nodes that cannot dial each other may meet on this port. Default true. */
  relay?: boolean;
  /** Proxies on the way to nodes that this server dials. */
  way?: Way;
  /** Requests of one client in a minute. Default 12,000. */
  apiRate?: number;
  /** The built pages. */
  uiFolder?: string;
  /** Silence after which the link to a node is given up. Default 30. */
  stallSeconds?: number;
  log: Log;
}

export interface RunningServer {
  /** `https://host:port` */
  url: string;
  /** SHA-256 of the UI's certificate, hex: what a person compares. */
  fingerprint: string;
  /** Of the identity: what join tokens carry. */
  pin: string;
  /** Of the account `admin`, at the very first start only; it is kept nowhere. */
  firstPassword?: string;
  /** Leaves running jobs as they are: they go on at the next start. Idempotent. */
  close(): Promise<void>;
}

/**
 * Starts the coordinator: database, jobs, links to nodes, then the port. Resolves when it answers. Faults:
 * `server.unavailable` (database, folder in use, port), `vault.locked`. One server per process.
 */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const { folder, listen, databaseUrl, uiFolder, log, stallSeconds = STALL_SECONDS } = options;
  await using stack = new AsyncDisposableStack();
  await mkdir(folder, { recursive: true, mode: 0o700 });
  stack.defer(await lockFolder(folder));
  const database = await openDatabase(folder, databaseUrl, log);
  stack.defer(() => database.close());
  const alone = databaseUrl === undefined;
  const { vault, identity } = await openKeys(folder, database, !alone);
  const ui = await openUiCertificate(folder);
  const fleet = await openFleet({ database, folder, alone, log });
  stack.defer(() => fleet.close());
  const look = lookAtVault(vault, log);
  // Not waited for: whoever rotates holds the lock as long as it takes, and the beat has to go on.
  fleet.onBeat(async () => void look());
  const owner = await loadOwner(database);
  const events = createEvents();
  const auth = createAuth(database);
  const firstPassword = await auth.firstPassword();

  const book = await openLimitBook(database, owner);
  const nodes = await openNodes(database, identity, events, book, log, stallSeconds, options.way, owner);
  stack.defer(() => nodes.close());
  const clouds = await openClouds({ database, nodes, vault, events, fleet, owner, log });
  stack.defer(() => clouds.close());
  const objects = createObjects(database, clouds);
  const people = openPeople({ database, auth, clouds, nodes, vault });
  const search = await openSearch(database, clouds, log);
  const closing = new AbortController();
  const storageKeys = keepStorageKeys({ database, nodes, vault, closing: closing.signal, log });
  let address = '';
  const ownAddresses = () => (alone ? [] : [address]);
  const paths = createPaths({ nodes, identity, owner, relay: options.relay !== false, ownAddresses });
  const limits = createLimits(book, nodes, closing.signal, log);
  const records = createRecords(database, events, log);
  const hold = await openHold(database);
  let wire: Wire | null = null;
  const jobs = await openJobs(
    {
      ...{ database, nodes, clouds, objects, records, paths, identity, fleet, owner, log },
      tellServers: (changed) => wire?.tell(changed),
      objectsFor: people.sights.ofJob,
      closing: closing.signal,
    },
    hold,
  );
  stack.defer(() => jobs.close());
  stack.defer(() => closing.abort(new Fault('server.unavailable', 'the server is closing')));

  const told = { database, fleet, closing: closing.signal, log };
  const channels = keepChannels({ ...told, vault, events, owner, way: options.way });
  const cloudCertificates = keepCloudCertificates({ ...told, nodes, clouds });
  const alarms = keepAlarms({ ...told, nodes, clouds, hold, channels, certificate: () => ui.current.certificate });
  const retention = keepRetention({ ...told, nodes, clouds, jobs, hold });
  const watched = {
    metrics: createMetrics({ database, nodes, clouds, events, records }),
    metricsToken: await openMetricsToken(folder),
    readiness: createReadiness(database, jobs),
  };
  const port = createPort(identity, ui.current);
  ui.onChange((next) => port.showUi(next));
  const joining = createJoining(database, nodes, identity, owner);
  const handlers = {
    ...people.routes,
    ...storageRoutes(nodes, storageKeys),
    ...nodeRoutes({ nodes, paths, clouds, joining, limits, tenants: people.tenants }),
    ...cloudRoutes(clouds, nodes, people.signIns, database),
    ...objectRoutes(clouds),
    ...searchRoutes(search),
    ...readingRoutes(clouds, owner),
    ...jobRoutes(jobs, database),
    ...groupRoutes(jobs, database, owner),
    ...doctorRoutes({ nodes, clouds, objects, jobs, hold, database, owner }),
    ...logRoutes(nodes, log),
    ...alarmRoutes(alarms, channels),
    ...retentionRoutes(retention),
    ...vaultRoutes(vault),
    ...certificateRoutes(ui),
    ...cloudCertificateRoutes(clouds, cloudCertificates),
    ...serverRoutes({
      folder,
      database,
      vault,
      owner,
      fleet,
      nodes,
      clouds,
      hold,
      alarms,
      channels,
      retention,
      ...watched,
    }),
  };
  const app = await createApp({
    server: port.server,
    door: people.door,
    stream: { events, auth, sights: people.sights, database, search },
    signIn: { provider: people.provider, auth, database, vault, log },
    idempotency: createIdempotency(database, vault),
    ...{ joining, handlers, uiFolder, watched, fleet, log, apiRate: options.apiRate },
  });
  stack.defer(async () => {
    await port.close();
    await app.close();
  });
  port.server.on('upgrade', acceptLink(nodes, log));
  const relay = new Relay();
  nodes.onForgotten((pin) => relay.drop(pin));
  if (options.relay !== false) port.server.on('connect', relayDoor({ relay, identity, byPin: nodes.byPin, log }));
  await listening(port.server, listen);
  const { port: number } = port.server.address() as AddressInfo;
  const reached = writeAddress({ host: shownHost(listen.host), port: number });
  address = options.address ?? reached;
  announceServers(fleet, nodes, closing.signal, log);
  await fleet.join(address);
  wire = shareEvents({ fleet, database, events, nodes, clouds, records, log });
  stack.defer(() => wire?.close());

  const running = stack.move();
  let closed: Promise<void> | null = null;
  const url = `https://${reached}`;
  log.info({ url, pin: identity.pin }, 'server ready');
  return {
    url,
    fingerprint: ui.fingerprint,
    pin: identity.pin,
    ...(firstPassword === undefined ? {} : { firstPassword }),
    close: () => {
      closed ??= running.disposeAsync();
      return closed;
    },
  };
}

async function listening(
  server: NodeJS.EventEmitter & { listen(port: number, host: string): unknown },
  listen: ServerOptions['listen'],
) {
  server.listen(listen.port, listen.host);
  try {
    await once(server, 'listening');
  } catch (error) {
    throw new Fault(
      'server.unavailable',
      `the server cannot listen on ${writeAddress(listen)}: ${(error as Error).message}`,
      {
        cause: error,
        remedy: 'Choose another address or port, or end what listens there.',
      },
    );
  }
}

/** What people can type: an address that means "all of them" is shown as this machine's name. */
function shownHost(host: string): string {
  return host === '0.0.0.0' || host === '::' ? hostname() : host;
}
