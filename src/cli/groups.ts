import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { Fault } from '../model/fault.ts';
import type { GroupRequest, GroupView } from '../protocol/api/groups.ts';
import { type CopyFlags, check, requestOf, withCopyFlags, withCopyIdentity, withMoveFlags } from './copy.ts';
import { readCount, refuseFlagAsArgument } from './flags.ts';
import { printStarted } from './group-started.ts';
import { printJson, printLine, printTable } from './output.ts';
import { connectLast } from './session.ts';

interface StartFlags extends CopyFlags {
  move?: boolean;
  atATime?: string;
  stopOnFailure?: boolean;
}

export function addGroups(program: Command): void {
  const groups = program.command('groups').description('many copies and moves together, in waves');
  const start = groups
    .command('start <file>')
    .description(
      'start one job for each line of a file: [wave] <source> <destination>, with quotes where a path has spaces.\n' +
        'A wave (a number, 1 where it is missing) starts when the one before has ended. Flags are for every line.',
    )
    .option('--move', 'move instead of copying')
    .option('--at-a-time <jobs>', 'how many of them run at the same time at most')
    .option('--stop-on-failure', 'start no further ones when one did not succeed, until it is retried');
  withCopyFlags(withMoveFlags(withCopyIdentity(start))).action((file: string, flags: StartFlags, command: Command) =>
    startGroup(file, flags, command.args.slice(1)),
  );
  groups.command('list').option('--json', 'answer as JSON').action(list);
  groups
    .command('show <group>')
    .description('one group, by number or id')
    .option('--json', 'answer as JSON')
    .action(show);
  for (const [action, words] of [
    ['cancel', 'cancel what has not ended, and undo what it made'],
    ['pause', 'pause what has not ended'],
    ['resume', 'go on with what is paused'],
    ['retry', 'run again what failed or was cancelled; what arrived is kept'],
  ] as const) {
    groups
      .command(`${action} <group>`)
      .description(words)
      .option('--json', 'answer as JSON')
      .action((group: string, flags: { json?: boolean }) => act(group, action, flags));
  }
  groups
    .command('limits')
    .description('how many jobs run at the same time; without flags: show it (administrators of the installation only)')
    .option('--jobs <count>', 'all together')
    .option('--per-node <count|none>', 'for each node by itself')
    .option('--per-cloud <count|none>', 'for each cloud by itself')
    .option('--per-host <count|none>', 'for each host of machines that leave')
    .option('--json', 'answer as JSON')
    .action(limits);
}

async function startGroup(file: string, flags: StartFlags, words: string[]): Promise<void> {
  refuseFlagAsArgument(file, 'cloudspan groups start <file> --datastore …');
  const kind = flags.move === true ? 'move' : 'copy';
  const jobs: GroupRequest['jobs'] = readLines(await readFile(file, 'utf8'), file).map(
    ({ wave, source, destination }) => ({
      wave,
      request: requestOf(source, destination, flags, words, kind),
    }),
  );
  const body: GroupRequest = {
    name: flags.name ?? file,
    jobs: jobs.map(({ wave, request: { name: _, ...request } }) => ({
      ...(wave === undefined ? {} : { wave }),
      request,
    })),
    concurrency: flags.atATime === undefined ? null : readCount(flags.atATime, '--at-a-time'),
    onFailure: flags.stopOnFailure === true ? 'stop' : 'go-on',
  };
  await using connection = await connectLast();
  if (flags.check === true) {
    for (const { request } of body.jobs) await check(connection.client, request, flags.json === true);
    return;
  }
  printStarted(await connection.client.startGroup({ body }), flags.json === true);
}

/** Empty lines and those that begin with `#` say nothing. Fault `input.invalid` names the line. */
export function readLines(text: string, file: string): { wave: number; source: string; destination: string }[] {
  const lines = text.split(/\r?\n/).map((line, index) => ({ line: line.trim(), at: index + 1 }));
  return lines.flatMap(({ line, at }) => {
    if (line === '' || line.startsWith('#')) return [];
    const words = [...line.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? '');
    const [first = ''] = words;
    const wave = words.length === 3 && /^[1-9]\d{0,3}$/.test(first) ? Number(words.shift()) : 1;
    const [source, destination] = words;
    if (words.length === 2 && source !== undefined && destination !== undefined) return [{ wave, source, destination }];
    throw new Fault('input.invalid', `${file}, line ${at}: it is not [wave] <source> <destination>`, {
      remedy: 'Put a path with spaces into quotes.',
    });
  });
}

async function list(flags: { json?: boolean }): Promise<void> {
  await using connection = await connectLast();
  const { groups } = await connection.client.listGroups({});
  if (flags.json === true) return printJson({ groups });
  const rows = groups.map((one) => [String(one.number), one.name, statesOf(one), one.user, one.createdAt]);
  printTable(['GROUP', 'NAME', 'JOBS', 'USER', 'CREATED'], rows);
}

function statesOf({ states }: GroupView): string {
  return Object.entries(states)
    .map(([state, count]) => `${count} ${state}`)
    .join(', ');
}

async function show(id: string, flags: { json?: boolean }): Promise<void> {
  await using connection = await connectLast();
  const group = await connection.client.getGroup({ group: id });
  if (flags.json === true) return printJson(group);
  const bound = group.concurrency === null ? '' : `, ${group.concurrency} at a time`;
  printLine(`group ${group.number}  ${group.name}  ${statesOf(group)}${bound}`);
  const rows = group.jobs.map((job) => [
    String(job.group?.wave ?? ''),
    String(job.number),
    job.state,
    job.title,
    job.waitsFor ?? job.failure?.message ?? '',
  ]);
  printTable(['WAVE', 'JOB', 'STATE', 'WHAT', 'WHY'], rows);
}

async function act(group: string, action: string, flags: { json?: boolean }): Promise<void> {
  await using connection = await connectLast();
  const { changed, left } = await connection.client.actOnGroup({ group, action });
  if (flags.json === true) return printJson({ changed, left });
  printLine(changed.length === 0 ? 'no job was changed' : `${action}: jobs ${changed.join(', ')}`);
  for (const { job, why } of left) printLine(`job ${job} stays as it is: ${why}`);
}

async function limits(flags: {
  jobs?: string;
  perNode?: string;
  perCloud?: string;
  perHost?: string;
  json?: boolean;
}): Promise<void> {
  const bound = (text: string | undefined, flag: string) => (text === 'none' ? null : readCount(text ?? '', flag));
  const body = {
    ...(flags.jobs === undefined ? {} : { jobs: readCount(flags.jobs, '--jobs') }),
    ...(flags.perNode === undefined ? {} : { perNode: bound(flags.perNode, '--per-node') }),
    ...(flags.perCloud === undefined ? {} : { perCloud: bound(flags.perCloud, '--per-cloud') }),
    ...(flags.perHost === undefined ? {} : { perHost: bound(flags.perHost, '--per-host') }),
  };
  await using connection = await connectLast();
  const { client } = connection;
  const now = Object.keys(body).length === 0 ? await client.getConcurrency({}) : await client.setConcurrency({ body });
  if (flags.json === true) return printJson(now);
  const text = (count: number | null) => (count === null ? 'no limit of its own' : String(count));
  printLine(`jobs at the same time: ${now.jobs}`);
  printLine(`for each node: ${text(now.perNode)}; cloud: ${text(now.perCloud)}; host: ${text(now.perHost)}`);
}
