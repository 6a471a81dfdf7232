import type { Command } from 'commander';
import { Fault } from '../model/fault.ts';
import { parseCloudPath } from '../model/path.ts';
import type { CopyRequest, JobView } from '../protocol/api/jobs.ts';
import type { Client } from '../protocol/client.ts';
import { parseUnknown, readCount, readPriority } from './flags.ts';
import { printStarted } from './group-started.ts';
import { findObject } from './objects.ts';
import { bytesText, printJson, printLine } from './output.ts';
import { followJob } from './progress.ts';
import { scheduleOf } from './schedule.ts';
import { connectLast } from './session.ts';

export interface CopyFlags {
  name?: string;
  network: string[];
  property: string[];
  powerOn?: boolean;
  powerOffSource?: boolean;
  keepMac?: boolean;
  keepUuid?: boolean;
  rename?: boolean;
  acceptEulas?: boolean;
  seed?: string;
  priority?: string;
  check?: boolean;
  detach?: boolean;
  json?: boolean;
  at?: string;
  window?: string[];
  timeZone?: string;
  pauseAtEnd?: boolean;
  newMac?: boolean;
  newUuid?: boolean;
  deleteSourceAfter?: string;
}

export const collect = (value: string, all: string[]) => [...all, value];

/** The flags that copies and moves have, one by one or many together. */
export function withCopyFlags(command: Command): Command {
  return command
    .option('--name <name>', 'name of the copy (default: the name of the source)')
    .option(
      '--network <from=to>',
      'network of the source = network at the destination; NICs without one arrive disconnected',
      collect,
      [],
    )
    .option('--property <key=value>', 'value of an OVF property', collect, [])
    .option('--power-on', 'power the copy on when it is proven')
    .option('--power-off-source', 'shut the source down first (without it a running source is refused)')
    .option('--rename', 'take a new name when the name exists')
    .option('--accept-eulas', 'accept the licenses that the package carries')
    .option('--seed <path>', 'an earlier copy at the destination: only what differs from it travels')
    .option(
      '--priority <1-4>',
      'part of a shared limit or way: 2 gets more than twice what 1 gets, and so on; it starts before lower ones',
    )
    .option('--at <time>', 'start not before this time, as 2026-07-01T22:00:00+02:00')
    .option(
      '--window <hours>',
      "start only in this part of the week, as 'mon-fri 22:00-06:00'; may be repeated. What runs at its end goes on",
      collect,
      [],
    )
    .option('--time-zone <name>', 'of the windows, as Europe/Berlin (default: that of the server)')
    .option('--pause-at-end', 'pause what still runs at the end of the window, until the next')
    .option('--check', 'only run the checks and show what can be chosen')
    .option('--json', 'lines of JSON')
    .allowUnknownOption()
    .allowExcessArguments();
}

export function withCopyIdentity(command: Command): Command {
  return command.option('--keep-mac', 'keep the MAC addresses').option('--keep-uuid', 'keep the BIOS UUID');
}

export function withMoveFlags(command: Command): Command {
  return command
    .option('--new-mac', 'let the destination make new MAC addresses')
    .option('--new-uuid', 'let the destination make a new BIOS UUID')
    .option('--delete-source-after <days>', 'delete the source so many days after the move, if the copy is proven');
}

export function addCopy(program: Command): void {
  const one = (command: Command) => withCopyFlags(command.option('--detach', 'start and return'));
  one(
    withCopyIdentity(
      program
        .command('copy <source> <destination...>')
        .description(
          'copy a VM, vApp, template or image of a disc (media): <cloud>/<path> to a folder, pool, VDC, catalog or datastore\n' +
            '<cloud>/<path>. With several sources the last path is the destination of all: they become a group.\n' +
            'What can be chosen at the destination (datastore, policy, …) are flags of their own: see --check.',
        ),
    ),
  ).action((_source: string, _destination: string[], flags: CopyFlags, command: Command) =>
    copy('copy', flags, command.args),
  );
  one(
    withMoveFlags(
      program
        .command('move <source> <destination...>')
        .description(
          'copy, then set the source aside once the copy is proven: it stays, powered off, renamed, its adapters\n' +
            'disconnected, and nothing starts it. `cloudspan jobs undo` moves back, `cloudspan jobs delete-source` deletes it.\n' +
            'MAC addresses and BIOS UUID are kept.',
        ),
    ),
  ).action((_source: string, _destination: string[], flags: CopyFlags, command: Command) =>
    copy('move', flags, command.args),
  );
}

async function copy(kind: CopyRequest['kind'], flags: CopyFlags, args: string[]): Promise<void> {
  const end = args.findIndex((word) => word.startsWith('--'));
  const paths = end < 0 ? args : args.slice(0, end);
  const words = end < 0 ? [] : args.slice(end);
  if (paths.length < 2) {
    throw new Fault('input.invalid', `cloudspan ${kind} needs a source and a destination before its flags`, {
      remedy: `Write: cloudspan ${kind} <source> <destination> … --datastore fast`,
    });
  }
  const destination = paths.at(-1) ?? '';
  const requests = paths.slice(0, -1).map((source) => requestOf(source, destination, flags, words, kind));
  await using connection = await connectLast();
  const { client } = connection;
  const [request] = requests;
  if (flags.check === true) {
    for (const one of requests) await check(client, one, flags.json === true);
    return;
  }
  if (request === undefined || requests.length > 1) {
    if (flags.name !== undefined) throw new Fault('input.invalid', '--name names one copy, and these are several');
    const name = `${kind === 'move' ? 'Move' : 'Copy'} ${requests.length} to ${destination}`;
    const group = await client.startGroup({ body: { name, jobs: requests.map((one) => ({ request: one })) } });
    return printStarted(group, flags.json === true);
  }
  const job = await client.startJob({ body: request });
  if (flags.detach === true) {
    if (flags.json === true) printJson({ job: job.number, id: job.id });
    else printLine(`job ${job.number} is started; follow it with: cloudspan jobs show ${job.number} --follow`);
    return;
  }
  const stop = new AbortController();
  const interrupt = () => {
    process.stderr.write(
      `\nthe job goes on; see it with: cloudspan jobs show ${job.number}, stop it with: cloudspan jobs cancel ${job.number}\n`,
    );
    stop.abort(new Fault('job.state', `job ${job.number} goes on without this terminal`, { remedy: '' }));
  };
  process.once('SIGINT', interrupt);
  try {
    endOf(await followJob(client, job.id, flags.json === true, stop.signal), flags.json === true);
  } finally {
    process.off('SIGINT', interrupt);
  }
}

/** What the flags ask for. Fault: `input.invalid`. */
export function requestOf(
  source: string,
  destination: string,
  flags: CopyFlags,
  words: string[],
  kind: CopyRequest['kind'] = 'copy',
): CopyRequest {
  const schedule = scheduleOf(flags);
  const days = flags.deleteSourceAfter;
  return {
    kind,
    source,
    destination,
    ...(flags.name === undefined ? {} : { name: flags.name }),
    networks: Object.fromEntries(flags.network.map((text) => pair(text, '--network'))),
    properties: Object.fromEntries(flags.property.map((text) => pair(text, '--property'))),
    placement: Object.fromEntries(parseUnknown(words)),
    powerOn: flags.powerOn === true,
    powerOffSource: flags.powerOffSource === true,
    keepMac: kind === 'move' ? flags.newMac !== true : flags.keepMac === true,
    keepUuid: kind === 'move' ? flags.newUuid !== true : flags.keepUuid === true,
    onNameClash: flags.rename === true ? 'rename' : 'fail',
    acceptEulas: flags.acceptEulas === true,
    ...(flags.seed === undefined ? {} : { seed: flags.seed }),
    ...(flags.priority === undefined ? {} : { priority: readPriority(flags.priority) }),
    ...(schedule === undefined ? {} : { schedule }),
    ...(days === undefined ? {} : { deleteSourceAfterDays: readCount(days, '--delete-source-after') }),
  };
}

function pair(text: string, flag: string): [string, string] {
  const at = text.indexOf('=');
  if (at < 1) throw new Fault('input.invalid', `${flag} ${text} is not of the form name=value`);
  return [text.slice(0, at), text.slice(at + 1)];
}

/** Prints what the checks say; a failed one sets the exit code. */
export async function check(client: Client, request: CopyRequest, json: boolean): Promise<void> {
  const preflight = await client.preflight({ body: request });
  const container = await containerOf(client, request.destination);
  const options =
    container === undefined ? [] : (await client.placement({ cloud: container.cloud, object: container.id })).options;
  if (json) printJson({ ...preflight, placement: options });
  else {
    printLine(`${bytesText(preflight.totalBytes)} of disks and files`);
    for (const one of preflight.checks) {
      printLine(`${one.outcome.padEnd(5)} ${one.name}: ${one.found}`);
      if (one.remedy !== undefined) printLine(`      ${one.remedy}`);
    }
    if (options.length > 0) printLine('placement:');
    for (const option of options) {
      const choices = (option.choices ?? []).map((choice) => choice.value).join(', ');
      printLine(
        `  --${option.name}  ${option.help}${choices === '' ? '' : ` (${choices})`}${option.default === undefined ? '' : ` [${option.default}]`}`,
      );
    }
  }
  if (preflight.checks.some((one) => one.outcome === 'fail')) process.exitCode = 1;
}

/** The container that a destination names, which may end in the new name. */
async function containerOf(client: Client, destination: string) {
  try {
    return await findObject(client, destination);
  } catch (error) {
    if (!(error instanceof Fault) || error.code !== 'object.missing' || parseCloudPath(destination).names.length < 2)
      throw error;
    return findObject(client, destination.slice(0, destination.lastIndexOf('/')));
  }
}

/** Says how a job ended; throws its failure. */
export function endOf(job: JobView, json: boolean): void {
  if (job.failure !== undefined) {
    const { leftovers, ...report } = job.failure;
    const details = leftovers.length === 0 ? report.details : { ...report.details, leftovers };
    throw Fault.fromReport({ ...report, ...(details === undefined ? {} : { details }) });
  }
  if (json) printJson({ job: job.number, state: job.state, result: job.result, receipt: job.receipt });
  else if (job.result === undefined) printLine(`job ${job.number} is ${job.state}`);
  else printResult(job, job.result);
}

function printResult(job: JobView, result: NonNullable<JobView['result']>): void {
  const { object, poweredOn, differences } = result;
  printLine(`${object.kind} "${object.name}" is there: ${object.path}${poweredOn ? ', powered on' : ''}`);
  if (job.progress !== undefined) {
    const { totalBytes, wireBytes, zeroBytes, alreadyThereBytes } = job.progress;
    printLine(
      `${bytesText(totalBytes)} logical, ${bytesText(wireBytes)} on the wire, ${bytesText(zeroBytes)} zero, ${bytesText(alreadyThereBytes)} already there`,
    );
  }
  if (job.receipt !== undefined) {
    const { sourceRoot, destinationRoot, disks } = job.receipt;
    printLine(`proven: source ${sourceRoot} = destination ${destinationRoot} (${weakestLevel(disks)})`);
  }
  const lost = differences.filter((one) => one.nature === 'lost');
  if (lost.length > 0) printLine('not carried:');
  for (const one of lost) printLine(`  ${one.field}: ${one.left} → ${one.arrived}`);
}

/** How far the proof reaches for all disks together. */
function weakestLevel(disks: { level: string }[]): string {
  return ['sent', 'checksum', 'readback'].find((level) => disks.some((disk) => disk.level === level)) ?? 'no disks';
}
