import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createLog } from '../../src/base/log.ts';
import { joinPath } from '../../src/model/path.ts';
import { readRoots } from '../../src/node/roots.ts';
import type { CopyRequest, JobView } from '../../src/protocol/api/jobs.ts';
import { Installation } from './installation.ts';
import { directorWorld, vcenterWorld } from './worlds.ts';

let site: Installation;

beforeAll(async () => {
  site = await Installation.start({ vcenterWorld, directorWorld });
}, 120_000);
afterAll(async () => {
  await site?.[Symbol.asyncDispose]();
});

async function copied(request: Omit<CopyRequest, 'kind'>): Promise<JobView> {
  const job = await site.copy(request);
  const end = await site.end(job.id);
  expect(end.failure, JSON.stringify(end.failure)).toBeUndefined();
  expect(end.state).toBe('succeeded');
  return end;
}

/** The roots of an object's disks, read by a session of our own. */
async function roots(cloud: 'vc' | 'vcd', object: string): Promise<string[]> {
  const lab = site.lab(cloud === 'vc' ? 'vcenter' : 'director');
  const { password = '', ...options } = lab.options;
  const read = await readRoots(
    { driver: lab.driver, options, fingerprint: lab.ready.fingerprint, object },
    password,
    createLog('test', 'silent'),
  );
  return read.disks.map((disk) => disk.root);
}

async function find(path: string) {
  const [cloudName = '', ...names] = path.split('/');
  const cloud = (await site.client.listClouds({})).clouds.find((one) => one.name === cloudName);
  const { objects } = await site.client.listObjects({ query: { cloud: cloud?.id ?? '', path: joinPath(names) } });
  return objects;
}

async function one(path: string) {
  const object = await site.until(async () => (await find(path))[0], 15, `${path} is not in the inventory`);
  return object;
}

/** @param nodes how many nodes took part, each of which signs. */
function expectProof(job: JobView, nodes = 2): void {
  expect(job.receipt?.disks.length).toBeGreaterThan(0);
  for (const disk of job.receipt?.disks ?? []) expect(disk.destinationRoot).toBe(disk.sourceRoot);
  expect(Object.keys(job.receipt?.signatures ?? {})).toHaveLength(nodes);
}

async function expectNothingLeft(): Promise<void> {
  const vcenter = await site.labCall<{ leases: unknown[]; halfMade: unknown[] }>('vcenter', 'GET', '/state');
  expect(vcenter.leases).toEqual([]);
  expect(vcenter.halfMade).toEqual([]);
  const director = await site.labCall<{
    uploads: number;
    downloads: number;
    leftoverTransfers: string[];
    leftoverDisks: string[];
  }>('director', 'GET', '/state');
  expect(director).toMatchObject({ uploads: 0, downloads: 0, leftoverTransfers: [], leftoverDisks: [] });
}

describe('a copy', () => {
  it('takes a VM with two disks of odd sizes from vSphere to a VDC, and proves it', async () => {
    const job = await copied({
      source: 'vc/DC1/vm/Web/web-01',
      destination: 'vcd/vdc1',
      networks: { 'VM Network': 'net1' },
    });
    expectProof(job);
    const source = await one('vc/DC1/vm/Web/web-01');
    expect(await roots('vcd', job.result?.object.id ?? '')).toEqual(await roots('vc', source.id));
    expect(job.result?.differences.filter((entry) => entry.nature === 'lost')).toEqual([]);
    const { entries } = await site.client.jobLedger({ job: job.id });
    expect(entries.filter((entry) => entry.state === 'made' || entry.state === 'intent')).toEqual([]);
    expect(entries.some((entry) => entry.state === 'kept')).toBe(true);
    const nics = (await one('vcd/vdc1/web-01')).machine?.nics ?? [];
    expect(nics.map((nic) => nic.connected)).toEqual([true, false]);
    expect((await find('vcd/templates')).length).toBe(1);
    await expectNothingLeft();
  });

  it('is compared with an earlier copy at the destination where its node holds nothing of it any more', async () => {
    const request = {
      source: 'vc/DC1/vm/Web/web-01',
      destination: 'vcd/vdc1',
      name: 'web-01 seeded',
      networks: { 'VM Network': 'net1' },
    };
    const elsewhere = site.copy({ ...request, seed: 'vc/DC1/vm/Web/web-01' });
    await expect(elsewhere).rejects.toMatchObject({ code: 'input.invalid' });
    await one('vcd/vdc1/web-01');
    const { nodes } = await site.client.listNodes({});
    await site.client.eraseNode({ node: nodes.find(({ name }) => name === 'destination')?.id ?? '' });
    const job = await copied({ ...request, seed: 'vcd/vdc1/web-01' });
    expectProof(job);
    expect(job.checks.find(({ name }) => name === 'seed')?.outcome).toBe('pass');
    expect(job.steps.find(({ name }) => name === 'seed')?.state).toBe('done');
    expect(job.progress?.wireBytes).toBe(0);
    expect(job.progress?.alreadyThereBytes).toBeGreaterThan(0);
    const { entries } = await site.client.jobLedger({ job: job.id });
    expect(entries.filter((entry) => entry.state === 'made' || entry.state === 'intent')).toEqual([]);
    await expectNothingLeft();
  });

  it('takes it home again, under a new name', async () => {
    const job = await copied({
      source: 'vcd/vdc1/web-01',
      destination: 'vc/DC1/vm/Web',
      name: 'web-01 back',
      networks: { net1: 'VM Network' },
      placement: {},
    });
    expectProof(job);
    const first = await one('vc/DC1/vm/Web/web-01');
    expect(await roots('vc', job.result?.object.id ?? '')).toEqual(await roots('vc', first.id));
    await expectNothingLeft();
  });

  it('takes a vApp of two VMs with three disks in both directions and keeps its start order', async () => {
    const out = await copied({ source: 'vc/DC1/vm/shop', destination: 'vcd/vdc1', networks: { 'VM Network': 'net1' } });
    expectProof(out);
    expect(out.receipt?.disks).toHaveLength(3);
    expect(out.result?.differences.filter((entry) => entry.field === 'start order')).toEqual([]);
    const home = await copied({ source: 'vcd/vdc1/shop', destination: 'vc/DC1/vm', name: 'shop back' });
    expect(home.result?.object.kind).toBe('vapp');
    const source = await one('vc/DC1/vm/shop');
    expect((await roots('vc', home.result?.object.id ?? '')).toSorted()).toEqual(
      (await roots('vc', source.id)).toSorted(),
    );
    await expectNothingLeft();
  });

  it('makes a template of a template, in both directions', async () => {
    const out = await copied({ source: 'vc/DC1/vm/Templates/golden', destination: 'vcd/templates' });
    expect(out.result?.object.kind).toBe('template');
    const home = await copied({
      source: 'vcd/templates/golden',
      destination: 'vc/DC1/vm/Templates',
      name: 'golden back',
    });
    expect(home.result?.object.kind).toBe('template');
    const source = await one('vc/DC1/vm/Templates/golden');
    expect(await roots('vc', home.result?.object.id ?? '')).toEqual(await roots('vc', source.id));
  });

  it('works within one kind of cloud', async () => {
    expectProof(await copied({ source: 'vc/DC1/vm/Web/web-01', destination: 'vc/DC1/vm', name: 'web-02' }), 1);
    expectProof(await copied({ source: 'vcd/vdc1/crm', destination: 'vcd/vdc1', name: 'crm-2' }), 1);
    expectProof(await copied({ source: 'vcd/templates/alpine', destination: 'vcd/spare' }), 1);
  });

  it('carries names with spaces, slashes, percent signs and any Unicode', async () => {
    const source = joinPath(['vc', 'DC1', 'vm', 'Odd names / 100%', 'a/b %41 & ü 日本']).slice(1);
    const job = await copied({ source, destination: 'vcd/vdc1' });
    expect(job.result?.object.name).toBe('a/b %41 & ü 日本');
    const back = await copied({
      source: `vcd${joinPath(['vdc1', 'a/b %41 & ü 日本'])}`,
      destination: 'vc/DC1/vm',
      name: 'ö/% 2',
    });
    expect(back.result?.object.name).toBe('ö/% 2');
  });

  it('powers the copy on when asked', async () => {
    const job = await copied({
      source: 'vc/DC1/vm/Web/web-01',
      destination: 'vcd/vdc1',
      name: 'web-on',
      powerOn: true,
    });
    expect(job.result?.poweredOn).toBe(true);
    const object = await site.until(
      async () => (await find('vcd/vdc1/web-on')).find((entry) => entry.machine?.power === 'on'),
      20,
      'it is not on',
    );
    await site.client.power({ cloud: object.cloud, object: object.id, body: { action: 'off' } });
  });
});

describe('a copy is refused', () => {
  const refused = async (request: Omit<CopyRequest, 'kind'>) => {
    const end = await site.copy(request).then(
      (job) => site.end(job.id),
      (fault) => fault,
    );
    return 'failure' in end && end.failure !== undefined ? end.failure : end;
  };

  it('for a running machine, with the choices named', async () => {
    const fault = await refused({ source: 'vc/DC1/vm/running', destination: 'vcd/vdc1' });
    expect(['machine.running', 'preflight.failed']).toContain(fault.code);
    expect(`${fault.message} ${fault.remedy}`).toMatch(/power/i);
  });

  it('for a name that exists, unless a new one is asked for', async () => {
    const fault = await refused({ source: 'vc/DC1/vm/Web/web-01', destination: 'vcd/vdc1', name: 'crm' });
    expect(['object.exists', 'preflight.failed']).toContain(fault.code);
    const job = await copied({
      source: 'vc/DC1/vm/Web/web-01',
      destination: 'vcd/vdc1',
      name: 'crm',
      onNameClash: 'rename',
    });
    expect(job.result?.object.name).not.toBe('crm');
  });

  it('for a destination network that is not there, naming those that are', async () => {
    const fault = await refused({
      source: 'vc/DC1/vm/Web/web-01',
      destination: 'vcd/vdc1',
      name: 'n',
      networks: { 'VM Network': 'nowhere' },
    });
    expect(JSON.stringify(fault)).toContain('net1');
  });
});

describe('removing', () => {
  it('a node is refused while a cloud is next to it', async () => {
    const node = (await site.client.listNodes({})).nodes[0];
    await expect(site.client.removeNode({ node: node?.id ?? '' })).rejects.toMatchObject({ code: 'object.in-use' });
  });
});
