import type { Logger } from 'pino';
import { LOG_LEVELS, type LogLevel, type LogLevelState } from '../model/log-level.ts';

const LONGEST_SECONDS = 7 * 24 * 3600;
/** Children live as long as what they log for; those that are gone are swept out now and then. */
const SWEEP_EVERY = 1_000;

/** The level of a log and of all its children, changed at run time for good or for a while. */
export class LogDial {
  readonly #first: LogLevel;
  readonly #logs = new Set<WeakRef<Pick<Logger, 'level'>>>();
  #usual: LogLevel;
  #level: LogLevel;
  #until: { at: number; timer: NodeJS.Timeout } | null = null;

  constructor(level: string) {
    this.#first = LOG_LEVELS.find((one) => one === level) ?? 'info';
    this.#usual = this.#first;
    this.#level = this.#first;
  }

  add(log: Pick<Logger, 'level'>): void {
    this.#logs.add(new WeakRef(log));
    if (this.#logs.size % SWEEP_EVERY === 0) this.#each(() => {});
  }

  state(): LogLevelState {
    const until = this.#until === null ? {} : { until: new Date(this.#until.at).toISOString() };
    return { level: this.#level, usual: this.#usual, ...until };
  }

  /**
   * @param level Null: what it was when the process started.
   * @param seconds Afterwards it is again what it was before; for ever when absent.
   */
  set(level: LogLevel | null, seconds?: number): LogLevelState {
    clearTimeout(this.#until?.timer);
    this.#until = null;
    const wanted = level ?? this.#first;
    if (seconds === undefined || level === null) this.#usual = wanted;
    else {
      const milliseconds = Math.min(seconds, LONGEST_SECONDS) * 1000;
      const timer = setTimeout(() => this.set(this.#usual), milliseconds);
      timer.unref();
      this.#until = { at: Date.now() + milliseconds, timer };
    }
    this.#level = wanted;
    this.#each((log) => {
      log.level = wanted;
    });
    return this.state();
  }

  #each(visit: (log: Pick<Logger, 'level'>) => void): void {
    for (const ref of [...this.#logs]) {
      const log = ref.deref();
      if (log === undefined) this.#logs.delete(ref);
      else visit(log);
    }
  }
}
