import { randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { defineCatalogWork } from './catalog.ts';
import { loadCertificate } from './certificate.ts';
import { defineCompositionWork } from './composition.ts';
import { defineDiskWork } from './disk.ts';
import { DiskFiles } from './disk-files.ts';
import { defineDownloadWork } from './download.ts';
import { Faults } from './faults.ts';
import { createWorld, ensureMainUser } from './genesis.ts';
import { defineImportWork } from './import.ts';
import { defineMediaWork } from './media.ts';
import { defineMetadataWork } from './metadata.ts';
import { defineNetworkWork } from './networks.ts';
import { definePowerWork } from './power.ts';
import { noteFiles, settledRemovals, usedFiles } from './removal.ts';
import { serve } from './server.ts';
import type { Simulator } from './simulator.ts';
import { Store } from './store.ts';
import { Tasks } from './tasks.ts';
import { defineTemplateCopyWork } from './template-copy.ts';
import { expireTransfers } from './upload.ts';
import { defineVappWork } from './vapp.ts';
import { defineTemplateWork } from './vapp-template.ts';
import { readWorld } from './world.ts';

export interface CloudDirectorOptions {
  /** Folder of all that the lab keeps; made when it is not there. One process at a time. */
  data: string;
  /** 0 or left out = a free one. */
  port?: number;
  /** Name of a world that comes with the lab, or a JSON file (see world.ts). Only the first start reads it. */
  world?: string;
  /** Fault rules (see faults.ts). */
  faults?: unknown;
  org?: string;
  user?: string;
  /** Left out = the one in `credentials.json`, which is made up at the first start. */
  password?: string;
}

export interface RunningCloudDirector {
  url: string;
  org: string;
  user: string;
  password: string;
  /** SHA-256 of the certificate, hex. */
  fingerprint: string;
  /** Value of the header `x-lab-key` for the calls under `/lab`. */
  labKey: string;
  /** Stops listening and working; what was under way goes on at the next start. */
  close(): Promise<void>;
}

interface Credentials {
  org: string;
  user: string;
  password: string;
  labKey: string;
}

async function loadCredentials(options: CloudDirectorOptions): Promise<Credentials> {
  const file = join(options.data, 'credentials.json');
  const text = await readFile(file, 'utf8').catch(() => undefined);
  const kept: Partial<Credentials> = text === undefined ? {} : (JSON.parse(text) as Partial<Credentials>);
  const credentials: Credentials = {
    org: options.org ?? kept.org ?? 'org1',
    user: options.user ?? kept.user ?? 'administrator',
    password: options.password ?? kept.password ?? randomBytes(12).toString('base64url'),
    labKey: kept.labKey ?? randomBytes(18).toString('base64url'),
  };
  await writeFile(`${file}.part`, `${JSON.stringify(credentials, null, 2)}\n`, { mode: 0o600, flush: true });
  await rename(`${file}.part`, file);
  return credentials;
}

/** Starts a Cloud Director on loopback and resolves when it answers. */
export async function startCloudDirector(options: CloudDirectorOptions): Promise<RunningCloudDirector> {
  await mkdir(options.data, { recursive: true, mode: 0o700 });
  const transferFolder = join(options.data, 'transfer');
  await mkdir(transferFolder, { recursive: true });
  const certificate = await loadCertificate(options.data);
  const credentials = await loadCredentials(options);
  const world = await readWorld(options.world);
  const settingsFile = join(options.data, 'settings.json');
  const settings = await keepSettings(settingsFile, {
    versions: world.versions,
    taskMilliseconds: world.taskMilliseconds,
    sessionIdleSeconds: world.sessionIdleSeconds,
    transferIdleSeconds: world.transferIdleSeconds,
    clockOffsetSeconds: world.clockOffsetSeconds,
  });
  const store = new Store(join(options.data, 'cloud.sqlite'));
  const closing = new AbortController();
  const faults = new Faults();
  if (options.faults !== undefined) faults.set(options.faults);
  const die = () => process.kill(process.pid, 'SIGKILL');
  const sim: Simulator = {
    store,
    disks: new DiskFiles(join(options.data, 'disks')),
    faults,
    tasks: new Tasks(store, faults, settings.taskMilliseconds, die),
    transferFolder,
    closing: closing.signal,
    sessionIdleSeconds: settings.sessionIdleSeconds,
    transferIdleSeconds: settings.transferIdleSeconds,
    clockOffsetSeconds: settings.clockOffsetSeconds ?? 0,
    labKey: credentials.labKey,
    die,
  };
  await sim.disks.prepare();
  if (store.all('org').length === 0) await createWorld(store, sim.disks, world, credentials);
  ensureMainUser(store, credentials);
  await clean(sim);
  defineWork(sim);
  sim.tasks.resume();
  const server = serve(sim, certificate, settings.versions);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port ?? 0, '127.0.0.1', resolve);
  });
  const ticks = Math.min(10_000, (settings.transferIdleSeconds * 1000) / 4);
  const clock = setInterval(() => expireTransfers(sim), ticks);
  let closed: Promise<void> | undefined;
  const close = async () => {
    clearInterval(clock);
    closing.abort();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    await sim.tasks.close();
    await settledRemovals();
    store.close();
  };
  return {
    url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
    org: credentials.org,
    user: credentials.user,
    password: credentials.password,
    labKey: credentials.labKey,
    fingerprint: certificate.fingerprint,
    close: () => {
      closed ??= close();
      return closed;
    },
  };
}

interface Settings {
  versions: string[];
  taskMilliseconds: number;
  sessionIdleSeconds: number;
  transferIdleSeconds: number;
  /** Absent in folders of older labs. */
  clockOffsetSeconds?: number;
}

/** The world's settings hold for the life of the data folder, also when a later start names no world. */
async function keepSettings(file: string, settings: Settings): Promise<Settings> {
  const kept = await readFile(file, 'utf8').catch(() => undefined);
  if (kept !== undefined) return JSON.parse(kept) as Settings;
  await writeFile(`${file}.part`, JSON.stringify(settings), { flush: true });
  await rename(`${file}.part`, file);
  return settings;
}

/** Removes what a killed process left behind: files without an owner. */
async function clean(sim: Simulator): Promise<void> {
  const used = usedFiles(sim);
  await sim.disks.sweep(used);
  noteFiles(sim, used);
  for (const name of await readdir(sim.transferFolder)) {
    if (sim.store.get('transfer', name) === undefined)
      await rm(join(sim.transferFolder, name), { recursive: true, force: true });
  }
}

function defineWork(sim: Simulator): void {
  defineCatalogWork(sim);
  defineTemplateWork(sim);
  defineTemplateCopyWork(sim);
  defineImportWork(sim);
  defineDownloadWork(sim);
  defineMediaWork(sim);
  defineVappWork(sim);
  defineCompositionWork(sim);
  definePowerWork(sim);
  defineMetadataWork(sim);
  defineNetworkWork(sim);
  defineDiskWork(sim);
}
