import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { accessSync, readdirSync } from 'node:fs';
import { chmod, chown, mkdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { findAccount } from '../../../src/server/store/programs.ts';

const VERSIONS = '/usr/lib/postgresql';

/** Debian's, the newest; undefined where it is not installed (scripts/install-witnesses.sh does that). */
export function debianPostgres(): string | undefined {
  try {
    const versions = readdirSync(VERSIONS).sort((a, b) => Number(b) - Number(a));
    const folders = versions.map((version) => join(VERSIONS, version, 'bin'));
    return folders.find((folder) => readdirSync(folder).includes('postgres') && accessSync(folder) === undefined);
  } catch {
    return undefined;
  }
}

/** A PostgreSQL of its own on a free port of this machine, with a password; as root it runs under another account. */
export class DebianPostgres {
  readonly url: string;
  readonly #start: () => ChildProcess;
  #child: ChildProcess;

  private constructor(url: string, start: () => ChildProcess) {
    this.url = url;
    this.#start = start;
    this.#child = start();
  }

  static async start(bin: string, folder: string): Promise<DebianPostgres> {
    const account = await findAccount();
    await mkdir(folder, { mode: 0o700 });
    const password = randomBytes(16).toString('hex');
    const passwordFile = join(folder, 'password');
    await writeFile(passwordFile, password, { mode: 0o600 });
    if (account !== null) for (const path of [folder, passwordFile]) await chown(path, account.uid, account.gid);
    await chmod(folder, 0o700);
    const data = join(folder, 'data');
    const words = ['-D', data, '-U', 'cloudspan', '-A', 'scram-sha-256', `--pwfile=${passwordFile}`, '--no-sync'];
    execFileSync(join(bin, 'initdb'), words, { ...account, cwd: '/', stdio: 'ignore' });
    const port = await freePort();
    const settings = ['-p', `${port}`, '-c', 'listen_addresses=127.0.0.1', '-c', 'max_connections=200'];
    const start = () =>
      spawn(join(bin, 'postgres'), ['-D', data, '-k', folder, ...settings], {
        ...account,
        cwd: '/',
        stdio: 'ignore',
      });
    const postgres = new DebianPostgres(`postgres://cloudspan:${password}@127.0.0.1:${port}/postgres`, start);
    await postgres.answers();
    return postgres;
  }

  async answers(): Promise<void> {
    for (const begun = Date.now(); ; await sleep(100)) {
      const client = new pg.Client({ connectionString: this.url });
      try {
        await client.connect();
        await client.end();
        return;
      } catch (error) {
        if (Date.now() - begun > 30_000) throw error;
      }
    }
  }

  async query<Row extends pg.QueryResultRow>(text: string): Promise<Row[]> {
    const client = new pg.Client({ connectionString: this.url });
    await client.connect();
    try {
      return (await client.query<Row>(text)).rows;
    } finally {
      await client.end();
    }
  }

  /** Ends it at once, as a crash would leave it; `start` brings it back. */
  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const gone = once(this.#child, 'exit');
    this.#child.kill('SIGQUIT');
    await gone;
  }

  async startAgain(): Promise<void> {
    this.#child = this.#start();
    await this.answers();
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  return port;
}
