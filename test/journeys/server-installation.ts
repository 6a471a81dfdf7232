import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Client, createClient, type TransportRequest } from '../../src/protocol/client.ts';

interface Ready {
  url: string;
  fingerprint: string;
  pin: string;
  firstPassword?: string;
}

/** A server process on a folder of its own, signed in as admin. */
export interface ServerInstallation {
  readonly ready: Ready;
  readonly password: string;
  readonly client: Client;
  readonly token: string;
  readonly folder: string;
  readonly pid: number;
  /** SIGKILL, then a new process on the same folder and port. */
  killAndRestart(): Promise<void>;
  /** SIGTERM, then a new process; `meanwhile` runs in between. */
  restart(meanwhile?: () => Promise<void>): Promise<void>;
  close(): Promise<void>;
}

/** @param environment Of the process, besides ours. */
export async function startServerProcess(environment: NodeJS.ProcessEnv = {}): Promise<ServerInstallation> {
  const folder = await mkdtemp(join(tmpdir(), 'cloudspan-server-'));
  let child = launch(folder, 0, environment);
  let ready = await readyOf(child);
  const password = ready.firstPassword ?? '';
  const signIn = createClient((question) => send(ready.url, question, ''));
  const { token } = await signIn.login({ body: { user: 'admin', password } });
  const end = async (signal: NodeJS.Signals) => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill(signal);
    await ended;
  };
  const again = async (signal: NodeJS.Signals, meanwhile?: () => Promise<void>) => {
    await end(signal);
    await meanwhile?.();
    child = launch(folder, Number(new URL(ready.url).port), environment);
    ready = await readyOf(child);
  };
  return {
    get ready() {
      return ready;
    },
    get pid() {
      return child.pid ?? 0;
    },
    password,
    token,
    folder,
    client: createClient((question) => send(ready.url, question, token)),
    killAndRestart: () => again('SIGKILL'),
    restart: (meanwhile) => again('SIGTERM', meanwhile),
    async close() {
      await end('SIGTERM');
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** A server process on a folder that has its database already, and the first password that it gave. */
export async function startServerOn(folder: string): Promise<{ url: string; password: string } & AsyncDisposable> {
  const child = launch(folder, 0, {});
  const { url, firstPassword: password = '' } = await readyOf(child);
  return {
    url,
    password,
    async [Symbol.asyncDispose]() {
      const ended = once(child, 'exit');
      child.kill('SIGTERM');
      await ended;
    },
  };
}

function launch(folder: string, port: number, environment: NodeJS.ProcessEnv): ChildProcess {
  const program = join(import.meta.dirname, 'server-process.ts');
  return spawn(process.execPath, [program, folder, String(port)], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, ...environment },
  });
}

async function readyOf(child: ChildProcess): Promise<Ready> {
  if (child.stdout === null) throw new Error('the server has no output');
  for await (const line of createInterface({ input: child.stdout })) return JSON.parse(line) as Ready;
  throw new Error('the server ended before it was ready');
}

/** One request to a server whose certificate this test has just made. */
export function send(url: string, question: TransportRequest, token: string, headers: Record<string, string> = {}) {
  return new Promise<{ status: number; text: string; headers: NodeJS.Dict<string | string[]> }>((resolve, reject) => {
    const call = request(
      `${url}${question.path}`,
      {
        method: question.method,
        rejectUnauthorized: false,
        headers: {
          ...(token === '' ? {} : { authorization: `Bearer ${token}` }),
          ...(question.body === undefined ? {} : { 'content-type': 'application/json' }),
          ...headers,
        },
      },
      (answer) => {
        text(answer).then(
          (body) => resolve({ status: answer.statusCode ?? 0, text: body, headers: answer.headers }),
          reject,
        );
      },
    );
    call.once('error', reject);
    call.end(question.body);
  });
}

/** Asks until the answer is good; fails with the last one after 20 s. */
export async function until<T>(ask: () => Promise<T>, good: (answer: T) => boolean, seconds = 20): Promise<T> {
  for (const begun = Date.now(); ; ) {
    const answer = await ask();
    if (good(answer)) return answer;
    if (Date.now() - begun > seconds * 1000) throw new Error(`still not so: ${JSON.stringify(answer)}`);
    await sleep(100);
  }
}
