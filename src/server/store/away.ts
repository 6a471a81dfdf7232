import { Fault } from '../../model/fault.ts';

/** PostgreSQL went away, restarts or has no place: classes 08, 57P, 53 and 25P03, and broken connections. */
export function isDatabaseAway(error: unknown): boolean {
  if (error instanceof Fault) return error.code === 'internal' && isDatabaseAway(error.cause);
  const { code = '', message = '' } = (error ?? {}) as { code?: string; message?: string };
  return (
    /^(08|57P|53)|^25P03$|^ECONN|^ENOENT$|^EPIPE$|^ETIMEDOUT$|^E(HOST|NET)UNREACH$/.test(String(code)) ||
    /connection terminated|timeout exceeded when trying|client has encountered a connection error/i.test(message)
  );
}
