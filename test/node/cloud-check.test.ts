import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startCloudDirector } from '../../sims/cloud-director/index.ts';
import { startVcenter } from '../../sims/vcenter/index.ts';
import { createLog } from '../../src/base/log.ts';
import { driver as cloudDirector } from '../../src/drivers/cloud-director/index.ts';
import type { Driver } from '../../src/drivers/driver.ts';
import { driver as vsphere } from '../../src/drivers/vsphere/index.ts';
import type { OptionValues, Trust } from '../../src/model/option.ts';
import { checkCloud } from '../../src/node/cloud-check.ts';
import type { CloudCheck } from '../../src/protocol/cloud-check.ts';

let folder: string;
let vcenter: Awaited<ReturnType<typeof startVcenter>>;
let late: Awaited<ReturnType<typeof startVcenter>>;
let director: Awaited<ReturnType<typeof startCloudDirector>>;

const READER = ['System.View', 'VApp.Export', 'VirtualMachine.Provisioning.GetVmFiles'];
const site = {
  clusters: [{ name: 'Cluster1', hosts: [{ name: 'esx1.lab' }] }],
  datastores: [{ name: 'fast' }],
  networks: ['VM Network'],
  vms: [
    { name: 'one', folder: ['Ours'] },
    { name: 'two', folder: ['Theirs'] },
  ],
};

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cloud-check-'));
  const datacenters = [{ name: 'DC1', ...site }];
  vcenter = await startVcenter({
    data: join(folder, 'vcenter'),
    world: {
      datacenters,
      accounts: [
        { user: 'reader@lab', password: 'r', privileges: READER },
        { user: 'partly@lab', password: 'p', privileges: READER, on: 'Ours' },
        { user: 'nobody@lab', password: 'n' },
        { user: 'old@lab', password: 'o', privileges: READER, expired: true },
      ],
    },
  });
  late = await startVcenter({
    data: join(folder, 'late'),
    world: { datacenters, options: { clockOffsetSeconds: -3600 } },
  });
  director = await startCloudDirector({
    data: join(folder, 'director'),
    world: await written({
      orgs: [
        {
          name: 'org1',
          users: [
            { name: 'ana@corp.example', provider: 'SAML', apiToken: { token: 'token-of-ana' } },
            { name: 'bob', apiToken: { token: 'old-token', expired: true } },
            { name: 'reader', rights: ['Organization: View', 'General: Administrator View', 'vApp: Download'] },
            { name: 'blind', rights: ['vApp: Download'] },
            { name: 'secretive', rights: ['Organization: View'] },
          ],
        },
      ],
    }),
  });
}, 60_000);

afterAll(async () => {
  await Promise.all([vcenter.close(), late.close(), director.close()]);
  await rm(folder, { recursive: true, force: true });
});

async function written(world: unknown): Promise<string> {
  const file = join(folder, 'world.json');
  await writeFile(file, JSON.stringify(world));
  return file;
}

const way = () => null;
async function walk(driver: Driver, options: OptionValues, trust?: Trust): Promise<CloudCheck> {
  const log = createLog('test', 'silent');
  return checkCloud(
    { driver, label: 'lab', options, trust },
    { way, log, stallSeconds: 8 },
    AbortSignal.timeout(30_000),
  );
}

const pin = (lab: { fingerprint: string }): Trust => ({ kind: 'pin', sha256: lab.fingerprint });
const toVcenter = (more: OptionValues = {}, lab = vcenter) =>
  walk(vsphere, { url: lab.url, username: lab.user, password: lab.password, ...more }, pin(lab));
const toDirector = (more: OptionValues = {}) => {
  const { url, org: organization, user: username, password } = director;
  return walk(cloudDirector, { url, organization, username, password, ...more }, pin(director));
};
const outcomes = ({ checks }: CloudCheck) => checks.map(({ name, outcome }) => `${name} ${outcome}`);
const last = ({ checks }: CloudCheck) => checks.at(-1);

test('without a confirmed certificate the walk ends with what the cloud shows, and sends nothing', async () => {
  const check = await walk(vsphere, { url: vcenter.url });
  expect(outcomes(check)).toEqual(['tcp pass', 'tls pass', 'certificate warn']);
  expect(check.certificate?.sha256).toBe(vcenter.fingerprint);
  expect(last(check)?.found).toContain(vcenter.fingerprint);
  expect(check.fault).toBeUndefined();
});

test('an administrator passes every step, in order, and everything works', async () => {
  const check = await toVcenter();
  expect(outcomes(check)).toEqual(
    ['tcp', 'tls', 'certificate', 'clock', 'login', 'version', 'privileges'].map((name) => `${name} pass`),
  );
  expect(check.capabilities.map(({ state }) => state)).toEqual(Array(6).fill('works'));
  expect(check).toMatchObject({ product: expect.stringContaining('8.0.3'), user: vcenter.user });
  expect((await toDirector()).fault).toBeUndefined();
});

test('a name that is not known, a port that nobody listens on and a wrong certificate are steps of their own', async () => {
  const unknown = await toVcenter({ url: 'https://no-such-host.invalid' });
  expect([outcomes(unknown), unknown.fault?.code]).toEqual([['dns fail'], 'cloud.unreachable']);
  const deaf = await toVcenter({ url: 'https://127.0.0.1:1' });
  expect([outcomes(deaf), last(deaf)?.remedy]).toEqual([['tcp fail'], expect.stringContaining('firewalls')]);
  const account = { url: vcenter.url, username: vcenter.user, password: vcenter.password };
  const other = await walk(vsphere, account, { kind: 'pin', sha256: '0'.repeat(64) });
  expect([outcomes(other), other.fault?.code]).toEqual([
    ['tcp pass', 'tls pass', 'certificate fail'],
    'cloud.untrusted',
  ]);
});

test('vSphere: a refused login says why, as far as the vCenter does', async () => {
  const reason = async (username: string, password: string) => last(await toVcenter({ username, password }))?.reason;
  expect(await reason(vcenter.user, 'wrong')).toBe('credentials');
  expect(await reason('administrator', 'wrong')).toBe('account-type');
  expect(await reason('old@lab', 'o')).toBe('password-expired');
  expect(await reason('nobody@lab', 'n')).toBe('no-rights');
});

test('vSphere: privileges that are missing, or held in a part only, are named by capability', async () => {
  const states = ({ capabilities }: CloudCheck) => capabilities.map(({ name, state }) => `${name} ${state}`);
  const reader = await toVcenter({ username: 'reader@lab', password: 'r' });
  expect(states(reader)).toEqual([
    ...['inventory works', 'power missing', 'copy-out works', 'copy-in missing', 'media missing', 'undo missing'],
  ]);
  expect(last(reader)).toMatchObject({ name: 'privileges', outcome: 'warn', reason: 'privileges' });
  expect(reader.capabilities.find(({ name }) => name === 'power')?.found).toContain('VirtualMachine.Interact.PowerOn');
  const partly = await toVcenter({ username: 'partly@lab', password: 'p' });
  expect(partly.capabilities.find(({ name }) => name === 'copy-out')).toMatchObject({
    state: 'degraded',
    found: expect.stringContaining('only on 1 of 2'),
  });
});

test('a clock that is off is a warning, and the cause where the login is refused', async () => {
  const right = await toVcenter({}, late);
  expect(right.checks.find(({ name }) => name === 'clock')).toMatchObject({ outcome: 'warn', reason: 'clock' });
  expect(right.checks.find(({ name }) => name === 'clock')?.found).toMatch(/3[56]\d\d s apart.*behind/);
  expect(right.fault).toBeUndefined();
  expect(last(await toVcenter({ password: 'wrong' }, late))).toMatchObject({ name: 'login', reason: 'clock' });
});

test('Cloud Director: organization, kind of user and API token are told apart', async () => {
  const reason = async (more: OptionValues) => last(await toDirector(more))?.reason;
  expect(await reason({ organization: 'org2' })).toBe('organization');
  expect(await reason({ password: 'wrong' })).toBe('credentials');
  expect(await reason({ username: 'CORP\\ana' })).toBe('account-type');
  expect(await reason({ username: 'ana@corp.example' })).toBe('federated-user');
  expect(await reason({ 'api-token': 'nonsense' })).toBe('api-token');
  expect(await reason({ 'api-token': 'old-token' })).toBe('api-token-expired');
  expect((await toDirector({ 'api-token': 'token-of-ana' })).fault).toBeUndefined();
});

test('Cloud Director: the rights of the role decide, and a role without the API is refused', async () => {
  const reader = await toDirector({ username: 'reader' });
  const copyOut = reader.capabilities.find(({ name }) => name === 'copy-out');
  expect(copyOut).toMatchObject({ state: 'degraded', found: expect.stringContaining('"vApp Template: Download"') });
  expect(last(reader)).toMatchObject({ name: 'privileges', outcome: 'warn' });
  const blind = await toDirector({ username: 'blind' });
  expect([last(blind)?.outcome, blind.fault?.code]).toEqual(['fail', 'auth.forbidden']);
  expect(blind.fault?.details).toMatchObject({ step: 'privileges' });
  const secretive = await toDirector({ username: 'secretive' });
  expect(last(secretive)).toMatchObject({
    outcome: 'warn',
    found: expect.stringContaining('may not read its own role'),
  });
});
