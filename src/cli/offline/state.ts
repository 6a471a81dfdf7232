import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { access, mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { writeDurably } from '../../base/files.ts';
import { Fault } from '../../model/fault.ts';
import { homeFolder } from '../session.ts';

/** What an interrupted export or import needs to go on, beside the folder of its node. */
export interface OfflineState {
  server: string;
  /** Process of the node, so that two never use one folder. */
  pid?: number;
  node?: string;
  /** Where the node listens: others know it under this address. */
  address?: string;
  cloud?: string;
  job?: string;
  /** The request of the job, as JSON: another one is another job. */
  request?: string;
}

const FILE = 'offline.json';
const GONE_MILLISECONDS = 20_000;

/**
 * Where the state of a carrying node is kept: beside what is carried, so that it stays with the disk; in the home folder
 * where that cannot be written.
 * @param name Of the hidden folder.
 */
export async function stateFolder(beside: string, name: string): Promise<string> {
  try {
    await access(beside, constants.W_OK);
    return join(beside, name);
  } catch {
    return homeState(`${beside}\0${name}`);
  }
}

/** In the home folder, for what cannot be written beside. */
export function homeState(what: string): string {
  return join(homeFolder(), 'offline', createHash('sha256').update(what).digest('hex').slice(0, 24));
}

export async function readState(folder: string): Promise<OfflineState | null> {
  try {
    return JSON.parse(await readFile(join(folder, FILE), 'utf8')) as OfflineState;
  } catch {
    return null;
  }
}

export async function writeState(folder: string, state: OfflineState): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await writeDurably(join(folder, FILE), `${JSON.stringify(state)}\n`);
}

export async function forgetState(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
}

/** Waits until the node of an interrupted command has ended. Fault `object.busy`: it belongs to one that runs. */
export async function untilGone(folder: string, pid: number | undefined): Promise<void> {
  if (pid === undefined) return;
  for (const end = Date.now() + GONE_MILLISECONDS; await runsIn(folder, pid); await sleep(100)) {
    if (Date.now() < end) continue;
    throw new Fault('object.busy', `another export or import uses ${folder} (process ${pid})`, {
      remedy: 'Wait for it, or end it.',
    });
  }
}

/** Where the machine does not tell what a process is, one that is there is taken for ours. */
async function runsIn(folder: string, pid: number): Promise<boolean> {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  try {
    return (await readFile(`/proc/${pid}/cmdline`, 'utf8')).split('\0').includes(folder);
  } catch {
    return process.platform !== 'linux';
  }
}
