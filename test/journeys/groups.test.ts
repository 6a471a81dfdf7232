import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { JobView } from '../../src/protocol/api/jobs.ts';
import { Installation } from './installation.ts';
import { Terminal } from './terminal.ts';
import { directorWorld, vcenterWorld } from './worlds.ts';

const source = 'vc/DC1/vm/Web/web-01';
const destination = 'vc/DC1/vm/Web';
let site: Installation;
let terminal: Terminal;

beforeAll(async () => {
  site = await Installation.start({ vcenterWorld, directorWorld });
  terminal = await Terminal.open();
  await terminal.signIn(site.account);
}, 120_000);
afterAll(async () => {
  await site?.[Symbol.asyncDispose]();
  await terminal?.[Symbol.asyncDispose]();
});

const time = (text: string | undefined) => Date.parse(text ?? '');

async function ended(group: number): Promise<JobView[]> {
  return site.until(
    async () => {
      const { jobs } = await site.client.getGroup({ group: String(group) });
      return jobs.every(({ endedAt }) => endedAt !== undefined) ? jobs : undefined;
    },
    120,
    `group ${group} has not ended`,
  );
}

it('starts a wave when the one before has ended, and its jobs one by one when told so', async () => {
  const file = join(site.folder, 'waves.txt');
  await writeFile(
    file,
    `# two waves\n2 ${source} "${destination}/late one"\n${source} ${destination}/first\n${source} ${destination}/second\n`,
  );
  const said = await terminal.run(['groups', 'start', file, '--at-a-time', '1', '--json']);
  expect(said.code, said.stderr).toBe(0);
  const { group } = JSON.parse(said.stdout) as { group: number };
  const [first, second, late] = await ended(group);
  expect([first, second, late].map((job) => [job?.state, job?.group?.wave])).toEqual([
    ['succeeded', 1],
    ['succeeded', 1],
    ['succeeded', 2],
  ]);
  expect(first?.number).toBeLessThan(second?.number ?? 0);
  expect(time(second?.startedAt)).toBeGreaterThanOrEqual(time(first?.endedAt));
  expect(time(late?.startedAt)).toBeGreaterThanOrEqual(time(second?.endedAt));
}, 180_000);

it('starts nothing outside of its window or before its time, says why, and cancels it all', async () => {
  const closed = { windows: [{ days: ['mon' as const], from: '03:00', to: '03:01' }], timeZone: 'Pacific/Kiritimati' };
  const at = new Date(Date.now() + 3_600_000).toISOString();
  const { number } = await site.client.startGroup({
    body: {
      name: 'not now',
      jobs: [
        { request: { kind: 'copy', source, destination, name: 'in a window', schedule: closed } },
        { request: { kind: 'copy', source, destination, name: 'at a time', schedule: { at } } },
      ],
    },
  });
  const group = String(number);
  const reasons = await site.until(
    async () => {
      const { jobs } = await site.client.getGroup({ group });
      return jobs.every(({ waitsFor }) => waitsFor !== undefined) ? jobs.map(({ waitsFor }) => waitsFor) : undefined;
    },
    30,
    'no job says what it waits for',
  );
  expect(reasons[0]).toContain('mon 03:00-03:01 (Pacific/Kiritimati)');
  expect(reasons[1]).toContain(`It starts at ${at}`);
  await site.client.pauseJob({ job: (await site.client.getGroup({ group })).jobs[0]?.id ?? '' });
  await site.until(
    async () => ((await site.client.getGroup({ group })).states.paused === 1 ? true : undefined),
    30,
    'a queued job is not paused',
  );
  expect((await terminal.run(['groups', 'cancel', group])).code).toBe(0);
  expect((await ended(number)).map(({ state }) => state)).toEqual(['cancelled', 'cancelled']);
}, 120_000);

it('runs as many jobs of a cloud as its limit says, and refuses a group of which one names nothing', async () => {
  const limits = await terminal.run(['groups', 'limits', '--per-cloud', '1']);
  expect(limits.stdout).toMatch(/cloud: 1/);
  const paths = [source, source].map((from, index) => ({
    request: { kind: 'copy' as const, source: from, destination, name: `limited ${index}` },
  }));
  const { number } = await site.client.startGroup({ body: { name: 'limited', jobs: paths } });
  const [one, other] = await ended(number);
  expect(time(other?.startedAt)).toBeGreaterThanOrEqual(time(one?.endedAt));
  await site.client.setConcurrency({ body: { perCloud: null } });

  const missing = { request: { kind: 'copy' as const, source: 'vc/DC1/vm/nothing', destination } };
  await expect(site.client.startGroup({ body: { name: 'wrong', jobs: [...paths, missing] } })).rejects.toMatchObject({
    code: 'object.missing',
    message: expect.stringContaining('job 3 of the group'),
  });
  expect((await site.client.listGroups({})).groups.map(({ name }) => name)).not.toContain('wrong');
}, 180_000);
