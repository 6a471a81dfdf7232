import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

/** One end of a transfer as a process of its own: it says a line when it is ready, waits for a word, and says a line at its end. */
export class Half {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  /** @param prefix Words in front of the command. */
  constructor(script: string, words: string[], prefix: string[] = []) {
    const [command = '', ...rest] = [...prefix, process.execPath, join(import.meta.dirname, script), ...words];
    this.#child = spawn(command, rest, { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#lines = createInterface({ input: this.#child.stdout! })[Symbol.asyncIterator]();
  }

  async line<T>(): Promise<T> {
    const { value, done } = await this.#lines.next();
    if (done === true) throw new Error('an end of the transfer ended before its time');
    return JSON.parse(value) as T;
  }

  go(): void {
    this.#child.stdin?.write('go\n');
  }

  stop(): void {
    this.#child.kill('SIGKILL');
  }
}
