import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { Fault, type FaultReport } from '../../model/fault.ts';

interface Started<Ready> {
  ready: Ready;
  child: ChildProcess;
}

/**
 * The processes of the demo. Each runs in a process group of its own, so that Ctrl-C in the terminal reaches only us and
 * we end them in order. None survives us: each ends by itself when its stdin closes.
 */
export class Processes implements AsyncDisposable {
  readonly #executable: readonly string[];
  readonly #children: { name: string; child: ChildProcess }[] = [];
  readonly #log: NodeJS.WritableStream;
  #disposed = false;

  /** @param executable Words that run `cloudspan`. @param log What the children say on stderr goes there. */
  constructor(executable: readonly string[], log: NodeJS.WritableStream) {
    this.#executable = executable;
    this.#log = log;
  }

  /** Starts `cloudspan <words>` and waits for its line of JSON with `ready`. */
  start<Ready extends { ready: true }>(
    name: string,
    words: string[],
    environment: Record<string, string> = {},
  ): Promise<Started<Ready>> {
    const child = this.#spawn(name, words, environment);
    return new Promise((resolve, reject) => {
      child.once('close', (code, signal) => {
        reject(
          new Fault('internal', `${name} ended before it was ready (${signal ?? `exit code ${code}`})`, {
            remedy: 'Look into the demo log.',
          }),
        );
      });
      child.once('error', reject);
      createInterface({ input: child.stdout! }).on('line', (line) => {
        const ready = parseLine(line);
        if (ready?.ready === true) resolve({ ready: ready as unknown as Ready, child });
        else if (ready?.fault !== undefined) reject(Fault.fromReport(ready.fault as FaultReport));
      });
    });
  }

  /** Runs `cloudspan <words>` to its end and gives its last line, which is JSON. */
  async run<Answer>(name: string, words: string[], environment: Record<string, string> = {}): Promise<Answer> {
    const child = this.#spawn(name, words, environment);
    let last: Record<string, unknown> | undefined;
    createInterface({ input: child.stdout! }).on('line', (line) => {
      last = parseLine(line) ?? last;
    });
    const code = await new Promise<number>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (exit) => resolve(exit ?? 1));
    });
    if (code !== 0 || last === undefined)
      throw new Fault('internal', `${name} ended with exit code ${code}`, { remedy: 'Look into the demo log.' });
    return last as Answer;
  }

  #spawn(name: string, words: string[], environment: Record<string, string>): ChildProcess {
    if (this.#disposed) throw new Fault('job.cancelled', `${name} is not started: everything is being ended`);
    const [command = process.execPath, ...first] = this.#executable;
    const child = spawn(command, [...first, ...words], {
      stdio: ['pipe', 'pipe', 'pipe'],
      detached: true,
      env: { ...process.env, CLOUDSPAN_LOG: process.env.CLOUDSPAN_LOG ?? 'warn', ...environment },
    });
    child.stderr?.on('data', (chunk: Buffer) => this.#log.write(chunk));
    this.#children.push({ name, child });
    return child;
  }

  /** Ends all, last started first; who does not go within 8 s is killed. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed = true;
    for (const { child } of this.#children.reverse()) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), 8_000);
      await gone;
      clearTimeout(timer);
    }
  }
}

function parseLine(line: string): Record<string, unknown> | undefined {
  if (!line.startsWith('{')) return undefined;
  try {
    return JSON.parse(line) as Record<string, unknown>;
  } catch {
    return undefined;
  }
}
