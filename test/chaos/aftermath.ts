import { expect } from 'vitest';
import { createLog } from '../../src/base/log.ts';
import type { InventoryObject } from '../../src/model/inventory.ts';
import { drivers } from '../../src/node/drivers.ts';
import { readRoots } from '../../src/node/roots.ts';
import type { JobView } from '../../src/protocol/api/jobs.ts';
import type { Installation } from '../journeys/installation.ts';
import type { LabName } from './points.ts';

const LABS: readonly LabName[] = ['vcenter', 'director'];

/** Everything in a lab, read by a session of our own that shares nothing with server and nodes. */
export async function inventoryOf(site: Installation, name: LabName): Promise<InventoryObject[]> {
  const lab = site.lab(name);
  const driver = drivers.find((one) => one.name === lab.driver);
  if (driver === undefined) throw new Error(`there is no driver ${lab.driver}`);
  const ended = new AbortController();
  const quiet = { info: () => {}, warn: () => {} };
  const cloud = await driver.connect(
    {
      options: lab.options,
      trust: { kind: 'pin', sha256: lab.ready.fingerprint },
      label: 'witness',
      log: quiet,
      stallSeconds: 30,
    },
    ended.signal,
  );
  try {
    for await (const event of cloud.inventory.watch(ended.signal)) {
      if (event.type === 'snapshot') return event.objects;
    }
    throw new Error(`${name} showed no inventory`);
  } finally {
    ended.abort();
    await cloud.close();
  }
}

/** Roots of the disks of an object, downloaded by a session of our own. */
export async function rootsOf(site: Installation, name: LabName, object: string): Promise<string[]> {
  const lab = site.lab(name);
  const { password = '', ...options } = lab.options;
  const settings = { driver: lab.driver, options, fingerprint: lab.ready.fingerprint, object };
  const { disks } = await readRoots(settings, password, createLog('witness', 'silent'));
  return disks.map((disk) => disk.root);
}

/** No unfinished object, no lease, no half-made machine, no upload or download, no file that nothing names. */
export async function expectNothingLeft(site: Installation): Promise<void> {
  const clean = async () => {
    const vcenter = await site.labCall<{ leases: unknown[]; halfMade: unknown[] }>('vcenter', 'GET', '/state');
    const director = await site.labCall<Record<string, unknown>>('director', 'GET', '/state');
    const { uploads, downloads, leftoverTransfers, leftoverDisks } = director;
    const left = {
      leases: vcenter.leases,
      halfMade: vcenter.halfMade,
      uploads,
      downloads,
      leftoverTransfers,
      leftoverDisks,
    };
    return left;
  };
  const nothing = { leases: [], halfMade: [], uploads: 0, downloads: 0, leftoverTransfers: [], leftoverDisks: [] };
  // A lease whose owner was killed ends by its own timeout.
  await expect.poll(clean, { timeout: 15_000, interval: 250 }).toEqual(nothing);
  for (const lab of LABS) {
    const names = (await inventoryOf(site, lab)).map((object) => object.name);
    expect(names.filter((name) => name.includes('[cloudspan'))).toEqual([]);
  }
}

/** What is known of a job, for somebody who looks for the cause. */
export async function storyOf(site: Installation, job: string, title: string): Promise<string> {
  const { lines } = await site.client.jobLog({ job, query: {} });
  const { entries } = await site.client.jobLedger({ job });
  const { state, steps } = await site.client.getJob({ job });
  const { nodes } = await site.client.listNodes({});
  const linked = nodes.map(({ name, connected }) => `${name} ${connected ? 'linked' : 'away'}`);
  const ledger = entries.map((row) => `${row.state} ${row.kind} ${row.role} ${row.name} ${row.objectId ?? ''}`);
  const now = [`${state}: ${JSON.stringify(steps)}`, linked.join(', ')];
  return [title, ...now, ...lines.map((line) => `${line.at} ${line.from}: ${line.text}`), ...ledger].join('\n');
}

export async function expectLedgerSettled(site: Installation, job: JobView): Promise<void> {
  const { entries } = await site.client.jobLedger({ job: job.id });
  expect(entries.filter(({ state }) => state === 'intent' || state === 'made')).toEqual([]);
}
