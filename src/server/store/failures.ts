import type { Database } from './database.ts';

/** After an hour without a wrong password the earlier ones are forgotten. */
const FORGIVEN = `interval '1 hour'`;

/** When it is open again, or null where it is open now. */
export async function readLock({ query }: Database, subject: string): Promise<Date | null> {
  const [row] = await query<{ open_at: Date }>(
    'SELECT open_at FROM sign_in_failures WHERE subject = $1 AND open_at > now()',
    [subject],
  );
  return row?.open_at ?? null;
}

/**
 * Counts one more failure and closes the subject for 0 s up to the `free`th, then 1 s, 2 s, 4 s and so on up to
 * `longestSeconds`. False where it was closed already: of guesses side by side only as many get through as one by one.
 */
export async function countFailure(
  { query }: Database,
  subject: string,
  { free, longestSeconds }: { free: number; longestSeconds: number },
): Promise<boolean> {
  const wait = (failures: string) =>
    `make_interval(secs => CASE WHEN ${failures} < $2 THEN 0 ELSE least(power(2, least(${failures} - $2, 20)), $3) END)`;
  const next = `CASE WHEN f.last_at < now() - ${FORGIVEN} THEN 1 ELSE f.failures + 1 END`;
  const rows = await query(
    `INSERT INTO sign_in_failures AS f (subject, failures, open_at, last_at)
     VALUES ($1, 1, now() + ${wait('1')}, now())
     ON CONFLICT (subject) DO UPDATE SET failures = ${next}, open_at = now() + ${wait(`(${next})`)}, last_at = now()
     WHERE f.open_at <= now() RETURNING subject`,
    [subject, free, longestSeconds],
  );
  return rows.length > 0;
}

export async function forgetFailures({ query }: Database, subject: string): Promise<void> {
  await query(`DELETE FROM sign_in_failures WHERE subject = $1 OR last_at < now() - ${FORGIVEN}`, [subject]);
}

/** Takes the last count back: what was counted beforehand was no failure. */
export async function takeBackFailure({ query }: Database, subject: string): Promise<void> {
  await query('UPDATE sign_in_failures SET failures = greatest(failures - 1, 0), open_at = now() WHERE subject = $1', [
    subject,
  ]);
}
