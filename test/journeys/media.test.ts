import { createHash, randomBytes, X509Certificate } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Agent, fetch } from 'undici';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createIdentity } from '../../src/base/identity.ts';
import { plainHex } from '../../src/base/tls.ts';
import { escapeName } from '../../src/model/path.ts';
import { Installation } from './installation.ts';
import { faultCode, Terminal } from './terminal.ts';
import { directorWorld, vcenterWorld } from './worlds.ts';

const MIB = 1024 * 1024;
/** With a stretch of zeros inside, and an end that is no whole block. */
const image = Buffer.concat([randomBytes(MIB + 100), Buffer.alloc(3 * MIB), randomBytes(MIB), Buffer.alloc(17)]);
const SHA256 = createHash('sha256').update(image).digest('hex');
const anyone = new Agent({ connect: { rejectUnauthorized: false } });

let site: Installation;
let terminal: Terminal;
let folder: string;
let web: { server: Server; origin: string; fingerprint: string };
/** Ranges that were asked for; after how many bytes an answer is cut; how long the file is then. */
const ranges: string[] = [];
let cutAfter = Number.POSITIVE_INFINITY;
let length = (_: number) => image.length;

beforeAll(async () => {
  terminal = await Terminal.open();
  folder = await mkdtemp(join(tmpdir(), 'cloudspan-media-'));
  await writeFile(join(folder, 'rescue.iso'), image);
  web = await startWeb();
  site = await Installation.start({ vcenterWorld, directorWorld });
  await terminal.signIn(site.account);
}, 120_000);
afterAll(async () => {
  await site?.[Symbol.asyncDispose]();
  await terminal?.[Symbol.asyncDispose]();
  web?.server.closeAllConnections();
  web?.server.close();
  await anyone.close();
  if (folder !== undefined) await rm(folder, { recursive: true, force: true });
});

/** A plain web server that gives parts of one image. */
async function startWeb(): Promise<typeof web> {
  const identity = await createIdentity('localhost', ['127.0.0.1']);
  const server = createServer({ key: identity.key, cert: identity.certificate }, (request, response) => {
    if (request.url === '/whole/net.iso') return void response.writeHead(200).end(image);
    if (request.url !== '/pub/net.iso') return void response.writeHead(404).end();
    const [, from = '0', to = '0'] = /bytes=(\d+)-(\d+)/.exec(request.headers.range ?? '') ?? [];
    ranges.push(`${from}-${to}`);
    const part = image.subarray(Number(from), Number(to) + 1);
    response.writeHead(206, {
      'content-range': `bytes ${from}-${to}/${length(ranges.length)}`,
      'content-length': part.length,
      etag: '"1"',
    });
    if (part.length <= cutAfter) response.end(part);
    else response.write(part.subarray(0, cutAfter), () => response.destroy());
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return {
    server,
    origin: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
    fingerprint: plainHex(new X509Certificate(identity.certificate).fingerprint256),
  };
}

/** What the vCenter's own file access gives. */
async function sha256OnDatastore(name: string, at = 'ISO'): Promise<string> {
  const { url = '', username, password } = site.lab('vcenter').options;
  const basic = Buffer.from(`${username}:${password}`).toString('base64');
  const path = `/folder/${at}/${encodeURIComponent(name)}?dcPath=DC1&dsName=fast`;
  const answer = await fetch(new URL(path, url), { headers: { authorization: `Basic ${basic}` }, dispatcher: anyone });
  expect(answer.status, path).toBe(200);
  return createHash('sha256')
    .update(Buffer.from(await answer.arrayBuffer()))
    .digest('hex');
}

/** What Cloud Director's own download gives. */
async function sha256InCatalog(name: string): Promise<string> {
  const { url = '', username, organization, password } = site.lab('director').options;
  const basic = Buffer.from(`${username}@${organization}:${password}`).toString('base64');
  const login = await fetch(new URL('/cloudapi/1.0.0/sessions', url), {
    method: 'POST',
    headers: { authorization: `Basic ${basic}`, accept: 'application/json;version=37.0' },
    dispatcher: anyone,
  });
  const authorization = `Bearer ${login.headers.get('x-vmware-vcloud-access-token')}`;
  const call = async (method: string, href: string) => {
    const headers = { authorization, accept: 'application/*+xml;version=37.0' };
    const answer = await fetch(new URL(href, url), { method, headers, dispatcher: anyone });
    expect(answer.ok, `${method} ${href}: ${answer.status}`).toBe(true);
    return Buffer.from(await answer.arrayBuffer());
  };
  const records = (await call('GET', '/api/query?type=media&format=records&pageSize=128')).toString();
  const record = [...records.matchAll(/<MediaRecord\b[^>]*>/g)].find(([tag]) => tag.includes(` name="${name}"`))?.[0];
  const href = /\bhref="([^"]+)"/.exec(record ?? '')?.[1] ?? '';
  await call('POST', `${href}/action/enableDownload`);
  for (;;) {
    const link = /rel="download:default" href="([^"]+)"/.exec((await call('GET', href)).toString())?.[1];
    if (link === undefined) {
      await sleep(50);
      continue;
    }
    const bytes = await call('GET', link);
    await call('POST', `${href}/action/disableDownload`);
    return createHash('sha256').update(bytes).digest('hex');
  }
}

interface Ended {
  job: number;
  state: string;
  result: { object: { id: string; kind: string; name: string }; differences: { nature: string }[] };
  receipt: { disks: { sourceRoot: string; destinationRoot: string; capacityBytes: number }[] };
}

async function done(words: string[], bytes = image.length): Promise<Ended> {
  const said = await terminal.run([...words, '--json']);
  expect(said.code, `${said.stdout.slice(-2000)}${said.stderr}`).toBe(0);
  const ended = said.json as unknown as Ended;
  expect(ended.result.object.kind).toBe('media');
  expect(ended.result.differences.filter(({ nature }) => nature === 'lost')).toEqual([]);
  const [disk, ...others] = ended.receipt.disks;
  expect(others).toEqual([]);
  expect(disk?.capacityBytes).toBe(bytes);
  expect(disk?.destinationRoot).toBe(disk?.sourceRoot);
  return ended;
}

/** Waits until the inventory shows it: clouds that are asked are asked every few seconds. */
async function shown(path: string): Promise<void> {
  const [name = '', ...names] = path.split('/');
  const cloud = (await site.client.listClouds({})).clouds.find((one) => one.name === name);
  const query = { cloud: cloud?.id ?? '', path: `/${names.join('/')}` };
  await site.until(async () => (await site.client.listObjects({ query })).objects[0], 15, `${path} is not there`);
}

describe('an image of a disc', () => {
  it('comes from this machine into a catalog and onto a datastore, byte for byte', async () => {
    const file = join(folder, 'rescue.iso');
    await done(['import', file, 'vcd/templates']);
    expect(await sha256InCatalog('rescue.iso')).toBe(SHA256);
    await done(['import', file, 'vc/DC1/vm', '--datastore', 'fast']);
    expect(await sha256OnDatastore('rescue.iso')).toBe(SHA256);
    expect((await readdir(folder)).toSorted()).toEqual(['rescue.iso']);
    await done(['import', file, 'vc/DC1/datastore/fast', '--name', 'deep', '--media-folder', 'ISO/linux']);
    expect(await sha256OnDatastore('deep.iso', 'ISO/linux')).toBe(SHA256);
  });

  it('comes from an https address, also over a connection that breaks', async () => {
    const words = ['import', `${web.origin}/pub/net.iso`, '--fingerprint', web.fingerprint];
    cutAfter = MIB;
    try {
      await done([...words.slice(0, 2), 'vcd/templates', ...words.slice(2)]);
      expect(await sha256InCatalog('net.iso')).toBe(SHA256);
      await done([...words.slice(0, 2), 'vc/DC1/vm', ...words.slice(2), '--datastore', 'fast']);
      expect(await sha256OnDatastore('net.iso')).toBe(SHA256);
      expect(ranges.filter((range) => !range.startsWith('0-')).length).toBeGreaterThan(2);
    } finally {
      cutAfter = Number.POSITIVE_INFINITY;
    }
  });

  it('is copied from a catalog to a datastore, from there to another catalog, and proven later', async () => {
    await shown('vcd/templates/rescue.iso');
    const words = ['copy', 'vcd/templates/rescue.iso', 'vc/DC1/vm', '--datastore', 'fast', '--name', 'copied.iso'];
    const there = await done(words);
    expect(await sha256OnDatastore('copied.iso')).toBe(SHA256);
    const onStore = `vc/id:${escapeName(there.result.object.id)}`;
    const back = await done(['copy', onStore, 'vcd/spare']);
    expect(back.result.object.name).toBe('copied.iso');
    expect(await sha256InCatalog('copied.iso')).toBe(SHA256);

    const receipt = join(terminal.home, 'receipt.json');
    await writeFile(receipt, (await terminal.run(['jobs', 'receipt', String(back.job)])).stdout);
    for (const path of [onStore, `vcd/id:${back.result.object.id}`]) {
      const said = await terminal.run(['verify', receipt, '--against', path, '--json']);
      expect(said.code, said.stdout + said.stderr).toBe(0);
    }
    // By the name of the datastore, as people write it.
    const named = `vc/id:${escapeName('[fast] ISO/rescue.iso')}`;
    expect((await terminal.run(['verify', receipt, '--against', named])).code).toBe(0);
    const other = await terminal.run(['verify', receipt, '--against', 'vc/DC1/vm/Templates/golden', '--json']);
    expect(faultCode(other)).toBe('receipt.outdated');
  });

  it('goes on when the node at its destination is killed in the middle', async () => {
    const big = join(folder, 'big.iso');
    await writeFile(big, Buffer.concat(Array.from({ length: 5 }, () => randomBytes(8 * MIB + 1))));
    const digest = createHash('sha256')
      .update(await readFile(big))
      .digest('hex');
    const onStore = (await done(['import', big, 'vc/DC1/datastore/fast'], 40 * MIB + 5)).result.object.id;
    await site.labCall('director', 'POST', '/faults', {
      rules: [{ method: 'PUT', path: '/transfer/*', times: 0, action: { kind: 'slow', bytesPerSecond: 8 * MIB } }],
    });
    const job = await site.copy({ source: `vc/id:${escapeName(onStore)}`, destination: 'vcd/spare' });
    await site.until(
      async () => {
        const [disk] = (await site.client.getJob({ job: job.id })).progress?.disks ?? [];
        return (disk?.givenBytes ?? 0) > 6 * MIB ? true : undefined;
      },
      60,
      'nothing was uploaded',
    );
    await site.kill('destination');
    await site.revive('destination');
    const end = await site.end(job.id);
    await site.labCall('director', 'POST', '/faults', { rules: [] });
    expect(end.state, JSON.stringify(end.failure)).toBe('succeeded');
    expect(await sha256InCatalog('big.iso')).toBe(digest);
    const state = await site.labCall<{ entities: Record<string, number> }>('director', 'GET', '/state');
    expect(state.entities.media).toBe(4);
  });

  it('leaves as a file that is the same', async () => {
    const to = join(folder, 'out');
    await done(['export', 'vcd/templates/rescue.iso', '--to', to, '--plain']);
    expect((await readFile(join(to, 'rescue.iso'))).equals(image)).toBe(true);
    expect(await readdir(to)).toEqual(['rescue.iso']);
  });
});

describe('what cannot be done with an image of a disc is said before anything is made', () => {
  const file = () => join(folder, 'rescue.iso');
  const refusals: [string, () => string[], string, string][] = [
    ['a VDC as its place', () => ['import', file(), 'vcd/vdc1'], 'object.wrong-kind', 'catalog'],
    ['to be powered on', () => ['import', file(), 'vcd/spare', '--power-on'], 'input.invalid', 'image of a disc'],
    ['a name that is taken', () => ['import', file(), 'vcd/templates'], 'preflight.failed', 'already'],
    [
      'a folder outside of the datastore',
      () => ['import', file(), 'vc/DC1/vm', '--name', 'no.iso', '--media-folder', '../etc'],
      'preflight.failed',
      'no folder of a datastore',
    ],
    [
      'a machine on a datastore',
      () => ['copy', 'vc/DC1/vm/Templates/golden', 'vc/DC1/datastore/fast'],
      'object.wrong-kind',
      'folder',
    ],
    [
      'an address that gives no parts',
      () => ['import', `${web.origin}/whole/net.iso`, 'vcd/spare', '--fingerprint', web.fingerprint],
      'cloud.unsupported',
      'parts of a file',
    ],
    ['an address without TLS', () => ['import', 'http://127.0.0.1/net.iso', 'vcd/spare'], 'input.invalid', 'https'],
    ['a file that is not there', () => ['import', join(folder, 'none.iso'), 'vcd/spare'], 'object.missing', 'none.iso'],
  ];
  for (const [what, words, code, text] of refusals) {
    it(what, async () => {
      const said = await terminal.run([...words(), '--json']);
      expect(faultCode(said), said.stdout + said.stderr).toBe(code);
      expect(said.stdout + said.stderr).toContain(text);
      await nothingLeft();
    });
  }

  it('an image that grows at its address while it is read', async () => {
    const before = ranges.length;
    cutAfter = MIB;
    length = (count) => image.length + (count > before + 6 ? 1 : 0);
    try {
      const words = ['import', `${web.origin}/pub/net.iso`, 'vcd/spare', '--fingerprint', web.fingerprint, '--json'];
      const said = await terminal.run(words);
      expect(faultCode(said), said.stdout.slice(-2000) + said.stderr).toBe('disk.changed');
      await nothingLeft();
    } finally {
      cutAfter = Number.POSITIVE_INFINITY;
      length = () => image.length;
    }
  });
});

async function nothingLeft(): Promise<void> {
  const state = await site.labCall<Record<string, unknown>>('director', 'GET', '/state');
  expect(state).toMatchObject({ uploads: 0, downloads: 0, leftoverTransfers: [], leftoverDisks: [] });
  expect((await site.client.listClouds({})).clouds.map(({ name }) => name).toSorted()).toEqual(['vc', 'vcd']);
  for (const job of (await site.client.listJobs({ query: {} })).jobs) {
    const { entries } = await site.client.jobLedger({ job: job.id });
    expect(entries.filter(({ state: is }) => is === 'intent' || is === 'made')).toEqual([]);
  }
}
