import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { directorWorld, vcenterWorld } from '../src/cli/demo/worlds.ts';
import type { JobView } from '../src/protocol/api/jobs.ts';
import { Installation } from '../test/journeys/installation.ts';
import { median, type Row } from './measure.ts';

const MiB = 1024 * 1024;
const JOBS = Number(process.env.CLOUDSPAN_JOBS ?? 200);
const ASK_MILLISECONDS = 100;
/** What the issue asks for. */
const SLOWEST_BY_MEDIAN = 1.5;
const P99_MILLISECONDS = 200;

/**
 * Many equal copies at the same time on one server, from one lab to another, each of a machine of its own, while a client
 * asks the API all the time: the order of their starts, how long the slowest takes against the median, and how long
 * the API takes to answer.
 */
export async function benchManyJobs(_folder: string): Promise<Row[]> {
  const vms = Array.from({ length: JOBS }, (_, number) => ({
    name: `many-${number}`,
    disks: [{ size: 4 * MiB, content: { seed: number + 1, dataBytes: 2 * MiB } }],
    nics: [],
  }));
  const world = { datacenters: [{ ...vcenterWorld.datacenters[0], vms, vApps: [] }] };
  await using site = await Installation.start({ vcenterWorld: world, directorWorld });
  const { client } = site;
  await client.setConcurrency({ body: { jobs: JOBS } });
  const requests = vms.map(({ name }) => ({
    kind: 'copy' as const,
    source: `vc/Berlin/vm/${name}`,
    destination: 'vcd/vdc-frankfurt',
  }));
  await site.until(
    async () =>
      (await client.listObjects({ query: { cloud: 'vc', kinds: 'vm' } })).objects.length >= JOBS ? true : undefined,
    60,
    'the machines are not in the inventory',
  );
  const over = new AbortController();
  const asked = askAllTheTime(site, over.signal);
  let jobs: JobView[] = [];
  try {
    const group = await client.startGroup({ body: { name: 'many', jobs: requests.map((request) => ({ request })) } });
    jobs = group.jobs;
    while (jobs.some(({ endedAt }) => endedAt === undefined)) {
      await sleep(2_000);
      jobs = (await client.getGroup({ group: group.id })).jobs;
    }
  } finally {
    over.abort();
    await asked;
  }
  const answers = (await asked).toSorted((one, other) => one - other);
  const failed = jobs.filter(({ state }) => state !== 'succeeded');
  if (failed.length > 0) throw new Error(`${failed.length} jobs did not succeed: ${failed[0]?.failure?.message}`);
  const seconds = jobs.map((job) => (time(job.endedAt) - time(job.startedAt)) / 1000);
  const slowest = Math.max(...seconds);
  const p99 = answers[Math.floor(answers.length * 0.99)] ?? Number.NaN;
  return [
    row(`the slowest of ${JOBS} equal jobs, of the median`, slowest / median(seconds), SLOWEST_BY_MEDIAN, 'x'),
    row(`API while ${JOBS} jobs run, p99 of ${answers.length} answers`, p99, P99_MILLISECONDS, 'ms'),
    row('jobs that started before an earlier one', outOfOrder(jobs), 1, 'jobs'),
  ];
}

function row(name: string, ours: number, peer: number, unit: string): Row {
  return { case: name, unit, ours, peer, peerName: 'at most', ratio: ours === 0 ? 1 : peer / ours, aim: 1 };
}

function time(text: string | undefined): number {
  return Date.parse(text ?? '');
}

function outOfOrder(jobs: readonly JobView[]): number {
  const inOrder = jobs.toSorted((one, other) => one.number - other.number);
  return inOrder.filter((job, index) => index > 0 && time(job.startedAt) < time(inOrder[index - 1]?.startedAt)).length;
}

/** Milliseconds of each answer: in turns the list of jobs, one job, and a page of the inventory. */
async function askAllTheTime({ client }: Installation, over: AbortSignal): Promise<number[]> {
  const answers: number[] = [];
  const asks = [
    () => client.listJobs({ query: { limit: 50 } }),
    () => client.listClouds({}),
    () => client.listObjects({ query: { cloud: 'vc', path: '/Berlin' } }),
  ];
  for (let turn = 0; !over.aborted; turn++) {
    const begun = performance.now();
    await asks[turn % asks.length]?.();
    answers.push(performance.now() - begun);
    await sleep(ASK_MILLISECONDS);
  }
  return answers;
}
