import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Fault } from '../../model/fault.ts';
import type { Client } from '../../protocol/client.ts';
import { type Connection, connectTo } from '../session.ts';
import type { Processes } from './processes.ts';

export interface LabReady {
  ready: true;
  kind: 'vcenter' | 'cloud-director';
  url: string;
  user: string;
  org?: string;
  fingerprint: string;
}

export interface Lab {
  ready: LabReady;
  /** Options of the driver, with the secret. */
  options: Record<string, string>;
  driver: string;
}

interface ServerReady {
  ready: true;
  url: string;
  fingerprint: string;
  firstPassword?: string;
}

export interface RunningServer {
  url: string;
  fingerprint: string;
  user: string;
  password: string;
  connection: Connection;
}

/** A password that nobody has to type. */
export function newPassword(): string {
  return Buffer.from(crypto.getRandomValues(new Uint8Array(18))).toString('base64url');
}

/** Starts a lab with a world; it keeps everything under `folder/<kind>`. */
export async function startLab(
  processes: Processes,
  folder: string,
  kind: LabReady['kind'],
  world: unknown,
): Promise<Lab> {
  const data = join(folder, kind);
  const worldFile = join(folder, `${kind}.world.json`);
  await mkdir(data, { recursive: true });
  await writeFile(worldFile, JSON.stringify(world));
  const password = newPassword();
  const { ready } = await processes.start<LabReady>(
    `lab ${kind}`,
    ['lab', kind, '--data', data, '--world', worldFile, '--exit-with-stdin'],
    {
      LAB_PASSWORD: password,
    },
  );
  const account = { url: ready.url, username: ready.user, password };
  return kind === 'vcenter'
    ? { ready, driver: 'vsphere', options: account }
    : { ready, driver: 'cloud-director', options: { ...account, organization: ready.org ?? '' } };
}

/** Starts a server with an empty folder and signs in with the first password. */
export async function startServer(processes: Processes, folder: string): Promise<RunningServer> {
  const { ready } = await processes.start<ServerReady>('server', [
    'server',
    '--data',
    join(folder, 'server'),
    '--listen',
    '127.0.0.1:0',
    '--json',
    '--exit-with-stdin',
  ]);
  const password = ready.firstPassword;
  if (password === undefined) throw new Fault('internal', 'the server did not say its first password');
  await using open = connectTo(ready.url, ready.fingerprint);
  const { token, user } = await open.client.login({ body: { user: 'admin', password } });
  return {
    url: ready.url,
    fingerprint: ready.fingerprint,
    user,
    password,
    connection: connectTo(ready.url, ready.fingerprint, token),
  };
}

/** Starts a node, has it join, and waits until the server sees it. */
export async function startNode(
  processes: Processes,
  folder: string,
  server: RunningServer,
  name: string,
  listens: boolean,
): Promise<void> {
  const { client } = server.connection;
  const address = new URL(server.url).host;
  const { token } = await client.createJoinToken({ body: { address } });
  const words = ['node', 'join', address, '--data', join(folder, name), '--name', name, '--json', '--exit-with-stdin'];
  if (listens) words.push('--public', '--listen', '127.0.0.1:0');
  await processes.start(name, words, { CLOUDSPAN_JOIN_TOKEN: token });
  await until(
    async () =>
      (await client.listNodes({})).nodes.some(
        (node) => node.name === name && node.connected && node.drivers.length > 0,
      ),
    `node ${name} is not linked`,
  );
}

/** Adds a lab as a cloud next to a node and waits until its inventory is there. */
export async function addLab(client: Client, name: string, node: string, lab: Lab): Promise<void> {
  const trust = { kind: 'pin' as const, sha256: lab.ready.fingerprint };
  const cloud = await client.addCloud({ body: { name, node, driver: lab.driver, options: lab.options, trust } });
  await until(async () => {
    const { clouds } = await client.listClouds({});
    return clouds.some((one) => one.id === cloud.id && one.state === 'connected' && one.objects > 0);
  }, `cloud ${name} shows no objects`);
}

async function until(condition: () => Promise<boolean>, otherwise: string): Promise<void> {
  const end = Date.now() + 60_000;
  while (!(await condition())) {
    if (Date.now() > end) throw new Fault('internal', `${otherwise} after 60 s`);
    await sleep(100);
  }
}
