import type { ChannelTarget } from '../../protocol/api/alarms.ts';
import type { Message } from '../alarms/message.ts';
import type { Database } from './database.ts';

export interface ChannelRow {
  id: string;
  name: string;
  target: ChannelTarget;
  events: ('alarms' | 'jobs')[];
  sealed: Buffer | null;
}

export async function readChannels({ query }: Database) {
  return query<ChannelRow & { waiting: number; trouble: string | null }>(
    `SELECT c.id, c.name, c.target, c.events, c.sealed, count(d.id)::integer AS waiting, max(d.trouble) AS trouble
     FROM channels c LEFT JOIN deliveries d ON d.channel = c.id GROUP BY c.id ORDER BY c.name`,
  );
}

/** False where the name is taken. */
export async function insertChannel({ query }: Database, owner: string, row: ChannelRow): Promise<boolean> {
  const rows = await query(
    `INSERT INTO channels (id, owner, name, target, events, sealed) VALUES ($1, $2, $3, $4, $5, $6)
     ON CONFLICT (name) DO NOTHING RETURNING id`,
    [row.id, owner, row.name, row.target, row.events, row.sealed],
  );
  return rows.length > 0;
}

export async function deleteChannel({ query }: Database, id: string): Promise<void> {
  await query('DELETE FROM channels WHERE id = $1', [id]);
}

/** For every channel that wants such events. */
export async function enqueue({ query }: Database, event: 'alarms' | 'jobs', message: Message): Promise<void> {
  await query(`INSERT INTO deliveries (channel, message) SELECT id, $2 FROM channels WHERE $1 = ANY(events)`, [
    event,
    message,
  ]);
}

export interface Delivery {
  id: string;
  channel: string;
  message: Message;
  attempts: number;
  created_at: Date;
}

/** Those that are due, for this server alone during the next minute. */
export async function takeDeliveries({ query }: Database): Promise<Delivery[]> {
  return query<Delivery>(
    `UPDATE deliveries SET next_at = now() + interval '1 minute', attempts = attempts + 1
     WHERE id IN (SELECT id FROM deliveries WHERE next_at <= now() ORDER BY id LIMIT 20 FOR UPDATE SKIP LOCKED)
     RETURNING id, channel, message, attempts, created_at`,
  );
}

export async function deleteDelivery({ query }: Database, id: string): Promise<void> {
  await query('DELETE FROM deliveries WHERE id = $1', [id]);
}

export async function postpone({ query }: Database, id: string, seconds: number, trouble: string): Promise<void> {
  await query(`UPDATE deliveries SET next_at = now() + make_interval(secs => $2), trouble = $3 WHERE id = $1`, [
    id,
    seconds,
    trouble,
  ]);
}
