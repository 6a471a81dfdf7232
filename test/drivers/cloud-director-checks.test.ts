import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startCloudDirector } from '../../sims/cloud-director/index.ts';
import { locate } from '../../src/drivers/cloud-director/entity.ts';
import { driver } from '../../src/drivers/cloud-director/index.ts';
import { writeMetadata } from '../../src/drivers/cloud-director/metadata.ts';
import { Session } from '../../src/drivers/cloud-director/session.ts';
import type { Cloud, ConnectSettings } from '../../src/drivers/driver.ts';
import type { InventoryObject } from '../../src/model/inventory.ts';
import { quietLog } from './conformance/work.ts';

let folder: string;
let lab: Awaited<ReturnType<typeof startCloudDirector>>;
let settings: ConnectSettings;
let cloud: Cloud;
let objects: InventoryObject[] = [];
const signal = () => AbortSignal.timeout(30_000);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'director-checks-'));
  const world = join(folder, 'world.json');
  const disks = [{ sizeMb: 1 }];
  const vapps = [
    { name: 'plain', vms: [{ name: 'plain vm', disks }] },
    { name: 'customized', vms: [{ name: 'customized vm', disks, customized: true }] },
  ];
  const vdcs = [{ name: 'vdc1', vmQuota: 4, vapps }];
  await writeFile(world, JSON.stringify({ orgs: [{ name: 'org1', vdcs, catalogs: [{ name: 'templates' }] }] }));
  lab = await startCloudDirector({ data: join(folder, 'lab'), world });
  settings = {
    options: { url: lab.url, organization: lab.org, username: lab.user, password: lab.password },
    trust: { kind: 'pin', sha256: lab.fingerprint },
    label: 'vcd1',
    log: quietLog,
    stallSeconds: 8,
  };
  cloud = await driver.connect(settings, signal());
  for await (const event of cloud.inventory.watch(signal())) {
    if (event.type === 'snapshot') objects = event.objects;
    break;
  }
}, 60_000);

afterAll(async () => {
  await cloud.close();
  await lab.close();
  await rm(folder, { recursive: true, force: true });
});

const idOf = (name: string) => objects.find((object) => object.name === name)!.id;
const against = async (name: string) =>
  (await cloud.exports!.check(idOf(name), signal()))
    .filter(({ outcome }) => outcome !== 'pass')
    .map((check) => `${check.name} ${check.outcome}`);

test('a guest customization and metadata that do not leave are named', async () => {
  expect(await against('plain')).toEqual([]);
  expect(await against('customized')).toEqual(['guest-customization warn']);
  const session = await Session.open(settings, signal());
  const { href } = locate(session, idOf('plain'));
  await writeMetadata(session, href, { owner: 'finance', 'cloudspan.marker': 'm' }, signal());
  await session.close();
  const checks = await cloud.exports!.check(idOf('plain'), signal());
  expect(checks.find(({ name }) => name === 'metadata')?.found).toMatch(/: owner\.$/);
});

test('the quota of the VDC and leases that end the copy are said before the start', async () => {
  const description = await cloud.exports!.describe(idOf('plain'), signal());
  const checked = async (machines: number, placement: Record<string, string> = {}) => {
    const [machine] = description.machines;
    const many = Array.from({ length: machines }, (_, index) => ({ ...machine!, id: `m${index}`, name: `m${index}` }));
    return cloud.imports!.check(
      {
        description: { ...description, machines: many },
        name: 'copy',
        destination: idOf('vdc1'),
        placement,
        networks: {},
        keepMac: false,
        keepUuid: false,
        onNameClash: 'fail',
        properties: {},
        acceptEulas: false,
      },
      signal(),
    );
  };
  const outcome = (checks: Awaited<ReturnType<typeof checked>>, name: string) =>
    checks.find((check) => check.name === name)?.outcome;
  // Two are there; each that comes is there twice until its temporary template is removed.
  expect(outcome(await checked(1), 'quota')).toBe('pass');
  expect(outcome(await checked(2), 'quota')).toBe('fail');
  expect(outcome(await checked(1), 'lease')).toBeUndefined();
  const lease = Object.fromEntries(
    (await cloud.imports!.placement(idOf('vdc1'), signal()))
      .filter(({ name }) => name.includes('lease'))
      .map(({ name }) => [name, '30']),
  );
  expect(outcome(await checked(1, lease), 'lease')).toBe('warn');
});
