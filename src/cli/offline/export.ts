import { mkdir, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import type { Command } from 'commander';
import { Fault } from '../../model/fault.ts';
import { escapeName } from '../../model/path.ts';
import type { CopyRequest, JobView } from '../../protocol/api/jobs.ts';
import { endOf } from '../copy.ts';
import { findObject } from '../objects.ts';
import { printLine } from '../output.ts';
import { connectLast } from '../session.ts';
import { Carrier } from './carrier.ts';
import { carry } from './job.ts';
import { type ProtectionFlags, protectionOf } from './protection.ts';

interface ExportFlags extends ProtectionFlags {
  to?: string;
  ova?: string;
  name?: string;
  rename?: boolean;
  powerOffSource?: boolean;
  listen?: string;
  json?: boolean;
}

export function addExport(program: Command): void {
  program
    .command('export <source>')
    .description(
      'write a VM, vApp or template into a folder of this machine, to be carried on a disk, or into an OVA; an image of a\n' +
        'disc as a plain file (--plain).\n' +
        'Interrupted and repeated, it goes on where it was.',
    )
    .option('--to <folder>', 'write an encrypted Cloudspan package into this folder')
    .option('--ova <file>', 'write an OVA that other products read (never encrypted)')
    .option('--for <node|file>', 'encrypt for one node: its name here, or a file with its key (`cloudspan nodes key`)')
    .option('--passphrase-file <file>', 'encrypt with this passphrase (- for stdin); else it is asked for')
    .option('--plain', 'do not encrypt the package')
    .option('--name <name>', 'name in the package (default: the name of the source)')
    .option('--rename', 'take a new name when the folder has one of this name')
    .option('--power-off-source', 'shut the source down first (without it a running source is refused)')
    .option('--listen <host:port>', 'let the other node dial this machine, when neither it nor a relay can be dialled')
    .option('--json', 'lines of JSON')
    .action(exportTo);
}

async function exportTo(source: string, flags: ExportFlags): Promise<void> {
  if ((flags.to === undefined) === (flags.ova === undefined)) {
    throw new Fault('input.invalid', 'say where to: --to FOLDER for a package, or --ova FILE');
  }
  await using connection = await connectLast();
  const { client } = connection;
  const object = await findObject(client, source);
  const place = await placeOf(flags);
  const protection =
    flags.ova === undefined
      ? await protectionOf(client, flags)
      : { placement: { format: 'ova' }, passphrase: undefined };
  await using carrier = await Carrier.start({
    connection,
    folder: place.state,
    packages: place.folder,
    ...(protection.passphrase === undefined ? {} : { passphrase: protection.passphrase }),
    ...(flags.listen === undefined ? {} : { listen: flags.listen }),
  });
  const cloud = await carrier.cloud({});
  const request: CopyRequest = {
    kind: 'copy',
    source: `${escapeName(source.split('/')[0] ?? '')}/id:${escapeName(object.id)}`,
    destination: `${cloud.name}/id:%2F`,
    name: flags.name ?? object.name,
    placement: protection.placement,
    onNameClash: flags.rename === true ? 'rename' : 'fail',
    powerOffSource: flags.powerOffSource === true,
    keepMac: true,
    keepUuid: true,
  };
  const json = flags.json === true;
  const finish = async (job: JobView) => {
    if (job.result !== undefined) await place.finish(job.result.object.id);
  };
  const { job, left } = await carry({ client, carrier, request, json, again: againText(source, flags), finish });
  if (left) await place.clear();
  const made = job.result?.object;
  endOf(job, json);
  if (made !== undefined && !json) printLine(`written: ${place.path(made.id)}`);
}

interface Place {
  /** What the node may write to. */
  folder: string;
  state: string;
  /** Puts what was written to its place. */
  finish(id: string): Promise<void>;
  /** After everything. */
  clear(): Promise<void>;
  path(id: string): string;
}

/** An OVA is written in a folder of its own beside its place, and moved there when it is whole. */
async function placeOf({ to, ova }: ExportFlags): Promise<Place> {
  if (to !== undefined) {
    const folder = resolve(to);
    await mkdir(folder, { recursive: true });
    const state = join(folder, '.cloudspan');
    return { folder, state, finish: async () => {}, clear: async () => {}, path: (id) => join(folder, id) };
  }
  const file = resolve(ova ?? '');
  if ((await stat(file).catch(() => null)) !== null) {
    throw new Fault('object.exists', `${file} is there already`, { remedy: 'Choose another name, or remove it.' });
  }
  const folder = join(dirname(file), `.${basename(file)}.part`);
  await mkdir(folder, { recursive: true });
  return {
    folder,
    state: join(folder, '.cloudspan'),
    finish: (id) => rename(join(folder, id), file),
    // Only what the node keeps is in it, and that is forgotten with it.
    clear: () => rm(folder, { recursive: true, force: true }),
    path: () => file,
  };
}

function againText(source: string, flags: ExportFlags): string {
  const target = flags.to === undefined ? `--ova ${flags.ova}` : `--to ${flags.to}`;
  return `the same command (cloudspan export ${source} ${target} …)`;
}
