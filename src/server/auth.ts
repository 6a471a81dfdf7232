import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { type Algorithm, hash, verify } from '@node-rs/argon2';
import { Fault } from '../model/fault.ts';
import type { Database } from './store/database.ts';

export const SESSION_HOURS = 12;
/** Failures of one name that cost nothing; each further one doubles the wait. */
const FREE_FAILURES = 5;
const LONGEST_WAIT_SECONDS = 15 * 60;
/** OWASP's second recommendation for Argon2id: 19 MiB, 2 passes. */
const HASHING = { algorithm: 2 as Algorithm.Argon2id, memoryCost: 19_456, timeCost: 2, parallelism: 1 };

export interface Session {
  token: string;
  user: string;
  /** ISO 8601. */
  expires: string;
}

export interface Auth {
  /** Makes the account `admin` where there is none and answers its password, which is kept nowhere. */
  firstPassword(): Promise<string | undefined>;
  /** Faults: `auth.refused`, after several failures with `retryAfterSeconds` and without looking at the password. */
  login(user: string, password: string): Promise<Session>;
  logout(token: string): Promise<void>;
  /** Whether the account may do what only administrators may. There is no other account than `admin` yet. */
  administers(user: string): boolean;
  /** The account's name. Fault `auth.required`. */
  check(token: string): Promise<string>;
}

export function createAuth({ query }: Database, now: () => number = Date.now): Auth {
  const gate = createGate(now);
  return {
    async firstPassword() {
      const password = randomBytes(15).toString('base64url');
      const rows = await query(
        `INSERT INTO accounts (id, name, password_hash) SELECT $1, 'admin', $2
         WHERE NOT EXISTS (SELECT FROM accounts) ON CONFLICT DO NOTHING RETURNING id`,
        [randomUUID(), await hash(password, HASHING)],
      );
      return rows.length > 0 ? password : undefined;
    },
    async login(user, password) {
      gate.pass(user);
      gate.failed(user);
      const [account] = await query<{ id: string; name: string; password_hash: string }>(
        'SELECT id, name, password_hash FROM accounts WHERE name = $1',
        [user],
      );
      const right = await verify(account?.password_hash ?? (await decoy()), password);
      if (account === undefined || !right) {
        throw new Fault('auth.refused', `the server refused user name or password of "${user.slice(0, 64)}"`, {
          remedy: 'Check both; after several failures the server waits before it looks again.',
        });
      }
      gate.succeeded(user);
      const token = randomBytes(32).toString('base64url');
      const expires = new Date(now() + SESSION_HOURS * 3600_000).toISOString();
      await query('DELETE FROM sessions WHERE expires < now()');
      await query('INSERT INTO sessions (hash, account, expires) VALUES ($1, $2, $3)', [
        hashOf(token),
        account.id,
        expires,
      ]);
      return { token, user: account.name, expires };
    },
    async logout(token) {
      await query('DELETE FROM sessions WHERE hash = $1', [hashOf(token)]);
    },
    administers: (user) => user === 'admin',
    async check(token) {
      const [row] = await query<{ name: string }>(
        'SELECT a.name FROM sessions s JOIN accounts a ON a.id = s.account WHERE s.hash = $1 AND s.expires > $2',
        [hashOf(token), new Date(now())],
      );
      if (row === undefined) throw new Fault('auth.required', 'the session is unknown or over');
      return row.name;
    },
  };
}

function hashOf(token: string): string {
  return createHash('sha256').update(token).digest('hex');
}

let decoyHash: Promise<string> | undefined;

/** What an unknown name is checked against, so that it takes as long as a known one. */
function decoy(): Promise<string> {
  decoyHash ??= hash(randomBytes(15).toString('base64url'), HASHING);
  return decoyHash;
}

/** Slows guessing down per name: 1 s after the free failures, doubling to a quarter of an hour. */
export function createGate(now: () => number) {
  const failures = new Map<string, { count: number; openAt: number }>();
  return {
    pass(name: string): void {
      const wait = ((failures.get(name)?.openAt ?? 0) - now()) / 1000;
      if (wait <= 0) return;
      throw new Fault('auth.refused', `too many failed logins as "${name.slice(0, 64)}"`, {
        remedy: `Wait ${Math.ceil(wait)} s, then try again.`,
        retryAfterSeconds: Math.ceil(wait),
      });
    },
    failed(name: string): void {
      const count = (failures.get(name)?.count ?? 0) + 1;
      const wait = count < FREE_FAILURES ? 0 : Math.min(2 ** (count - FREE_FAILURES), LONGEST_WAIT_SECONDS);
      failures.delete(name);
      failures.set(name, { count, openAt: now() + wait * 1000 });
      const [oldest] = failures.keys();
      if (failures.size > 10_000 && oldest !== undefined) failures.delete(oldest);
    },
    succeeded(name: string): void {
      failures.delete(name);
    },
  };
}
