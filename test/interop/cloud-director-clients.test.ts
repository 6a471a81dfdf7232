import { mkdir, readdir, readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { difference, MIB, toStreamOptimized, writeRawDisk } from './disk-image.ts';
import { type Lab, startLab } from './lab.ts';
import { writePackage } from './ovf-package.ts';
import { type Outcome, outcome, run } from './program.ts';
import { TemporaryFolder } from './temporary-folder.ts';
import { missing, pathOf } from './witnesses.ts';

/** What the lab says when nothing is under way and nothing was left. */
const nothing = { uploads: 0, downloads: 0, leftoverTransfers: [], leftoverDisks: [] };
const sizes = [21 * MIB, 3 * MIB];
let folder: TemporaryFolder;
let lab: Lab;

beforeAll(async () => {
  folder = await TemporaryFolder.make();
  lab = await startLab('cloud-director', folder);
  await mkdir(folder.at('package'));
  for (const [index, size] of sizes.entries()) {
    await writeRawDisk(folder.at(`${index}.raw`), size, 2 * MIB);
    await toStreamOptimized(folder.at(`${index}.raw`), folder.at('package', `two-disk${index}.vmdk`));
  }
  await writePackage(folder.at('package'), 'two', [
    { name: 'two', disks: sizes.map((capacityBytes, index) => ({ file: `two-disk${index}.vmdk`, capacityBytes })) },
  ]);
});
afterAll(async () => {
  await lab?.[Symbol.asyncDispose]();
  await folder?.[Symbol.asyncDispose]();
});

describe.skipIf(missing('VMware’s Go SDK against the Cloud Director lab', ['vcd-dance', 'qemu-img']))(
  'go-vcloud-director',
  () => {
    const dance = (password: string): Promise<Outcome> =>
      outcome(pathOf('vcd-dance'), [], {
        cwd: folder.path,
        environment: {
          VCD_URL: lab.url,
          VCD_USER: lab.user,
          VCD_PASSWORD: password,
          VCD_ORG: lab.org,
          VCD_VDC: 'vdc1',
          VCD_CATALOG: 'templates',
          VCD_NAME: 'sdk-witness',
          VCD_OVF: folder.at('package', 'two.ovf'),
          TMPDIR: folder.path,
        },
      });

    it('is refused with a wrong password', async () => {
      const { status, stderr } = await dance('not it');
      expect(status).toBe(1);
      expect(stderr).toMatch(/^login: /m);
    });

    it('uploads an OVF, instantiates it, powers it on and off, deletes all of it, and nothing is left', async () => {
      const { status, stdout, stderr } = await dance(lab.password);
      expect(status, `${stdout}\n${stderr}`).toBe(0);
      const lines = stdout.trim().split('\n');
      expect(
        lines.filter((line) => line.startsWith('disk ')).map((line) => line.replace(/ \d+ (?=\d+ MB)/, ' ')),
      ).toEqual(['disk two 21 MB', 'disk two 3 MB']);
      expect(lines.filter((line) => line.startsWith('status '))).toEqual(['status POWERED_ON', 'status POWERED_OFF']);
      expect(lines.at(-1)).toBe('done');
      expect(await lab.state()).toMatchObject(nothing);
    });
  },
);

describe.skipIf(missing('vcd-cli against the Cloud Director lab', ['vcd', 'qemu-img']))('vcd-cli', () => {
  const vcd = (...words: string[]): Promise<string> =>
    // It keeps its session below HOME and its logs in the working folder.
    run(pathOf('vcd'), words, {
      cwd: folder.path,
      environment: { HOME: folder.path, VCD_PASSWORD: lab.password, LC_ALL: 'C.UTF-8', LANG: 'C.UTF-8' },
    });

  it('signs in and lists catalogs, VDCs and vApps', async () => {
    const signedIn = await vcd('login', lab.host, lab.org, lab.user, '--no-verify-ssl-certs', '--disable-warnings');
    expect(signedIn).toContain('logged in');
    expect(signedIn).toContain(`org: '${lab.org}'`);
    expect(await vcd('catalog', 'list')).toMatch(/templates/);
    expect(await vcd('vdc', 'list')).toMatch(/vdc1/);
    expect(await vcd('vapp', 'list')).not.toMatch(/error/i);
  });

  it('uploads an OVA to a catalog, gets the same disks back, deletes it, and nothing is left', async () => {
    const disks = sizes.map((_, index) => `two-disk${index}.vmdk`);
    await run('tar', ['-cf', folder.at('two.ova'), '-C', folder.at('package'), 'two.ovf', ...disks]);
    await vcd('catalog', 'upload', 'templates', 'two.ova', '--item-name', 'two');
    const templates = async () =>
      (await vcd('catalog', 'list', 'templates')).split('\n').filter((line) => /\btwo\b/.test(line));
    expect(await templates()).toHaveLength(1);
    await vcd('catalog', 'download', 'templates', 'two', 'back.ova');
    await mkdir(folder.at('back'));
    await run('tar', ['-xf', folder.at('back.ova'), '-C', folder.at('back')]);
    const files = (await readdir(folder.at('back'))).filter((name) => name.endsWith('.vmdk')).toSorted();
    expect(files).toHaveLength(sizes.length);
    for (const [index, name] of files.entries()) {
      expect(await difference(folder.at(`${index}.raw`), folder.at('back', name), 'vmdk'), name).toBeUndefined();
    }
    await vcd('catalog', 'delete', 'templates', 'two', '--yes');
    expect(await templates()).toEqual([]);
    expect(await vcd('logout')).toContain('logged out');
    expect(await lab.state()).toMatchObject(nothing);
    for (const log of ['vcd.log', 'vcd_sdk.log']) {
      expect(await readFile(folder.at(log), 'utf8').catch(() => '')).not.toContain(lab.password);
    }
  });
});
