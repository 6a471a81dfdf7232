import { createHash } from 'node:crypto';
import { Fault } from '../../model/fault.ts';
import type { Database } from '../store/database.ts';
import { countFailure, forgetFailures, readLock, takeBackFailure } from '../store/failures.ts';

/** Wrong passwords that cost nothing; each further one doubles the wait. */
const OF_NAME = { free: 5, longestSeconds: 15 * 60 };
/** Many people may share an address. */
const OF_ADDRESS = { free: 30, longestSeconds: 15 * 60 };

/** Slows guessing down, per name and per address. It is in the database: a restart or another server does not open it. */
export interface Lockout {
  /**
   * Counts the attempt as a failure beforehand. Fault `auth.locked` without a look at the password; it is the same for
   * names that nobody has.
   */
  attempt(name: string, address: string): Promise<void>;
  succeeded(name: string, address: string): Promise<void>;
  /** Lets a name in again at once. */
  open(name: string): Promise<void>;
}

export function createLockout(database: Database): Lockout {
  return {
    async attempt(name, address) {
      const subjects = [
        { subject: addressKey(address), limits: OF_ADDRESS, who: `from ${address}` },
        { subject: nameKey(name), limits: OF_NAME, who: `as "${name.slice(0, 64)}"` },
      ];
      for (const { subject, who } of subjects) {
        const until = await readLock(database, subject);
        if (until !== null) throw locked(who, until);
      }
      for (const { subject, limits, who } of subjects) {
        if (await countFailure(database, subject, limits)) continue;
        throw locked(who, (await readLock(database, subject)) ?? new Date());
      }
    },
    async succeeded(name, address) {
      await forgetFailures(database, nameKey(name));
      await takeBackFailure(database, addressKey(address));
    },
    open: (name) => forgetFailures(database, nameKey(name)),
  };
}

/** Hashed: people type passwords into the field of the name. */
function nameKey(name: string): string {
  return `name ${createHash('sha256').update(name).digest('hex')}`;
}

function addressKey(address: string): string {
  return `address ${address}`;
}

function locked(who: string, until: Date): Fault {
  const seconds = Math.max(1, Math.ceil((until.getTime() - Date.now()) / 1000));
  return new Fault('auth.locked', `too many wrong passwords ${who}: locked until ${until.toISOString()}`, {
    remedy: `Wait ${seconds} s. An administrator can set a new password, on the server's machine also with \`cloudspan server reset-password\`.`,
    retryAfterSeconds: seconds,
    details: { until: until.toISOString() },
  });
}
