import { AsyncLocalStorage } from 'node:async_hooks';
import pino, { type Logger } from 'pino';
import { LogDial } from './log-dial.ts';

export type Log = Logger;

/** Names of fields whose values never reach a log line. */
const SECRET_FIELDS = [
  'password',
  'secret',
  'secrets',
  'token',
  'authorization',
  'cookie',
  'ticket',
  'key',
  'apiToken',
];

const dials = new WeakMap<Log, LogDial>();
const jobs = new AsyncLocalStorage<string>();

/** Structured lines (JSON) on stderr: stdout belongs to the command's own answer. Those inside of `inJob` carry its id. */
export function createLog(component: string, level: string = process.env.CLOUDSPAN_LOG ?? 'info'): Log {
  const dial = new LogDial(level);
  const log: Log = pino(
    {
      level,
      base: { component, pid: process.pid },
      timestamp: pino.stdTimeFunctions.isoTime,
      redact: { paths: SECRET_FIELDS.flatMap((field) => [field, `*.${field}`, `*.*.${field}`]), censor: '[secret]' },
      mixin: () => {
        const job = jobs.getStore();
        return job === undefined ? {} : { job };
      },
      onChild: (child) => dial.add(child as Log),
    },
    pino.destination({ dest: 2, sync: false }),
  );
  dial.add(log);
  dials.set(log, dial);
  return log;
}

/** With what the level of a log of `createLog`, and of all its children, is changed while it is used. */
export function dialOf(log: Log): LogDial {
  const dial = dials.get(log);
  if (dial === undefined) throw new Error('only a log of createLog has a dial');
  return dial;
}

/** Everything that `work` logs, and what it begins, belongs to the job. */
export function inJob<T>(job: string, work: () => T): T {
  return jobs.run(job, work);
}

/** The job that what runs now belongs to. */
export function currentJob(): string | undefined {
  return jobs.getStore();
}
