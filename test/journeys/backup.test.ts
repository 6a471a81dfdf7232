import { copyFile, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { RunningCloudDirector } from '../../sims/cloud-director/index.ts';
import { LabClient } from '../../sims/cloud-director/lab-client.ts';
import { createLog } from '../../src/base/log.ts';
import { type Connection, connectTo } from '../../src/cli/session.ts';
import { readRoots } from '../../src/node/roots.ts';
import type { JobView } from '../../src/protocol/api/jobs.ts';
import { Installation } from './installation.ts';
import { filesWith } from './secrets.ts';
import { faultCode, Terminal } from './terminal.ts';
import { directorWorld, vcenterWorld } from './worlds.ts';

let site: Installation;
let terminal: Terminal;
let file = '';
let vaultKey = '';

beforeAll(async () => {
  terminal = await Terminal.open();
  site = await Installation.start({ vcenterWorld, directorWorld });
  await terminal.signIn(site.account);
  file = join(terminal.home, 'server.backup');
  vaultKey = join(terminal.home, 'kept-elsewhere.key');
}, 120_000);
afterAll(async () => {
  await site?.[Symbol.asyncDispose]();
  await terminal?.[Symbol.asyncDispose]();
});

/** Sessions are no part of a backup. */
async function connectAgain(): Promise<Connection> {
  const { host, fingerprint, password } = site.account;
  await using open = connectTo(`https://${host}`, fingerprint);
  const { token } = await open.client.login({ body: { user: 'admin', password } });
  return connectTo(`https://${host}`, fingerprint, token);
}

const serverFolder = () => join(site.folder, 'server');
const restore = (folder: string, key = vaultKey, from = file) =>
  terminal.run(['restore', from, '--data', folder, '--vault-key', key, '--json']);
const slow = (bytesPerSecond: number | null) =>
  site.labCall(
    'vcenter',
    'POST',
    '/faults',
    bytesPerSecond === null ? {} : { bytesPerSecond: { host: bytesPerSecond } },
  );

/** Somebody else takes a vApp away. */
async function removeInCloud(id: string): Promise<void> {
  const { options, ready } = site.lab('director');
  const account = { url: ready.url, user: ready.user, org: ready.org ?? '', password: options.password ?? '' };
  const client = await LabClient.login(account as RunningCloudDirector);
  await client.settled(await client.call('DELETE', `/api/vApp/vapp-${id.split(':').at(-1)}`));
}

async function roots(cloud: 'vcenter' | 'director', object: string): Promise<string[]> {
  const { driver, options, ready } = site.lab(cloud);
  const { password = '', ...rest } = options;
  const log = createLog('test', 'silent');
  const read = await readRoots({ driver, options: rest, fingerprint: ready.fingerprint, object }, password, log);
  return read.disks.map(({ root }) => root);
}

test('a server is backed up in the middle of a copy, lost, restored on hold, and ends the copy equal once it is released', {
  timeout: 180_000,
}, async () => {
  const before = await site.end(
    (await site.copy({ source: 'vc/DC1/vm/Web/web-01', destination: 'vcd/vdc1', name: 'before' })).id,
  );
  await slow(1_000_000);
  const running = await site.copy({ source: 'vc/DC1/vm/Web/web-01', destination: 'vcd/vdc1', name: 'in the middle' });
  const moving = ({ state, progress }: JobView) => state === 'running' && (progress?.doneBytes ?? 0) > 0;
  await site.until(
    async () => (moving(await site.client.getJob({ job: running.id })) ? true : undefined),
    60,
    'not moving',
  );
  const said = await terminal.run(['backup', file, '--json']);
  expect(said.code, said.stderr).toBe(0);
  await copyFile(join(serverFolder(), 'vault.key'), vaultKey);

  const identity = await readFile(join(serverFolder(), 'identity.key'), 'utf8');
  const key = (await readFile(vaultKey, 'utf8')).trim();
  const secrets = [key, identity.slice(40, 80), 'web-01', 'in the middle', site.lab('vcenter').options.password ?? '?'];
  expect((await filesWith(terminal.home, secrets)).filter((path) => path === file)).toEqual([]);

  await site.kill('server');
  await rm(serverFolder(), { recursive: true, maxRetries: 10, retryDelay: 200 });
  const restored = await restore(serverFolder());
  expect(restored.code, restored.stderr).toBe(0);
  await slow(null);
  await site.revive('server');
  await using connection = await connectAgain();
  const { client } = connection;
  expect((await client.getServer({})).onHold).toMatchObject({ backup: restored.json.at });
  expect((await client.getJob({ job: before.id })).receipt).toEqual(before.receipt);
  await site.until(
    async () => ((await client.listClouds({})).clouds.every((one) => one.state === 'connected') ? true : undefined),
    60,
    '?',
  );
  const refused = { kind: 'copy', source: 'vc/DC1/vm/Web/web-01', destination: 'vcd/vdc1', name: 'no' } as const;
  await expect(client.startJob({ body: refused })).rejects.toMatchObject({ code: 'server.on-hold' });
  await expect(client.cancelJob({ job: running.id })).rejects.toMatchObject({ code: 'server.on-hold' });
  const held = await client.getJob({ job: running.id });
  expect(held.state).toBe('running');
  await new Promise((resolve) => setTimeout(resolve, 3_000));
  expect((await client.getJob({ job: running.id })).steps).toEqual(held.steps);

  // Somebody deleted what an earlier job had made while the server was lost.
  const { id: gone = '' } = before.result?.object ?? {};
  const { clouds } = await client.listClouds({});
  await removeInCloud(gone);
  await terminal.signIn(site.account);
  expect((await terminal.run(['server', 'show'])).stdout).toContain('on hold since');
  const released = await terminal.run(['server', 'release-hold', '--json']);
  expect(released.code, released.stderr).toBe(0);
  expect(released.json).toMatchObject({ gone: [{ job: before.number, cloud: 'vcd', object: gone }], notCompared: [] });
  const { lines } = await client.jobLog({ job: before.id, query: {} });
  expect(lines.at(-1)?.text).toContain('is not there any more');

  const end = await site.until(
    async () => {
      const job = await client.getJob({ job: running.id });
      return ['succeeded', 'failed', 'cancelled'].includes(job.state) ? job : undefined;
    },
    90,
    'the job does not end',
  );
  expect(end.failure).toBeUndefined();
  expect(end.receipt?.destinationRoot).toBe(end.receipt?.sourceRoot);
  const source = await client.listObjects({
    query: { cloud: clouds.find(({ name }) => name === 'vc')?.id ?? '', path: '/DC1/vm/Web/web-01' },
  });
  expect(await roots('director', end.result?.object.id ?? '')).toEqual(
    await roots('vcenter', source.objects[0]?.id ?? ''),
  );
  expect((await client.getServer({})).onHold).toBeUndefined();
  const later = await client.startJob({ body: { ...refused, name: 'later' } });
  expect(later.number).toBeGreaterThan(end.number);
});

test('a backup is not restored with another key, not where something is, and not when it is damaged', async () => {
  const other = join(terminal.home, 'other.key');
  await writeFile(other, `${Buffer.alloc(32, 7).toString('base64')}\n`);
  const folder = join(terminal.home, 'fresh');
  expect(faultCode(await restore(folder, other))).toBe('vault.locked');
  expect(await readdir(folder)).toEqual([]);
  await mkdir(join(folder, 'something'));
  expect(faultCode(await restore(folder))).toBe('object.exists');
  await rm(folder, { recursive: true });
  const content = await readFile(file);
  const damaged = join(terminal.home, 'damaged.backup');
  for (const bad of [content.subarray(0, -1), Buffer.concat([content.subarray(0, -40), Buffer.alloc(40)])]) {
    await writeFile(damaged, bad);
    expect(faultCode(await restore(folder, vaultKey, damaged))).toBe('backup.damaged');
    expect(await readdir(folder)).toEqual([]);
  }
  await writeFile(damaged, 'no backup\n');
  expect(faultCode(await restore(folder, vaultKey, damaged))).toBe('input.invalid');
});
