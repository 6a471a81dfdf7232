/** A process that plays a cloud and says where it listens with one line of JSON on stdout. */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { request } from 'node:https';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import type { TemporaryFolder } from './temporary-folder.ts';
import { pathOf } from './witnesses.ts';

const root = resolve(import.meta.dirname, '../..');

interface Ready {
  url: string;
  user: string;
  fingerprint: string;
  org?: string;
  data?: string;
}

export class Lab implements AsyncDisposable {
  readonly url: string;
  readonly host: string;
  readonly user: string;
  readonly password: string;
  readonly fingerprint: string;
  readonly org: string;
  readonly #data: string | undefined;
  readonly #child: ChildProcess;

  constructor(child: ChildProcess, ready: Ready, password: string) {
    this.#child = child;
    this.url = ready.url;
    this.host = new URL(ready.url).host;
    this.user = ready.user;
    this.password = password;
    this.fingerprint = ready.fingerprint;
    this.org = ready.org ?? '';
    this.#data = ready.data;
  }

  /** What the lab says of itself by the door that no vendor has. */
  async state<State = unknown>(): Promise<State> {
    const { labKey } = JSON.parse(await readFile(join(this.#data ?? '', 'credentials.json'), 'utf8')) as {
      labKey: string;
    };
    const { promise, resolve: answered, reject } = Promise.withResolvers<string>();
    const headers = { 'x-lab-key': labKey };
    const call = request(`${this.url}/lab/state`, { headers, rejectUnauthorized: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString('utf8');
        if (response.statusCode === 200) answered(text);
        else reject(new Error(`/lab/state answered ${response.statusCode}: ${text}`));
      });
    });
    call.on('error', reject);
    call.end();
    return JSON.parse(await promise) as State;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await ended(this.#child);
  }
}

/** `sims/vcenter` or `sims/cloud-director`, as a person starts it. */
export async function startLab(
  kind: 'vcenter' | 'cloud-director',
  folder: TemporaryFolder,
  world = 'empty',
): Promise<Lab> {
  const words = [join(root, 'sims', kind, 'main.ts'), '--data', folder.at(kind), '--world', world, '--exit-with-stdin'];
  return start(process.execPath, words);
}

/** govmomi's own simulator of a vCenter or of a single ESXi host; it keeps its datastores below the folder. */
export async function startVcsim(kind: 'vcenter' | 'esx', folder: TemporaryFolder): Promise<Lab> {
  return start(pathOf('vcsim'), kind === 'esx' ? ['-esx'] : [], { TMPDIR: folder.path });
}

async function start(command: string, words: string[], environment: Record<string, string> = {}): Promise<Lab> {
  const password = randomBytes(9).toString('base64url');
  const child = spawn(command, words, {
    env: { ...process.env, ...environment, LAB_PASSWORD: password },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  let complaints = '';
  child.stderr.on('data', (chunk: Buffer) => {
    complaints = `${complaints}${chunk.toString('utf8')}`.slice(-8000);
  });
  const { promise, resolve: ready, reject } = Promise.withResolvers<Ready>();
  const timer = setTimeout(() => reject(new Error(`${words[0] ?? command} is not ready: ${complaints}`)), 30_000);
  child.on('error', reject);
  child.on('exit', (code) => reject(new Error(`${words[0] ?? command} ended with ${code}: ${complaints}`)));
  createInterface({ input: child.stdout }).on('line', (line) => {
    if (line.startsWith('{"ready"') || line.includes('"ready":true')) ready(JSON.parse(line) as Ready);
  });
  try {
    return new Lab(child, await promise, password);
  } catch (error) {
    await ended(child);
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

/** Asks a process to end by closing its stdin, insists after five seconds, and waits until it is gone. */
async function ended(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise<void>((done) => child.once('exit', () => done()));
  child.stdin?.end();
  const timer = setTimeout(() => child.kill('SIGKILL'), 5000);
  await gone;
  clearTimeout(timer);
}
