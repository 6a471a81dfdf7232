import { isWithin } from '../../model/limit.ts';
import { writeHours } from '../../model/limit-text.ts';
import type { Schedule } from '../../protocol/api/schedule.ts';
import type { QueuedJob } from '../store/queue.ts';

export interface Admission {
  job: string;
  attempt: number;
  keys: string[];
}

/**
 * Who of the queue starts now, and why each of the others waits. A job takes all its slots or none. None is overtaken
 * for a slot that it waits for: the first that waits for a full key keeps a place of its other keys free.
 * @param used Slots taken by key; it is added to.
 */
export function admit(
  jobs: readonly QueuedJob[],
  used: Map<string, number>,
  slots: (key: string) => number,
  now: number,
): { admitted: Admission[]; waiting: Map<string, string> } {
  const admitted: Admission[] = [];
  const waiting = new Map<string, string>();
  const claimed = new Set<string>();
  const add = (key: string) => used.set(key, (used.get(key) ?? 0) + 1);
  for (const job of jobs) {
    if (job.held) continue;
    const { id, attempt } = job;
    if (job.stopping) {
      admitted.push({ job: id, attempt, keys: [`stopping:${id}`] });
      continue;
    }
    const why = notYet(job, now);
    if (why !== undefined) {
      waiting.set(id, why);
      continue;
    }
    const keys = keysOf(job);
    const full = keys.filter((key) => (used.get(key) ?? 0) >= limitOf(key, job, slots));
    if (full.length === 0) {
      for (const key of keys) add(key);
      admitted.push({ job: id, attempt, keys });
      continue;
    }
    waiting.set(id, `It waits for a slot: ${full.map((key) => wordsOf(key, job)).join(', ')}.`);
    if (full.some((key) => claimed.has(key))) continue;
    for (const key of full) claimed.add(key);
    for (const key of keys) if (!full.includes(key)) add(key);
  }
  return { admitted, waiting };
}

function keysOf({ keys, group }: QueuedJob): string[] {
  return ['jobs', ...(group === null ? [] : [`group:${group}`]), ...keys].toSorted();
}

function limitOf(key: string, { groupConcurrency }: QueuedJob, slots: (key: string) => number): number {
  return key.startsWith('group:') ? (groupConcurrency ?? Number.POSITIVE_INFINITY) : slots(key);
}

function wordsOf(key: string, { groupNumber }: QueuedJob): string {
  if (key === 'jobs') return 'as many jobs run as may';
  const kind = key.slice(0, key.indexOf(':'));
  return kind === 'group' ? `group ${groupNumber} runs as many as it may` : `its ${kind} is busy`;
}

function notYet({ schedule, gathering, ahead, failed, groupNumber }: QueuedJob, now: number): string | undefined {
  if (gathering) return `Group ${groupNumber} is still being put together.`;
  if (failed > 0) return `Group ${groupNumber} stopped, since a job of it did not succeed: retry that one, or cancel.`;
  if (ahead > 0)
    return `It waits for ${ahead} ${ahead === 1 ? 'job' : 'jobs'} of earlier waves of group ${groupNumber}.`;
  if (schedule?.at !== undefined && Date.parse(schedule.at) > now) return `It starts at ${schedule.at}.`;
  return isOpen(schedule, now) ? undefined : `It waits for its window: ${windowText(schedule)}.`;
}

/** Whether a job with this schedule may run at `now`, as far as windows go. */
export function isOpen(schedule: Schedule | null | undefined, now: number): boolean {
  return schedule?.windows === undefined || isWithin(schedule.windows, schedule.timeZone, now);
}

function windowText(schedule: Schedule | null | undefined): string {
  const zone = schedule?.timeZone ?? Intl.DateTimeFormat().resolvedOptions().timeZone;
  return `${schedule?.windows?.map(writeHours).join('; ')} (${zone})`;
}
