import { randomUUID } from 'node:crypto';
import type { OwnerKind, Task, TaskError } from './entities.ts';
import type { Faults } from './faults.ts';
import { badRequest, busyEntity, Refusal } from './refusal.ts';
import type { Store } from './store.ts';

interface TaskRun {
  readonly task: Task;
  readonly args: unknown;
  readonly signal: AbortSignal;
  /** 0 to 100; shown to callers, not kept over a restart. */
  progress(percent: number): void;
}

/**
 * Does a task's work. It may run again from the start after a restart, so nothing lasting may happen before the
 * returned `commit`, which runs in one transaction with the task's end.
 */
export interface Worker {
  run(run: TaskRun): Promise<() => void>;
  /** Puts the owner into its failed state; runs in one transaction with the task's end (error or canceled). */
  failed?(run: Pick<TaskRun, 'task' | 'args'>, canceled: boolean): void;
}

export interface TaskSpec {
  operationName: string;
  operation: string;
  owner: { kind: OwnerKind; id: string; name: string };
  org: string;
  user: string;
  work: { kind: string; args: unknown };
  /** False: the task waits until `schedule` is called. */
  scheduled?: boolean;
}

const keptTasks = 2000;

/** Runs the long operations, one after the other per owner, and makes what was running go on after a restart. */
export class Tasks {
  readonly #store: Store;
  readonly #faults: Faults;
  readonly #workers = new Map<string, Worker>();
  readonly #running = new Map<string, { abort: AbortController; done: Promise<void> }>();
  readonly #milliseconds: number;
  readonly #die: () => void;
  #closed = false;

  constructor(store: Store, faults: Faults, milliseconds: number, die: () => void) {
    this.#store = store;
    this.#faults = faults;
    this.#milliseconds = milliseconds;
    this.#die = die;
  }

  define(kind: string, worker: Worker): void {
    this.#workers.set(kind, worker);
  }

  /** Takes up the tasks that were under way when the process ended. */
  resume(): void {
    for (const task of this.#store.all('task')) {
      if (task.scheduled && isOpen(task)) this.#launch(task);
    }
  }

  start(spec: TaskSpec): Task {
    const id = randomUUID();
    const task: Task = {
      id,
      name: 'task',
      description: '',
      created: new Date().toISOString(),
      metadata: [],
      org: spec.org,
      operation: spec.operation,
      operationName: spec.operationName,
      status: 'running',
      progress: 0,
      user: spec.user,
      owner: spec.owner,
      started: new Date().toISOString(),
      ended: null,
      error: null,
      details: '',
      cancelRequested: false,
      work: spec.work,
      scheduled: spec.scheduled ?? true,
    };
    this.#store.put('task', task);
    this.#forgetOld();
    if (task.scheduled) this.#launch(task);
    return task;
  }

  schedule(id: string): void {
    const task = this.#store.change('task', id, { scheduled: true });
    if (task !== undefined && isOpen(task)) this.#launch(task);
  }

  /** Ends a task that waits; used when its owner goes away or its transfer times out. */
  end(id: string, status: 'error' | 'canceled', error: TaskError | null): void {
    const running = this.#running.get(id);
    if (running !== undefined) {
      this.#store.change('task', id, { cancelRequested: true });
      running.abort.abort();
      return;
    }
    this.#store.change('task', id, { status, error, ended: new Date().toISOString() });
  }

  cancel(id: string): void {
    const task = this.#store.must('task', id);
    if (!isOpen(task)) throw badRequest(`The task ${task.operationName} has ended and cannot be canceled.`);
    this.#store.change('task', id, { cancelRequested: true });
    const running = this.#running.get(id);
    if (running !== undefined) {
      running.abort.abort();
      return;
    }
    this.#store.atomically(() => {
      this.#workers.get(task.work.kind)?.failed?.({ task, args: task.work.args }, true);
      this.#store.change('task', id, { status: 'canceled', ended: new Date().toISOString() });
    });
  }

  openOn(...owners: string[]): Task[] {
    return this.#store.all('task').filter((task) => isOpen(task) && owners.includes(task.owner.id));
  }

  /** Running tasks of the entity and those that ended in the last ten minutes, newest first. */
  recentOn(owner: string): Task[] {
    const since = Date.now() - 600_000;
    return this.#store
      .all('task')
      .filter((task) => task.owner.id === owner && (isOpen(task) || Date.parse(task.ended ?? '') > since))
      .reverse();
  }

  refuseWhenBusy(kind: string, name: string, ...owners: string[]): void {
    if (this.openOn(...owners).length > 0) throw busyEntity(kind, name);
  }

  get runningCount(): number {
    return this.#running.size;
  }

  /** Stops the work without ending the tasks: the next start takes them up again. */
  async close(): Promise<void> {
    this.#closed = true;
    const running = [...this.#running.values()];
    for (const { abort } of running) abort.abort();
    await Promise.all(running.map(({ done }) => done));
  }

  #launch(task: Task): void {
    const abort = new AbortController();
    const done = this.#perform(task, abort.signal).finally(() => this.#running.delete(task.id));
    this.#running.set(task.id, { abort, done });
  }

  async #perform(task: Task, signal: AbortSignal): Promise<void> {
    const args = task.work.args;
    const worker = this.#workers.get(task.work.kind);
    try {
      if (worker === undefined) throw new Error(`no worker for ${task.work.kind}`);
      await pause(this.#milliseconds, signal);
      for (const action of this.#faults.ofTask(task.operationName)) {
        if (action.kind === 'delay') await pause(action.milliseconds, signal);
        if (action.kind === 'die') this.#die();
        if (action.kind === 'fail') throw new Refusal(500, action.code, action.message);
      }
      const progress = (percent: number) => {
        const current = this.#store.get('task', task.id);
        if (current !== undefined) current.progress = Math.min(99, Math.max(0, Math.round(percent)));
      };
      const commit = await worker.run({ task, args, signal, progress });
      signal.throwIfAborted();
      this.#store.atomically(() => {
        commit();
        const ended = { status: 'success', progress: 100, ended: new Date().toISOString() } as const;
        this.#store.change('task', task.id, ended);
      });
    } catch (error) {
      if (this.#closed) return;
      const canceled = signal.aborted && this.#store.get('task', task.id)?.cancelRequested === true;
      this.#store.atomically(() => {
        worker?.failed?.({ task, args }, canceled);
        this.#store.change('task', task.id, {
          status: canceled ? 'canceled' : 'error',
          ended: new Date().toISOString(),
          error: canceled ? null : taskError(error),
        });
      });
    }
  }

  #forgetOld(): void {
    const tasks = this.#store.all('task');
    for (const task of tasks.slice(0, Math.max(0, tasks.length - keptTasks))) {
      if (!isOpen(task)) this.#store.remove('task', task.id);
    }
  }
}

export function isOpen(task: Task): boolean {
  return task.status === 'running' || task.status === 'queued';
}

function taskError(error: unknown): TaskError {
  if (error instanceof Refusal) return { major: error.status, minor: error.minorCode, message: error.message };
  const message = error instanceof Error ? error.message : String(error);
  return { major: 500, minor: 'INTERNAL_SERVER_ERROR', message };
}

function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', stop);
      resolve();
    }, milliseconds);
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop, { once: true });
  });
}
