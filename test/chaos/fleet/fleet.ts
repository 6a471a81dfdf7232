import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { copyFile, mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { type Connection, connectTo } from '../../../src/cli/session.ts';
import { Installation } from '../../journeys/installation.ts';
import { startBalancer } from './balancer.ts';
import { DebianPostgres } from './postgres.ts';

const MAIN = resolve(import.meta.dirname, '../../../src/main.ts');

export interface Member {
  url: string;
  alive(): boolean;
  connection: Connection;
  kill(signal: NodeJS.Signals): void;
}

/** An installation with three servers on Debian's PostgreSQL. The first is the one that the installation itself knows. */
export class FleetSite implements AsyncDisposable {
  readonly site: Installation;
  readonly postgres: DebianPostgres;
  readonly members: Member[];
  /** Of the administrator, good at every server. */
  readonly token: string;
  readonly #stack: AsyncDisposableStack;

  private constructor(
    site: Installation,
    postgres: DebianPostgres,
    members: Member[],
    token: string,
    stack: AsyncDisposableStack,
  ) {
    this.site = site;
    this.postgres = postgres;
    this.members = members;
    this.token = token;
    this.#stack = stack;
  }

  static async start(bin: string, worlds: { vcenterWorld: unknown; directorWorld: unknown }): Promise<FleetSite> {
    await using stack = new AsyncDisposableStack();
    let postgres: DebianPostgres | undefined;
    const site = await Installation.start({
      ...worlds,
      prepare: async (folder) => {
        const started = await DebianPostgres.start(bin, join(folder, 'debian'));
        postgres = started;
        return () => started.stop();
      },
      extra: (name) => (name === 'server' && postgres ? { environment: { DATABASE_URL: postgres.url } } : {}),
    });
    stack.use(site);
    if (postgres === undefined) throw new Error('there is no database');
    const { host, fingerprint, user, password } = site.account;
    await using first = connectTo(`https://${host}`, fingerprint);
    const { token } = await first.client.login({ body: { user, password } });
    const members: Member[] = [
      {
        url: `https://${host}`,
        alive: () => true,
        connection: stack.use(connectTo(`https://${host}`, fingerprint, token)),
        kill: (signal) => void process.kill(site.pid('server'), signal),
      },
    ];
    for (const name of ['second', 'third']) {
      const { child, url, ...ready } = await startServer(site.folder, name, postgres.url);
      stack.defer(() => endOf(child));
      if (ready.fingerprint !== fingerprint) throw new Error('the servers show different certificates');
      const kill = (signal: NodeJS.Signals) => void child.kill(signal);
      const connection = stack.use(connectTo(url, fingerprint, token));
      members.push({ url, alive: () => child.exitCode === null && child.signalCode === null, connection, kill });
    }
    const all = stack.move();
    const fleet = new FleetSite(site, postgres, members, token, all);
    try {
      await fleet.#linked();
    } catch (error) {
      console.error((await site.log()).slice(-6000));
      await all.disposeAsync();
      throw error;
    }
    return fleet;
  }

  /** A load balancer in front of the servers, and a client of it. */
  async balanced(): Promise<Connection> {
    const balancer = this.#stack.use(
      await startBalancer(() => this.members.map(({ url }) => Number(new URL(url).port))),
    );
    return this.#stack.use(connectTo(`https://127.0.0.1:${balancer.port}`, this.site.account.fingerprint, this.token));
  }

  /** Every server drives every node. */
  async #linked(): Promise<void> {
    for (const { connection, url } of this.members) {
      const both = async () => {
        const { nodes } = await connection.client.listNodes({});
        const { clouds } = await connection.client.listClouds({});
        const good = nodes.length === 2 && nodes.every(({ connected, drivers }) => connected && drivers.length > 0);
        return good && clouds.length === 2 && clouds.every(({ state }) => state === 'connected') ? true : undefined;
      };
      await this.site.until(both, 45, `${url} does not drive both nodes`);
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stack.disposeAsync();
  }
}

/** Starts on a folder that holds nothing but the key of the vault. */
export async function startServer(folder: string, name: string, databaseUrl: string, withKey = true) {
  const data = join(folder, name);
  await mkdir(data, { mode: 0o700 });
  if (withKey) await copyFile(join(folder, 'server', 'vault.key'), join(data, 'vault.key'));
  const log = createWriteStream(join(folder, 'all.log'), { flags: 'a' });
  const words = ['server', '--data', data, '--json', '--listen', '127.0.0.1:0', '--exit-with-stdin'];
  const child = spawn(process.execPath, [MAIN, ...words], {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { ...process.env, CLOUDSPAN_LOG: 'info', DATABASE_URL: databaseUrl },
  });
  child.stderr.pipe(log);
  for await (const line of createInterface({ input: child.stdout })) {
    const said = JSON.parse(line) as { url?: string; fingerprint?: string; fault?: { code: string; message: string } };
    if (said.url !== undefined) return { child: child as ChildProcess, url: said.url, fingerprint: said.fingerprint };
    throw Object.assign(new Error(said.fault?.message ?? line), { code: said.fault?.code });
  }
  throw new Error(`${name} ended before it was ready`);
}

async function endOf(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.kill('SIGCONT');
  child.kill('SIGKILL');
  await gone;
}
