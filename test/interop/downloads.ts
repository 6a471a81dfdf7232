/** Machines taken out of the labs by other people's clients, so that none of our code stands between us and the bytes. */
import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Govc } from './govc.ts';
import { run } from './program.ts';
import type { TemporaryFolder } from './temporary-folder.ts';
import { pathOf, scripts, type Witness } from './witnesses.ts';

export const downloadWitnesses: readonly Witness[] = ['govc', 'python', 'qemu-img'];

/** Stream-optimized VMDK files by machine, in the order of the machine's disks. */
export type Disks = Record<string, string[]>;

export interface DirectorAccess {
  url: string;
  user: string;
  password: string;
  org: string;
}

/** What is downloaded: a vApp of a VDC or a template of a catalog. */
export type Downloaded = { vdc: string; name: string } | { catalog: string; name: string };

/** Downloads a whole vApp or template as one OVA with pyvcloud and unpacks it. */
export async function downloadOva(access: DirectorAccess, what: Downloaded, folder: TemporaryFolder): Promise<Disks> {
  const place: Record<string, string> = 'vdc' in what ? { VCD_VDC: what.vdc } : { VCD_CATALOG: what.catalog };
  const into = folder.at(`director-${what.name}`);
  await mkdir(into);
  const ova = folder.at(`director-${what.name}.ova`);
  await run(pathOf('python'), [join(scripts, 'download_ova.py')], {
    seconds: 120,
    cwd: folder.path,
    environment: {
      VCD_URL: access.url,
      VCD_USER: access.user,
      VCD_PASSWORD: access.password,
      VCD_ORG: access.org,
      VCD_NAME: what.name,
      VCD_OVA: ova,
      ...place,
    },
  });
  await run('tar', ['-xf', ova, '-C', into], { seconds: 120 });
  await rm(ova);
  return disksIn(into);
}

/** Exports one machine with govc, with a manifest that govc itself computes. */
export async function exportMachine(govc: Govc, machine: string, folder: TemporaryFolder): Promise<string[]> {
  const into = folder.at('vsphere');
  await mkdir(into, { recursive: true });
  await govc.run('export.ovf', '-sha', '256', '-vm', machine, into);
  const [disks, ...others] = Object.values(await disksIn(join(into, machine)));
  if (disks === undefined || others.length > 0) throw new Error(`the export of ${machine} is not of one machine`);
  return disks;
}

async function disksIn(folder: string): Promise<Disks> {
  const descriptor = (await readdir(folder)).find((name) => name.endsWith('.ovf'));
  if (descriptor === undefined) throw new Error(`there is no descriptor in ${folder}`);
  const told = await run(pathOf('python'), [join(scripts, 'package_disks.py'), join(folder, descriptor)]);
  const machines = Object.entries(JSON.parse(told) as Disks);
  return Object.fromEntries(machines.map(([name, files]) => [name, files.map((file) => join(folder, file))]));
}
