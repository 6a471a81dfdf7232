import { randomBytes } from 'node:crypto';
import { mkdir, readFile, rm } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { type Identity, identity } from './certificate.ts';
import { serveFolder } from './datastore-http.ts';
import { writeDurably } from './durable-file.ts';
import { FaultRules, type FaultSet } from './faults.ts';
import { LeaseBook } from './http-nfc-lease.ts';
import { DEFAULT_OPTIONS, Lab, type LabOptions } from './lab.ts';
import { serveAdmin } from './lab-admin.ts';
import { serveNfc } from './nfc-server.ts';
import { obey, SERVICE_VERSIONS, serveSdk } from './sdk.ts';
import { SessionBook } from './session-manager.ts';
import { Store } from './store.ts';
import { TaskBook } from './task-manager.ts';
import { VimFault } from './vim-fault.ts';
import { deleteVm } from './vm-files.ts';
import { WORLDS, type WorldInput, world as worldSchema } from './world.ts';
import { buildWorld } from './world-builder.ts';

export type { FaultSet } from './faults.ts';
export type { WorldInput } from './world.ts';

export type VcenterOptions = {
  /** Everything the lab keeps; made when it is not there. */
  data: string;
  /** 0 or absent: a free port. */
  port?: number;
  hostPort?: number;
  /** `host:port` that leases name instead of where the host listens. */
  hostAddress?: string;
  /** A world's name, or the world itself; used on an empty data folder only. */
  world?: string | WorldInput;
  faults?: FaultSet;
  user?: string;
  /** Absent: the one of an earlier start, or a new one, in credentials.json. */
  password?: string;
  options?: Partial<LabOptions>;
};

export type Vcenter = {
  url: string;
  hostUrl: string;
  user: string;
  password: string;
  /** SHA-256 of the certificate, hex. */
  fingerprint: string;
  hostFingerprint: string;
  /** Value for the header `x-lab-key` of the calls under `/lab`. */
  labKey: string;
  close(): Promise<void>;
};

type Credentials = { user: string; password: string; labKey: string };

async function credentials(options: VcenterOptions): Promise<Credentials> {
  const file = path.join(options.data, 'credentials.json');
  const known = await readFile(file, 'utf8').then(
    (text) => JSON.parse(text) as Credentials,
    () => undefined,
  );
  const now: Credentials = {
    user: options.user ?? known?.user ?? 'administrator@vsphere.local',
    password: options.password ?? known?.password ?? randomBytes(12).toString('base64url'),
    labKey: known?.labKey ?? randomBytes(16).toString('hex'),
  };
  await writeDurably(file, `${JSON.stringify(now, null, 2)}\n`, 0o600);
  return now;
}

type Handler = (request: IncomingMessage, response: ServerResponse) => Promise<void>;

function listen(identity: Identity, handler: Handler, port: number): Promise<Server> {
  const server = createServer(
    { key: identity.key, cert: identity.certificate, minVersion: 'TLSv1.2' },
    (request, response) => {
      handler(request, response).catch((error: unknown) => {
        console.error(error);
        if (!response.headersSent) response.writeHead(500);
        response.end();
      });
    },
  );
  server.requestTimeout = 0;
  server.keepAliveTimeout = 60_000;
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => resolve(server));
  });
}

function address(server: Server): string {
  return `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Undoes what a crash left half done: machines of imports, files of copies and uploads. */
async function recover(lab: Lab): Promise<void> {
  for (const vm of lab.all('VirtualMachine')) if (vm.importing) await deleteVm(lab, vm);
  for (const app of lab.all('VirtualApp')) if (app.importing) lab.remove(app.id);
  for (const file of lab.store.scratch()) {
    await rm(file, { recursive: true, force: true });
    lab.store.dropScratch(file);
  }
}

/** Starts a lab vCenter and its ESXi host on loopback. */
export async function startVcenter(options: VcenterOptions): Promise<Vcenter> {
  await mkdir(options.data, { recursive: true, mode: 0o700 });
  const who = await credentials(options);
  const certificate = await identity(options.data, 'vcenter.lab');
  const hostCertificate = await identity(options.data, 'esx.lab');
  const store = new Store(options.data);
  const wanted = worldSchema.parse(
    typeof options.world === 'object' ? options.world : named(options.world ?? 'default'),
  );
  if (store.setting('built') !== true) {
    // A first start that was killed has left half a world: begin again.
    store.clear();
    await rm(path.join(options.data, 'datastores'), { recursive: true, force: true });
  } else if (options.world === undefined) {
    wanted.options = (store.setting('options') as typeof wanted.options | undefined) ?? {};
    wanted.accounts = (store.setting('accounts') as typeof wanted.accounts | undefined) ?? [];
  }
  const given = Object.fromEntries(
    Object.entries({ ...wanted.options, ...options.options }).filter(([, value]) => value !== undefined),
  );
  const lab = new Lab(options.data, store, { ...DEFAULT_OPTIONS, ...given }, new FaultRules());
  lab.sessions = new SessionBook(lab, who.user, who.password);
  lab.sessions.accounts = wanted.accounts;
  lab.tasks = new TaskBook(lab);
  lab.leases = new LeaseBook(lab);
  if (store.setting('built') !== true) {
    await buildWorld(lab, wanted);
    store.set('options', wanted.options);
    store.set('accounts', wanted.accounts);
    store.set('built', true);
  }
  await recover(lab);
  if (options.faults) lab.faults.replace(options.faults);
  lab.faults.onExpire = () => lab.sessions.endAll();
  lab.faults.onEndLeases = async () => {
    for (const lease of lab.leases.open)
      await lab.leases.fail(
        lease,
        new VimFault('SystemError', 'A fault rule of the lab ended the lease.', { reason: 'lab' }),
      );
  };

  const host = await listen(
    hostCertificate,
    async (request, response) => {
      const wire = await lab.faults.request(request.url ?? '', 'host');
      return wire ? obey(wire, response) : serveNfc(lab, request, response);
    },
    options.hostPort ?? 0,
  );
  const hostAddress = options.hostAddress === undefined ? address(host) : `https://${options.hostAddress}`;
  lab.host = { url: hostAddress, thumbprint: hostCertificate.thumbprint, certificate: hostCertificate.certificate };
  const front = await listen(
    certificate,
    (request, response) => serve(lab, who.labKey, request, response),
    options.port ?? 0,
  );

  return {
    url: address(front),
    hostUrl: address(host),
    user: who.user,
    password: who.password,
    fingerprint: certificate.sha256,
    hostFingerprint: hostCertificate.sha256,
    labKey: who.labKey,
    async close() {
      lab.leases.close();
      lab.sessions.endAll();
      for (const server of [front, host]) {
        server.closeAllConnections();
        await new Promise((resolve) => server.close(resolve));
      }
      store.close();
    },
  };
}

function named(name: string): WorldInput {
  const found = WORLDS[name];
  if (!found)
    throw new Error(`there is no world named "${name}"; known are ${Object.keys(WORLDS).join(', ')}, or give a file`);
  return found;
}

async function serve(lab: Lab, labKey: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = request.url ?? '/';
  response.setHeader('date', lab.now().toUTCString());
  if (url.startsWith('/lab/')) return serveAdmin(lab, labKey, request, response);
  const wire = await lab.faults.request(url, 'vcenter');
  if (wire) return obey(wire, response);
  if (url === '/sdk' || url === '/sdk/') {
    if (request.method === 'POST') return serveSdk(lab, request, response);
    response.writeHead(405).end();
    return;
  }
  if (url === '/sdk/vimServiceVersions.xml') {
    response.writeHead(200, { 'content-type': 'text/xml' }).end(SERVICE_VERSIONS);
    return;
  }
  if (url.startsWith('/folder')) return serveFolder(lab, request, response);
  response.writeHead(404, { 'content-type': 'text/plain' }).end('Nothing answers here.\n');
}
