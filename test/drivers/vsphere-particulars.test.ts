import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startVcenter } from '../../sims/vcenter/index.ts';
import type { Cloud } from '../../src/drivers/driver.ts';
import { driver } from '../../src/drivers/vsphere/index.ts';
import type { Check } from '../../src/model/check.ts';
import { quietLog } from './conformance/work.ts';
import { VcenterHands } from './vcenter-hands.ts';

const MIB = 1024 * 1024;
const disk = (...particular: string[]) => ({ size: MIB, particular: particular as never[] });

let folder: string;
let lab: Awaited<ReturnType<typeof startVcenter>>;
let cloud: Cloud;
const signal = () => AbortSignal.timeout(30_000);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'particulars-'));
  const customized = { 'tools.deployPkg.fileName': 'imc-1' };
  lab = await startVcenter({
    data: join(folder, 'lab'),
    world: {
      datacenters: [
        {
          name: 'DC1',
          clusters: [{ name: 'Cluster1', hosts: [{ name: 'esx1.lab' }] }],
          datastores: [{ name: 'fast' }],
          networks: ['VM Network'],
          vms: [
            { name: 'plain', disks: [disk()] },
            { name: 'holder', folder: ['Imports'] },
            { name: 'parts', firmware: 'efi', particular: ['usb', 'pci', 'serial', 'tpm', 'iso', 'floppy'] },
            { name: 'bare', power: 'on', particular: ['no-tools', 'change-tracking'], extraConfig: customized },
            { name: 'asleep', power: 'suspended' },
            { name: 'soft', disks: [disk('independent'), disk('nonpersistent'), disk('rdm-virtual')] },
            { name: 'bound', disks: [disk('shared'), disk('linked')] },
            { name: 'raw', disks: [disk('rdm-physical')] },
            { name: 'sealed', particular: ['encrypted'], disks: [disk()] },
            { name: 'sealed disk', disks: [disk('encrypted')] },
          ],
        },
      ],
    },
  });
  cloud = await driver.connect(
    {
      options: { url: lab.url, username: lab.user, password: lab.password },
      trust: { kind: 'pin', sha256: lab.fingerprint },
      label: 'vc1',
      log: quietLog,
      stallSeconds: 8,
    },
    signal(),
  );
}, 60_000);

afterAll(async () => {
  await cloud.close();
  await lab.close();
  await rm(folder, { recursive: true, force: true });
});

async function idOf(name: string): Promise<string> {
  for await (const event of cloud.inventory.watch(signal())) {
    if (event.type === 'snapshot') return event.objects.find((object) => object.name === name)!.id;
  }
  throw new Error('the watch ended');
}

/** `name outcome` of what is not passed. */
async function against(name: string): Promise<string[]> {
  const checks = await cloud.exports!.check(await idOf(name), signal());
  for (const { outcome, remedy } of checks) if (outcome !== 'pass') expect(remedy).toBeDefined();
  return notPassed(checks);
}

const notPassed = (checks: Check[]) =>
  checks.filter(({ outcome }) => outcome !== 'pass').map(({ name, outcome }) => `${name} ${outcome}`);

test('a plain machine that is off has nothing against it', async () => {
  expect(await against('plain')).toEqual([]);
});

test('devices and images that stay behind are named one by one', async () => {
  expect(await against('parts')).toEqual([
    'usb-pci warn',
    'devices warn',
    'attached-images warn',
    'vtpm warn',
    'nvram warn',
  ]);
  const checks = await cloud.exports!.check(await idOf('parts'), signal());
  expect(checks.find(({ name }) => name === 'vtpm')?.found).toContain('BitLocker');
  expect(checks.find(({ name }) => name === 'attached-images')?.found).toContain('setup.iso');
});

test('a machine that runs or sleeps is refused; absent Tools and a waiting customization are named', async () => {
  expect(await against('bare')).toEqual([
    ...['machine-powered-off fail', 'change-tracking warn', 'tools warn', 'guest-customization warn'],
  ]);
  const [power] = await cloud.exports!.check(await idOf('asleep'), signal());
  expect(power).toMatchObject({ outcome: 'fail', found: '"asleep" is suspended.' });
});

test('custom attributes are named as people call them, without those of Cloudspan', async () => {
  const hands = new VcenterHands(lab);
  const id = await idOf('asleep');
  await hands.setAttribute('VirtualMachine', id, 'cost%2fcentre', '4711');
  await hands.setAttribute('VirtualMachine', id, 'cloudspan.marker', 'm');
  const checks = await cloud.exports!.check(id, signal());
  hands.close();
  expect(checks.find(({ name }) => name === 'metadata')?.found).toMatch(/: cost\/centre\.$/);
});

test('particular disks are decided by their kind', async () => {
  expect(await against('soft')).toEqual(['disk-rdm warn', 'disk-independent warn', 'disk-nonpersistent warn']);
  expect(await against('bound')).toEqual(['disk-shared warn', 'linked-clone warn']);
  expect(await against('raw')).toEqual(['disk-rdm fail']);
  expect(await against('sealed')).toEqual(['disk-encrypted fail']);
  expect(await against('sealed disk')).toEqual(['disk-encrypted fail']);
});

test('a machine whose disk others share is not discarded, and its disk stays', async () => {
  const id = await idOf('bound');
  const version = (await cloud.objects!.look(id, signal()))?.version ?? '';
  await expect(cloud.sources!.discard(id, version, signal())).rejects.toMatchObject({
    code: 'object.in-use',
    message: expect.stringMatching(/"Hard disk 1".*, which other machines share/),
    remedy: expect.stringContaining('Detach the shared disk first'),
  });
  expect((await cloud.objects!.look(id, signal()))?.version).toBe(version);
});

test('hardware that is too new or too old for its disks is refused before the start', async () => {
  const description = await cloud.exports!.describe(await idOf('plain'), signal());
  const [machine] = description.machines;
  const checked = async (hardwareVersion: string, more: Partial<typeof machine> = {}) =>
    notPassed(
      await cloud.imports!.check(
        {
          description: { ...description, machines: [{ ...machine!, hardwareVersion, ...more }] },
          name: 'copy',
          destination: await idOf('Imports'),
          placement: {},
          networks: {},
          keepMac: false,
          keepUuid: false,
          onNameClash: 'fail',
          properties: {},
          acceptEulas: false,
        },
        signal(),
      ),
    );
  expect(await checked('vmx-21')).toEqual([]);
  expect(await checked('vmx-22')).toContain('hardware-version fail');
  const controllers = [{ id: machine!.disks[0]!.controller, kind: 'nvme' as const, bus: 0 }];
  expect(await checked('vmx-11', { controllers })).toContain('disk-nvme fail');
});
