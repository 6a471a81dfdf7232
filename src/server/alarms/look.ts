import type { AlarmRules, AlarmView } from '../../protocol/api/alarms.ts';
import type { Clouds } from '../clouds.ts';
import type { Hold } from '../hold.ts';
import type { Nodes } from '../nodes.ts';
import { readFailedJobs, readWaitingJobs } from '../store/alarms.ts';
import type { Database } from '../store/database.ts';
import { lookAtExpiry } from './expiry.ts';

export type Seen = Omit<AlarmView, 'since' | 'acknowledged'> & {
  /** It has to last that long before it is an alarm. */
  afterSeconds: number;
};

export interface Watched {
  database: Database;
  nodes: Nodes;
  clouds: Clouds;
  hold: Hold;
  /** PEM of the UI, its issuers behind it. */
  certificate: () => string;
}

/** A failed job that nobody retried is news for so long. */
const NEWS_DAYS = 7;
const LITTLE_DISK_BYTES = 512 * 1024 * 1024;

/** Everything that is not as it should be right now. Throws where the database does not answer. */
export async function lookAround(watched: Watched, rules: AlarmRules): Promise<Seen[]> {
  const jobs = await lookAtJobs(watched.database, rules);
  const ending = await lookAtExpiry(watched, rules.expiryDays);
  return [...lookAtHold(watched), ...lookAtNodes(watched, rules), ...lookAtClouds(watched, rules), ...jobs, ...ending];
}

function lookAtHold({ hold }: Watched): Seen[] {
  if (hold.note === null) return [];
  const what = `This server was restored from the backup of ${hold.note.backup} and is on hold: no job runs.`;
  const remedy = 'When the old server is gone for good: cloudspan server release-hold.';
  return [{ key: 'on-hold', kind: 'on-hold', severity: 'warning', what, where: 'server', remedy, afterSeconds: 0 }];
}

function lookAtNodes({ nodes }: Watched, { nodeAwaySeconds, storagePercent }: AlarmRules): Seen[] {
  const seen: Seen[] = [];
  for (const { id, name, connected, storage } of nodes.list()) {
    const where = `node ${name}`;
    if (!connected) {
      const remedy = 'Start the node, or check the way between it and the server.';
      const what = 'It has no link to the server.';
      seen.push({
        key: `node-away:${id}`,
        kind: 'node-away',
        severity: 'critical',
        what,
        where,
        remedy,
        afterSeconds: nodeAwaySeconds,
      });
    }
    if (storage === undefined) continue;
    const needed = (storage.liveBytes ?? storage.usedBytes) + (storage.reservedBytes ?? 0);
    const percent = Math.floor((100 * needed) / Math.max(1, storage.limitBytes));
    const diskFull = storage.freeDiskBytes < Math.min(LITTLE_DISK_BYTES, storage.limitBytes / 10);
    if (percent < storagePercent && !diskFull) continue;
    const what = diskFull
      ? `Its disk has only ${storage.freeDiskBytes} bytes free.`
      : `Transfers need ${percent} % of its transfer storage.`;
    const remedy = 'Free space on its disk, or start it with a larger --storage-limit; what waits goes on by itself.';
    seen.push({
      key: `storage:${id}`,
      kind: 'storage-full',
      severity: 'warning',
      what,
      where,
      remedy,
      afterSeconds: 0,
    });
  }
  return seen;
}

function lookAtClouds({ clouds }: Watched, { cloudFailedSeconds }: AlarmRules): Seen[] {
  const seen: Seen[] = [];
  for (const { id, name, state, fault } of clouds.list()) {
    const where = `cloud ${name}`;
    // A cloud whose node is away is not the cloud's trouble.
    if (state === 'connected' || fault === undefined || fault.code === 'node.unreachable') continue;
    const key = `cloud-failed:${id}`;
    const { message: what, remedy } = fault;
    seen.push({
      key,
      kind: 'cloud-failed',
      severity: 'critical',
      what,
      where,
      remedy,
      afterSeconds: cloudFailedSeconds,
    });
  }
  return seen;
}

async function lookAtJobs(database: Database, { jobWaitingSeconds }: AlarmRules): Promise<Seen[]> {
  const failed = (await readFailedJobs(database, NEWS_DAYS)).map(
    ({ id, number, attempt, title, message, remedy }): Seen => ({
      key: `job-failed:${id}.${attempt}`,
      kind: 'job-failed',
      severity: 'warning',
      what: `${title} failed: ${message}`,
      where: `job ${number}`,
      remedy,
      afterSeconds: 0,
    }),
  );
  const waiting = (await readWaitingJobs(database)).map(
    ({ id, number, title, steps }): Seen => ({
      key: `job-waiting:${id}`,
      kind: 'job-waiting',
      severity: 'warning',
      what: `${title} waits: ${steps.find(({ state }) => state === 'running')?.text ?? 'see its log'}`,
      where: `job ${number}`,
      remedy: `Look what it waits for: cloudspan jobs show ${number}. It goes on by itself, or can be cancelled.`,
      afterSeconds: jobWaitingSeconds,
    }),
  );
  return [...failed, ...waiting];
}
