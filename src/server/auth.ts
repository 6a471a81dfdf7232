import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { Fault } from '../model/fault.ts';
import type { Role, Scope } from '../model/rights.ts';
import { createLockout } from './people/lockout.ts';
import { hashPassword, isPassword, newPassword } from './people/passwords.ts';
import {
  type AccountRow,
  deleteSession,
  findAccount,
  insertFirst,
  insertSession,
  readSession,
  takeToken,
} from './store/accounts.ts';
import type { Database } from './store/database.ts';

const SESSION_HOURS = 12;
/** By it a token is told from a session, and found by those who look for secrets in the wrong place. */
export const TOKEN_PREFIX = 'cst_';

export interface Session {
  token: string;
  user: string;
  /** ISO 8601. */
  expires: string;
}

/** Who asks. */
export interface Signed {
  /** Id of the account. */
  account: string;
  user: string;
  role: Role;
  /** Id of the tenant; null for accounts of the installation itself. */
  tenant: string | null;
  /** `own` for a session. */
  scope: Scope;
  /** Ids of the clouds that a token is limited to. */
  clouds: string[] | null;
  /** `session`, or `token <name>`. */
  via: string;
}

export interface Auth {
  /** Makes the account `admin` where there is none and answers its password, which is kept nowhere. */
  firstPassword(): Promise<string | undefined>;
  /** Faults: `auth.refused`; `auth.locked` after several failures, without looking at the password. */
  login(user: string, password: string, address: string): Promise<Session>;
  /** A session without a password, for somebody who was recognised in another way. */
  admit(account: AccountRow): Promise<Session>;
  logout(token: string): Promise<void>;
  /** By the token of a session or an API token. Fault `auth.required`. */
  check(token: string, address: string): Promise<Signed>;
}

export function createAuth(database: Database, now: () => number = Date.now): Auth {
  const lockout = createLockout(database);
  const admit = async (account: AccountRow): Promise<Session> => {
    const token = randomBytes(32).toString('base64url');
    const expires = new Date(now() + SESSION_HOURS * 3600_000).toISOString();
    await insertSession(database, hashOfToken(token), account.id, expires);
    return { token, user: account.name, expires };
  };
  return {
    admit,
    async firstPassword() {
      const password = newPassword();
      const account = { id: randomUUID(), name: 'admin', role: 'administrator' as const, subject: null };
      const made = await insertFirst(database, { ...account, password_hash: await hashPassword(password) });
      return made ? password : undefined;
    },
    async login(user, password, address) {
      await lockout.attempt(user, address);
      const found = await findAccount(database, user);
      const account = found?.name === user && !found.disabled ? found : null;
      if (!(await isPassword(account?.password_hash ?? null, password)) || account === null) {
        throw new Fault('auth.refused', `the server refused user name or password of "${user.slice(0, 64)}"`, {
          remedy: 'Check both; after several failures the server waits before it looks again.',
        });
      }
      await lockout.succeeded(user, address);
      return admit(account);
    },
    logout: (token) => deleteSession(database, hashOfToken(token)),
    async check(token, address) {
      const hash = hashOfToken(token);
      if (token.startsWith(TOKEN_PREFIX)) {
        const used = await takeToken(database, hash, address, new Date(now()));
        if (used === null) {
          throw new Fault('auth.required', 'the token is unknown, revoked or over', {
            remedy: 'Make a new one with `cloudspan tokens create`.',
          });
        }
        const { account, user, role, tenant, scope, clouds, name } = used;
        return { account, user, role, tenant, scope, clouds, via: `token ${name}` };
      }
      const session = await readSession(database, hash, new Date(now()));
      if (session === null) throw new Fault('auth.required', 'the session is unknown or over');
      return { ...session, scope: 'own', clouds: null, via: 'session' };
    },
  };
}

/** Tokens are random and long: a fast hash keeps them as well as a slow one. */
export function hashOfToken(token: string): string {
  return createHash('sha256').update(token).digest('hex');
}
