import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createLog } from '../../src/base/log.ts';
import { readRoots } from '../../src/node/roots.ts';
import type { JobView } from '../../src/protocol/api/jobs.ts';
import { Installation } from './installation.ts';
import { directorWorld } from './worlds.ts';

const MIB = 1024 * 1024;
const GRACE_SECONDS = 5;

const machine = (name: string, seed: number, mebibytes: number) => ({
  name,
  disks: [{ size: (mebibytes + 4) * MIB, content: { seed, dataBytes: mebibytes * MIB } }],
  nics: [],
});
const vcenterWorld = {
  datacenters: [
    {
      name: 'DC1',
      clusters: [{ name: 'Cluster1', hosts: [{ name: 'esx1.lab' }], pools: ['Production'] }],
      datastores: [{ name: 'fast' }],
      networks: ['VM Network'],
      vms: [
        machine('limited', 101, 96),
        machine('equal-1', 102, 48),
        machine('equal-2', 103, 48),
        machine('urgent', 104, 64),
        machine('paused', 105, 64),
        machine('given-up', 106, 32),
      ],
    },
  ],
};

let site: Installation;

beforeAll(async () => {
  site = await Installation.start({ vcenterWorld, directorWorld });
}, 180_000);
afterAll(async () => {
  await site?.[Symbol.asyncDispose]();
});

const limit = (node: string, mebibytesPerSecond: number | null) =>
  site.client.setLimit({
    node,
    body: {
      limit: mebibytesPerSecond === null ? null : { bitsPerSecond: mebibytesPerSecond * MIB * 8, windows: [] },
    },
  });
const start = (name: string, priority = 1) =>
  site.copy({ source: `vc/DC1/vm/${name}`, destination: 'vcd/vdc1', priority });
const wireBytes = async (job: string) => (await site.client.getJob({ job })).progress?.wireBytes ?? 0;
const untilWire = (job: string, bytes: number) =>
  site.until(
    async () => ((await wireBytes(job)) >= bytes ? true : undefined),
    120,
    `job ${job} has not moved ${bytes} bytes`,
  );
const seconds = () => performance.now() / 1000;

async function expectCopy(id: string, name: string): Promise<JobView> {
  const job = await site.end(id, 240);
  expect([job.state, job.failure]).toEqual(['succeeded', undefined]);
  const { objects } = await site.client.listObjects({
    query: {
      cloud: (await site.client.listClouds({})).clouds.find((cloud) => cloud.name === 'vc')?.id ?? '',
      path: `/DC1/vm/${name}`,
    },
  });
  expect(await roots('director', job.result?.object.id ?? '')).toEqual(await roots('vcenter', objects[0]?.id ?? ''));
  return job;
}

/** Read by a session of our own. */
async function roots(name: 'vcenter' | 'director', object: string): Promise<string[]> {
  const lab = site.lab(name);
  const { password = '', ...options } = lab.options;
  const settings = { driver: lab.driver, options, fingerprint: lab.ready.fingerprint, object };
  return (await readRoots(settings, password, createLog('test', 'silent'))).disks.map((disk) => disk.root);
}

async function expectNothingHeld(): Promise<void> {
  const vcenter = await site.labCall<{ leases: unknown[]; halfMade: unknown[] }>('vcenter', 'GET', '/state');
  expect([vcenter.leases, vcenter.halfMade]).toEqual([[], []]);
  const director = await site.labCall<object>('director', 'GET', '/state');
  expect(director).toMatchObject({ uploads: 0, downloads: 0, leftoverTransfers: [], leftoverDisks: [] });
}

describe('limits', () => {
  it('hold for a copy that runs, from a few seconds after they are changed', { timeout: 300_000 }, async () => {
    await limit('source', 4);
    const begun = seconds();
    const { id } = await start('limited');
    await untilWire(id, 8 * MIB);
    await limit('source', 1);
    const changed = seconds();
    await new Promise((resolve) => setTimeout(resolve, 15_000));
    const most =
      4 * (seconds() - begun - (seconds() - changed - GRACE_SECONDS)) + (seconds() - changed - GRACE_SECONDS);
    expect(await wireBytes(id)).toBeLessThan((1.1 * most + 3) * MIB);
    await limit('source', null);
    await limit('destination', 8);
    await untilWire(id, 90 * MIB);
    await limit('destination', null);
    expect((await expectCopy(id, 'limited')).progress?.resentBytes).toBe(0);
  });
});

describe('priorities', () => {
  it('share a limit alike between equals, and give more than twice as much to the next', {
    timeout: 300_000,
  }, async () => {
    await limit('destination', 6);
    const jobs = await Promise.all([start('equal-1'), start('equal-2'), start('urgent', 2)]);
    const ids = jobs.map(({ id }) => id);
    const all = () => Promise.all(ids.map(wireBytes));
    await Promise.all(ids.map((id) => untilWire(id, 3 * MIB)));
    const before = await all();
    await untilWire(ids[2]!, before[2]! + 32 * MIB);
    const [one = 0, two = 0, urgent = 0] = (await all()).map((bytes, index) => bytes - before[index]!);
    await limit('destination', null);
    expect(Math.abs(one - two)).toBeLessThan(0.1 * Math.max(one, two) + 4 * MIB);
    expect(urgent).toBeGreaterThan(2 * Math.max(one, two) - 6 * MIB);
    await Promise.all(['equal-1', 'equal-2', 'urgent'].map((name, index) => expectCopy(ids[index]!, name)));
  });
});

describe('a paused copy', () => {
  const paused = async (name: string, bytes: number) => {
    await limit('source', 4);
    const { id } = await start(name);
    await untilWire(id, bytes);
    await site.client.pauseJob({ job: id });
    await site.until(
      async () => ((await site.client.getJob({ job: id })).state === 'paused' ? true : undefined),
      60,
      'it is not paused',
    );
    return id;
  };

  it('holds nothing in the clouds, outlives every process, and sends nothing twice', { timeout: 300_000 }, async () => {
    const id = await paused('paused', 16 * MIB);
    await expectNothingHeld();
    const arrived = await wireBytes(id);
    await Promise.all((['server', 'source', 'destination'] as const).map((part) => site.kill(part)));
    await site.revive('server');
    await Promise.all([site.revive('source'), site.revive('destination')]);
    const job = await site.until(() => site.client.getJob({ job: id }), 30, 'the server does not answer');
    expect([job.state, job.progress?.wireBytes]).toEqual(['paused', arrived]);
    await site.until(
      async () => ((await site.client.listNodes({})).nodes.every((node) => node.connected) ? true : undefined),
      60,
      'the nodes are not linked',
    );
    await limit('source', null);
    await site.client.resumeJob({ job: id });
    const end = await expectCopy(id, 'paused');
    expect(end.progress?.wireBytes).toBeGreaterThan(arrived);
    expect(end.progress?.wireBytes).toBeLessThan(64 * MIB + 12 * MIB);
    await expectNothingHeld();
  });

  it('is undone when it is cancelled', { timeout: 300_000 }, async () => {
    const id = await paused('given-up', 4 * MIB);
    await site.client.cancelJob({ job: id });
    const job = await site.end(id);
    expect([job.state, job.failure?.leftovers]).toEqual(['cancelled', []]);
    await expectNothingHeld();
    const { entries } = await site.client.jobLedger({ job: id });
    expect(entries.filter(({ state }) => state === 'made' || state === 'intent')).toEqual([]);
    await limit('source', null);
  });
});
