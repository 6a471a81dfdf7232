import { X509Certificate } from 'node:crypto';
import { mkdtemp, open, readFile, rm, stat } from 'node:fs/promises';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createIdentity } from '../../src/base/identity.ts';
import { plainHex } from '../../src/base/tls.ts';
import type { Cloud } from '../../src/drivers/driver.ts';
import { folderDriver } from '../../src/drivers/folder/index.ts';
import { BlockMap, hashBlock, isZero } from '../../src/model/block-map.ts';
import { exportRoots, faultOf, madePackage, newWork, quietLog, snapshot } from './conformance/work.ts';
import { put } from './folder-world.ts';

const MIB = 1024 * 1024;
const identity = await createIdentity('localhost', ['127.0.0.1']);
const fingerprint = plainHex(new X509Certificate(identity.certificate).fingerprint256);
const made = madePackage('appliance', [12 * MIB]);
let root: string;
let server: Server;
let origin: string;
/** Bytes after which an answer is cut; ranges that were asked for; the name of the version. */
let cutAfter = Number.POSITIVE_INFINITY;
let ranges: string[] = [];
let etag = '"1"';

async function connect(address: string, pin?: string): Promise<Cloud> {
  const driver = folderDriver({ roots: [address], identity, ...(pin === undefined ? {} : { fingerprint: pin }) });
  const trust = { kind: 'pin' as const, sha256: '0'.repeat(64) };
  const settings = { options: { folder: address }, trust, label: 'web', log: quietLog, stallSeconds: 5 };
  return driver.connect(settings, AbortSignal.timeout(10_000));
}

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'cloudspan-remote-'));
  const cloud = await connect(root);
  await put(cloud, made, '/', { format: 'ova' });
  await cloud.close();
  const file = join(root, 'appliance.ova');
  const { size } = await stat(file);
  server = createServer({ key: identity.key, cert: identity.certificate }, async (request, response) => {
    if (request.url === '/moved/appliance.ova') {
      response.writeHead(302, { location: '/appliance.ova' }).end();
      return;
    }
    if (request.url === '/whole/appliance.ova') {
      response.writeHead(200).end(await readFile(file));
      return;
    }
    if (request.url !== '/appliance.ova' && request.url !== '/pub/rescue.iso') {
      response.writeHead(404).end();
      return;
    }
    const [, from = '0', to = '0'] = /bytes=(\d+)-(\d+)/.exec(request.headers.range ?? '') ?? [];
    ranges.push(`${from}-${to}`);
    const length = Number(to) - Number(from) + 1;
    const bytes = Buffer.alloc(length);
    await using handle = await open(file, 'r');
    await handle.read(bytes, 0, length, Number(from));
    response.writeHead(206, { 'content-range': `bytes ${from}-${to}/${size}`, 'content-length': length, etag });
    if (length <= cutAfter) response.end(bytes);
    else response.write(bytes.subarray(0, cutAfter), () => response.destroy());
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  origin = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(async () => {
  server?.closeAllConnections();
  server?.close();
  await rm(root, { recursive: true, force: true });
});

const roots = [...made.contents.values()].map((content) => content.root());

test('an OVA behind an address is read in parts, and goes on where a connection broke', async () => {
  for (const path of ['/appliance.ova', '/moved/appliance.ova']) {
    ranges = [];
    cutAfter = 2 * MIB;
    const cloud = await connect(`${origin}${path}`, fingerprint);
    try {
      expect((await snapshot(cloud)).map(({ kind, name }) => [kind, name]).at(-1)).toEqual(['vm', 'appliance']);
      expect((await exportRoots(cloud, 'appliance.ova')).roots).toEqual(roots);
      const starts = ranges.map((range) => Number(range.split('-')[0]));
      expect(starts.filter((start) => start >= 2 * MIB).length).toBeGreaterThan(1);
    } finally {
      cutAfter = Number.POSITIVE_INFINITY;
      await cloud.close();
    }
  }
});

test('an image of a disc behind an address is read in parts, to its last byte', async () => {
  ranges = [];
  cutAfter = 2 * MIB;
  const cloud = await connect(`${origin}/pub/rescue.iso`, fingerprint);
  try {
    const found = (await snapshot(cloud)).at(-1);
    expect(found).toMatchObject({ kind: 'media', name: 'rescue.iso', abilities: ['export'] });
    const { disks, roots: read } = await exportRoots(cloud, 'rescue.iso');
    const bytes = await readFile(join(root, 'appliance.ova'));
    expect(disks).toEqual([{ kind: 'file', id: 'image', capacityBytes: bytes.length }]);
    const map = new BlockMap('file', bytes.length);
    for (let index = 0; index < map.blocks; index++) {
      const block = bytes.subarray(index * MIB, (index + 1) * MIB);
      if (!isZero(block)) map.set(index, hashBlock(block));
    }
    expect(read).toEqual([map.root()]);
    expect(ranges.length).toBeGreaterThan(2);
  } finally {
    cutAfter = Number.POSITIVE_INFINITY;
    await cloud.close();
  }
});

test('a file that changes meanwhile is never mixed', async () => {
  const cloud = await connect(`${origin}/appliance.ova`, fingerprint);
  try {
    const work = newWork();
    const opened = await cloud.exports!.open('appliance.ova', work);
    etag = '"2"';
    const read = Array.fromAsync(opened.read(opened.description.machines[0]!.disks[0]!.id, work.signal));
    expect((await faultOf(read)).code).toBe('disk.changed');
    await opened.close('abandoned');
  } finally {
    etag = '"1"';
    await cloud.close();
  }
});

test('a certificate that nobody vouches for, plain http and a server without ranges are refused', async () => {
  for (const [address, pin, code] of [
    [`${origin}/appliance.ova`, undefined, 'cloud.untrusted'],
    [`${origin}/appliance.ova`, '0'.repeat(64), 'cloud.untrusted'],
    [`${origin}/whole/appliance.ova`, fingerprint, 'cloud.unsupported'],
    [`${origin}/gone.ova`, fingerprint, 'object.missing'],
  ] as const) {
    const cloud = await connect(address, pin);
    const id = address.split('/').at(-1)!;
    expect((await faultOf(cloud.exports!.describe(id, AbortSignal.timeout(10_000)))).code, address).toBe(code);
    await cloud.close();
  }
  expect((await faultOf(connect('http://127.0.0.1/appliance.ova'))).code).toBe('input.invalid');
});
