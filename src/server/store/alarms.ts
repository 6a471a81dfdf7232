import type { AlarmView } from '../../protocol/api/alarms.ts';
import type { Database } from './database.ts';

export async function readAlarms({ query }: Database): Promise<AlarmView[]> {
  const rows = await query<{ data: AlarmView; by: string | null; at: Date | null }>(
    'SELECT data, acknowledged_by AS by, acknowledged_at AS at FROM alarms ORDER BY since, key',
  );
  return rows.map(({ data, by, at }) => ({
    ...data,
    ...(by === null || at === null ? {} : { acknowledged: { by, at: at.toISOString() } }),
  }));
}

/** True for the server that saw it first. */
export async function insertAlarm({ query }: Database, alarm: AlarmView): Promise<boolean> {
  const rows = await query(
    'INSERT INTO alarms (key, since, data) VALUES ($1, $2, $3) ON CONFLICT (key) DO NOTHING RETURNING key',
    [alarm.key, alarm.since, alarm],
  );
  return rows.length > 0;
}

/** True for the server that took it away. */
export async function deleteAlarm({ query }: Database, key: string): Promise<boolean> {
  return (await query('DELETE FROM alarms WHERE key = $1 RETURNING key', [key])).length > 0;
}

export async function acknowledge({ query }: Database, key: string, account: string): Promise<boolean> {
  const rows = await query(
    `UPDATE alarms SET acknowledged_by = coalesce(acknowledged_by, $2), acknowledged_at = coalesce(acknowledged_at, now())
     WHERE key = $1 RETURNING key`,
    [key, account],
  );
  return rows.length > 0;
}

export async function readFailedJobs({ query }: Database, days: number) {
  return query<{ id: string; number: number; attempt: number; title: string; message: string; remedy: string }>(
    `SELECT id, number::integer AS number, attempt, title, failure->>'message' AS message, failure->>'remedy' AS remedy
     FROM jobs WHERE state = 'failed' AND ended_at > now() - make_interval(days => $1) ORDER BY number DESC LIMIT 200`,
    [days],
  );
}

export async function readWaitingJobs({ query }: Database) {
  return query<{ id: string; number: number; title: string; steps: { state: string; text?: string }[] }>(
    `SELECT id, number::integer AS number, title, steps FROM jobs WHERE state = 'waiting'`,
  );
}
