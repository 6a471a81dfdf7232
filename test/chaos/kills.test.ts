import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { JobView } from '../../src/protocol/api/jobs.ts';
import { Installation } from '../journeys/installation.ts';
import { expectLedgerSettled, expectNothingLeft, inventoryOf, rootsOf, storyOf } from './aftermath.ts';
import { createDraw } from './draw.ts';
import { drawPlans, type Plan, planText, SIZES } from './plan.ts';
import { rulesFor } from './points.ts';
import { chosenKills, chosenSeed } from './selection.ts';
import { strike } from './strike.ts';
import { LEASE_SECONDS, WAYS, WINDOW_BYTES } from './ways.ts';
import { sourceName, worldsFor } from './worlds.ts';

const seed = chosenSeed();
const plans = drawPlans(createDraw(seed));
const chosen = chosenKills(plans.length);
let site: Installation;
let kills = 0;

beforeAll(async () => {
  if (chosen.length === 0) return;
  console.log(`CLOUDSPAN_SEED=${seed}: ${chosen.length} of ${plans.length} copies under kills`);
  site = await Installation.start(worldsFor(plans));
}, 180_000);
afterAll(async () => {
  await site?.[Symbol.asyncDispose]();
});

/** Labs forget rules and options with each restart. */
async function setRules(plan: Plan): Promise<void> {
  const { bytesPerSecond } = SIZES[plan.size];
  await site.labCall('vcenter', 'POST', '/options', { leaseTimeoutSeconds: LEASE_SECONDS });
  await site.labCall('vcenter', 'POST', '/faults', rulesFor('vcenter', plan.points, bytesPerSecond));
  await site.labCall('director', 'POST', '/faults', rulesFor('director', plan.points, bytesPerSecond));
}

/** Cancels the job once its import has made something. */
async function cancelMidway(job: string): Promise<void> {
  const isMade = ({ state, role }: { state: string; role: string }) =>
    state === 'made' && ['import lease', 'temporary template'].includes(role);
  await site.until(
    async () => ((await site.client.jobLedger({ job })).entries.some(isMade) ? true : undefined),
    60,
    `job ${job} made nothing at its destination`,
  );
  await site.client.cancelJob({ job });
}

/** Starts the copy, kills at every point of the plan, and waits for the end that comes by itself. */
async function copyUnderFire(plan: Plan, index: number): Promise<{ job: JobView; name: string }> {
  const way = WAYS[plan.way];
  const name = `copy-${index}`;
  await setRules(plan);
  const { id } = await site.copy({ source: `${way.from}${sourceName(plan.way, index)}`, destination: way.to, name });
  const over = new AbortController();
  const strikes = plan.points.map((point) => strike(site, id, point, over.signal));
  try {
    if (plan.cancelled) await cancelMidway(id);
    const job = await site.end(id, 90).catch(async (error) => {
      throw new Error(await report(plan, id), { cause: error });
    });
    over.abort();
    for (const [number, struck] of (await Promise.all(strikes)).entries()) {
      expect(struck, `point ${number} was not met: ${await report(plan, id)}`).toBe(true);
      kills++;
    }
    return { job, name };
  } finally {
    over.abort();
    await Promise.allSettled(strikes);
  }
}

const report = (plan: Plan, job: string) => storyOf(site, job, planText(plan));

describe.skipIf(chosen.length === 0)(`kills with CLOUDSPAN_SEED=${seed}`, () => {
  for (const [index, plan] of plans.entries()) {
    it.skipIf(!chosen.includes(index))(`k${index}. ${planText(plan)}`, { timeout: 150_000 }, async () => {
      const way = WAYS[plan.way];
      const before = await inventoryOf(site, 'director');
      const { job, name } = await copyUnderFire(plan, index);
      const story = await report(plan, job.id);
      const wanted = plan.cancelled ? 'cancelled' : 'succeeded';
      expect(job.state, story).toBe(wanted);
      await expectNothingLeft(site);
      await expectLedgerSettled(site, job);

      const made = (await inventoryOf(site, way.lab)).filter((object) => object.name === name);
      const templates = async () => (await inventoryOf(site, 'director')).filter(({ kind }) => kind === 'template');
      const isNew = plan.way === 'template out' && wanted === 'succeeded' ? 1 : 0;
      expect(await templates()).toHaveLength(before.filter(({ kind }) => kind === 'template').length + isNew);
      if (wanted === 'cancelled') {
        expect(made, story).toEqual([]);
        expect(job.failure?.leftovers).toEqual([]);
        return;
      }
      expect(
        made.map(({ kind }) => kind),
        story,
      ).toEqual([way.kind]);
      expect(job.receipt?.disks.length).toBeGreaterThan(0);
      for (const disk of job.receipt?.disks ?? []) expect(disk.destinationRoot).toBe(disk.sourceRoot);
      const resent = job.progress?.resentBytes ?? Number.NaN;
      expect(resent, story).toBeLessThanOrEqual(WINDOW_BYTES);
      if (plan.points.every(({ victim }) => victim === 'server')) expect(resent, story).toBe(0);
      if (index % 5 === 0) {
        const roots = await rootsOf(site, way.lab, job.result?.object.id ?? '');
        expect(roots).toEqual(job.receipt?.disks.map((disk) => disk.sourceRoot));
      }
    });
  }

  it.skipIf(chosen.length === 0)('killed at every chosen point', () => {
    expect(kills).toBe(chosen.reduce((sum, index) => sum + (plans[index]?.points.length ?? 0), 0));
  });
});
