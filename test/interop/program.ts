import { spawn } from 'node:child_process';

export interface ProgramOptions {
  cwd?: string;
  /** Added to the environment of this process. */
  environment?: Record<string, string>;
  /** After which the program is killed and the call fails. */
  seconds?: number;
  input?: string;
}

export interface Outcome {
  status: number | null;
  stdout: string;
  stderr: string;
}

/** Runs a program to its end, whatever its exit code. Fails when it cannot be started or takes too long. */
export async function outcome(
  command: string,
  words: readonly string[],
  options: ProgramOptions = {},
): Promise<Outcome> {
  const seconds = options.seconds ?? 60;
  const child = spawn(command, words, {
    cwd: options.cwd,
    env: { ...process.env, ...options.environment },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk));
  // A program that ends before it has read its input is judged by its exit code.
  child.stdin.on('error', () => {});
  child.stdin.end(options.input ?? '');
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    child.kill('SIGKILL');
  }, seconds * 1000);
  const { promise, resolve, reject } = Promise.withResolvers<number | null>();
  child.on('error', reject);
  child.on('close', resolve);
  try {
    const status = await promise;
    const texts = { stdout: Buffer.concat(stdout).toString('utf8'), stderr: Buffer.concat(stderr).toString('utf8') };
    if (late) throw new Error(`${shown(command, words)} had not ended after ${seconds} s:\n${tail(texts)}`);
    return { status, ...texts };
  } finally {
    clearTimeout(timer);
  }
}

/** Runs a program that has to succeed; resolves with what it wrote to stdout. */
export async function run(command: string, words: readonly string[], options: ProgramOptions = {}): Promise<string> {
  const { status, ...texts } = await outcome(command, words, options);
  if (status !== 0) throw new Error(`${shown(command, words)} ended with ${status}:\n${tail(texts)}`);
  return texts.stdout;
}

function shown(command: string, words: readonly string[]): string {
  return [command, ...words].join(' ').slice(0, 400);
}

function tail({ stdout, stderr }: { stdout: string; stderr: string }): string {
  return `${stdout.slice(-2000)}\n${stderr.slice(-2000)}`.trim();
}
