import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Cost } from '../measure.ts';

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

/** What an end says when it is through. */
export interface EndCost {
  cpuSeconds: number;
  peakBytes: number;
}

/** Lets both ends go at the same time, and counts until both are through. */
export async function runBoth<Sent extends EndCost, Arrived extends EndCost>(source: Half, destination: Half) {
  await destination.line();
  const start = performance.now();
  source.go();
  destination.go();
  const [sent, arrived] = await Promise.all([source.line<Sent>(), destination.line<Arrived>()]);
  const cost: Cost = {
    seconds: (performance.now() - start) / 1000,
    cpuSeconds: sent.cpuSeconds + arrived.cpuSeconds,
    peakBytes: Math.max(sent.peakBytes, arrived.peakBytes),
  };
  return { sent, arrived, cost };
}
