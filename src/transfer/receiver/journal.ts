import { Worker } from 'node:worker_threads';
import { Fault } from '../../model/fault.ts';
import type { PackageDescription } from '../../model/machine.ts';

type Key = { owner: string; transfer: string };

export type JournalCall =
  | ({ kind: 'load' } & Key)
  | { kind: 'transfers' }
  | ({ kind: 'describe'; description: PackageDescription } & Key)
  | ({ kind: 'entry'; disk: string; index: number; hash: Uint8Array | null } & Key)
  | ({ kind: 'root'; disk: string; root: string | null } & Key)
  | ({ kind: 'handed'; disk: string; handed: number; stale: boolean } & Key)
  | ({ kind: 'count'; wireBytes: number; resentBytes: number } & Key)
  | ({ kind: 'done' } & Key)
  | ({ kind: 'reopen' } & Key)
  | ({ kind: 'forget' } & Key);

export type JournalAnswer = { values: unknown[] } | { error: string; full: boolean };

/** What is known of one disk of a transfer. */
export interface JournalDisk {
  disk: string;
  /** Set once every entry of the disk's map is known. */
  root: string | null;
  /** Blocks before this one may have been handed to the destination. */
  handed: number;
  /** A block that was handed on turned out to have changed: the import of this disk has to begin again. */
  stale: boolean;
  /** Blocks that are durable in the store, ascending, and their hashes (32 bytes each). */
  positions: Uint32Array;
  hashes: Uint8Array;
}

export interface JournalState {
  description: PackageDescription | null;
  /** The source has been told that everything arrived, and agreed. */
  done: boolean;
  wireBytes: number;
  resentBytes: number;
  disks: JournalDisk[];
}

/**
 * What a receiving node has to know after it was killed. Every method resolves when its change is durable; changes that
 * come together share one commit and keep their order. A transfer is made by the first change to it.
 * Faults: `storage.full` when there is no space for the journal, `internal` when the file cannot be used.
 */
export interface Journal {
  load(owner: string, transfer: string): Promise<JournalState | null>;
  transfers(): Promise<{ owner: string; transfer: string; done: boolean }[]>;
  describe(owner: string, transfer: string, description: PackageDescription): Promise<void>;
  /** The block is durable in the store; null: it is zero, or no longer there. */
  entry(owner: string, transfer: string, disk: string, index: number, hash: Uint8Array | null): Promise<void>;
  /** All entries of the disk are known, or (null) no longer known. */
  root(owner: string, transfer: string, disk: string, root: string | null): Promise<void>;
  handed(owner: string, transfer: string, disk: string, handed: number, stale: boolean): Promise<void>;
  /** Adds to the counters. */
  count(owner: string, transfer: string, wireBytes: number, resentBytes: number): Promise<void>;
  done(owner: string, transfer: string): Promise<void>;
  /** The source will be read again: what it is and its roots are no longer known, what arrived stays. */
  reopen(owner: string, transfer: string): Promise<void>;
  /** Removes all rows of a transfer. Idempotent. */
  forget(owner: string, transfer: string): Promise<void>;
  close(): Promise<void>;
}

/** Opens the journal file, which is made if need be. It can be opened once at a time. */
export function openJournal(path: string): Journal {
  const thread = new JournalThread(path);
  const change = (call: JournalCall) => thread.call(call) as Promise<void>;
  return {
    load: (owner, transfer) => thread.call({ kind: 'load', owner, transfer }) as Promise<JournalState | null>,
    transfers: () => thread.call({ kind: 'transfers' }) as ReturnType<Journal['transfers']>,
    describe: (owner, transfer, description) => change({ kind: 'describe', owner, transfer, description }),
    entry: (owner, transfer, disk, index, hash) => change({ kind: 'entry', owner, transfer, disk, index, hash }),
    root: (owner, transfer, disk, root) => change({ kind: 'root', owner, transfer, disk, root }),
    handed: (owner, transfer, disk, handed, stale) => change({ kind: 'handed', owner, transfer, disk, handed, stale }),
    count: (owner, transfer, wireBytes, resentBytes) =>
      change({ kind: 'count', owner, transfer, wireBytes, resentBytes }),
    done: (owner, transfer) => change({ kind: 'done', owner, transfer }),
    reopen: (owner, transfer) => change({ kind: 'reopen', owner, transfer }),
    forget: (owner, transfer) => change({ kind: 'forget', owner, transfer }),
    close: () => thread.close(),
  };
}

interface Waiting {
  call: JournalCall;
  resolve: (value: unknown) => void;
  reject: (error: unknown) => void;
}

/** Sends what gathered while the last commit was under way as one message. */
class JournalThread {
  readonly #path: string;
  readonly #worker: Worker;
  readonly #exited: Promise<void>;
  #waiting: Waiting[] = [];
  #sent: Waiting[] = [];
  #gone: Error | null = null;
  #idle: (() => void) | null = null;

  constructor(path: string) {
    this.#path = path;
    const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
    this.#worker = new Worker(new URL(`./journal-thread.${extension}`, import.meta.url), {
      workerData: path,
      execArgv: ['--disable-warning=ExperimentalWarning'],
    });
    this.#worker.on('message', (answer: JournalAnswer) => this.#answered(answer));
    this.#worker.on('error', (error) => this.#lost(error as Error));
    this.#exited = new Promise((resolve) => {
      this.#worker.on('exit', () => {
        this.#lost(new Error('its thread ended'));
        resolve();
      });
    });
    this.#worker.unref();
  }

  call(call: JournalCall): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (this.#gone !== null) return reject(this.#fault(this.#gone.message, this.#gone));
      this.#waiting.push({ call, resolve, reject });
      if (this.#sent.length === 0 && this.#waiting.length === 1) setImmediate(() => this.#send());
    });
  }

  async close(): Promise<void> {
    if (this.#waiting.length > 0 || this.#sent.length > 0) {
      await new Promise<void>((resolve) => {
        this.#idle = resolve;
      });
    }
    if (this.#gone !== null) return;
    this.#gone = new Error('it is closed');
    this.#worker.ref();
    this.#worker.postMessage('close');
    await this.#exited;
  }

  #send(): void {
    if (this.#sent.length > 0 || this.#waiting.length === 0 || this.#gone !== null) return;
    this.#sent = this.#waiting;
    this.#waiting = [];
    this.#worker.ref();
    this.#worker.postMessage(this.#sent.map(({ call }) => call));
  }

  #answered(answer: JournalAnswer): void {
    const sent = this.#sent;
    this.#sent = [];
    this.#worker.unref();
    for (const [at, { resolve, reject }] of sent.entries()) {
      if ('values' in answer) resolve(answer.values[at]);
      else reject(answer.full ? this.#full(answer.error) : this.#fault(answer.error));
    }
    this.#send();
    if (this.#sent.length === 0) this.#idle?.();
  }

  #lost(error: Error): void {
    this.#gone ??= error;
    for (const { reject } of [...this.#sent.splice(0), ...this.#waiting.splice(0)]) {
      reject(this.#fault(error.message, error));
    }
    this.#idle?.();
  }

  #full(why: string): Fault {
    return new Fault('storage.full', `transfer journal ${this.#path}: ${why}`);
  }

  #fault(why: string, cause?: unknown): Fault {
    return new Fault('internal', `transfer journal ${this.#path}: ${why}`, { cause });
  }
}
