import { afterAll, beforeAll, expect, it } from 'vitest';
import { joinPath } from '../../src/model/path.ts';
import type { CopyRequest, JobView } from '../../src/protocol/api/jobs.ts';
import type { VcenterHands } from '../drivers/vcenter-hands.ts';
import { handsOn } from './hands.ts';
import { Installation } from './installation.ts';
import { Terminal } from './terminal.ts';
import { directorWorld, vcenterWorld } from './worlds.ts';

const folder = 'vc/DC1/vm/Web';
const source = `${folder}/web-01`;
let site: Installation;
let terminal: Terminal;
let hands: VcenterHands;

beforeAll(async () => {
  site = await Installation.start({ vcenterWorld, directorWorld });
  hands = await handsOn(site);
  terminal = await Terminal.open();
  await terminal.signIn(site.account);
}, 120_000);
afterAll(async () => {
  hands?.close();
  await site?.[Symbol.asyncDispose]();
  await terminal?.[Symbol.asyncDispose]();
});

async function find(path: string) {
  const [name = '', ...names] = path.split('/');
  const { clouds } = await site.client.listClouds({});
  const cloud = clouds.find((one) => one.name === name)?.id ?? '';
  return (await site.client.listObjects({ query: { cloud, path: joinPath(names) } })).objects[0];
}

const there = (path: string) => site.until(async () => find(path), 30, `${path} is not in the inventory`);
const gone = (path: string) =>
  site.until(async () => ((await find(path)) === undefined ? true : undefined), 30, `${path} is still there`);

/** A machine of its own for one test. */
async function machine(name: string): Promise<string> {
  const made = await site.end((await site.copy({ source, destination: folder, name, networks: NETWORKS })).id);
  expect(made.failure, JSON.stringify(made.failure)).toBeUndefined();
  await there(`${folder}/${name}`);
  return made.result?.object.id ?? '';
}

const NETWORKS = { 'VM Network': 'VM Network', Backup: 'Backup' };

async function move(request: Omit<CopyRequest, 'kind'>): Promise<JobView> {
  return site.end((await site.client.startJob({ body: { kind: 'move', ...request } })).id);
}

async function undone(job: JobView): Promise<JobView> {
  await site.client.undoJob({ job: job.id });
  return site.until(
    async () => {
      const view = await site.client.getJob({ job: job.id });
      return view.undo?.state === 'running' ? undefined : view;
    },
    60,
    `the undo of job ${job.number} has not ended`,
  );
}

const settings = async (job: JobView) =>
  (await site.client.jobLedger({ job: job.id })).entries.filter(({ action }) => action === 'change');

/** The host of the machine starts it by itself, and whether it does now. */
async function autostart(machineId: string, content?: string): Promise<string> {
  const state = await hands.property('VirtualMachine', machineId, 'runtime.host');
  const manager = `autoStartManager-${/host-\d+/.exec(state)?.[0]}`;
  if (content !== undefined) await hands.plain('ReconfigureAutostart', 'HostAutoStartManager', manager, content);
  return hands.document('HostAutoStartManager', manager, 'config');
}

const startsIt = (id: string) =>
  `<spec><powerInfo><key type="VirtualMachine">${id}</key><startOrder>3</startOrder><startDelay>45</startDelay>` +
  '<waitForHeartbeat>no</waitForHeartbeat><startAction>powerOn</startAction><stopDelay>30</stopDelay>' +
  '<stopAction>guestShutdown</stopAction></powerInfo></spec>';

it('sets the source aside with every setting in the ledger, and an undo moves it back', async () => {
  const id = await machine('goes');
  await autostart(id, startsIt(id));
  const before = await there(`${folder}/goes`);
  expect(before.machine?.nics.map(({ connected }) => connected)).toEqual([true, true]);

  const said = await terminal.run(['move', `${folder}/goes`, 'vcd/vdc1', '--new-mac', '--json']);
  expect(said.code, said.stdout + said.stderr).toBe(0);
  const [job] = (await site.client.listJobs({ query: { limit: 1 } })).jobs;
  if (job === undefined) throw new Error('there is no job');
  expect(job).toMatchObject({ kind: 'move', state: 'succeeded', movedSource: { state: 'aside' } });
  const aside = await there(`${folder}/goes (moved, job ${job.number})`);
  expect(aside.id).toBe(id);
  expect(aside.machine).toMatchObject({ power: 'off' });
  expect(aside.machine?.nics.map(({ connected }) => connected)).toEqual([false, false]);
  expect(await autostart(id)).toMatch(/<startAction>none</);
  const rows = await settings(job);
  expect(rows.map(({ role, state }) => [role, state])).toEqual([
    ['setting autostart', 'made'],
    ['setting nics', 'made'],
    ['setting name', 'made'],
  ]);
  expect(rows.find(({ role }) => role === 'setting name')).toMatchObject({ before: 'goes', objectId: id });

  const dry = await terminal.run(['jobs', 'undo', String(job.number)]);
  expect(dry.stdout).toMatch(/would set back .*its name was "goes"/);
  expect(dry.stdout).toMatch(/would remove +vapp "goes/);
  const back = await undone(job);
  const outcomes = back.undo?.rows.map(({ outcome }) => outcome) ?? [];
  expect(outcomes.filter((outcome) => outcome === 'removed')).toHaveLength(1);
  expect(outcomes.filter((outcome) => outcome === 'restored')).toHaveLength(3);
  expect(back.movedSource?.state).toBe('back');
  const now = await there(`${folder}/goes`);
  expect(now.machine?.nics).toEqual(before.machine?.nics);
  expect(await autostart(id)).toMatch(/<startOrder>3<.*<startAction>powerOn</s);
  await gone('vcd/vdc1/goes');
  await expect(site.client.deleteSource({ job: job.id })).rejects.toMatchObject({ code: 'job.state' });
}, 120_000);

it('does not set the source back while what moved runs', async () => {
  await machine('runs there');
  const job = await move({ source: `${folder}/runs there`, destination: 'vcd/vdc1', powerOn: true });
  expect(job.state, JSON.stringify(job.failure)).toBe('succeeded');
  const { undo, movedSource } = await undone(job);
  expect(undo?.rows.filter(({ role }) => role.startsWith('setting')).map(({ outcome }) => outcome)).toEqual([
    'left',
    'left',
  ]);
  expect(undo?.rows.find(({ role }) => role === 'setting name')?.reason).toMatch(/there shall not be two of it/);
  expect(movedSource?.state).toBe('aside');
}, 120_000);

it('gives the source its settings back when the job is cancelled after it was set aside', async () => {
  const id = await machine('stays');
  await site.labCall('vcenter', 'POST', '/faults', {
    rules: [{ task: 'VirtualMachine.rename', action: 'delay', delayMilliseconds: 3000 }],
  });
  const begun = await site.client.startJob({
    body: { kind: 'move', source: `${folder}/stays`, destination: 'vcd/vdc1' },
  });
  await site.until(
    async () => (await settings(begun)).find(({ role }) => role === 'setting nics')?.state === 'made' || undefined,
    60,
    'the adapters were not disconnected',
  );
  await site.client.cancelJob({ job: begun.id });
  const job = await site.end(begun.id);
  await site.labCall('vcenter', 'POST', '/faults', {});
  expect(job).toMatchObject({ state: 'cancelled', failure: { leftovers: [] } });
  expect((await settings(job)).every(({ state }) => state === 'removed')).toBe(true);
  const now = await there(`${folder}/stays`);
  expect(now.id).toBe(id);
  await site.until(
    async () => ((await find(`${folder}/stays`))?.machine?.nics.every(({ connected }) => connected) ? true : undefined),
    30,
    'the adapters are not connected again',
  );
  await gone('vcd/vdc1/stays');

  await site.client.retryJob({ job: job.id });
  const again = await site.end(job.id);
  expect(again.state, JSON.stringify(again.failure)).toBe('succeeded');
  await there(`${folder}/stays (moved, job ${job.number})`);
}, 180_000);

it('leaves a source that was changed since it was read, and takes it as it is now when the job is retried', async () => {
  const id = await machine('changes');
  await site.labCall('director', 'POST', '/faults', {
    rules: [{ method: 'PUT', path: '/transfer/*', action: { kind: 'late', milliseconds: 4000 } }],
  });
  const begun = await site.client.startJob({
    body: { kind: 'move', source: `${folder}/changes`, destination: 'vcd/vdc1' },
  });
  await site.until(
    async () => {
      const { steps } = await site.client.getJob({ job: begun.id });
      return steps.find(({ name }) => name === 'transfer')?.text?.startsWith('done; ') || undefined;
    },
    60,
    'the source has not been read',
  );
  await hands.task('ReconfigVM_Task', 'VirtualMachine', id, '<spec><annotation>somebody was here</annotation></spec>');
  const job = await site.end(begun.id);
  await site.labCall('director', 'POST', '/faults', { rules: [] });
  expect(job).toMatchObject({ state: 'failed', failure: { code: 'object.changed', leftovers: [] } });
  expect(await settings(job)).toEqual([]);
  expect((await there(`${folder}/changes`)).id).toBe(id);
  await gone('vcd/vdc1/changes');

  await site.client.retryJob({ job: job.id });
  const again = await site.end(job.id);
  expect(again.state, JSON.stringify(again.failure)).toBe('succeeded');
  await there(`${folder}/changes (moved, job ${job.number})`);
}, 180_000);

it('deletes the source only while the copy carries the marker of the move, and that once', async () => {
  const id = await machine('proven');
  const proven = await move({ source: `${folder}/proven`, destination: folder, name: 'proven there' });
  expect(new Set(proven.receipt?.disks.map(({ level }) => level))).toEqual(new Set(['checksum']));
  const aside = `${folder}/proven (moved, job ${proven.number})`;
  const copy = proven.result?.object.id ?? '';
  const mark = (value: string) =>
    hands.task(
      'ReconfigVM_Task',
      'VirtualMachine',
      copy,
      `<spec><extraConfig><key>cloudspan.marker</key><value xsi:type="xsd:string">${value}</value></extraConfig></spec>`,
    );
  const marker = (await site.client.jobLedger({ job: proven.id })).entries[0]?.marker ?? '';
  await mark('');
  await expect(site.client.deleteSource({ job: proven.id })).rejects.toMatchObject({ code: 'source.needed' });
  await mark(marker);
  expect((await there(aside)).id).toBe(id);
  const done = await terminal.run(['jobs', 'delete-source', String(proven.number)]);
  expect(done.code, done.stderr).toBe(0);
  await gone(aside);
  expect((await site.client.getJob({ job: proven.id })).movedSource).toMatchObject({ state: 'deleted' });
  // What moved is the last copy now.
  expect((await undone(proven)).undo?.rows.find(({ object }) => object === copy)?.outcome).toBe('left');
}, 180_000);

it('does not delete a source that somebody changed since', async () => {
  const id = await machine('touched');
  const job = await move({ source: `${folder}/touched`, destination: folder, name: 'touched there' });
  await hands.task('ReconfigVM_Task', 'VirtualMachine', id, '<spec><annotation>mine</annotation></spec>');
  await expect(site.client.deleteSource({ job: job.id })).rejects.toMatchObject({ code: 'object.changed' });
  expect((await site.client.getJob({ job: job.id })).movedSource).toMatchObject({ state: 'aside' });
  expect((await there(`${folder}/touched (moved, job ${job.number})`)).id).toBe(id);
}, 120_000);
