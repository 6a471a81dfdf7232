import { randomBytes, randomUUID } from 'node:crypto';
import type { z } from 'zod';
import { delay } from '../../base/backoff.ts';
import type { Log } from '../../base/log.ts';
import { Fault } from '../../model/fault.ts';
import type { Way } from '../../model/proxy.ts';
import type { AddChannelSchema, ChannelView } from '../../protocol/api/alarms.ts';
import type { JobView } from '../../protocol/api/jobs.ts';
import type { Events } from '../events.ts';
import {
  type ChannelRow,
  type Delivery,
  deleteChannel,
  deleteDelivery,
  enqueue,
  insertChannel,
  postpone,
  readChannels,
  takeDeliveries,
} from '../store/channels.ts';
import type { Database } from '../store/database.ts';
import { ENDED } from '../store/jobs.ts';
import type { Vault } from '../vault.ts';
import { sendMessage } from './channels/send.ts';
import { jobMessage, type Message, testMessage } from './message.ts';

const EVERY_MILLISECONDS = 1_000;
const LONGEST_WAIT_SECONDS = 15 * 60;
/** What could not be delivered by then is given up. */
const GIVE_UP_MILLISECONDS = 24 * 3_600_000;

export interface Channels {
  list(): Promise<ChannelView[]>;
  /** @returns `secret`: of a webhook where it was made here. Fault `object.exists` (the name). */
  add(request: z.output<typeof AddChannelSchema>): Promise<ChannelView & { secret?: string }>;
  remove(channel: string): Promise<string>;
  /** Sends a message now. Faults: those of the way there, `channel.refused`. */
  test(channel: string, user: string, signal: AbortSignal): Promise<string>;
  /** Durable: delivered at least once, tried again for a day. */
  tell(event: 'alarms' | 'jobs', message: Message): Promise<void>;
  /** Where the database is away: one try, of the channels as they were known. */
  tellNow(event: 'alarms' | 'jobs', message: Message): Promise<void>;
}

export function keepChannels(options: {
  database: Database;
  vault: Vault;
  events: Events;
  owner: string;
  way: Way | undefined;
  closing: AbortSignal;
  log: Log;
}): Channels {
  const { database, vault, events, owner, way, closing, log } = options;
  let known: ChannelRow[] = [];

  const read = async () => {
    const rows = await readChannels(database);
    known = rows;
    return rows;
  };
  const find = async (channel: string) => {
    const row = (await read()).find(({ id, name }) => id === channel || name === channel);
    if (row === undefined) throw new Fault('object.missing', `there is no channel "${channel}"`);
    return row;
  };
  const send = ({ id, name, target, sealed }: ChannelRow, message: Message, signal: AbortSignal) => {
    const secret = channelSecret({ id, sealed }, vault);
    return sendMessage({ name, target, secret, message, way }, signal);
  };

  const deliver = async (row: ChannelRow, { id, message, attempts, created_at }: Delivery): Promise<void> => {
    try {
      await send(row, message, closing);
      await deleteDelivery(database, id);
    } catch (error) {
      if (closing.aborted) return;
      const { message: trouble } = Fault.from(error, row.name);
      const old = Date.now() - created_at.getTime() > GIVE_UP_MILLISECONDS;
      log.warn({ channel: row.name, attempts, old }, `a message was not delivered: ${trouble}`);
      if (old) await deleteDelivery(database, id);
      else await postpone(database, id, Math.min(2 ** attempts, LONGEST_WAIT_SECONDS), trouble);
    }
  };

  const keepDelivering = async () => {
    for (;;) {
      try {
        const due = await takeDeliveries(database);
        const rows = due.length === 0 ? [] : await read();
        const works = due.map(async (delivery) => {
          const row = rows.find(({ id }) => id === delivery.channel);
          if (row !== undefined) await deliver(row, delivery);
        });
        await Promise.all(works);
      } catch (error) {
        if (!closing.aborted) log.debug({ err: error }, 'messages wait for the database');
      }
      await delay(EVERY_MILLISECONDS, closing);
    }
  };
  read().catch(() => {});
  keepDelivering().catch(() => {});

  const told = new Map<string, JobView['state']>();
  const tell: Channels['tell'] = (event, message) => enqueue(database, event, message);
  events.subscribeOwn((event) => {
    if (event.type !== 'job') return;
    const { job } = event;
    const before = told.get(job.id);
    told.set(job.id, job.state);
    const news =
      ENDED.includes(job.state) || job.state === 'paused' || (job.state === 'running' && before === 'queued');
    if (news && before !== undefined && before !== job.state) {
      tell('jobs', jobMessage(job)).catch((error: unknown) =>
        log.warn({ err: error, job: job.id }, 'a job was not told of'),
      );
    }
    if (ENDED.includes(job.state)) setTimeout(() => told.delete(job.id), 60_000).unref();
  });

  return {
    list: async () => (await read()).map(viewOf),
    async add({ name, target, events: wanted, secret }) {
      if (target.kind === 'email' && target.security === 'starttls' && target.trust?.kind === 'pin') {
        throw new Fault('input.invalid', 'a pinned certificate cannot be checked after STARTTLS', {
          remedy: 'Use security "tls", or give the CA of the server.',
        });
      }
      if (target.kind === 'email' && target.user !== undefined && secret === undefined) {
        throw new Fault('input.invalid', `the account ${target.user} needs its password`);
      }
      const made =
        target.kind === 'webhook' && secret === undefined ? randomBytes(32).toString('base64url') : undefined;
      const id = randomUUID();
      const used = secret ?? made;
      const sealed = used === undefined ? null : vault.seal(secretOf(id), used);
      const row: ChannelRow = { id, name, target, events: wanted, sealed };
      if (!(await insertChannel(database, owner, row)))
        throw new Fault('object.exists', `there is a channel "${name}"`);
      return { ...viewOf({ ...row, waiting: 0, trouble: null }), ...(made === undefined ? {} : { secret: made }) };
    },
    async remove(channel) {
      const { id, name } = await find(channel);
      await deleteChannel(database, id);
      return name;
    },
    async test(channel, user, signal) {
      const row = await find(channel);
      await send(row, testMessage(row.name, user), signal);
      return row.name;
    },
    tell,
    async tellNow(event, message) {
      const sends = known.filter((row) => row.events.includes(event)).map((row) => send(row, message, closing));
      for (const end of await Promise.allSettled(sends)) {
        if (end.status === 'rejected') log.warn({ fault: Fault.from(end.reason, 'channel').report() }, 'not delivered');
      }
    },
  };
}

const secretOf = (channel: string) => `channel:${channel}`;

/** What signs its messages, or lets it in. */
export function channelSecret({ id, sealed }: Pick<ChannelRow, 'id' | 'sealed'>, vault: Pick<Vault, 'open'>) {
  return sealed === null ? undefined : vault.open(secretOf(id), sealed);
}

function viewOf({
  id,
  name,
  target,
  events,
  waiting,
  trouble,
}: ChannelRow & { waiting: number; trouble: string | null }) {
  return { id, name, target, events, waiting, ...(trouble === null ? {} : { trouble }) };
}
