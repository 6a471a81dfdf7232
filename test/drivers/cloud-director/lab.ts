import { once } from 'node:events';
import { mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Agent, request } from 'undici';
import { type RunningCloudDirector, startCloudDirector } from '../../../sims/cloud-director/index.ts';
import { driver } from '../../../src/drivers/cloud-director/index.ts';
import { DiskContent } from '../conformance/disk-content.ts';
import { quietLog } from '../conformance/work.ts';
import type { KnownSource, World } from '../conformance/world.ts';

const MIB = 1024 * 1024;

export interface Lab extends World {
  sim: RunningCloudDirector;
  /** Replaces the fault rules; how often each was looked at is in `seen`. */
  setRules(rules: unknown[]): Promise<void>;
  /** A call behind the driver's back. */
  api(method: 'GET' | 'POST' | 'PUT' | 'DELETE', path: string, body?: string, type?: string): Promise<string>;
  /** The fault rules and their counters, JSON. */
  rules(): Promise<string>;
  uuidOf(type: string, name: string): Promise<string>;
  token(): string;
  /** Begins an upload; its task stays open. */
  upload(path: string, body: string): Promise<void>;
  state(): Promise<{
    entities: Record<string, number>;
    uploads: number;
    downloads: number;
    leftoverDisks: string[];
    leftoverTransfers: string[];
  }>;
}

/** A lab of its own with known disks; every disk of the world is a raw file that is made here. */
export async function startLab(): Promise<Lab> {
  const folder = await mkdtemp(join(tmpdir(), 'cloudspan-cloud-director-'));
  const contents = new Map<string, DiskContent>();
  const disk = async (seed: string, sizeMb: number) => {
    const content = new DiskContent(seed, sizeMb * MIB);
    const path = join(folder, `${contents.size}.raw`);
    contents.set(seed, content);
    const file = await open(path, 'w');
    for (const { index, data } of content.blocks()) await file.write(data, 0, data.length, index * MIB);
    await file.truncate(content.capacityBytes);
    await file.close();
    return { sizeMb, content: { kind: 'file', path } };
  };
  const vm = async (name: string, sizes: number[], more = {}) => ({
    name,
    osType: 'debian12_64Guest',
    disks: await Promise.all(sizes.map((size, index) => disk(`${name}/${index}`, size))),
    nics: [{ network: 'net1', mode: 'DHCP' }],
    ...more,
  });
  const world = {
    taskMilliseconds: 20,
    orgs: [
      { name: 'org0', vdcs: [{ name: 'vdc0' }], catalogs: [{ name: 'elsewhere' }] },
      {
        name: 'org1',
        vdcs: [
          {
            name: 'vdc1',
            storageProfiles: [{ name: '*' }, { name: 'gold', limitMb: 4096 }],
            networks: [{ name: 'net1', gateway: '10.1.1.1', ranges: [{ start: '10.1.1.10', end: '10.1.1.200' }] }],
            vapps: [
              { name: 'alone', vms: [await vm('alone', [9])] },
              { name: 'shop', description: 'notes', vms: [await vm('web', [5, 2]), await vm('db', [3])] },
              { name: 'busy', vms: [await vm('busy', [1], { poweredOn: true })] },
              { name: 'spare', vms: [await vm('spare', [1])] },
              { name: 'doomed', vms: [await vm('doomed', [1])] },
            ],
          },
        ],
        catalogs: [{ name: 'templates', templates: [{ name: 'golden', vms: [await vm('golden', [4])] }] }],
      },
    ],
  };
  const worldFile = join(folder, 'world.json');
  await writeFile(worldFile, JSON.stringify(world));
  const sim = await startCloudDirector({ data: join(folder, 'data'), world: worldFile });
  const agent = new Agent({ connect: { rejectUnauthorized: false } });
  const send = async (method: string, path: string, headers: Record<string, string>, body?: string | Buffer) => {
    const url = path.startsWith('https:') ? path : sim.url + path;
    const options = { method: method as 'GET', dispatcher: agent, headers, ...(body === undefined ? {} : { body }) };
    const response = await request(url, options);
    const text = await response.body.text();
    if (response.statusCode >= 300) throw new Error(`${method} ${path}: ${response.statusCode} ${text}`);
    return { text, headers: response.headers };
  };
  let token: string | undefined;
  const login = async () => {
    const basic = Buffer.from(`${sim.user}@${sim.org}:${sim.password}`).toString('base64');
    const headers = { authorization: `Basic ${basic}`, accept: 'application/json;version=37.0' };
    const answer = await send('POST', '/cloudapi/1.0.0/sessions', headers);
    ownLogins += 1;
    return String(answer.headers['x-vmware-vcloud-access-token']);
  };
  let ownLogins = 0;
  const api: Lab['api'] = async (method, path, body, type) => {
    token ??= await login();
    const alive = { authorization: `Bearer ${token}`, accept: 'application/json;version=37.0' };
    await send('GET', '/cloudapi/1.0.0/sessions/current', alive).catch(async () => {
      token = await login();
    });
    const headers = { authorization: `Bearer ${token}`, accept: 'application/*+xml;version=37.0' };
    const answer = await send(method, path, type === undefined ? headers : { ...headers, 'content-type': type }, body);
    const task = /<(?:\w+:)?Task\b[^>]*href="([^"]+)"/.exec(answer.text)?.[1];
    if (method !== 'GET' && task !== undefined) {
      while (!/status="(success|error)"/.test((await send('GET', task, headers)).text)) await sleep(20);
    }
    return answer.text;
  };
  const lab = async (method: string, path: string, body?: string) =>
    (await send(method, path, { 'x-lab-key': sim.labKey, 'content-type': 'application/json' }, body)).text;

  const loginRule = {
    method: 'POST',
    path: '/cloudapi/1.0.0/sessions*',
    times: 0,
    action: { kind: 'delay', milliseconds: 0 },
  };
  let counted = 0;
  const seenLogins = async () => {
    const { rules } = JSON.parse(await lab('GET', '/lab/faults')) as { rules: { seen: number }[] };
    return rules[0]?.seen ?? 0;
  };
  const setRules = async (rules: unknown[]) => {
    counted += await seenLogins();
    await lab('POST', '/lab/faults', JSON.stringify({ rules: [loginRule, ...rules] }));
  };
  await setRules([]);

  const uuids = async (type: string, name: string) => {
    const text = await api('GET', `/api/query?type=${type}&format=records&pageSize=128`);
    const record = [...text.matchAll(/<\w*Record\b[^>]*>/g)]
      .map(([tag]) => tag)
      .find((tag) => tag.includes(` name="${name}"`));
    const href = /\bhref="([^"]+)"/.exec(record ?? '')?.[1];
    if (href === undefined) throw new Error(`the lab has no ${type} "${name}"`);
    return href.slice(-36);
  };
  const disksOf = (...seeds: string[]) =>
    seeds.map((seed) => ({ capacityBytes: contents.get(seed)!.capacityBytes, root: contents.get(seed)!.root() }));
  const source = (id: string, name: string, ...seeds: string[]): KnownSource => ({
    id,
    name,
    disks: disksOf(...seeds),
  });
  const free = createServer().listen(0, '127.0.0.1');
  await once(free, 'listening');
  const { port } = free.address() as { port: number };
  free.close();
  const options = { url: sim.url, organization: sim.org, username: sim.user, password: sim.password };
  const doomed = await uuids('vApp', 'doomed');
  const spare = await uuids('vApp', 'spare');
  const network = await uuids('orgVdcNetwork', 'net1');
  const catalog = await uuids('catalog', 'templates');
  const image = new DiskContent('known image', 3 * MIB + 17, 'file');
  const putImage = async (name: string) => {
    const media = `<Media xmlns="http://www.vmware.com/vcloud/v1.5" name="${name}" imageType="iso" size="${image.capacityBytes}"/>`;
    const headers = { authorization: `Bearer ${token}`, accept: 'application/*+xml;version=37.0' };
    const type = { 'content-type': 'application/vnd.vmware.vcloud.media+xml' };
    const item = await send('POST', `/api/catalog/${catalog}/action/upload`, { ...headers, ...type }, media);
    const href = /\bhref="([^"]+\/api\/media\/[^"]+)"/.exec(item.text)?.[1] ?? '';
    const link = /\bhref="([^"]+\/transfer\/[^"]+)"/.exec((await send('GET', href, headers)).text)?.[1] ?? '';
    const bytes = Buffer.alloc(image.capacityBytes);
    for (const { index, data } of image.blocks()) data.copy(bytes, index * MIB);
    await send('PUT', link, headers, bytes);
    while (!/status="1"/.test((await send('GET', href, headers)).text)) await sleep(20);
    return `urn:vcloud:media:${href.slice(-36)}`;
  };
  const media = await putImage('known image.iso');
  let changes = 0;
  const state: Lab['state'] = async () =>
    JSON.parse(await lab('GET', '/lab/state')) as Awaited<ReturnType<Lab['state']>>;
  return {
    sim,
    setRules,
    api,
    state,
    rules: () => lab('GET', '/lab/faults'),
    uuidOf: uuids,
    token: () => token ?? '',
    async upload(path, body) {
      const type = 'application/vnd.vmware.vcloud.uploadVAppTemplateParams+xml';
      const headers = {
        authorization: `Bearer ${token}`,
        accept: 'application/*+xml;version=37.0',
        'content-type': type,
      };
      await send('POST', path, headers, body);
    },
    driver,
    settings: {
      options,
      trust: { kind: 'pin', sha256: sim.fingerprint },
      label: 'org1-cloud',
      log: quietLog,
      stallSeconds: 30,
    },
    wrongPassword: { ...options, password: 'not the password' },
    unreachable: { ...options, url: `https://127.0.0.1:${port}` },
    vm: source(`urn:vcloud:vm:${await uuids('vm', 'alone')}`, 'alone', 'alone/0'),
    vapp: source(`urn:vcloud:vapp:${await uuids('vApp', 'shop')}`, 'shop', 'web/0', 'web/1', 'db/0'),
    template: source(`urn:vcloud:vapptemplate:${await uuids('vAppTemplate', 'golden')}`, 'golden', 'golden/0'),
    media: { id: media, name: 'known image.iso', disks: [{ capacityBytes: image.capacityBytes, root: image.root() }] },
    running: `urn:vcloud:vm:${await uuids('vm', 'busy')}`,
    machines: `urn:vcloud:vdc:${await uuids('orgVdc', 'vdc1')}`,
    templates: `urn:vcloud:catalog:${catalog}`,
    images: `urn:vcloud:catalog:${catalog}`,
    network: { id: `urn:vcloud:network:${network}`, name: 'net1' },
    oddName: '50 % / "Größe" & <ß> 漢字',
    givesChecksums: true,
    // The BIOS UUID of a machine out of a template is the provider's choice; boot order has no place in this API.
    lost: ['uuid', 'bootOrder'],
    logins: async () => counted + (await seenLogins()) - ownLogins,
    openTransfers: async () => {
      const { uploads, downloads } = await state();
      return uploads + downloads;
    },
    async change() {
      const name = `spare ${++changes}`;
      const body = `<VApp xmlns="http://www.vmware.com/vcloud/v1.5" name="${name}"/>`;
      await api('PUT', `/api/vApp/vapp-${spare}`, body, 'application/vnd.vmware.vcloud.vApp+xml');
      return { id: `urn:vcloud:vapp:${spare}`, seen: (object) => object.name === name };
    },
    async remove() {
      await api('DELETE', `/api/vApp/vapp-${doomed}`);
      return `urn:vcloud:vapp:${doomed}`;
    },
    async expireSessions() {
      await lab('POST', '/lab/expire-sessions');
      token = undefined;
    },
    answerBusy: (retryAfter) => setRules([{ path: '/api/*', action: { kind: 'fail', status: 503, retryAfter } }]),
    cutUpload: (afterBytes) =>
      setRules([{ method: 'PUT', path: '/transfer/*.vmdk', action: { kind: 'cut', afterBytes } }]),
    cutMediaUpload: (afterBytes) =>
      setRules([{ method: 'PUT', path: '/transfer/*/file', action: { kind: 'cut', afterBytes } }]),
    async mediaNames() {
      const text = await api('GET', '/api/query?type=media&format=records&pageSize=128');
      return [...text.matchAll(/<\w*Record\b[^>]*? name="([^"]*)"/g)].map(([, name]) => name!);
    },
    async takeMedia(id) {
      await api('DELETE', `/api/media/${id.slice(-36)}/metadata/cloudspan.marker`);
    },
    // The driver goes on after a cut; only a connection that never lasts makes it give up.
    cutDownload: (afterBytes) =>
      setRules([
        { method: 'GET', path: '/transfer/*.vmdk', action: { kind: 'cut', afterBytes } },
        { method: 'GET', path: '/transfer/*.vmdk', nth: 2, times: 4, action: { kind: 'cut', afterBytes: 0 } },
      ]),
    async stripMarker(id) {
      await api('DELETE', `/api/vApp/vapp-${id.slice(-36)}/metadata/cloudspan.marker`);
    },
    async reconfigure(id) {
      const type = 'application/vnd.vmware.vcloud.vApp+xml';
      const body = '<Description>somebody was here</Description>';
      const vapp = `<VApp xmlns="http://www.vmware.com/vcloud/v1.5" name="changed ${id.slice(-12)}">${body}</VApp>`;
      await api('PUT', `/api/vApp/vapp-${id.slice(-36)}`, vapp, type);
    },
    async close() {
      await sim.close();
      await agent.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
