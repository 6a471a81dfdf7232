import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { joinPath } from '../../src/model/path.ts';
import type { DoctorView } from '../../src/protocol/api/doctor.ts';
import type { CopyRequest, JobView } from '../../src/protocol/api/jobs.ts';
import type { VcenterHands } from '../drivers/vcenter-hands.ts';
import { handsOn } from './hands.ts';
import { Installation } from './installation.ts';
import { faultCode, Terminal } from './terminal.ts';
import { directorWorld, vcenterWorld } from './worlds.ts';

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

const source = 'vc/DC1/vm/Web/web-01';
const inVcenter = 'vc/DC1/vm/Web';

async function copied(request: Omit<CopyRequest, 'kind'>): Promise<JobView> {
  const end = await site.end((await site.copy(request)).id);
  expect(end.failure, JSON.stringify(end.failure)).toBeUndefined();
  return end;
}

/** The row of the result, as a preview or an undo tells of it. */
function rowOf(rows: { object?: string | undefined; outcome: string; reason: string }[], job: JobView) {
  return rows.find(({ object }) => object === job.result?.object.id);
}

async function undone(job: JobView, seconds = 60): Promise<JobView> {
  return site.until(
    async () => {
      const view = await site.client.getJob({ job: job.id });
      return view.undo?.state === 'running' ? undefined : view;
    },
    seconds,
    `the undo of job ${job.number} has not ended`,
  );
}

async function cloud(name: string) {
  const found = (await site.client.listClouds({})).clouds.find((one) => one.name === name);
  return found?.id ?? '';
}

async function find(path: string) {
  const [name = '', ...names] = path.split('/');
  return (await site.client.listObjects({ query: { cloud: await cloud(name), path: joinPath(names) } })).objects;
}

async function gone(path: string): Promise<void> {
  await site.until(async () => ((await find(path)).length === 0 ? true : undefined), 30, `${path} is still there`);
}

async function there(path: string) {
  return site.until(async () => (await find(path))[0], 30, `${path} is not in the inventory`);
}

/** Neither the preview nor the undo touches the object, and both say why. */
async function expectLeftAlone(job: JobView, path: string, reason: RegExp): Promise<void> {
  const { rows } = await site.client.previewUndo({ job: job.id });
  expect(rowOf(rows, job)).toMatchObject({ outcome: 'left', reason: expect.stringMatching(reason) });
  const said = await terminal.run(['jobs', 'undo', String(job.number), '--yes']);
  expect(said.code).toBe(1);
  expect(said.stdout).toMatch(/left alone/);
  expect(said.stdout).toMatch(reason);
  const view = await site.client.getJob({ job: job.id });
  expect(rowOf(view.undo?.rows ?? [], job)).toMatchObject({ outcome: 'left' });
  expect((await there(path)).id).toBe(job.result?.object.id);
  const { entries } = await site.client.jobLedger({ job: job.id });
  expect(entries.find(({ objectId }) => objectId === job.result?.object.id)?.state).toBe('kept');
}

describe('the undo of a finished copy', () => {
  it('first only says what it would do, then removes the copy, and the job tells of it', async () => {
    const job = await copied({ source, destination: 'vcd/vdc1', name: 'undo me' });
    const dry = await terminal.run(['jobs', 'undo', String(job.number)]);
    expect(dry.code, dry.stderr).toBe(0);
    expect(dry.stdout).toMatch(/would remove +vapp "undo me.*as the job made it/);
    expect(dry.stdout).toContain(`cloudspan jobs undo ${job.number} --yes`);
    expect((await there('vcd/vdc1/undo me')).id).toBe(job.result?.object.id);
    expect((await site.client.getJob({ job: job.id })).undo).toBeUndefined();

    const real = await terminal.run(['jobs', 'undo', String(job.number), '--yes']);
    expect(real.code, real.stdout + real.stderr).toBe(0);
    await gone('vcd/vdc1/undo me');
    const { entries } = await site.client.jobLedger({ job: job.id });
    expect(entries.filter(({ state }) => state !== 'removed' && state !== 'absent')).toEqual([]);
    expect((await terminal.run(['jobs', 'show', String(job.number)])).stdout).toMatch(
      /undo by admin: done[\s\S]*removed/,
    );
    expect((await there(source)).name).toBe('web-01');

    const again = await terminal.run(['jobs', 'undo', String(job.number)]);
    expect(again.stdout).toContain('nothing would be removed');
  });

  it('leaves a machine alone that was powered on meanwhile, also when it is off again', async () => {
    const job = await copied({ source, destination: inVcenter, name: 'has run' });
    const { id, cloud: at } = await there(`${inVcenter}/has run`);
    await site.client.power({ cloud: at, object: id, body: { action: 'on' } });
    await expectLeftAlone(job, `${inVcenter}/has run`, /it runs/);
    await site.client.power({ cloud: at, object: id, body: { action: 'off' } });
    await expectLeftAlone(job, `${inVcenter}/has run`, /has run since/);
  });

  it('leaves a machine alone that somebody renamed', async () => {
    const job = await copied({ source, destination: inVcenter, name: 'before' });
    const id = job.result?.object.id ?? '';
    await hands.task('Rename_Task', 'VirtualMachine', id, '<newName>after</newName>');
    await expectLeftAlone(job, `${inVcenter}/after`, /changed since: .*before → after/);
  });

  it('leaves a machine alone whose marker was taken away', async () => {
    const job = await copied({ source, destination: inVcenter, name: 'adopted' });
    const option = '<extraConfig><key>cloudspan.marker</key><value xsi:type="xsd:string"></value></extraConfig>';
    const id = job.result?.object.id ?? '';
    await hands.task('ReconfigVM_Task', 'VirtualMachine', id, `<spec>${option}</spec>`);
    await expectLeftAlone(job, `${inVcenter}/adopted`, /no longer carries the marker/);
  });

  it('leaves the last copy alone', async () => {
    const first = await copied({ source, destination: inVcenter, name: 'to vanish' });
    await there(`${inVcenter}/to vanish`);
    const second = await copied({ source: `${inVcenter}/to vanish`, destination: 'vcd/vdc1', name: 'last copy' });
    await hands.task('Destroy_Task', 'VirtualMachine', first.result?.object.id ?? '');
    await expectLeftAlone(second, 'vcd/vdc1/last copy', /last copy/);
  });

  it('goes on where it was when the server is killed in its middle', async () => {
    const job = await copied({ source, destination: inVcenter, name: 'killed' });
    const rule = { task: 'VirtualMachine.destroy', action: 'delay', delayMilliseconds: 4000 };
    await site.labCall('vcenter', 'POST', '/faults', { rules: [rule] });
    await site.client.undoJob({ job: job.id });
    await site.until(
      async () => ((await hands.state()).faults.some(({ seen }) => seen > 0) ? true : undefined),
      30,
      'the removal has not begun',
    );
    await site.kill('server');
    await site.revive('server');
    const view = await undone(job);
    expect(view.undo).toMatchObject({ state: 'done', run: 1 });
    expect(rowOf(view.undo?.rows ?? [], job)?.outcome).toBe('removed');
    const { entries } = await site.client.jobLedger({ job: job.id });
    expect(entries.filter(({ state }) => state === 'kept' || state === 'made')).toEqual([]);
    await gone(`${inVcenter}/killed`);
    await site.labCall('vcenter', 'POST', '/faults', {});
  });
});

describe('the undo of a job that did not succeed', () => {
  it('removes the complete copy of one that failed afterwards', async () => {
    await site.labCall('vcenter', 'POST', '/faults', { refusePowerOn: ['*'] });
    const end = await site.end(
      (await site.copy({ source, destination: inVcenter, name: 'no power', powerOn: true })).id,
    );
    await site.labCall('vcenter', 'POST', '/faults', {});
    expect(end.state).toBe('failed');
    expect(end.result?.object.name).toBe('no power');
    await site.client.undoJob({ job: end.id });
    expect(rowOf((await undone(end)).undo?.rows ?? [], end)?.outcome).toBe('removed');
    await gone(`${inVcenter}/no power`);
    await expect(site.client.undoJob({ job: '99999' })).rejects.toMatchObject({ code: 'object.missing' });
  });

  it('finds what the cloud made after a cancelled job had looked for it, by the marker', async () => {
    const job = await lateTwin('late for undo');
    const { rows } = await site.client.previewUndo({ job: job.id });
    const found = rows.filter(({ outcome }) => outcome === 'remove');
    expect(found).toMatchObject([{ kind: 'template', reason: expect.stringMatching(/not finished/) }]);
    await site.client.undoJob({ job: job.id });
    const view = await undone(job);
    expect(view.undo?.rows.filter(({ outcome }) => outcome === 'removed')).toHaveLength(1);
    await expectNothingMarked(job);
  });

  it('is refused while the job runs', async () => {
    await site.labCall('vcenter', 'POST', '/faults', { bytesPerSecond: { host: 200_000 } });
    const job = await site.copy({ source, destination: 'vcd/vdc1', name: 'still running' });
    await expect(site.client.undoJob({ job: job.id })).rejects.toMatchObject({ code: 'job.state' });
    await expect(site.client.previewUndo({ job: job.id })).rejects.toMatchObject({ code: 'job.state' });
    await site.client.cancelJob({ job: job.id });
    await site.labCall('vcenter', 'POST', '/faults', {});
    const ended = await site.end(job.id);
    expect([ended.state, ended.failure?.code]).toEqual(['cancelled', 'job.cancelled']);
  });
});

describe('doctor', () => {
  it('finds an orphan that was made after its job had looked, and removes it on request only', async () => {
    expect(await terminal.run(['doctor'])).toMatchObject({ code: 0, stdout: 'all is well\n' });
    const job = await lateTwin('late for doctor');
    const said = await terminal.run(['doctor', '--json']);
    expect(said.code).toBe(1);
    const { orphans, well } = said.json as unknown as DoctorView;
    expect(well).toBe(false);
    expect(orphans).toMatchObject([
      { cloud: 'vcd', kind: 'template', job: job.number, finished: false, why: expect.stringMatching(/cancelled/) },
    ]);
    const [orphan] = orphans;
    expect(orphan?.path).toMatch(/^\/templates\/late for doctor/);
    expect(Date.now() - Date.parse(orphan?.madeAt ?? '')).toBeLessThan(120_000);
    const name = `vcd/${orphan?.id}`;
    expect((await terminal.run(['doctor'])).stdout).toContain(name);
    const unconfirmed = await terminal.run(['doctor', '--remove', name]);
    expect(faultCode(unconfirmed)).toBe('input.invalid');
    expect((await terminal.run(['doctor', '--json'])).code).toBe(1);
    const removed = await terminal.run(['doctor', '--remove', name, '--yes']);
    expect(removed.code, removed.stderr).toBe(0);
    expect(removed.stdout).toContain('late for doctor');
    await expectNothingMarked(job);
    expect((await terminal.run(['doctor'])).code).toBe(0);
  });

  it('removes no result of a job, nothing of a running one, and nothing that is not marked', async () => {
    const job = await copied({ source, destination: inVcenter, name: 'a result' });
    const at = await cloud('vc');
    const kept = { cloud: at, object: job.result?.object.id ?? '' };
    await expect(site.client.removeOrphan(kept)).rejects.toMatchObject({ code: 'object.in-use' });
    const foreign = { cloud: at, object: (await there(source)).id };
    await expect(site.client.removeOrphan(foreign)).rejects.toMatchObject({ code: 'object.missing' });
    expect(faultCode(await terminal.run(['doctor', '--remove', `vc/${kept.object}`, '--yes']))).toBe('object.missing');
    expect((await there(`${inVcenter}/a result`)).id).toBe(kept.object);
    const running = await site.copy({ source, destination: inVcenter, name: 'in the making' });
    await site.until(
      async () => ((await find(inVcenter)).length > 0 && (await unfinished('vc')).length > 0 ? true : undefined),
      30,
      'nothing is in the making',
    );
    expect((await site.client.doctor({})).orphans).toEqual([]);
    await site.end(running.id);
  });

  it('names a node that is away with the clouds behind it, and a cloud that does not let us in', async () => {
    await site.kill('source');
    const away = await site.until(
      async () => (await site.client.doctor({})).findings.find(({ about }) => about === 'node'),
      60,
      'the node is not missed',
    );
    expect(away).toMatchObject({ severity: 'fail', subject: 'source', text: expect.stringContaining('vc') });
    const said = await terminal.run(['doctor']);
    expect(said.code).toBe(1);
    expect(said.stdout).toMatch(/fail +node source: .*no link/);
    await site.revive('source');
    await site.kill('director');
    const failed = await site.until(
      async () =>
        (await site.client.doctor({})).findings.find(({ about, subject }) => about === 'cloud' && subject === 'vcd'),
      60,
      'the cloud is not missed',
    );
    expect(failed.text).toContain('vcd');
    await site.revive('director');
    await site.until(
      async () => ((await site.client.doctor({})).well ? true : undefined),
      60,
      'it does not become well again',
    );
  });
});

async function unfinished(name: string) {
  const { objects } = await site.client.listObjects({ query: { cloud: await cloud(name), kinds: 'vm,vapp,template' } });
  return objects.filter((object) => object.name.includes('[cloudspan '));
}

/** A job that was cancelled while the cloud held its create call back, and did it in the end. */
async function lateTwin(name: string): Promise<JobView> {
  const held = { method: 'POST', path: '/api/catalog/*/action/upload', action: { kind: 'late', milliseconds: 6000 } };
  await site.labCall('director', 'POST', '/faults', { rules: [held] });
  const job = await site.copy({ source, destination: 'vcd/vdc1', name });
  await site.until(
    async () => {
      const { rules } = await site.labCall<{ rules: { seen: number }[] }>('director', 'GET', '/faults');
      return (rules[0]?.seen ?? 0) > 0 ? true : undefined;
    },
    60,
    'the create call has not come',
  );
  await site.client.cancelJob({ job: job.id });
  const end = await site.end(job.id);
  expect(end).toMatchObject({ state: 'cancelled', failure: { leftovers: [] } });
  await site.labCall('director', 'POST', '/faults', { rules: [] });
  await site.until(
    async () => ((await markedBy(job)).length > 0 ? true : undefined),
    30,
    'the cloud has not made it after all',
  );
  return end;
}

async function markedBy(job: JobView): Promise<string[]> {
  const { entries } = await site.client.jobLedger({ job: job.id });
  const marker = entries[0]?.marker ?? 'none';
  const objects = await find('vcd/templates');
  const all = await site.client.listObjects({ query: { cloud: await cloud('vcd'), kinds: 'template,vapp' } });
  return [...objects, ...all.objects].filter(({ name }) => name.includes(marker)).map(({ id }) => id);
}

async function expectNothingMarked(job: JobView): Promise<void> {
  await site.until(
    async () => ((await markedBy(job)).length === 0 ? true : undefined),
    30,
    `something of job ${job.number} is left`,
  );
}
