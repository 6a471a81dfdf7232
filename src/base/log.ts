import pino, { type Logger } from 'pino';

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

/** Structured lines (JSON) on stderr: stdout belongs to the command's own answer. */
export function createLog(component: string, level: string = process.env.CLOUDSPAN_LOG ?? 'info'): Log {
  return pino(
    {
      level,
      base: { component, pid: process.pid },
      timestamp: pino.stdTimeFunctions.isoTime,
      redact: { paths: SECRET_FIELDS.flatMap((field) => [field, `*.${field}`, `*.*.${field}`]), censor: '[secret]' },
    },
    pino.destination({ dest: 2, sync: false }),
  );
}
