import type { Command } from 'commander';
import { Fault } from '../model/fault.ts';
import type { ProcessLog } from '../protocol/api/logs.ts';
import { readSeconds } from './flags.ts';
import { findNode } from './nodes.ts';
import { printJson, printTable } from './output.ts';
import { connectLast } from './session.ts';

interface LevelFlags {
  node?: string;
  for?: string;
  json?: boolean;
}

const LEVELS = ['trace', 'debug', 'info', 'warn', 'error'] as const;

export function addLogLevel(program: Command): void {
  program
    .command('log-level [level]')
    .description(
      `how much the server and its nodes log. Level: ${LEVELS.join(', ')}, or usual (as at the start of the process).\nWithout a level: show them.`,
    )
    .option('--node <node>', 'of this node instead of the server')
    .option('--for <time>', 'afterwards it is again what it was before: 90s, 10m, 2h')
    .option('--json', 'answer as JSON')
    .action(logLevel);
}

async function logLevel(text: string | undefined, flags: LevelFlags): Promise<void> {
  const level = text === undefined || text === 'usual' ? null : (LEVELS.find((one) => one === text) ?? undefined);
  if (level === undefined) {
    throw new Fault('input.invalid', `"${text}" is no log level`, { remedy: `Use ${LEVELS.join(', ')} or usual.` });
  }
  const seconds = flags.for === undefined ? {} : { seconds: readSeconds(flags.for, '--for') };
  await using connection = await connectLast();
  const { client } = connection;
  const node = flags.node === undefined ? undefined : (await findNode(client, flags.node)).name;
  if (text === undefined) {
    const { processes } = await client.listLogLevels({});
    return print(
      processes.filter((one) => node === undefined || one.node === node),
      flags,
    );
  }
  print([await client.setLogLevel({ body: { level, ...seconds, ...(node === undefined ? {} : { node }) } })], flags);
}

function print(processes: ProcessLog[], flags: LevelFlags): void {
  if (flags.json === true) printJson({ processes });
  else
    printTable(
      ['OF', 'LEVEL', 'UNTIL', 'THEN'],
      processes.map(({ node, log, fault }) => [
        node === undefined ? 'server' : `node ${node}`,
        log?.level ?? fault?.message ?? '',
        log?.until ?? '',
        log?.until === undefined ? '' : log.usual,
      ]),
    );
}
