import { appendFile } from 'node:fs/promises';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import type { JobView } from '../../src/protocol/api/jobs.ts';
import { expectLedgerSettled, expectNothingLeft, inventoryOf, storyOf } from './aftermath.ts';
import { fakeTime } from './clock.ts';
import { type Course, courseText, drawCourse, isRelayed, RUNS_PER_SITE } from './course.ts';
import { courseWorlds, sourceOf } from './course-worlds.ts';
import { canMount } from './disk.ts';
import { FrailSite, STORAGE_LIMIT_BYTES } from './frail-site.ts';
import { disturbsTransfer, illText, type Victim } from './ills.ts';
import { healAll, inflict } from './inflict.ts';
import { rulesFor } from './points.ts';
import { chosenRuns, chosenSeed } from './selection.ts';
import { LEASE_SECONDS, WAYS, WINDOW_BYTES } from './ways.ts';
import { callWitness } from './witness.ts';

const seed = chosenSeed();
const runs = chosenRuns(Number(process.env.CLOUDSPAN_RUNS ?? 40));
const witness = callWitness();
let site: FrailSite | undefined;
let group = -1;
let illsOfAll = 0;
let illsMet = 0;

async function siteFor(number: number): Promise<FrailSite> {
  const wanted = Math.floor(number / RUNS_PER_SITE);
  if (site !== undefined && group === wanted) return site;
  await leaveSite();
  const courses = Array.from({ length: RUNS_PER_SITE }, (_, index) => drawCourse(seed, wanted * RUNS_PER_SITE + index));
  site = await FrailSite.start(courseWorlds(courses), isRelayed(number));
  group = wanted;
  return site;
}

async function leaveSite(): Promise<void> {
  const left = site;
  site = undefined;
  await left?.[Symbol.asyncDispose]();
}

afterAll(async () => {
  witness[Symbol.dispose]();
  await leaveSite();
});

/** Labs forget rules and options with each restart. */
async function setRules({ installation }: FrailSite, lab: Victim, bytesPerSecond: number): Promise<void> {
  if (lab !== 'vcenter' && lab !== 'director') return;
  if (lab === 'vcenter') await installation.labCall(lab, 'POST', '/options', { leaseTimeoutSeconds: LEASE_SECONDS });
  await installation.labCall(lab, 'POST', '/faults', rulesFor(lab, [], bytesPerSecond));
}

async function run(frail: FrailSite, course: Course, line: Record<string, unknown>): Promise<void> {
  const { installation } = frail;
  const way = WAYS[course.way];
  const name = `run-${course.number}`;
  for (const lab of ['vcenter', 'director'] as const) await setRules(frail, lab, course.bytesPerSecond);
  const { id } = await installation.copy({ source: `${way.from}${sourceOf(course)}`, destination: way.to, name });
  const story = () => storyOf(installation, id, `CLOUDSPAN_SEED=${seed} CLOUDSPAN_PLAN=${course.number}`);
  const over = new AbortController();
  const ills = course.ills.map((ill) =>
    inflict(frail, id, ill, over.signal, (victim) => setRules(frail, victim, course.bytesPerSecond)),
  );
  let job: JobView;
  try {
    job = await installation.end(id, 100).catch(async (error) => {
      throw new Error(await story(), { cause: error });
    });
  } finally {
    over.abort();
    const met = await Promise.allSettled(ills);
    line.ills = course.ills.map((ill, index) => {
      const end = met[index];
      return { kind: ill.kind, text: illText(ill), met: end?.status === 'fulfilled' && end.value };
    });
    await healAll(frail);
  }
  for (const ill of ills) await ill;
  line.state = job.state;
  line.resentBytes = job.progress?.resentBytes;
  expect(job.state, await story()).toBe('succeeded');
  await expectNothingLeft(installation);
  await expectLedgerSettled(installation, job);
  await expectEqual(frail, course, job);
  const resent = job.progress?.resentBytes ?? Number.NaN;
  expect(resent, await story()).toBeLessThanOrEqual(
    WINDOW_BYTES * course.ills.filter((ill) => disturbsTransfer(ill, course.relayed)).length,
  );
  const { nodes } = await installation.client.listNodes({});
  for (const { storage } of nodes) expect(storage?.usedBytes).toBeLessThanOrEqual(STORAGE_LIMIT_BYTES);
}

/** One object was made, and its disks have the roots of the source's, both read by the witness. */
async function expectEqual({ installation }: FrailSite, course: Course, job: JobView): Promise<void> {
  const { lab, kind, source } = WAYS[course.way];
  const made = (await inventoryOf(installation, lab)).filter((object) => object.name === `run-${course.number}`);
  expect(made.map((object) => object.kind)).toEqual([kind]);
  const origin = (await inventoryOf(installation, source)).find((object) => object.name === sourceOf(course));
  const roots = await witness.rootsOf(installation, source, origin?.id ?? '');
  expect(roots.length).toBeGreaterThan(0);
  expect(await witness.rootsOf(installation, lab, job.result?.object.id ?? '')).toEqual(roots);
  expect(job.receipt?.disks.map((disk) => disk.destinationRoot)).toEqual(roots);
}

describe.skipIf(runs.length === 0)(`seeded runs with CLOUDSPAN_SEED=${seed}`, () => {
  it('has what it needs: a root that mounts small disks, and the package faketime', () => {
    expect(canMount).toBe(true);
    expect(fakeTime).toBeDefined();
  });

  // A run that failed may have left anything behind: the next one has an installation of its own.
  afterEach(async ({ task }) => {
    if (task.result?.state === 'fail') await leaveSite();
  });

  for (const number of runs) {
    const course = drawCourse(seed, number);
    it(`${number}. ${courseText(course)}`, { timeout: 240_000 }, async () => {
      const line: Record<string, unknown> = { seed, run: number, way: course.way, relayed: course.relayed, ills: [] };
      const frail = await siteFor(number);
      const begun = performance.now();
      try {
        await run(frail, course, line);
        line.ok = true;
      } catch (error) {
        line.ok = false;
        line.failure = (error as Error).message;
        throw error;
      } finally {
        line.seconds = Math.round((performance.now() - begun) / 100) / 10;
        const ills = line.ills as { met: boolean }[];
        illsOfAll += ills.length;
        illsMet += ills.filter(({ met }) => met).length;
        const journal = process.env.CLOUDSPAN_JOURNAL;
        if (journal !== undefined) await appendFile(journal, `${JSON.stringify(line)}\n`);
      }
    });
  }

  it.skipIf(runs.length < 20)('met most of the ills that were planned', () => {
    expect(illsMet).toBeGreaterThan(illsOfAll * 0.7);
  });
});
