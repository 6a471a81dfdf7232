import { stat, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { JobView } from '../../src/protocol/api/jobs.ts';
import { Installation, type PartName } from '../journeys/installation.ts';
import { expectLedgerSettled, expectNothingLeft, inventoryOf, rootsOf } from './aftermath.ts';
import { canMount, mountSmallDisk, type SmallDisk } from './disk.ts';
import { strike } from './strike.ts';

const MiB = 1024 * 1024;
/** Of both nodes; the machines hold ten times as much. */
const LIMIT_BYTES = 16 * MiB;
const WINDOW_BYTES = 64 * MiB;
const DATA_BYTES = [110 * MiB, 50 * MiB];
const ALL_BYTES = 160 * MiB;

const vcenterWorld = {
  datacenters: [
    {
      name: 'DC1',
      clusters: [{ name: 'Cluster1', hosts: [{ name: 'esx1.lab' }], pools: [] }],
      datastores: [{ name: 'fast' }],
      networks: ['VM Network'],
      vms: ['large', 'other'].map((name, at) => ({
        name,
        disks: DATA_BYTES.map((dataBytes, disk) => ({
          size: dataBytes + 20 * MiB,
          content: { seed: 10 * at + disk, dataBytes },
        })),
        nics: [],
      })),
    },
  ],
};
const directorWorld = {
  orgs: [
    {
      name: 'org1',
      vdcs: [
        {
          name: 'vdc1',
          vapps: [
            {
              name: 'large',
              vms: [
                {
                  name: 'large',
                  disks: DATA_BYTES.map((dataBytes, disk) => ({
                    sizeMb: dataBytes / MiB + 20,
                    content: { kind: 'random', seed: `large-${disk}`, dataBytes },
                  })),
                  nics: [],
                },
              ],
            },
          ],
        },
      ],
      catalogs: [{ name: 'templates' }],
    },
  ],
};

const start = (more: Partial<Parameters<typeof Installation.start>[0]> = {}) =>
  Installation.start({ vcenterWorld, directorWorld, storageLimit: LIMIT_BYTES / 1024 ** 3, ...more });

async function story(site: Installation, job: string): Promise<string> {
  const { lines } = await site.client.jobLog({ job, query: {} });
  return lines.map((line) => `${line.at} ${line.from}: ${line.text}`).join('\n');
}

/** Waits for the end of the job, and looks at the storage of both nodes all the while. */
async function endWithin(site: Installation, job: string, limitBytes: number): Promise<JobView> {
  let over = false;
  let most = 0;
  const watch = (async () => {
    for (; !over; await sleep(100)) {
      const { nodes } = await site.client.listNodes({});
      for (const { storage } of nodes) most = Math.max(most, storage?.usedBytes ?? 0);
    }
  })();
  try {
    const view = await site.end(job, 280).catch(async (error) => {
      throw new Error(await story(site, job), { cause: error });
    });
    expect(most).toBeLessThanOrEqual(limitBytes);
    return view;
  } finally {
    over = true;
    await watch;
  }
}

async function expectSameBytes(site: Installation, job: JobView, lab: 'vcenter' | 'director'): Promise<void> {
  expect(job.state, await story(site, job.id)).toBe('succeeded');
  expect(job.receipt?.disks).toHaveLength(2);
  for (const disk of job.receipt?.disks ?? []) expect(disk.destinationRoot).toBe(disk.sourceRoot);
  const roots = await rootsOf(site, lab, job.result?.object.id ?? '');
  expect(roots).toEqual(job.receipt?.disks.map((disk) => disk.sourceRoot));
  await expectNothingLeft(site);
  await expectLedgerSettled(site, job);
}

async function killAt(site: Installation, job: string, points: { arrived: number; victim: PartName }[]) {
  const over = new AbortController();
  const strikes = points.map((point) => strike(site, job, { at: 'progress', ...point }, over.signal));
  return { over, strikes };
}

describe('a machine that is ten times larger than the storage of both nodes', () => {
  it('goes to a cloud that wants sizes before bytes, also when each node is killed in the middle', {
    timeout: 300_000,
  }, async () => {
    await using site = await start();
    const { id } = await site.copy({ source: 'vc/DC1/vm/large', destination: 'vcd/vdc1', name: 'copy' });
    const { over, strikes } = await killAt(site, id, [
      { arrived: 0.2, victim: 'source' },
      { arrived: 0.5, victim: 'destination' },
    ]);
    const job = await endWithin(site, id, LIMIT_BYTES);
    over.abort();
    expect(await Promise.all(strikes), await story(site, id)).toEqual([true, true]);
    await expectSameBytes(site, job, 'director');
  });

  it('goes into an import lease that breaks, also when each node is killed in the middle; what is stored comes once', {
    timeout: 300_000,
  }, async () => {
    await using site = await start();
    await site.labCall('vcenter', 'POST', '/options', { leaseTimeoutSeconds: 4 });
    await site.labCall('vcenter', 'POST', '/faults', {
      rules: [{ path: '/nfc', action: 'cut', afterBytes: 60 * MiB }],
    });
    const { id } = await site.copy({ source: 'vcd/vdc1/large', destination: 'vc/DC1/vm', name: 'home' });
    const { over, strikes } = await killAt(site, id, [
      { arrived: 0.1, victim: 'source' },
      { arrived: 0.8, victim: 'destination' },
    ]);
    const job = await endWithin(site, id, LIMIT_BYTES);
    over.abort();
    expect(await Promise.all(strikes), await story(site, id)).toEqual([true, true]);
    await expectSameBytes(site, job, 'vcenter');
    // Begun three times at most: by the broken lease, and by the kill of the node beside it.
    expect(job.progress?.resentBytes).toBeLessThanOrEqual(2 * ALL_BYTES + 2 * WINDOW_BYTES);
    expect(job.progress?.resentBytes).toBeGreaterThan(0);
  });
});

describe.skipIf(!canMount)('a full disk under the storage', () => {
  it('holds a copy up, says so, and lets it go on when there is space again; a copy that waits can be cancelled', {
    timeout: 300_000,
  }, async () => {
    let disk: SmallDisk | undefined;
    await using site = await start({
      storageLimit: 1,
      async prepare(folder) {
        disk = await mountSmallDisk(join(folder, 'destination'), 400 * MiB);
        return async () => disk?.remove();
      },
    });
    // Journals still find some room: the storage leaves it to them.
    const fill = async () => {
      await disk?.fill();
      const filler = join(site.folder, 'destination', 'filler');
      await truncate(filler, (await stat(filler)).size - 6 * MiB);
    };
    const waiting = (job: string) =>
      site.until(
        async () =>
          (await site.client.getJob({ job })).steps.find(
            ({ text }) => text?.includes('disk is full') && text.includes('bytes are wanted'),
          ),
        150,
        'nobody says that the disk is full',
      );
    await fill();
    const other = await site.copy({ source: 'vc/DC1/vm/other', destination: 'vcd/vdc1', name: 'other' });
    await waiting(other.id);
    await site.client.cancelJob({ job: other.id });
    expect((await site.end(other.id, 60)).state).toBe('cancelled');

    // The disk is full from the start: what an earlier copy left would be cache, which makes room.
    const copy = await site.copy({ source: 'vc/DC1/vm/large', destination: 'vcd/vdc1', name: 'copy' });
    expect((await waiting(copy.id)).text).toContain('destination');
    await sleep(3000);
    await site.until(
      async () => ((await site.client.getJob({ job: copy.id })).state === 'waiting' ? true : undefined),
      60,
      'the job does not wait',
    );
    await disk?.free();
    await expectSameBytes(site, await endWithin(site, copy.id, 1024 * MiB), 'director');
    await expectNothingLeft(site);
    expect((await inventoryOf(site, 'director')).filter(({ name }) => name === 'other')).toEqual([]);
  });

  it('without a byte left when a copy begins holds it up as well', { timeout: 300_000 }, async () => {
    let disk: SmallDisk | undefined;
    await using site = await start({
      storageLimit: 1,
      async prepare(folder) {
        disk = await mountSmallDisk(join(folder, 'destination'), 400 * MiB);
        return async () => disk?.remove();
      },
    });
    await disk?.fill();
    const copy = await site.copy({ source: 'vc/DC1/vm/large', destination: 'vcd/vdc1', name: 'copy' });
    const step = await site.until(
      async () => (await site.client.getJob({ job: copy.id })).steps.find(({ text }) => text?.includes('is full')),
      60,
      'nobody says that the disk is full',
    );
    expect(step.text).toContain('node destination: the journal of this node');
    expect((await site.client.getJob({ job: copy.id })).state).toBe('waiting');
    await disk?.free();
    await expectSameBytes(site, await endWithin(site, copy.id, 1024 * MiB), 'director');
  });
});
