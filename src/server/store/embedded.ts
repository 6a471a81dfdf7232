import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { chown, mkdir, mkdtemp, open, readFile, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { promisify } from 'node:util';
import pg from 'pg';
import { delay } from '../../base/backoff.ts';
import { isThere, writeDurably } from '../../base/files.ts';
import type { Log } from '../../base/log.ts';
import { Fault } from '../../model/fault.ts';
import { type Account, findAccount, findPrograms } from './programs.ts';

const run = promisify(execFile);

/** Longest path of a unix socket that every system takes. */
const SOCKET_PATH_BYTES = 100;
const USER = 'cloudspan';
const LONGEST_REVIVAL_MILLISECONDS = 10_000;

/**
 * Ends PostgreSQL as soon as the server's end of standard input closes, so that no kind of death of the server leaves
 * a database behind.
 */
const WATCH = 'exec 3<&0; "$@" 3<&- </dev/null & pid=$!; (cat <&3 >/dev/null; kill -INT $pid 2>/dev/null) & wait $pid';

/** Said at every start and end. */
const USUAL = /the database system is (starting up|shutting down)|terminating connection due to administrator command/;

export interface EmbeddedPostgres {
  connection: pg.PoolConfig;
  close(): Promise<void>;
}

/**
 * Starts the PostgreSQL that comes with Cloudspan on `folder/postgres`: initialised at the first start, reached by a
 * unix socket only, with a random password in `folder/postgres.password` (0600). As root it runs under another account,
 * which needs no way to `folder`: it is handed the open folder. One that a killed server left behind is ended first.
 */
export async function startEmbedded(folder: string, log: Log): Promise<EmbeddedPostgres> {
  const account = await findAccount();
  const data = join(folder, 'postgres');
  const programs = await findPrograms(folder, account);
  const password = await loadPassword(join(folder, 'postgres.password'));
  if (!(await isThere(join(data, 'PG_VERSION')))) await initialise(programs.initdb, folder, data, password, account);
  const sockets = await socketFolder(data, account);
  const connection = { host: sockets, port: 5432, user: USER, password, database: 'postgres' };
  const start = async (): Promise<ChildProcess> => {
    await endLeftover(data, log);
    const child = await inside(data, account, async (path, fd) => {
      const words = [programs.postgres, '-D', path, '-k', sockets === data ? path : sockets, ...settings()];
      const stdio = ['pipe', 'ignore', 'pipe', 'ignore', fd ?? 'ignore'] as const;
      return spawn('/bin/sh', ['-c', WATCH, 'sh', ...words], {
        ...account,
        cwd: '/',
        stdio: [...stdio],
        detached: true,
        env: environment(),
      });
    });
    forwardLog(child, log);
    try {
      await untilReady(child, connection);
    } catch (error) {
      await stop(child);
      throw error;
    }
    return child;
  };
  const revival = keepAlive(await start(), start, log);
  return {
    connection,
    close: async () => {
      await revival.close();
      if (sockets !== data) await rm(sockets, { recursive: true, force: true });
      await programs.release();
    },
  };
}

/** Starts the database again whenever it ends before `close`: somebody killed it, or the system was out of memory. */
function keepAlive(first: ChildProcess, start: () => Promise<ChildProcess>, log: Log): { close(): Promise<void> } {
  const closing = new AbortController();
  let child: ChildProcess | null = first;
  const watch = async () => {
    for (let failures = 0; !closing.signal.aborted; ) {
      if (child !== null) await gone(child);
      if (closing.signal.aborted) return;
      log.error({ attempt: failures }, 'PostgreSQL has ended without being asked to: it is started again');
      child = null;
      try {
        child = await start();
        failures = 0;
        log.info('PostgreSQL is back');
      } catch (error) {
        failures++;
        log.error({ fault: Fault.from(error, 'PostgreSQL').report() }, 'PostgreSQL does not start');
        await delay(Math.min(LONGEST_REVIVAL_MILLISECONDS, 250 * 2 ** failures), closing.signal).catch(() => {});
      }
    }
  };
  const watched = watch();
  return {
    async close() {
      closing.abort(new Fault('server.unavailable', 'the server is closing'));
      if (child !== null) await stop(child);
      await watched;
      if (child !== null) await stop(child);
    },
  };
}

function gone(child: ChildProcess): Promise<unknown> {
  return child.exitCode === null && child.signalCode === null ? once(child, 'exit') : Promise.resolve();
}

async function stop(child: ChildProcess): Promise<void> {
  child.stdin?.end();
  await gone(child);
}

/** Number under which a child finds the open folder. */
const FOLDER_FD = 4;

/**
 * Runs `start` with a path for `folder` that works in a child of the given account: as root on Linux one that leads
 * through an open descriptor, since the account may not be allowed to walk there.
 */
async function inside<T>(
  folder: string,
  account: Account | null,
  start: (path: string, fd: number | null) => Promise<T>,
): Promise<T> {
  if (account === null || process.platform !== 'linux') return start(folder, null);
  const handle = await open(folder, 'r');
  try {
    return await start(`/proc/self/fd/${FOLDER_FD}`, handle.fd);
  } finally {
    await handle.close();
  }
}

function settings(): string[] {
  const values = {
    listen_addresses: '',
    unix_socket_permissions: '0700',
    max_connections: '60',
    shared_buffers: '64MB',
  };
  return Object.entries(values).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
}

function environment(): NodeJS.ProcessEnv {
  return { PATH: process.env.PATH, LC_ALL: 'C', TZ: 'UTC' };
}

async function loadPassword(path: string): Promise<string> {
  try {
    return (await readFile(path, 'utf8')).trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    const password = randomBytes(24).toString('base64url');
    await writeDurably(path, `${password}\n`);
    return password;
  }
}

async function initialise(initdb: string, folder: string, data: string, password: string, account: Account | null) {
  const fresh = join(folder, 'postgres.new');
  await rm(fresh, { recursive: true, force: true });
  await mkdir(fresh, { mode: 0o700 });
  try {
    await writeDurably(join(fresh, 'password'), `${password}\n`);
    if (account !== null) {
      for (const path of [fresh, join(fresh, 'password')]) await chown(path, account.uid, account.gid);
    }
    await inside(fresh, account, async (path, fd) => {
      const login = [`--username=${USER}`, `--pwfile=${path}/password`, '--auth=scram-sha-256'];
      const locale = ['--encoding=UTF8', '--locale-provider=builtin', '--builtin-locale=C.UTF-8', '--locale=C'];
      const child = spawn(initdb, ['-D', `${path}/data`, ...login, ...locale], {
        ...account,
        cwd: '/',
        stdio: ['ignore', 'ignore', 'pipe', 'ignore', fd ?? 'ignore'],
        env: environment(),
      });
      const [[code], said] = await Promise.all([once(child, 'exit'), child.stderr === null ? '' : text(child.stderr)]);
      if (code !== 0) throw new Error(said.trim());
    });
    await rename(join(fresh, 'data'), data);
  } catch (error) {
    throw new Fault('server.unavailable', `the database in ${data} could not be made: ${(error as Error).message}`, {
      cause: error,
    });
  } finally {
    await rm(fresh, { recursive: true, force: true });
  }
}

async function endLeftover(data: string, log: Log): Promise<void> {
  const pid = Number((await readFile(join(data, 'postmaster.pid'), 'utf8').catch(() => '')).split('\n')[0]);
  if (!Number.isInteger(pid) || pid <= 1 || !(await isPostgres(pid))) return;
  log.warn({ postgres: pid }, 'ending the database that an earlier server left behind');
  for (let waited = 0; await isPostgres(pid); waited += 100) {
    if (waited % 5_000 === 0) process.kill(pid, waited < 30_000 ? 'SIGINT' : 'SIGQUIT');
    if (waited > 60_000) throw new Fault('server.unavailable', `the database process ${pid} does not end`);
    await delay(100);
  }
}

async function isPostgres(pid: number): Promise<boolean> {
  try {
    process.kill(pid, 0);
    const { stdout } = await run('ps', ['-o', 'stat=,comm=', '-p', String(pid)]);
    return /postgres/.test(stdout) && !/^Z/.test(stdout.trim());
  } catch {
    return false;
  }
}

async function socketFolder(data: string, account: Account | null): Promise<string> {
  if (Buffer.byteLength(join(data, '.s.PGSQL.5432')) <= SOCKET_PATH_BYTES) return data;
  const folder = await mkdtemp(join(tmpdir(), 'cloudspan-postgres-'));
  if (account !== null) await chown(folder, account.uid, account.gid);
  return folder;
}

function forwardLog(child: ChildProcess, log: Log): void {
  if (child.stderr === null) return;
  createInterface({ input: child.stderr }).on('line', (line) => {
    if (/ (ERROR|FATAL|PANIC): /.test(line) && !USUAL.test(line)) log.warn(`postgres: ${line}`);
    else log.debug(`postgres: ${line}`);
  });
  child.stdin?.on('error', () => {});
}

async function untilReady(child: ChildProcess, connection: pg.ClientConfig): Promise<void> {
  for (;;) {
    if (child.exitCode !== null || child.signalCode !== null) {
      throw new Fault(
        'server.unavailable',
        `PostgreSQL ended at its start with ${child.exitCode ?? child.signalCode}`,
        {
          remedy: 'Look at the log lines that begin with "postgres:".',
        },
      );
    }
    const client = new pg.Client(connection);
    client.on('error', () => {});
    try {
      await client.connect();
      return;
    } catch {
      await delay(30);
    } finally {
      await client.end().catch(() => {});
    }
  }
}
