import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const MAIN = resolve(import.meta.dirname, '../../src/main.ts');

export interface Said {
  code: number;
  stdout: string;
  stderr: string;
  /** The lines of stdout that are JSON. */
  lines: Record<string, unknown>[];
  /** The last of them. */
  json: Record<string, unknown>;
}

/** Somebody at a terminal with a home of their own: runs `cloudspan <words>` and sees what it says. */
export class Terminal implements AsyncDisposable {
  readonly home: string;

  private constructor(home: string) {
    this.home = home;
  }

  static async open(): Promise<Terminal> {
    return new Terminal(await mkdtemp(join(tmpdir(), 'cloudspan-home-')));
  }

  /** Signs in to a server as its first account; everything later is said to that one. */
  async signIn({ host, fingerprint, password }: { host: string; fingerprint: string; password: string }) {
    const said = await this.run(['login', host, '--fingerprint', fingerprint], { CLOUDSPAN_PASSWORD: password });
    if (said.code !== 0) throw new Error(`nobody is signed in: ${said.stderr}`);
  }

  /** @param heard Told all of stderr so far. */
  async run(
    words: string[],
    environment: Record<string, string> = {},
    heard: (stderr: string) => void = () => {},
  ): Promise<Said> {
    const child = spawn(process.execPath, [MAIN, ...words], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, CLOUDSPAN_HOME: this.home, ...environment },
    });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
      heard(stderr);
    });
    const code = await new Promise<number>((done, fail) => {
      child.once('error', fail);
      child.once('close', (exit) => done(exit ?? 1));
    });
    const lines = stdout
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    return { code, stdout, stderr, lines, json: lines.at(-1) ?? {} };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.home, { recursive: true, force: true });
  }
}

/** The code of the fault that a command ended with, by `--json` or in words; with an exit code of 0 there is none. */
export function faultCode({ code, json, stderr }: Said): string | undefined {
  if (code === 0) return undefined;
  const fault = json.fault as { code?: string } | undefined;
  return fault?.code ?? /^code: (\S+)$/m.exec(stderr)?.[1];
}
