import { mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Agent, request } from 'undici';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type RunningCloudDirector, startCloudDirector } from '../../sims/cloud-director/index.ts';
import { startVcenter, type Vcenter } from '../../sims/vcenter/index.ts';
import { BLOCK_BYTES } from '../../src/model/block-map.ts';
import type { InventoryObject } from '../../src/model/inventory.ts';
import type { SessionRequest } from '../../src/protocol/link.ts';
import type { WorkOrder, WorkState } from '../../src/protocol/work.ts';
import { DiskContent } from '../drivers/conformance/disk-content.ts';
import { ChildNode } from '../node/child-node.ts';
import { FakeServer, follow, until } from '../node/fake-server.ts';

const DISKS = [new DiskContent('journey 0', 33 * BLOCK_BYTES + 5120), new DiskContent('journey 1', 7 * BLOCK_BYTES)];

let folder: string;
let vcenter: Vcenter;
let director: RunningCloudDirector;
let server: FakeServer;
let near: ChildNode;
let far: ChildNode;
let source: InventoryObject;
let destination: InventoryObject;

async function rawDisk(content: DiskContent, number: number) {
  const file = join(folder, `${number}.raw`);
  await using raw = await open(file, 'w');
  await raw.truncate(content.capacityBytes);
  for (const { index, data } of content.blocks()) {
    const at = index * BLOCK_BYTES;
    await raw.write(data, 0, Math.min(BLOCK_BYTES, content.capacityBytes - at), at);
  }
  return { size: content.capacityBytes, content: { file } };
}

async function snapshot(node: ChildNode, cloud: string): Promise<InventoryObject[]> {
  const link = await until(() => node.link());
  for await (const event of link.lines(`/clouds/${cloud}/inventory`))
    return (event as { objects: InventoryObject[] }).objects;
  throw new Error('the inventory is empty');
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cloudspan-journey-'));
  const disks = await Promise.all(DISKS.map(rawDisk));
  const vms = [{ name: 'web 01', notes: 'front end', disks }];
  vcenter = await startVcenter({
    data: join(folder, 'vcenter'),
    world: {
      datacenters: [
        {
          name: 'DC1',
          clusters: [{ name: 'C1', hosts: [{ name: 'esx1.lab' }] }],
          datastores: [{ name: 'ds1' }],
          networks: ['VM Network'],
          vms,
        },
      ],
    },
    faults: { bytesPerSecond: { host: 12 * BLOCK_BYTES } },
  });
  const world = {
    taskMilliseconds: 20,
    orgs: [
      { name: 'org1', vdcs: [{ name: 'vdc1', storageProfiles: [{ name: '*' }] }], catalogs: [{ name: 'templates' }] },
    ],
  };
  await writeFile(join(folder, 'world.json'), JSON.stringify(world));
  director = await startCloudDirector({ data: join(folder, 'director'), world: join(folder, 'world.json') });
  server = await FakeServer.start();
  near = await ChildNode.start(server, 'near');
  far = await ChildNode.start(server, 'far');
  const { url, user, password } = vcenter;
  const first: SessionRequest = {
    driver: 'vsphere',
    label: 'vc1',
    owner: 'team',
    options: { url, username: user, password },
    trust: { kind: 'pin', sha256: vcenter.fingerprint },
  };
  const options = {
    url: director.url,
    organization: director.org,
    username: director.user,
    password: director.password,
  };
  const trust = { kind: 'pin' as const, sha256: director.fingerprint };
  await near.openSession('vc1', first);
  await far.openSession('cd1', { driver: 'cloud-director', label: 'cd1', owner: 'team', options, trust });
  source = (await snapshot(near, 'vc1')).find((object) => object.name === 'web 01')!;
  destination = (await snapshot(far, 'cd1')).find((object) => object.kind === 'vdc')!;
});

afterAll(async () => {
  await near?.[Symbol.asyncDispose]();
  await far?.[Symbol.asyncDispose]();
  await server?.[Symbol.asyncDispose]();
  await vcenter?.close();
  await director?.close();
  await rm(folder, { recursive: true, force: true });
});

async function begin(job: string, name: string, dialer: 'source' | 'destination'): Promise<void> {
  const address = dialer === 'source' ? far.address : near.address;
  const ticket = server.ticket({ transfer: job, source: near.pin, destination: far.pin, dialer, address });
  const base = { epoch: 1, owner: 'team', job, marker: `marker-${job}`, ticket };
  const order = {
    name,
    destination: destination.id,
    placement: {},
    networks: {},
    keepMac: false,
    keepUuid: false,
    onNameClash: 'fail' as const,
    properties: {},
    acceptEulas: false,
  };
  const importing: WorkOrder = { kind: 'import', ...base, cloud: 'cd1', order, networkNames: {} };
  const exporting: WorkOrder = { kind: 'export', ...base, cloud: 'vc1', object: source.id };
  await far.link()!.ask('PUT', `/work/${job}.import`, importing);
  await near.link()!.ask('PUT', `/work/${job}.export`, exporting);
}

/** Replaces the fault rules of a lab. */
async function setFaults(lab: { url: string; labKey: string }, faults: object): Promise<void> {
  const agent = new Agent({ connect: { rejectUnauthorized: false } });
  try {
    const headers = { 'x-lab-key': lab.labKey, 'content-type': 'application/json' };
    const url = new URL('/lab/faults', lab.url);
    const answer = await request(url, { method: 'POST', dispatcher: agent, headers, body: JSON.stringify(faults) });
    expect(answer.statusCode).toBeLessThan(300);
    await answer.body.dump();
  } finally {
    await agent.close();
  }
}

const arrivedBytes = (state: WorkState) => state.progress?.disks[0]?.arrivedBytes ?? 0;
const sent = (job: string, enough?: (state: WorkState) => boolean) =>
  follow(() => near.link(), `${job}.export`, enough);
const arrived = (job: string, enough?: (state: WorkState) => boolean) =>
  follow(() => far.link(), `${job}.import`, enough);

async function expectCopy(job: string, name: string): Promise<WorkState> {
  const [left, right] = await Promise.all([sent(job), arrived(job)]);
  expect([left.phase, left.fault, right.phase, right.fault]).toEqual(['done', undefined, 'done', undefined]);
  const roots = DISKS.map((disk) => disk.root());
  expect(left.result?.disks.map((disk) => disk.root)).toEqual(roots);
  expect(right.result?.disks.map((disk) => disk.root)).toEqual(roots);
  expect(left.ledger.filter((entry) => entry.state === 'intent' || entry.state === 'made')).toEqual([]);
  expect(right.ledger.filter((entry) => entry.state === 'intent')).toEqual([]);
  const made = (await snapshot(far, 'cd1')).filter((object) => object.name.startsWith(name) && object.kind === 'vapp');
  expect(made.map((object) => object.name)).toEqual([name]);
  await near.link()!.ask('DELETE', `/work/${job}.export`);
  await far.link()!.ask('DELETE', `/work/${job}.import`);
  return right;
}

describe('a machine goes from the vSphere lab to the Cloud Director lab', () => {
  test.each(['destination', 'source'] as const)('with equal roots at both ends when the %s dials', async (dialer) => {
    await begin(`plain-${dialer}`, `copy ${dialer}`, dialer);
    await expectCopy(`plain-${dialer}`, `copy ${dialer}`);
  });

  test('also when the node at the source is killed in the middle', async () => {
    await begin('kill-source', 'copy two', 'destination');
    await arrived('kill-source', (state) => arrivedBytes(state) > 8 * BLOCK_BYTES);
    await near.killAndRestart();
    const right = await expectCopy('kill-source', 'copy two');
    expect(right.progress?.resentBytes).toBeLessThan(16 * BLOCK_BYTES);
  });

  test('also when the node at the destination is killed in the middle', async () => {
    await begin('kill-destination', 'copy three', 'source');
    await arrived('kill-destination', (state) => arrivedBytes(state) > 8 * BLOCK_BYTES);
    await far.killAndRestart();
    await expectCopy('kill-destination', 'copy three');
  });

  test('also when the node at the source is killed while it gives its lease back', async () => {
    const delay = { method: 'HttpNfcLeaseComplete', action: 'delay', delayMilliseconds: 3000 };
    await setFaults(vcenter, { rules: [delay] });
    await begin('kill-giving', 'copy five', 'source');
    await sent('kill-giving', (state) => state.text === 'giving the source back');
    await near.killAndRestart();
    await expectCopy('kill-giving', 'copy five');
  });

  test('also when the node at the destination is killed after it gave the last byte away', async () => {
    const delay = { on: 'task', operation: 'vdcInstantiate*', action: { kind: 'delay', milliseconds: 2500 } };
    await setFaults(director, { rules: [delay] });
    await begin('kill-late', 'copy four', 'destination');
    expect((await sent('kill-late')).phase).toBe('done');
    await until(async () => {
      const state = await far.link()!.ask<WorkState>('GET', '/work/kill-late.import');
      return state.ledger.some((entry) => entry.kind === 'vapp' && entry.state !== 'removed');
    });
    await far.killAndRestart();
    await setFaults(director, { rules: [] });
    await expectCopy('kill-late', 'copy four');
  });
});
