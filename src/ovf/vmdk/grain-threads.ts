import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import type { DeflateResult, DeflateWork, InflateResult, InflateWork } from './grains.ts';

type Work = InflateWork | DeflateWork;
type Result = InflateResult | DeflateResult;

interface Task {
  work: Work;
  resolve: (result: Result) => void;
  reject: (error: unknown) => void;
}

/**
 * The threads of this process that inflate and deflate, a block per message; buffers travel by transfer. They start
 * with the first task, are shared by all disks, served in order of arrival, and never keep the process alive when idle.
 */
class GrainThreads {
  readonly #limit = Math.min(4, Math.max(1, availableParallelism()));
  readonly #idle: Worker[] = [];
  readonly #busy = new Map<Worker, Task>();
  readonly #waiting: Task[] = [];

  run(work: Work): Promise<Result> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ work, resolve, reject });
      this.#assign();
    });
  }

  #assign(): void {
    while (this.#waiting.length > 0) {
      const worker = this.#idle.pop() ?? (this.#busy.size < this.#limit ? this.#start() : undefined);
      if (!worker) return;
      const task = this.#waiting.shift()!;
      this.#busy.set(worker, task);
      worker.ref();
      worker.postMessage(task.work, [task.work.input, task.work.output]);
    }
  }

  #start(): Worker {
    const worker = new Worker(new URL('./grain-worker.ts', import.meta.url), { execArgv: [] });
    worker.on('message', (result: Result) => {
      const task = this.#busy.get(worker);
      this.#busy.delete(worker);
      worker.unref();
      this.#idle.push(worker);
      task?.resolve(result);
      this.#assign();
    });
    worker.on('error', (error) => this.#lost(worker, error));
    worker.on('exit', () => this.#lost(worker, new Error('a codec thread ended')));
    return worker;
  }

  #lost(worker: Worker, error: unknown): void {
    const idle = this.#idle.indexOf(worker);
    if (idle !== -1) this.#idle.splice(idle, 1);
    const task = this.#busy.get(worker);
    this.#busy.delete(worker);
    task?.reject(error);
    this.#assign();
  }
}

const threads = new GrainThreads();

/** Takes the buffers of `work`; the result gives them back. */
export function inflateInThread(work: InflateWork): Promise<InflateResult> {
  return threads.run(work) as Promise<InflateResult>;
}

/** Takes the buffers of `work`; the result gives them back. */
export function deflateInThread(work: DeflateWork): Promise<DeflateResult> {
  return threads.run(work) as Promise<DeflateResult>;
}
