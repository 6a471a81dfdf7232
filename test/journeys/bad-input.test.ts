import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { faultKinds } from '../../src/model/fault-kinds.ts';
import { type HostileProxy, openHostileProxy, type Tamper } from './hostile-proxy.ts';
import { Installation } from './installation.ts';
import { faultCode, type Said, Terminal } from './terminal.ts';

const MiB = 1024 * 1024;

const vcenterWorld = {
  datacenters: [
    {
      name: 'DC1',
      clusters: [{ name: 'Cluster1', hosts: [{ name: 'esx1.lab' }], pools: [] }],
      datastores: [{ name: 'fast' }],
      networks: ['VM Network'],
      vms: [{ name: 'small', disks: [{ size: 6 * MiB, content: { seed: 2, dataBytes: 5 * MiB } }], nics: [] }],
    },
  ],
};
const directorWorld = {
  orgs: [
    {
      name: 'org1',
      vdcs: [
        {
          name: 'vdc1',
          vapps: [
            {
              name: 'crm',
              vms: [
                {
                  name: 'crm',
                  disks: [{ sizeMb: 6, content: { kind: 'random', seed: 'crm', dataBytes: 4 * MiB } }],
                  nics: [],
                },
              ],
            },
          ],
        },
      ],
      catalogs: [{ name: 'templates' }],
    },
  ],
};

let site: Installation;
let terminal: Terminal;
let proxy: HostileProxy;

beforeAll(async () => {
  terminal = await Terminal.open();
  site = await Installation.start({ vcenterWorld, directorWorld });
  await terminal.signIn(site.account);
  const lab = site.lab('director');
  proxy = await openHostileProxy(lab.options.url ?? '');
  const added = await addDirector('hostile', proxy.url, proxy.fingerprint);
  expect(added.code, added.stderr).toBe(0);
  await site.until(
    async () =>
      (await site.client.listClouds({})).clouds.find(({ name, objects }) => name === 'hostile' && objects > 0),
    30,
    'the hostile cloud shows nothing',
  );
}, 150_000);
afterAll(async () => {
  await proxy?.[Symbol.asyncDispose]();
  await site?.[Symbol.asyncDispose]();
  await terminal?.[Symbol.asyncDispose]();
});

function addDirector(name: string, url: string, fingerprint: string, password?: string): Promise<Said> {
  const { username = '', organization = '', password: right = '' } = site.lab('director').options;
  const words = ['clouds', 'add', name, '--driver', 'cloud-director', '--node', 'destination'];
  return terminal.run(
    [...words, '--url', url, '--username', username, '--organization', organization, '--fingerprint', fingerprint],
    { CLOUD_PASSWORD: password ?? right },
  );
}

function expectFault(said: Said, ...codes: (keyof typeof faultKinds)[]): void {
  expect(said.code, said.stdout).not.toBe(0);
  const code = faultCode(said);
  expect(Object.keys(faultKinds)).toContain(code);
  expect(codes, `${said.stdout}${said.stderr}`).toContain(code);
}

async function expectNothingLeft(): Promise<void> {
  const vcenter = async () => {
    const { leases, halfMade, machines } = await site.labCall<Record<string, unknown>>('vcenter', 'GET', '/state');
    return { leases, halfMade, machines };
  };
  await expect.poll(vcenter, { timeout: 10_000 }).toEqual({ leases: [], halfMade: [], machines: 1 });
  const director = await site.labCall<Record<string, unknown>>('director', 'GET', '/state');
  expect(director).toMatchObject({ uploads: 0, downloads: 0, leftoverTransfers: [], leftoverDisks: [], rawDisks: 1 });
  expect(director.entities).toMatchObject({ vapp: 1, template: 0 });
  const { jobs } = await site.client.listJobs({ query: {} });
  for (const job of jobs) {
    const { entries } = await site.client.jobLedger({ job: job.id });
    expect(entries.filter(({ state }) => state === 'intent' || state === 'made')).toEqual([]);
  }
}

async function storedBytes(): Promise<number[]> {
  const { nodes } = await site.client.listNodes({});
  return nodes.map((node) => node.storage?.liveBytes ?? Number.NaN);
}

describe('a cloud that cannot be signed in to is a fault and is not stored', () => {
  const names = async () => (await site.client.listClouds({})).clouds.map(({ name }) => name).toSorted();

  it('for a wrong password', async () => {
    const { options, ready } = site.lab('director');
    expectFault(await addDirector('bad', options.url ?? '', ready.fingerprint, 'wrong'), 'auth.refused');
    expect(await names()).toEqual(['hostile', 'vc', 'vcd']);
  });

  it('for a host that cannot be reached, by port or by name', async () => {
    const { fingerprint } = site.lab('director').ready;
    expectFault(await addDirector('bad', 'https://127.0.0.1:1', fingerprint), 'cloud.unreachable');
    expectFault(await addDirector('bad', 'https://nowhere.invalid', fingerprint), 'cloud.unreachable');
    expect(await names()).toEqual(['hostile', 'vc', 'vcd']);
  });

  it('for a certificate that nobody confirmed', async () => {
    const { url = '' } = site.lab('director').options;
    expectFault(await addDirector('bad', url, proxy.fingerprint), 'cloud.untrusted');
    expect(await names()).toEqual(['hostile', 'vc', 'vcd']);
  });
});

describe('a hostile or broken package ends the copy with a fault and leaves nothing', () => {
  const descriptor =
    (change: (text: string) => string): Tamper =>
    (path, body) =>
      path.endsWith('.ovf') ? Buffer.from(change(body.toString('utf8'))) : undefined;
  const disk =
    (change: (body: Buffer) => Buffer): Tamper =>
    (path, body) =>
      path.endsWith('.vmdk') ? change(body) : undefined;
  const entity = (declaration: string) => (text: string) =>
    text
      .replace(/(<\?xml[^>]*\?>)?/, (head) => `${head}<!DOCTYPE Envelope [${declaration}]>`)
      .replace(/<ovf:Info>[^<]*<|<Info>[^<]*</, (info) => info.replace(/>[^<]*</, '>&secret;<'));

  const copy = () => terminal.run(['copy', 'hostile/vdc1/crm', 'vc/DC1/vm', '--name', 'trojan', '--json']);
  const cases: [string, Tamper, (keyof typeof faultKinds)[]][] = [
    ['an external entity', descriptor(entity('<!ENTITY secret SYSTEM "file:///etc/passwd">')), ['ovf.hostile']],
    [
      'entities that grow',
      descriptor(entity('<!ENTITY a "aaaaaaaaaa"><!ENTITY secret "&a;&a;&a;&a;">')),
      ['ovf.hostile'],
    ],
    [
      'a file outside of its folder',
      descriptor((text) => text.replace(/href="[^"]*\.vmdk"/, 'href="../../../../etc/passwd"')),
      ['ovf.hostile'],
    ],
    [
      'a file on another host',
      descriptor((text) => text.replace(/href="[^"]*\.vmdk"/, 'href="https://127.0.0.1:1/disk.vmdk"')),
      ['ovf.hostile'],
    ],
    ['a descriptor that is no XML', descriptor(() => 'MZ\u0000 not a descriptor'), ['ovf.invalid']],
    ['a disk that is no VMDK', disk((body) => Buffer.alloc(body.length, 0x41)), ['vmdk.invalid']],
    ['a disk that ends too early', disk((body) => body.subarray(0, body.length / 2)), ['vmdk.truncated']],
  ];
  for (const [what, tamper, codes] of cases) {
    it(`for ${what}`, async () => {
      const before = await storedBytes();
      proxy.tamper = tamper;
      const said = await copy();
      expectFault(said, ...codes);
      expect(`${said.stdout}${said.stderr}`).not.toContain('root:');
      await expectNothingLeft();
      if (!what.startsWith('a disk')) expect(await storedBytes()).toEqual(before);
    });
  }

  it('for a disk whose connection is cut each time, read without server and nodes', async () => {
    const { driver, options, ready } = site.lab('vcenter');
    const { password = '', ...open } = options;
    const objects = (await site.client.listObjects({ query: { cloud: await cloudId('vc'), path: '/DC1/vm/small' } }))
      .objects;
    const settings = join(terminal.home, 'roots.json');
    const object = objects[0]?.id ?? '';
    await writeFile(settings, JSON.stringify({ driver, options: open, fingerprint: ready.fingerprint, object }));
    await site.labCall('vcenter', 'POST', '/faults', {
      rules: [{ path: '/nfc', times: 0, action: 'cut', afterBytes: MiB }],
    });
    try {
      const said = await terminal.run(['roots', settings], { CLOUD_PASSWORD: password });
      expectFault(said, 'vmdk.truncated', 'cloud.unreachable');
    } finally {
      await site.labCall('vcenter', 'POST', '/faults', {});
      await rm(settings);
    }
    await expectNothingLeft();
  });
});

async function cloudId(name: string): Promise<string> {
  const { clouds } = await site.client.listClouds({});
  return clouds.find((cloud) => cloud.name === name)?.id ?? '';
}
