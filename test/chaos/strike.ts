import { setTimeout as sleep } from 'node:timers/promises';
import type { JobView } from '../../src/protocol/api/jobs.ts';
import type { Installation } from '../journeys/installation.ts';
import type { LabName, Point } from './points.ts';

const LOOK_MILLISECONDS = 40;
/** How long a killed part stays away. */
const AWAY_MILLISECONDS = 300;

/** Waits until the point is reached, kills its victim, and starts it again. False when `over` came first. */
export async function strike(site: Installation, job: string, point: Point, over: AbortSignal): Promise<boolean> {
  const { victim } = point;
  if (point.at === 'call' && victim === point.call.lab) {
    const died = site.ended(victim).then(() => true);
    if (!(await Promise.race([died, aborted(over)]))) return false;
  } else {
    if (!(await reached(site, job, point, over))) return false;
    await site.kill(victim);
  }
  await sleep(AWAY_MILLISECONDS);
  await site.revive(victim);
  return true;
}

async function reached(site: Installation, job: string, point: Point, over: AbortSignal): Promise<boolean> {
  while (!over.aborted) {
    if (await isReached(site, job, point).catch(() => false)) return true;
    await sleep(LOOK_MILLISECONDS);
  }
  return false;
}

async function isReached(site: Installation, job: string, point: Point): Promise<boolean> {
  if (point.at === 'call') return (await seen(site, point.call.lab)).includes(JSON.stringify(point.call.match));
  const view = await site.client.getJob({ job });
  if (point.at === 'progress') return arrivedPart(view) >= point.arrived;
  const step = view.steps.find((one) => one.name === point.step);
  return step !== undefined && step.state !== 'pending';
}

/** Whether the destination's node has this fraction of the bytes of a job, as far as the server knows. */
export async function hasArrived(site: Installation, job: string, part: number): Promise<boolean> {
  return arrivedPart(await site.client.getJob({ job })) >= part;
}

function arrivedPart(view: JobView): number {
  const disks = view.progress?.disks ?? [];
  const arrived = disks.reduce((sum, disk) => sum + disk.arrivedBytes, 0);
  return arrived / Math.max(1, view.progress?.totalBytes ?? 1);
}

interface Counted {
  rule: { method?: string; path?: string; nth: number; action: unknown };
  seen: number;
}

/** What the rules that are due match. */
async function seen(site: Installation, lab: LabName): Promise<string[]> {
  const rules =
    lab === 'vcenter'
      ? (await site.labCall<{ faults: Counted[] }>(lab, 'GET', '/state')).faults
      : (await site.labCall<{ rules: Counted[] }>(lab, 'GET', '/faults')).rules;
  return rules
    .filter(({ rule, seen: count }) => count >= rule.nth)
    .map(({ rule: { method, path } }) =>
      JSON.stringify({ ...(method === undefined ? {} : { method }), ...(path === undefined ? {} : { path }) }),
    );
}

function aborted(signal: AbortSignal): Promise<false> {
  return new Promise((done) => {
    if (signal.aborted) done(false);
    else signal.addEventListener('abort', () => done(false), { once: true });
  });
}
