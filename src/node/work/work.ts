import { inJob, type Log } from '../../base/log.ts';
import type { DriverLog } from '../../drivers/driver.ts';
import type { Fault } from '../../model/fault.ts';
import type { TransferProgress } from '../../model/job.ts';
import type { WorkResult, WorkState } from '../../protocol/work.ts';
import type { LogLine, WorkJournal, WorkRow } from '../journal.ts';

const LINES_IN_MEMORY = 1000;
/** Lines lost in a crash must not give their numbers to others that the server then takes for known. */
const LINE_NUMBER_LEAP = 1000;
const LONGEST_TEXT = 2000;

export type Trouble = 'storage' | 'attempt' | 'peer';
export type EndPhase = 'done' | 'failed' | 'cancelled';

/** One work of a job: its row in the journal, and what is only worth knowing while it lives. */
export class Work {
  readonly #journal: WorkJournal;
  readonly #log: Log;
  readonly #lines: LogLine[];
  readonly #listeners = new Set<() => void>();
  #row: WorkRow;
  #progress: TransferProgress | undefined;
  readonly #troubles: { [Who in Trouble]?: Fault | undefined } = {};
  #revision: number;
  #lineNumber: number;
  /** When bytes last moved, or the work last entered an attempt anew. By `performance.now()`: no clock that is set back or forth ends a wait. */
  movedAt = performance.now();
  /** Of an end that could not be written down yet. */
  #toldFault: Fault | undefined;

  constructor(journal: WorkJournal, row: WorkRow, log: Log) {
    this.#journal = journal;
    const { fault: _fault, ...unhindered } = row;
    this.#row = row.phase === 'waiting' ? { ...unhindered, phase: 'running' } : row;
    this.#log = log.child({ work: row.id });
    this.#revision = Math.max(row.revision + 1, Date.now());
    this.#lines = journal.lines(row.server, row.id);
    this.#lineNumber = (this.#lines.at(-1)?.number ?? -LINE_NUMBER_LEAP) + LINE_NUMBER_LEAP;
  }

  get row(): Readonly<WorkRow> {
    return this.#row;
  }

  get ended(): boolean {
    return this.#row.phase !== 'running' && this.#row.phase !== 'waiting';
  }

  /** For drivers: into the journal, the server's view and the process log. Fields are for the process log only. */
  readonly log: DriverLog & { error(text: string): void } = {
    info: (text, fields) => this.#line('info', text, fields),
    warn: (text, fields) => this.#line('warn', text, fields),
    error: (text) => this.#line('error', text),
  };

  /**
   * Changes the row; durable when it returns. A value of `undefined` removes the field. Fault `storage.full`: nothing has
   * changed.
   */
  save(change: { [Field in keyof WorkRow]?: WorkRow[Field] | undefined }): void {
    const row = { ...this.#row, ...change, revision: this.#revision + 1 } as WorkRow;
    this.#journal.putWork(row);
    this.#revision++;
    this.#row = row;
    this.#notify();
  }

  /** What it does right now, for people. */
  say(text: string): void {
    if (this.#row.text === text) return;
    this.#row = { ...this.#row, text };
    this.#bump();
  }

  /**
   * Something that hinders the attempt, the way to the peer, or the transfer storage: the work goes on by itself when it
   * is mended (null). Not written down: a restart begins anew.
   */
  trouble(who: Trouble, fault: Fault | null): void {
    if (this.ended || this.#troubles[who]?.message === fault?.message) return;
    this.#troubles[who] = fault ?? undefined;
    if (fault !== null) this.#line('warn', `waiting: ${fault.message}`);
    const current = this.#troubles.storage ?? this.#troubles.attempt ?? this.#troubles.peer;
    const { fault: _before, ...row } = this.#row;
    this.#row =
      current === undefined ? { ...row, phase: 'running' } : { ...row, phase: 'waiting', fault: current.report() };
    this.#bump();
  }

  report(progress: TransferProgress): void {
    if (JSON.stringify(progress) === JSON.stringify(this.#progress)) return;
    this.#progress = progress;
    this.movedAt = performance.now();
    this.#bump();
  }

  /** Faults as `save`: may then be called again. */
  end(phase: EndPhase, outcome: { fault?: Fault; result?: WorkResult }): void {
    const { fault, result } = outcome;
    if (fault !== undefined && phase === 'failed' && fault !== this.#toldFault)
      this.log.error(`failed: ${fault.message}`);
    this.#toldFault = fault;
    const text = { done: 'done', failed: 'failed', cancelled: 'cancelled' }[phase];
    this.save({
      phase,
      text,
      cancelled: phase === 'cancelled',
      fault: fault?.report(),
      result: result ?? this.#row.result,
    });
  }

  /** @param afterLine lines with a greater number are told. */
  state(afterLine = -1): WorkState {
    const { id, epoch, order, phase, text, fault, result, server } = this.#row;
    return {
      id,
      kind: order.kind,
      job: order.job,
      epoch,
      revision: this.#revision,
      phase,
      text,
      ...(this.#progress === undefined ? {} : { progress: this.#progress }),
      ...(fault === undefined ? {} : { fault }),
      ...(result === undefined || phase !== 'done' ? {} : { result }),
      ledger: this.#journal.ledger(server, id),
      log: this.#lines.filter((line) => line.number > afterLine),
    };
  }

  /** Resolves when there is something newer than `revision`, the time is over or the asker is gone. */
  async newer(revision: number, seconds: number, signal: AbortSignal): Promise<void> {
    if (this.#revision > revision || seconds <= 0 || signal.aborted) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, seconds * 1000);
    this.#listeners.add(resolve);
    signal.addEventListener('abort', () => resolve(), { once: true });
    try {
      await promise;
    } finally {
      clearTimeout(timer);
      this.#listeners.delete(resolve);
    }
  }

  #line(level: LogLine['level'], text: string, fields: Record<string, unknown> = {}): void {
    inJob(this.#row.order.job, () => this.#log[level](fields, text));
    const line = { number: ++this.#lineNumber, at: new Date().toISOString(), level, text: text.slice(0, LONGEST_TEXT) };
    this.#lines.push(line);
    if (this.#lines.length > LINES_IN_MEMORY) this.#lines.shift();
    this.#journal.addLine(this.#row.server, this.#row.id, line);
    this.#bump();
  }

  #bump(): void {
    this.#revision++;
    this.#notify();
  }

  #notify(): void {
    for (const listener of [...this.#listeners]) listener();
  }
}
