import { mkdir, mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createIdentity } from '../../src/base/identity.ts';
import { publicKeyOf } from '../../src/base/sealed-key.ts';
import type { Cloud, ImportRequest } from '../../src/drivers/driver.ts';
import { folderDriver } from '../../src/drivers/folder/index.ts';
import { DiskContent } from './conformance/disk-content.ts';
import { feedsOf, type MadePackage, madePackage, newWork, quietLog } from './conformance/work.ts';
import type { KnownSource, World } from './conformance/world.ts';

const MIB = 1024 * 1024;
const PASSPHRASE = 'correct horse battery staple';

/** A folder with packages, and the hands that change it as a person at the machine would. */
export interface FolderWorld extends World {
  root: string;
}

/** Packages are put there by the driver itself in another session; their content is known without it. */
export async function startFolderWorld(): Promise<FolderWorld> {
  const outer = await mkdtemp(path.join(tmpdir(), 'cloudspan-folder-'));
  const root = path.join(outer, 'packages');
  for (const name of ['Sources', 'Imports', 'Templates', 'Images'])
    await mkdir(path.join(root, name), { recursive: true });
  await writeFile(path.join(outer, 'secret.txt'), 'nobody reads this');
  const identity = await createIdentity('packages');
  const placement = { protection: 'node', recipient: publicKeyOf(identity.certificate) };
  const driver = folderDriver({ roots: [root], identity });
  const options = { folder: root, passphrase: PASSPHRASE };
  const settings = {
    options,
    trust: { kind: 'pin' as const, sha256: '0'.repeat(64) },
    label: 'usb1',
    log: quietLog,
    stallSeconds: 8,
  };
  const cloud = await driver.connect(settings, AbortSignal.timeout(30_000));
  const known = async (made: MadePackage): Promise<KnownSource> => {
    const id = await put(cloud, made, 'Sources', placement);
    const disks = [...made.contents.values()].map((one) => ({ capacityBytes: one.capacityBytes, root: one.root() }));
    return { id, name: made.description.name, disks };
  };
  const template = madePackage('known template', [6 * MIB]);
  template.description.kind = 'template';
  const sources = {
    vm: await known(madePackage('known vm', [9 * MIB + 3072, 5 * MIB])),
    vapp: await known(madePackage('known vapp', [4 * MIB, 3 * MIB + 1024], 2)),
    template: await known(template),
  };
  const image = new DiskContent('known image', 3 * MIB + 17, 'file');
  const bytes = Buffer.alloc(image.capacityBytes);
  for (const { index, data } of image.blocks()) data.copy(bytes, index * MIB);
  await writeFile(path.join(root, 'Images', 'known image.iso'), bytes);
  const victims = [
    await put(cloud, madePackage('victim first', [MIB]), 'Sources', placement),
    await put(cloud, madePackage('victim second', [MIB]), 'Sources', placement),
  ];
  let changes = 0;
  await cloud.close();

  return {
    root,
    driver,
    settings,
    wrongPassword: { ...options, passphrase: 'wrong' },
    unreachable: options,
    ...sources,
    media: {
      id: 'Images/known image.iso',
      name: 'known image.iso',
      disks: [{ capacityBytes: image.capacityBytes, root: image.root() }],
    },
    running: sources.vm.id,
    machines: 'Imports',
    templates: 'Templates',
    images: 'Images',
    network: { id: 'none', name: 'office' },
    oddName: 'Zürich / 100% \\ [x] 東京 & <b>',
    givesChecksums: false,
    lost: ['mac', 'uuid'],
    placement,
    lacks: ['accounts', 'network-access', 'running-machines', 'networks', 'licenses', 'sources'],
    logins: () => 0,
    openTransfers: () => 0,
    async change() {
      const name = `disc ${++changes}.iso`;
      await writeFile(path.join(root, 'Sources', name), 'an image');
      return { id: `Sources/${name}`, seen: (object) => object.kind === 'media' };
    },
    async remove() {
      const id = victims.shift();
      if (id === undefined) throw new Error('the world has no victim left');
      await rm(path.join(root, id), { recursive: true });
      return id;
    },
    expireSessions: async () => {},
    answerBusy: async () => {},
    cutUpload: async () => {},
    cutMediaUpload: async () => {},
    mediaNames: () => readdir(path.join(root, 'Images')),
    takeMedia: (id) => utimes(path.join(root, id), new Date(0), new Date(0)),
    cutDownload: async () => {},
    async stripMarker(id) {
      const file = path.join(root, id, 'manifest.json');
      const { marker: _, ...manifest } = JSON.parse(await readFile(file, 'utf8')) as { marker: string };
      await writeFile(file, JSON.stringify(manifest));
      await utimes(file, new Date(), new Date());
    },
    async reconfigure(id) {
      const file = path.join(root, id, 'manifest.json');
      await utimes(file, new Date(), new Date(Date.now() + 1000));
    },
    async close() {
      await rm(outer, { recursive: true, force: true });
    },
  };
}

/** Puts a package into a folder by the driver. */
export async function put(
  cloud: Cloud,
  made: MadePackage,
  destination: string,
  placement: Record<string, string> = {},
  changes: Partial<ImportRequest> = {},
): Promise<string> {
  const request: ImportRequest = {
    description: made.description,
    name: made.description.name,
    destination,
    placement,
    networks: {},
    keepMac: true,
    keepUuid: true,
    onNameClash: 'fail',
    properties: {},
    acceptEulas: false,
    ...changes,
  };
  return (await cloud.imports!.run(request, feedsOf(made), newWork(), () => undefined)).object.id;
}

/** All files below a folder. */
export async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => path.join(entry.parentPath, entry.name));
}
