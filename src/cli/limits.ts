import type { Command } from 'commander';
import { Fault } from '../model/fault.ts';
import type { Limit } from '../model/limit.ts';
import { readRate, readWindow, writeLimit } from '../model/limit-text.ts';
import type { NodeView } from '../protocol/api/nodes.ts';
import { findNode } from './nodes.ts';
import { printJson, printLine } from './output.ts';
import { connectLast } from './session.ts';

interface LimitFlags {
  rate?: string;
  to?: string;
  schedule: string[];
  timeZone?: string;
  clear?: boolean;
  json?: boolean;
}

const collect = (value: string, all: string[]) => [...all, value];

/** @param nodes The command that the subcommand belongs to. */
export function addLimit(nodes: Command): void {
  nodes
    .command('limit <node>')
    .description(
      'limit how fast a node, or a pair of nodes, moves data, in each direction; running copies follow at once.\n' +
        'Without flags: show the limits that there are.',
    )
    .option('--rate <rate>', '100Mbit/s, 10MB/s, 0 (nothing moves), unlimited (default where there is a schedule)')
    .option('--to <node>', 'only what goes between the two nodes')
    .option(
      '--schedule <window>',
      "a part of the week with a rate of its own, as 'mon-fri 08:00-18:00=20Mbit/s'; may be repeated, the first that holds counts",
      collect,
      [],
    )
    .option('--time-zone <name>', 'of the schedule, as Europe/Berlin (default: that of the node)')
    .option('--clear', 'take the limit away')
    .option('--json', 'answer as JSON')
    .action(limit);
}

async function limit(name: string, flags: LimitFlags): Promise<void> {
  const wanted = limitOf(flags);
  await using connection = await connectLast();
  const { client } = connection;
  const node = await findNode(client, name);
  const to = flags.to === undefined ? undefined : (await findNode(client, flags.to)).id;
  const changed =
    wanted === undefined
      ? node
      : await client.setLimit({ node: node.id, body: { ...(to === undefined ? {} : { to }), limit: wanted } });
  if (flags.json === true)
    return printJson({ node: changed.id, limit: changed.limit ?? null, pairs: changed.pairs ?? [] });
  printLimits(changed, (await client.listNodes({})).nodes);
}

/** Undefined where nothing is to be changed. */
function limitOf({ rate, schedule, timeZone, clear }: LimitFlags): Limit | null | undefined {
  const sets = rate !== undefined || schedule.length > 0;
  if (clear === true && sets)
    throw new Fault('input.invalid', '--clear takes a limit away: it goes with no other limit');
  if (clear === true) return null;
  if (!sets) return undefined;
  return {
    bitsPerSecond: rate === undefined ? null : readRate(rate),
    ...(timeZone === undefined ? {} : { timeZone }),
    windows: schedule.map(readWindow),
  };
}

/** One line for each limit of a node. */
function printLimits(node: NodeView, nodes: readonly NodeView[]): void {
  const names = new Map(nodes.map((one) => [one.id, one.name]));
  printLine(`${node.name}: ${node.limit === undefined ? 'no limit' : writeLimit(node.limit)}`);
  for (const { node: other, limit: between } of node.pairs ?? []) {
    printLine(`${node.name} and ${names.get(other) ?? other}: ${writeLimit(between)}`);
  }
  if (!node.connected) printLine(`node ${node.name} is away: it keeps to this from its next link on`);
}
