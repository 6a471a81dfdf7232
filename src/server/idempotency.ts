import { createHash } from 'node:crypto';
import { Fault } from '../model/fault.ts';
import type { Database } from './store/database.ts';
import type { Vault } from './vault.ts';

/** A request that a dead server began is begun again after so long. */
const GIVEN_UP_SECONDS = 60;

export interface Idempotency {
  /**
   * Runs `work` once for each key of an account: a repetition gets the answer of the first. What failed is not remembered.
   * @param request Everything that has to be the same in a repetition; it may hold secrets, and only its fingerprint is kept.
   * Faults: `idempotency.conflict` (the key came with another request), `idempotency.busy` (the first still runs).
   */
  once<T>(account: string, key: string, request: unknown, work: () => Promise<T>): Promise<T>;
}

export function createIdempotency({ query }: Database, vault: Pick<Vault, 'fingerprint'>): Idempotency {
  return {
    async once<T>(account: string, key: string, request: unknown, work: () => Promise<T>): Promise<T> {
      const asked = vault.fingerprint(JSON.stringify(request));
      await query("DELETE FROM idempotency WHERE at < now() - interval '1 day'");
      const mine = await query(
        `INSERT INTO idempotency (account, key, request) VALUES ($1, $2, $3)
         ON CONFLICT (account, key) DO UPDATE SET at = now()
         WHERE idempotency.answer IS NULL AND (idempotency.request = $3 OR split_part(idempotency.request, ':', 1) <> split_part($3, ':', 1))
           AND idempotency.at < now() - make_interval(secs => ${GIVEN_UP_SECONDS}) RETURNING key`,
        [account, key, asked],
      );
      if (mine.length === 0) {
        const [row] = await query<{ request: string; answer: T | null }>(
          'SELECT request, answer FROM idempotency WHERE account = $1 AND key = $2',
          [account, key],
        );
        if (row !== undefined && row.request !== asked && comparable(row.request, asked)) {
          throw new Fault('idempotency.conflict', `the Idempotency-Key "${key}" was used for another request`);
        }
        if (row?.answer == null) throw new Fault('idempotency.busy', `the request "${key}" is still being answered`);
        return row.answer;
      }
      try {
        const answer = await work();
        await query('UPDATE idempotency SET answer = $3 WHERE account = $1 AND key = $2', [
          account,
          key,
          JSON.stringify(answer),
        ]);
        return answer;
      } catch (error) {
        await query('DELETE FROM idempotency WHERE account = $1 AND key = $2', [account, key]).catch(() => {});
        throw error;
      }
    },
  };
}

/** A key of the vault that was rotated meanwhile leaves nothing to compare: then the caller's key is taken at its word. */
function comparable(one: string, other: string): boolean {
  return one.split(':', 1)[0] === other.split(':', 1)[0];
}

/** The id of what a request makes: the same for a repetition, also where the first answer was lost with its server. */
export function idOfRequest(account: string, key: string): string {
  const hex = createHash('sha256')
    .update(JSON.stringify([account, key]))
    .digest('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}
