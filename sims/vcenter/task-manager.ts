import { setTimeout as sleep } from 'node:timers/promises';
import type { Lab } from './lab.ts';
import { type Invocation, kind, singleton } from './managed.ts';
import { type Data, type Ref, ref, type Value } from './value.ts';
import { asVimFault, notFound, VimFault } from './vim-fault.ts';

export type Task = {
  id: string;
  entity: Ref;
  entityName: string;
  /** `VirtualMachine.powerOn` and the like. */
  description: string;
  state: 'queued' | 'running' | 'success' | 'error';
  progress: number | undefined;
  result: Value;
  error: Data | undefined;
  user: string;
  queued: string;
  started: string | undefined;
  completed: string | undefined;
  cancelable: boolean;
  cancelled: boolean;
  stop: AbortController;
};

export type Work = (progress: (percent: number) => void, signal: AbortSignal) => Promise<Value> | Value;

const KEPT = 200;

/** The tasks of this run: queued, running with its progress, then success or error. */
export class TaskBook {
  readonly #lab: Lab;
  readonly #tasks = new Map<string, Task>();

  constructor(lab: Lab) {
    this.#lab = lab;
  }

  find(id: string): Task | undefined {
    return this.#tasks.get(id);
  }

  get recent(): Task[] {
    return [...this.#tasks.values()].slice(-KEPT);
  }

  forEntity(id: string): Ref[] {
    return this.recent
      .filter((task) => task.entity.id === id && (task.state === 'queued' || task.state === 'running'))
      .map(taskRef);
  }

  /** Begins a task and answers its reference at once. Faults of the work become the task's error. */
  start(call: Invocation, entity: Ref, entityName: string, description: string, work: Work, cancelable = false): Ref {
    const task: Task = {
      id: this.#lab.id('Task'),
      entity,
      entityName,
      description,
      state: 'queued',
      progress: undefined,
      result: undefined,
      error: undefined,
      user: call.session?.user ?? '',
      queued: new Date().toISOString(),
      started: undefined,
      completed: undefined,
      cancelable,
      cancelled: false,
      stop: new AbortController(),
    };
    this.#tasks.set(task.id, task);
    for (const id of this.#tasks.keys()) {
      if (this.#tasks.size <= KEPT * 5) break;
      this.#tasks.delete(id);
    }
    this.#lab.changed();
    void this.#run(task, work);
    return taskRef(task);
  }

  async #run(task: Task, work: Work): Promise<void> {
    await sleep(this.#lab.options.taskMilliseconds);
    try {
      task.stop.signal.throwIfAborted();
      task.state = 'running';
      task.started = new Date().toISOString();
      task.progress = 0;
      this.#lab.changed();
      await sleep(this.#lab.options.taskMilliseconds);
      await this.#lab.faults.task(task.description);
      task.result = await work((percent) => {
        const whole = Math.floor(percent);
        if (task.progress === whole) return;
        task.progress = whole;
        this.#lab.changed();
      }, task.stop.signal);
      task.state = 'success';
    } catch (error) {
      const fault = task.stop.signal.aborted
        ? new VimFault('RequestCanceled', 'The task was canceled by a user.')
        : asVimFault(error);
      task.error = fault.localized;
      task.state = 'error';
    }
    task.progress = undefined;
    task.completed = new Date().toISOString();
    this.#lab.changed();
  }
}

function taskRef(task: Task): Ref {
  return ref('Task', task.id);
}

function taskInfo(task: Task): Data {
  const [noun = '', verb = ''] = task.description.split('.');
  return {
    _type: 'TaskInfo',
    key: task.id,
    task: taskRef(task),
    name: `${verb.charAt(0).toUpperCase()}${verb.slice(1)}${noun === 'VirtualMachine' ? 'VM' : ''}_Task`,
    descriptionId: task.description,
    entity: task.entity,
    entityName: task.entityName,
    state: task.state,
    cancelled: task.cancelled,
    cancelable: task.cancelable,
    error: task.error,
    result: task.result,
    progress: task.state === 'running' ? task.progress : undefined,
    reason: { _type: 'TaskReasonUser', userName: task.user },
    queueTime: task.queued,
    startTime: task.started,
    completeTime: task.completed,
    eventChainId: Number(task.id.replace(/\D/g, '')),
  };
}

export const taskKind = kind<Task>(
  'Task',
  (lab, id) => lab.tasks.find(id),
  { info: (_lab, task) => taskInfo(task) },
  {
    CancelTask(call, task) {
      if (!call.lab.tasks.find(task.id)) throw notFound('Task', task.id);
      if (!task.cancelable) throw new VimFault('NotSupported', 'The operation is not supported on the object.');
      if (task.state !== 'queued' && task.state !== 'running') {
        throw new VimFault('InvalidState', 'The operation is not allowed in the current state.');
      }
      task.cancelled = true;
      task.stop.abort();
      call.lab.changed();
      return undefined;
    },
  },
);

export const taskManager = singleton('TaskManager', 'TaskManager', {
  recentTask: (lab) => lab.tasks.recent.slice(-20).map(taskRef),
  maxCollector: () => 32,
});
