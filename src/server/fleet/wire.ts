import pg from 'pg';
import { z } from 'zod';
import { delay } from '../../base/backoff.ts';
import type { Log } from '../../base/log.ts';
import { type ServerEvent, ServerEventSchema } from '../../protocol/api.ts';
import type { Events } from '../events.ts';
import type { Database } from '../store/database.ts';

const CHANNEL = 'cloudspan';
/** PostgreSQL takes 8000 bytes. */
const LARGEST_BYTES = 7_500;
const AGAIN_MILLISECONDS = 1_000;

const NoticeSchema = z.object({
  from: z.string(),
  /** Absent where it is too large: what is read again is named by type and id. */
  event: ServerEventSchema.optional(),
  changed: z.object({ type: z.enum(['job', 'node', 'cloud', 'wish', 'hello']), id: z.string() }).optional(),
});
type Notice = z.infer<typeof NoticeSchema>;
export type Changed = NonNullable<Notice['changed']>;

export interface Wire {
  /** Tells the other servers that something has to be read again. */
  tell(changed: Changed): void;
  close(): Promise<void>;
}

export interface WireEnds {
  database: Database;
  events: Events;
  id: string;
  /** An event of another server; what it makes of it is up to the listener. */
  onEvent: (event: ServerEvent) => Promise<void>;
  onChanged: (changed: Changed) => Promise<void>;
  /** After a time in which nothing could be heard, and at the start. */
  onAgain: () => Promise<void>;
  log: Log;
}

/** Carries events between the servers on one database (LISTEN and NOTIFY); what is lost with a connection is read anew. */
export function openWire({ database, events, id, onEvent, onChanged, onAgain, log }: WireEnds): Wire {
  const closing = new AbortController();
  const send = (notice: Omit<Notice, 'from'>) => {
    const text = JSON.stringify({ from: id, ...notice });
    database.query('SELECT pg_notify($1, $2)', [CHANNEL, text]).catch(() => {});
  };
  const stop = events.subscribeOwn((event) => {
    if (Buffer.byteLength(JSON.stringify(event)) <= LARGEST_BYTES) send({ event });
    else if (event.type === 'job') send({ changed: { type: 'job', id: event.job.id } });
    else if (event.type === 'node') send({ changed: { type: 'node', id: event.node.id } });
    else if (event.type === 'cloud') send({ changed: { type: 'cloud', id: event.cloud.id } });
  });

  let last: Promise<void> = Promise.resolve();
  const inOrder = (work: () => Promise<void>) => {
    last = last.then(work).catch((error: unknown) => {
      if (!closing.signal.aborted) log.warn({ err: error }, 'what another server told was not taken in');
    });
  };
  const hear = (text: string) => {
    const parsed = NoticeSchema.safeParse(parseJson(text));
    if (!parsed.success || parsed.data.from === id) return;
    const { event, changed } = parsed.data;
    if (event !== undefined) inOrder(() => onEvent(event));
    if (changed !== undefined) inOrder(() => onChanged(changed));
  };

  const listen = async (): Promise<void> => {
    const client = new pg.Client({ ...database.connection, keepAlive: true });
    const over = new Promise<void>((resolve) => {
      client.once('end', resolve);
      client.once('error', () => resolve());
      closing.signal.addEventListener('abort', () => resolve(), { once: true });
    });
    client.on('error', () => {});
    client.on('notification', ({ payload = '' }) => hear(payload));
    try {
      await client.connect();
      await client.query(`LISTEN ${CHANNEL}`);
      inOrder(onAgain);
      await over;
    } finally {
      await Promise.race([client.end().catch(() => {}), delay(1_000)]);
    }
  };
  const keepListening = async () => {
    while (!closing.signal.aborted) {
      await listen().catch((error: unknown) => log.debug({ err: error }, 'nothing is heard of other servers'));
      await delay(AGAIN_MILLISECONDS, closing.signal).catch(() => {});
    }
  };
  const listening = keepListening();
  return {
    tell: (changed) => send({ changed }),
    async close() {
      stop();
      closing.abort();
      await listening;
      await last;
    },
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
