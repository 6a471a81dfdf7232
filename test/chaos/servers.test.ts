import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { loadIdentity } from '../../src/base/identity.ts';
import type { JobView } from '../../src/protocol/api/jobs.ts';
import { dialLink } from '../../src/server/link/dial.ts';
import { openLinkSession } from '../../src/server/link/session.ts';
import { expectLedgerSettled, expectNothingLeft, inventoryOf } from './aftermath.ts';
import { FleetSite, type Member, startServer } from './fleet/fleet.ts';
import { listenAt } from './fleet/listener.ts';
import { debianPostgres } from './fleet/postgres.ts';
import { WAYS } from './ways.ts';
import { callWitness } from './witness.ts';
import { worldsOf } from './worlds.ts';

const MiB = 1024 * 1024;
const COPIES = 20;
const TAKEOVER_SECONDS = 30;
/** How long a server is stopped, and how long the database is away. Longer ones: CLOUDSPAN_FREEZE_SECONDS=120, CLOUDSPAN_AWAY_SECONDS=60. */
const FREEZE_SECONDS = Number(process.env.CLOUDSPAN_FREEZE_SECONDS ?? 25);
const AWAY_SECONDS = Number(process.env.CLOUDSPAN_AWAY_SECONDS ?? 15);
const ENDS = ['succeeded', 'failed', 'cancelled'];

const bin = debianPostgres();
if (bin === undefined) {
  const sentence =
    "several servers: NOT TRIED, Debian's PostgreSQL is missing; run scripts/install-witnesses.sh (as root)";
  if (process.env.CI === 'true') throw new Error(sentence);
  console.error(`\n!!! ${sentence}\n`);
}

describe.skipIf(bin === undefined)(
  'three servers on one database',
  { timeout: 300_000 + 4_000 * FREEZE_SECONDS },
  () => {
    const witness = callWitness();
    /** Roots of the sources, which nothing changes. */
    const known = new Map<number, string[]>();
    let fleet: FleetSite;
    beforeAll(async () => {
      const source = (index: number) => ({
        name: `m-${index}`,
        template: false,
        diskBytes: 8 * MiB,
        dataBytes: 5 * MiB,
        seed: 700 + index,
      });
      const sources = Array.from({ length: COPIES }, (_, index) => source(index));
      fleet = await FleetSite.start(
        bin ?? '',
        worldsOf((way) => (way === 'out' ? sources : [])),
      );
    }, 120_000);
    afterAll(async () => {
      witness[Symbol.dispose]();
      await fleet?.[Symbol.asyncDispose]();
    }, 60_000);

    const client = (member: Member | undefined) => {
      if (member === undefined) throw new Error('there is no such server');
      return member.connection.client;
    };

    /** Copies, asked for at all servers in turn; resolves when a good part of them runs at each. */
    async function startCopies(run: string, count = COPIES): Promise<JobView[]> {
      await fleet.site.labCall('vcenter', 'POST', '/faults', { bytesPerSecond: { host: 3 * MiB } });
      const jobs: JobView[] = [];
      for (let index = 0; index < count; index++) {
        const body = {
          kind: 'copy' as const,
          source: `${WAYS.out.from}m-${index}`,
          destination: WAYS.out.to,
          name: `${run}-${index}`,
        };
        jobs.push(await client(fleet.members[index % fleet.members.length]).startJob({ body }));
      }
      const moving = async () => {
        const views = await Promise.all(jobs.map(({ id }) => client(fleet.members[0]).getJob({ job: id })));
        const done = views.filter(({ state }) => ENDS.includes(state)).length;
        const running = views.filter(({ steps }) =>
          steps.some(({ name, state }) => name === 'transfer' && state === 'running'),
        );
        return running.length >= count / 2 || done >= count / 4 ? true : undefined;
      };
      await fleet.site.until(moving, 60, 'the copies do not begin');
      return jobs;
    }

    /** Every copy is there once, and its disks are those of its source, read by a process of its own. */
    async function expectAllEqual(run: string, jobs: JobView[], at: Member | undefined): Promise<void> {
      const ended: JobView[] = [];
      for (const { id } of jobs) {
        const view = async () => {
          const job = await client(at).getJob({ job: id });
          return ENDS.includes(job.state) ? job : undefined;
        };
        ended.push(await fleet.site.until(view, 120, `job ${id} has not ended`));
      }
      expect(ended.map(({ number, state, failure }) => ({ number, state, why: failure?.message }))).toEqual(
        ended.map(({ number }) => ({ number, state: 'succeeded', why: undefined })),
      );
      const made = (await inventoryOf(fleet.site, 'director')).filter(
        ({ kind, name }) => kind === 'vapp' && name.startsWith(`${run}-`),
      );
      expect(made.map(({ name }) => name).sort()).toEqual(jobs.map((_, index) => `${run}-${index}`).sort());
      const sources = await inventoryOf(fleet.site, 'vcenter');
      const { site } = fleet;
      for (const [index, job] of ended.entries()) {
        const copy = made.find(({ name }) => name === `${run}-${index}`);
        const source = sources.find(({ name }) => name === `m-${index}`);
        const here = known.get(index) ?? (await witness.rootsOf(site, 'vcenter', source?.id ?? ''));
        known.set(index, here);
        expect(await witness.rootsOf(site, 'director', copy?.id ?? '')).toEqual(here);
        const { entries } = await client(at).jobLedger({ job: job.id });
        expect(entries.filter(({ state, role }) => state === 'kept' && role === 'result').length).toBeLessThanOrEqual(
          1,
        );
        expect(entries.filter(({ state }) => state === 'intent' || state === 'made')).toEqual([]);
      }
    }

    /** Resolves when no job that has not ended belongs to the server any more; how long that took, in seconds. */
    async function untilTakenOver(dead: string, at: Member | undefined, begun = performance.now()): Promise<number> {
      const free = async () => {
        const { servers } = await client(at).listServers({});
        const [row] = await fleet.postgres.query<{ left: number }>(
          `SELECT count(*)::integer AS left FROM jobs WHERE state NOT IN ('succeeded', 'failed', 'cancelled')
           AND server IN ('${dead}', 'offered')`,
        );
        return servers.every(({ id, alive }) => id !== dead || !alive) && row?.left === 0 ? true : undefined;
      };
      await fleet.site.until(free, 60, 'the jobs are not taken over');
      return (performance.now() - begun) / 1000;
    }

    const idOf = async (index: number) =>
      (await client(fleet.members[index]).listServers({})).servers.find((server) => server.this)?.id ?? '';

    it('know each other, let the same people in, and show what happens at another one', async () => {
      const lists = await Promise.all(fleet.members.map((member) => client(member).listServers({})));
      for (const { servers } of lists) expect(servers.map(({ alive }) => alive)).toEqual([true, true, true]);
      expect(lists[0]?.servers.filter(({ steward }) => steward)).toHaveLength(1);
      const balanced = await fleet.balanced();
      const seen = new Set<string>();
      for (let call = 0; call < 12; call++) {
        const { servers } = await balanced.client.listServers({});
        seen.add(servers.find((server) => server.this)?.id ?? '');
      }
      expect(seen.size).toBeGreaterThan(0);
      const ids = lists[0]?.servers.map(({ id }) => id);
      for (const id of seen) expect(ids).toContain(id);
    });

    it('tell what happens at another one, and pass on what is asked of the wrong one', async () => {
      const [first, second, third] = fleet.members;
      await fleet.site.labCall('vcenter', 'POST', '/faults', { bytesPerSecond: { host: MiB / 2 } });
      await using heard = await listenAt(second?.url ?? '', fleet.token);
      const body = {
        kind: 'copy' as const,
        source: `${WAYS.out.from}m-0`,
        destination: WAYS.out.to,
        name: 'not-wanted',
      };
      const { id } = await client(first).startJob({ body });
      await fleet.site.until(
        async () => (heard.states(id).includes('running') ? true : undefined),
        20,
        'nothing is heard',
      );
      await client(third).cancelJob({ job: id });
      await fleet.site.until(async () => (heard.states(id).includes('cancelled') ? true : undefined), 30, 'it goes on');
      expect((await client(second).getJob({ job: id })).state).toBe('cancelled');
      await expectNothingLeft(fleet.site);
    });

    it('refuse to start with the key of another vault, and without one', async () => {
      await expect(startServer(fleet.site.folder, 'stranger', fleet.postgres.url, false)).rejects.toMatchObject({
        code: 'vault.locked',
        message: expect.stringContaining('vault.key'),
      });
    });

    it('take over what a killed one left, and every copy is made once and equal', async () => {
      const jobs = await startCopies('kill');
      const dead = await idOf(1);
      fleet.members[1]?.kill('SIGKILL');
      const seconds = await untilTakenOver(dead, fleet.members[0]);
      console.info(`killed: taken over after ${seconds.toFixed(1)} s`);
      expect(seconds).toBeLessThan(TAKEOVER_SECONDS);
      await expectAllEqual('kill', jobs, fleet.members[2]);
      await expectNothingLeft(fleet.site);
    });

    it('take over from a frozen one, whose commands nodes refuse when it wakes', async () => {
      fleet.members.splice(1, 1);
      const jobs = await startCopies('freeze');
      const frozen = await idOf(1);
      const [first, third] = fleet.members;
      const held = await fleet.postgres.query<{ id: string; epoch: number }>(
        `SELECT id, epoch FROM jobs WHERE server = '${frozen}' AND state = 'running'`,
      );
      expect(held.length).toBeGreaterThan(0);
      const begun = performance.now();
      third?.kill('SIGSTOP');
      const seconds = await untilTakenOver(frozen, first, begun);
      console.info(`frozen: taken over after ${seconds.toFixed(1)} s`);
      expect(seconds).toBeLessThan(TAKEOVER_SECONDS);

      // What the frozen one would say, said in its name by its own key.
      const identity = await loadIdentity(join(fleet.site.folder, 'third'), 'identity', 'third');
      const { nodes } = await client(first).listNodes({});
      const node = nodes.find(({ name }) => name === 'destination');
      const signal = AbortSignal.timeout(30_000);
      const address = node?.address ?? '';
      const socket = await dialLink({ name: 'destination', address, pin: node?.pin ?? '' }, identity, signal);
      const link = openLinkSession(socket, 'destination', 30);
      const told = async () => {
        const works = await Promise.all(
          held.map(async ({ id, epoch }) => {
            const state = await link.ask({ method: 'GET', path: `/work/${id}.import`, signal }).catch(() => null);
            return (state as { epoch: number } | null)?.epoch === epoch || state === null ? [] : [{ id, epoch }];
          }),
        );
        return works.flat().length > 0 ? works.flat() : undefined;
      };
      // A node learns of the new epoch by the first command of the server that took over.
      const known = await fleet.site.until(told, 30, 'no node has heard of the server that took over');
      const refused = await Promise.all(
        known.map(({ id, epoch }) =>
          link.ask({ method: 'POST', path: `/work/${id}.import/cancel`, body: { epoch }, signal }).then(
            () => 'obeyed',
            (fault: { code?: string }) => fault.code,
          ),
        ),
      );
      link.close();
      expect(new Set(refused)).toEqual(new Set(['epoch.stale']));

      await sleep(Math.max(0, FREEZE_SECONDS * 1000 - (performance.now() - begun)));
      third?.kill('SIGCONT');
      await expectAllEqual('freeze', jobs, first);
      await expectNothingLeft(fleet.site);
      const back = async () =>
        (await client(third).listServers({})).servers.every(
          ({ alive, address: at }) => alive || at !== new URL(third?.url ?? '').host,
        )
          ? true
          : undefined;
      await fleet.site.until(back, 30, 'the frozen server does not come back');
      const again = await client(third).startJob({
        body: { kind: 'copy', source: `${WAYS.out.from}m-0`, destination: WAYS.out.to, name: 'after-freeze' },
      });
      const end = await fleet.site.until(
        async () => {
          const job = await client(first).getJob({ job: again.id });
          return ENDS.includes(job.state) ? job : undefined;
        },
        60,
        'the copy after the freeze has not ended',
      );
      expect(end.state).toBe('succeeded');
      await expectLedgerSettled(fleet.site, end);
    });

    afterEach(() => {
      for (const member of fleet?.members ?? []) if (member.alive()) member.kill('SIGCONT');
    });

    it('stay up while the database is away, say so, and go on by themselves', async () => {
      const jobs = await startCopies('away', 8);
      await fleet.postgres.stop();
      await sleep(1_000);
      const failure = await client(fleet.members[0])
        .listJobs({ query: {} })
        .catch((fault: unknown) => fault);
      expect(failure).toMatchObject({ code: 'server.unavailable', retryAfterSeconds: 5 });
      await sleep(AWAY_SECONDS * 1000);
      await fleet.postgres.startAgain();
      await expectAllEqual('away', jobs, fleet.members[1]);
      await expectNothingLeft(fleet.site);
    });
  },
);
