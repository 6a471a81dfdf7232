import type { Command } from 'commander';
import { Fault } from '../model/fault.ts';
import { parseCloudPath } from '../model/path.ts';
import type { CopyRequest, JobView } from '../protocol/api/jobs.ts';
import type { Client } from '../protocol/client.ts';
import { parseUnknown, readPriority, refuseFlagAsArgument } from './flags.ts';
import { findObject } from './objects.ts';
import { bytesText, printJson, printLine } from './output.ts';
import { followJob } from './progress.ts';
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

export function addCopy(program: Command): void {
  program
    .command('copy <source> <destination>')
    .description(
      'copy a VM, vApp, template or image of a disc (media): <cloud>/<path> to a folder, pool, VDC, catalog or datastore\n' +
        '<cloud>/<path>. ' +
        'What can be chosen at the destination (datastore, policy, …) are flags of their own: see --check.',
    )
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
    .option('--keep-mac', 'keep the MAC addresses')
    .option('--keep-uuid', 'keep the BIOS UUID')
    .option('--rename', 'take a new name when the name exists')
    .option('--accept-eulas', 'accept the licenses that the package carries')
    .option('--seed <path>', 'an earlier copy at the destination: only what differs from it travels')
    .option('--priority <1-4>', 'part of a shared limit or way: 2 gets more than twice what 1 gets, and so on')
    .option('--check', 'only run the checks and show what can be chosen')
    .option('--detach', 'start the job and return')
    .option('--json', 'lines of JSON')
    .allowUnknownOption()
    .allowExcessArguments()
    .action((source: string, destination: string, flags: CopyFlags, command: Command) =>
      copy(source, destination, flags, command.args.slice(2)),
    );
}

async function copy(source: string, destination: string, flags: CopyFlags, words: string[]): Promise<void> {
  for (const word of [source, destination]) {
    refuseFlagAsArgument(word, 'cloudspan copy <source> <destination> … --datastore fast');
  }
  await using connection = await connectLast();
  const { client } = connection;
  const request = requestOf(source, destination, flags, words);
  if (flags.check === true) return await check(client, request, flags.json === true);
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
export function requestOf(source: string, destination: string, flags: CopyFlags, words: string[]): CopyRequest {
  return {
    kind: 'copy',
    source,
    destination,
    ...(flags.name === undefined ? {} : { name: flags.name }),
    networks: Object.fromEntries(flags.network.map((text) => pair(text, '--network'))),
    properties: Object.fromEntries(flags.property.map((text) => pair(text, '--property'))),
    placement: Object.fromEntries(parseUnknown(words)),
    powerOn: flags.powerOn === true,
    powerOffSource: flags.powerOffSource === true,
    keepMac: flags.keepMac === true,
    keepUuid: flags.keepUuid === true,
    onNameClash: flags.rename === true ? 'rename' : 'fail',
    acceptEulas: flags.acceptEulas === true,
    ...(flags.seed === undefined ? {} : { seed: flags.seed }),
    ...(flags.priority === undefined ? {} : { priority: readPriority(flags.priority) }),
  };
}

function pair(text: string, flag: string): [string, string] {
  const at = text.indexOf('=');
  if (at < 1) throw new Fault('input.invalid', `${flag} ${text} is not of the form name=value`);
  return [text.slice(0, at), text.slice(at + 1)];
}

async function check(client: Client, request: CopyRequest, json: boolean): Promise<void> {
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
