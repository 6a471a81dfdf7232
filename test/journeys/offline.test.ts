import { spawn } from 'node:child_process';
import { cp, mkdtemp, open, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createLog } from '../../src/base/log.ts';
import { joinPath } from '../../src/model/path.ts';
import { readRoots } from '../../src/node/roots.ts';
import type { ReceiptSchema } from '../../src/protocol/nouns.ts';
import { filesBelow } from '../drivers/folder-world.ts';
import { Installation } from './installation.ts';
import { filesWith } from './secrets.ts';
import { faultCode, Terminal } from './terminal.ts';
import { directorWorld, vcenterWorld } from './worlds.ts';

const MAIN = resolve(import.meta.dirname, '../../src/main.ts');
const PASSPHRASE = 'a passphrase of several words';
const MIB = 1024 * 1024;
/** Neither the node at the vCenter nor the one of the command can be dialled without it: else they meet at the relay. */
const LISTEN = ['--listen', '127.0.0.1:0'];

let site: Installation;
let terminal: Terminal;
let disk: string;
let secret: string;

beforeAll(async () => {
  terminal = await Terminal.open();
  site = await Installation.start({ vcenterWorld, directorWorld });
  disk = await mkdtemp(join(tmpdir(), 'cloudspan-usb-'));
  secret = join(terminal.home, 'passphrase');
  await writeFile(secret, `${PASSPHRASE}\n`);
  await terminal.signIn(site.account);
}, 120_000);
afterAll(async () => {
  await site?.[Symbol.asyncDispose]();
  await terminal?.[Symbol.asyncDispose]();
  if (disk !== undefined) await rm(disk, { recursive: true, force: true });
});

async function idOf(path: string): Promise<string> {
  const [cloudName = '', ...names] = path.split('/');
  const cloud = (await site.client.listClouds({})).clouds.find((one) => one.name === cloudName);
  return site.until(
    async () => {
      const { objects } = await site.client.listObjects({ query: { cloud: cloud?.id ?? '', path: joinPath(names) } });
      return objects[0]?.id;
    },
    15,
    `${path} is not in the inventory`,
  );
}

/** The roots of an object's disks, read by a session of our own. */
async function roots(cloud: 'vc' | 'vcd', object: string): Promise<string[]> {
  const lab = site.lab(cloud === 'vc' ? 'vcenter' : 'director');
  const { password = '', ...options } = lab.options;
  const settings = { driver: lab.driver, options, fingerprint: lab.ready.fingerprint, object };
  return (await readRoots(settings, password, createLog('test', 'silent'))).disks.map(({ root }) => root);
}

/** Nothing of the command is left at the server. */
async function expectNoCarrier(): Promise<void> {
  expect((await site.client.listNodes({})).nodes.map(({ name }) => name).toSorted()).toEqual(['destination', 'source']);
  expect((await site.client.listClouds({})).clouds.map(({ name }) => name).toSorted()).toEqual(['vc', 'vcd']);
}

interface Ended {
  job: number;
  state: string;
  result: { object: { id: string; name: string }; differences: { field: string; nature: string }[] };
  receipt: (typeof ReceiptSchema)['_output'];
}

async function carried(words: string[]): Promise<Ended> {
  const said = await terminal.run([...words, '--json']);
  expect(said.code, `${said.stdout.slice(-2000)}${said.stderr}`).toBe(0);
  return said.json as unknown as Ended;
}

describe('a machine carried on a disk', () => {
  it('leaves as a package that says nothing of it, and arrives equal at the other cloud', async () => {
    const folder = join(disk, 'first');
    const sealed = ['--passphrase-file', secret];
    const out = await carried(['export', 'vc/DC1/vm/Web/web-01', '--to', folder, ...sealed]);
    expect(out.state).toBe('succeeded');
    expect(out.result.differences).toEqual([]);
    await expectNoCarrier();
    expect((await readdir(folder)).filter((name) => name.startsWith('.'))).toEqual([]);
    const said = ['web-01', 'VM Network', 'debian12_64Guest', 'front end', PASSPHRASE];
    expect(await filesWith(folder, said)).toEqual([]);
    for (const file of await filesBelow(folder)) expect(file).not.toContain('web-01');

    const back = await carried(['import', folder, 'vcd/vdc1', ...sealed, '--network', 'VM Network=net1']);
    const source = await roots('vc', await idOf('vc/DC1/vm/Web/web-01'));
    expect(await roots('vcd', back.result.object.id)).toEqual(source);
    expect(back.result.differences.filter(({ nature }) => nature === 'lost')).toEqual([]);
    expect(back.receipt.disks.map(({ destinationRoot }) => destinationRoot)).toEqual(source);
    await expectNoCarrier();
  });

  it('has a receipt that is checked without a server, and against what is there now', async () => {
    const jobs = (await site.client.listJobs({ query: {} })).jobs;
    const copy = jobs.find(({ destination }) => destination === 'vcd/vdc1');
    const said = await terminal.run(['jobs', 'receipt', String(copy?.number)]);
    const file = join(disk, 'receipt.json');
    await writeFile(file, said.stdout);
    await using stranger = await Terminal.open();
    const alone = await stranger.run(['verify', file]);
    expect(alone.code, alone.stderr).toBe(0);
    expect(alone.stdout).toContain('the receipt is valid');
    expect(said.json).toMatchObject({ nodes: { destination: { name: 'destination' } } });

    const changed = join(disk, 'changed.json');
    await writeFile(
      changed,
      said.stdout.replace('"level":"sent"', '"level":"readback"').replace('"checksum"', '"readback"'),
    );
    expect(faultCode(await stranger.run(['verify', changed, '--json']))).toBe('receipt.invalid');
    const old = { ...(said.json as { keys?: unknown }) };
    delete old.keys;
    const without = join(disk, 'without-keys.json');
    await writeFile(without, JSON.stringify(old));
    // The node of the command is forgotten, and with it its key.
    expect((await terminal.run(['verify', without])).stderr).toContain('its key is not known here');

    const against = (path: string) => terminal.run(['verify', file, '--against', path, '--json']);
    const same = await against(`vcd/id:${copy?.result?.object.id}`);
    expect(same.code, same.stdout).toBe(0);
    expect((await against('vc/DC1/vm/Web/web-01')).code).toBe(0);
    const other = await against('vc/DC1/vm/Templates/golden');
    expect([other.code, faultCode(other)]).toEqual([1, 'receipt.outdated']);
  });

  it('is refused with another passphrase, and when a byte of it was changed or its end is missing', async () => {
    const folder = join(disk, 'first');
    const wrong = join(terminal.home, 'wrong');
    await writeFile(wrong, 'another passphrase');
    const words = (from: string, key: string) => [
      'import',
      from,
      'vcd/vdc1',
      '--name',
      'never',
      '--passphrase-file',
      key,
      '--json',
    ];
    expect(faultCode(await terminal.run(words(folder, wrong)))).toBe('package.locked');

    const flipped = join(disk, 'flipped');
    await cp(folder, flipped, { recursive: true });
    const segment = (await filesBelow(flipped)).find((file) => file.endsWith('.seg'))!;
    await flip(segment, (await stat(segment)).size - 700_000);
    expect(faultCode(await terminal.run(words(flipped, secret)))).toBe('package.damaged');

    const cut = join(disk, 'cut');
    await cp(folder, cut, { recursive: true });
    const last = (await filesBelow(cut)).find((file) => file.endsWith('.seg'))!;
    await using file = await open(last, 'r+');
    await file.truncate((await stat(last)).size - 5);
    const said = await terminal.run(words(cut, secret));
    expect(faultCode(said)).toBe('preflight.failed');
    expect(said.stdout).toContain('not whole');
    await expectNoCarrier();
  });

  it('opens with the key of the node that it was written for, and with no other', async () => {
    const folder = join(disk, 'for-node');
    await carried(['export', 'vc/DC1/vm/Templates/golden', '--to', folder, '--for', 'destination', ...LISTEN]);
    const back = await carried(['import', folder, 'vcd/spare', '--name', 'golden']);
    expect(await roots('vcd', back.result.object.id)).toEqual(
      await roots('vc', await idOf('vc/DC1/vm/Templates/golden')),
    );
    const [name = ''] = (await readdir(folder)).filter((one) => !one.startsWith('.'));
    const manifest = join(folder, name, 'manifest.json');
    const text = await readFile(manifest, 'utf8');
    const nodes = (await site.client.listNodes({})).nodes;
    const pin = (of: string) => nodes.find((node) => node.name === of)?.pin ?? '';
    await writeFile(manifest, text.replaceAll(pin('destination'), pin('source')));
    expect(faultCode(await terminal.run(['import', folder, 'vcd/spare', '--name', 'no', '--json']))).toBe(
      'package.locked',
    );
  });

  it('goes on where it was when the command is killed in the middle and repeated', async () => {
    const folder = join(disk, 'killed');
    const words = ['export', 'vc/DC1/vm/Web/web-01', '--to', folder, '--plain', ...LISTEN, '--json'];
    await site.labCall('vcenter', 'POST', '/faults', { bytesPerSecond: { host: 2 * MIB } });
    const environment = { ...process.env, CLOUDSPAN_HOME: terminal.home };
    const command = spawn(process.execPath, [MAIN, ...words], { stdio: 'ignore', env: environment });
    const gone = new Promise((done) => command.once('exit', done));
    const written = async () => {
      const segments = (await filesBelow(folder).catch(() => [])).filter((file) => file.endsWith('.seg'));
      const sizes = await Promise.all(segments.map(async (file) => (await stat(file)).size));
      return sizes.reduce((sum, size) => sum + size, 0);
    };
    await site.until(async () => ((await written()) > 2 * MIB ? true : undefined), 60, 'nothing was written');
    command.kill('SIGKILL');
    await gone;
    const before = await written();
    await site.labCall('vcenter', 'POST', '/faults', {});
    const jobs = (await site.client.listJobs({ query: {} })).jobs;
    const out = await carried(words.slice(0, -1));
    expect(out.job).toBe(jobs[0]?.number);
    expect(before).toBeGreaterThan(2 * MIB);
    const source = await roots('vc', await idOf('vc/DC1/vm/Web/web-01'));
    expect(out.receipt.disks.map(({ destinationRoot }) => destinationRoot)).toEqual(source);
    const names = await readdir(folder);
    expect(names).toEqual(['web-01.cloudspan']);
    await expectNoCarrier();
  });

  it('is followed over the wire by what the destination does not know from the disk', async () => {
    const job = await site.copy({ source: 'vc/DC1/vm/Web/web-01', destination: 'vcd/vdc1', name: 'web-01 later' });
    const end = await site.end(job.id);
    expect(end.state, JSON.stringify(end.failure)).toBe('succeeded');
    expect(end.progress?.wireBytes).toBe(0);
    expect(end.progress?.alreadyThereBytes).toBeGreaterThan(0);
  });

  it('leaves as an OVA and comes back from it', async () => {
    const file = join(disk, 'shop.ova');
    await carried(['export', 'vc/DC1/vm/shop', '--ova', file, ...LISTEN]);
    expect((await readdir(disk)).filter((name) => name.startsWith('.'))).toEqual([]);
    const back = await carried(['import', file, 'vcd/vdc1', '--name', 'shop-2']);
    expect(await roots('vcd', back.result.object.id)).toEqual(await roots('vc', await idOf('vc/DC1/vm/shop')));
    const cut = join(disk, 'cut.ova');
    await cp(file, cut);
    await using handle = await open(cut, 'r+');
    await handle.truncate((await stat(cut)).size - 60_000);
    const said = await terminal.run(['import', cut, 'vcd/vdc1', '--name', 'never', '--json']);
    expect(faultCode(said)).toBe('ova.invalid');
    await expectNoCarrier();
  });
});

async function flip(path: string, at: number): Promise<void> {
  await using file = await open(path, 'r+');
  const byte = Buffer.alloc(1);
  await file.read(byte, 0, 1, at);
  byte[0] = byte[0]! ^ 1;
  await file.write(byte, 0, 1, at);
}
