import { randomUUID } from 'node:crypto';
import type { Database } from './database.ts';

/** The id of this installation: the owner of every row and journal. Made at the first start. */
export async function loadOwner({ query }: Database): Promise<string> {
  await query(`INSERT INTO settings VALUES ('owner', $1) ON CONFLICT DO NOTHING`, [randomUUID()]);
  const [row] = await query<{ value: string }>(`SELECT value FROM settings WHERE name = 'owner'`);
  return row?.value ?? '';
}

/** The next epoch: one higher at every start of a server and every attempt of a job, so that nodes refuse the older. */
export async function raiseEpoch({ query }: Pick<Database, 'query'>): Promise<number> {
  const [row] = await query<{ value: string }>(
    `INSERT INTO settings VALUES ('epoch', '1')
     ON CONFLICT (name) DO UPDATE SET value = (settings.value::integer + 1)::text RETURNING value`,
  );
  return Number(row?.value);
}

/** No server has counted so far since a backup was made: nodes take the restored one for the newest. */
const LEAP = 1_000_000;

export async function leapEpoch({ query }: Pick<Database, 'query'>): Promise<void> {
  await query(
    `INSERT INTO settings VALUES ('epoch', $1::text)
     ON CONFLICT (name) DO UPDATE SET value = (settings.value::integer + $1::integer)::text`,
    [String(LEAP)],
  );
}

export async function deleteSetting({ query }: Pick<Database, 'query'>, name: string): Promise<void> {
  await query('DELETE FROM settings WHERE name = $1', [name]);
}

/** JSON that was stored under the name, or null. */
export async function readSetting({ query }: Pick<Database, 'query'>, name: string): Promise<unknown> {
  const [row] = await query<{ value: string }>('SELECT value FROM settings WHERE name = $1', [name]);
  return row === undefined ? null : JSON.parse(row.value);
}

export async function writeSetting({ query }: Pick<Database, 'query'>, name: string, value: unknown): Promise<void> {
  await query('INSERT INTO settings VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = $2', [
    name,
    JSON.stringify(value),
  ]);
}

/** Writes down what did not come by an operation of the API: those are written down where they are allowed. */
export async function audit({ query }: Pick<Database, 'query'>, account: string, action: string, subject: string) {
  await query(`INSERT INTO audit (account, action, subject, outcome) VALUES ($1, $2, $3, 'done')`, [
    account,
    action,
    subject,
  ]);
}
