import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { delay } from '../../base/backoff.ts';
import { readIfThere, writeDurably } from '../../base/files.ts';
import type { Log } from '../../base/log.ts';
import { Fault } from '../../model/fault.ts';
import { isDatabaseAway } from '../store/away.ts';
import type { Database } from '../store/database.ts';
import { beat, enrol, GONE_SECONDS, leave, readServers, takeLease } from '../store/servers.ts';
import { VERSION } from '../version.ts';

const BEAT_MILLISECONDS = 2_000;
const LEASE = 'steward';
const LEASE_SECONDS = 10;
/** The lease ends here a little earlier than in the database. */
const SAFETY_MILLISECONDS = 1_500;
/** A database that does not answer for so long is away. */
const AWAY_MILLISECONDS = 6_000;

export type FleetServer = Awaited<ReturnType<typeof readServers>>[number];

/** The servers on this database, and which of them does what only one may do. */
export interface Fleet {
  /** Of this run of the process. */
  readonly id: string;
  /** Whether there can be no other: the database is this server's own. */
  readonly alone: boolean;
  /** Watches over the clouds, the alarms and what is old; at most one server at a time. */
  readonly steward: boolean;
  /** Resolves when this server is the steward; the signal is aborted when it is no longer. */
  untilSteward(signal: AbortSignal): Promise<AbortSignal>;
  /** Whether others may be judged by their silence: not before they had the time to be heard. */
  readonly judges: boolean;
  /** The database does not answer. */
  readonly away: boolean;
  list(): Promise<FleetServer[]>;
  /** Called after every beat. */
  onBeat(listener: () => Promise<void>): void;
  /** Takes part from now on; `address` is where nodes dial this server. */
  join(address: string): Promise<void>;
  close(): Promise<void>;
}

export async function openFleet(options: {
  database: Database;
  folder: string;
  alone: boolean;
  log: Log;
}): Promise<Fleet> {
  const { database, alone, log } = options;
  const id = randomUUID();
  const folder = await folderId(options.folder);
  const closing = new AbortController();
  const listeners: (() => Promise<void>)[] = [];
  let address = '';
  let stewardUntil = Number.NEGATIVE_INFINITY;
  let stewardship = new AbortController();
  let goodSince: number | null = null;
  let lastAnswer = performance.now();
  /** When the question was asked that the database has not answered yet. */
  let asked: number | null = null;
  let refused = false;
  let beating: Promise<void> = Promise.resolve();

  const isSteward = () => alone || performance.now() < stewardUntil;
  const self = () => ({ id, folder, host: hostname(), address, version: VERSION, steward: isSteward() });

  /** A process that was stopped notices it here before it does anything else. */
  const noteSteward = () => {
    if (isSteward() || stewardship.signal.aborted) return;
    stewardship.abort(new Fault('server.unavailable', 'another server looks after this now'));
  };

  const strike = async (): Promise<void> => {
    const begun = performance.now();
    asked = begun;
    await beat(database, self());
    const was = isSteward();
    const got = !alone && (await takeLease(database, LEASE, id, LEASE_SECONDS));
    const ended = performance.now();
    asked = null;
    refused = false;
    if (got) {
      // Counted from before the question: the database may have answered it at once.
      stewardUntil = begun + LEASE_SECONDS * 1000 - SAFETY_MILLISECONDS;
      if (isSteward() && stewardship.signal.aborted) stewardship = new AbortController();
      if (!was && isSteward()) log.info('this server looks after clouds, alarms and what is old');
    }
    if (ended - lastAnswer > (GONE_SECONDS * 1000) / 2) goodSince = null;
    goodSince ??= ended;
    lastAnswer = ended;
    noteSteward();
    for (const listener of listeners) await listener();
  };

  const keepBeating = async (): Promise<void> => {
    const watch = setInterval(noteSteward, 500);
    try {
      while (!closing.signal.aborted) {
        await strike().catch((error: unknown) => {
          goodSince = null;
          asked = null;
          refused = isDatabaseAway(error);
          if (!closing.signal.aborted) log.warn({ err: error }, 'the server could not say that it is there');
        });
        await delay(BEAT_MILLISECONDS, closing.signal).catch(() => {});
      }
    } finally {
      clearInterval(watch);
    }
  };

  return {
    id,
    alone,
    get steward() {
      return isSteward();
    },
    async untilSteward(signal) {
      while (!isSteward() || stewardship.signal.aborted) await delay(250, signal);
      return stewardship.signal;
    },
    get judges() {
      return goodSince !== null && performance.now() - goodSince > GONE_SECONDS * 1000;
    },
    get away() {
      return refused || (asked !== null && performance.now() - asked > AWAY_MILLISECONDS);
    },
    list: () => readServers(database),
    onBeat: (listener) => void listeners.push(listener),
    async join(at) {
      address = at;
      await enrol(database, self());
      lastAnswer = performance.now();
      const others = (await readServers(database)).filter((server) => server.id !== id);
      // Nobody is there who could be judged wrongly.
      if (alone || others.length === 0) goodSince = performance.now() - (GONE_SECONDS + 1) * 1000;
      await strike();
      beating = keepBeating();
    },
    async close() {
      closing.abort(new Fault('server.unavailable', 'the server is closing'));
      await beating;
      if (address !== '') await Promise.race([leave(database, id).catch(() => {}), delay(2_000)]);
    },
  };
}

/** Tells a server that starts again from another one. */
async function folderId(folder: string): Promise<string> {
  const path = join(folder, 'server.id');
  const known = (await readIfThere(path))?.trim() ?? '';
  if (known !== '') return known;
  const made = randomUUID();
  await writeDurably(path, `${made}\n`);
  return made;
}
