import type { Command } from 'commander';
import { Fault } from '../model/fault.ts';
import { writeLimit } from '../model/limit-text.ts';
import type { NodeView } from '../protocol/api/nodes.ts';
import type { Client } from '../protocol/client.ts';
import { drawCheck } from './nodes-drawing.ts';
import { printJson, printLine, printTable } from './output.ts';
import { connectLast } from './session.ts';
import { storageLines, storageText } from './storage.ts';

interface JsonFlag {
  json?: boolean;
}

/** @returns the command, for further subcommands. */
export function addNodes(program: Command): Command {
  const nodes = program.command('nodes').description('the transfer agents near your clouds');
  nodes.command('list').option('--json', 'answer as JSON').action(list);
  nodes
    .command('erase <node>')
    .description('forget the key of the blocks that a node keeps for this server, then free their space')
    .action(erase);
  nodes
    .command('show <node>')
    .description('one node: its link, version and transfer storage')
    .option('--json', 'answer as JSON')
    .action(show);
  nodes
    .command('token')
    .description('make a token with which one node joins this server')
    .option('--address <host:port>', 'where the node reaches the server')
    .option('--tenant <tenant>', 'whose the node will be, with the clouds next to it')
    .option('--json', 'answer as JSON')
    .action(token);
  nodes
    .command('key <node>')
    .description('the public key of a node: packages are written for it with `cloudspan export … --for FILE`')
    .action(key);
  nodes
    .command('check <node> <other>')
    .description('draw the way between two nodes and name what blocks it; exit code 1 when none is open')
    .option('--json', 'answer as JSON')
    .action(check);
  nodes.command('remove <node>').description('forget a node; refused while a cloud uses it').action(remove);
  program
    .command('drivers')
    .description('the kinds of clouds that your nodes speak, with their options')
    .option('--json', 'answer as JSON')
    .action(drivers);
  return nodes;
}

async function list(flags: JsonFlag): Promise<void> {
  await using connection = await connectLast();
  const { nodes } = await connection.client.listNodes({});
  if (flags.json === true) return printJson({ nodes });
  printTable(
    ['NAME', 'STATE', 'LINK', 'PUBLIC', 'VERSION', 'STORAGE', 'LIMIT', 'ID'],
    nodes.map((node) => [
      node.name,
      node.connected ? 'connected' : 'away',
      node.link,
      node.public ? (node.address ?? 'yes') : 'no',
      node.version ?? '',
      storageText(node.storage),
      limitText(node),
      node.id,
    ]),
  );
}

async function show(name: string, flags: JsonFlag): Promise<void> {
  await using connection = await connectLast();
  const node = await findNode(connection.client, name);
  if (flags.json === true) return printJson(node);
  printLine(`node ${node.name} (${node.id}), ${node.connected ? 'connected' : 'away'}`);
  printLine(`  link          ${node.link}${node.address === undefined ? '' : `, ${node.address}`}`);
  if (node.version !== undefined) printLine(`  version       ${node.version}`);
  const { nodes } = await connection.client.listNodes({});
  if (node.limit !== undefined) printLine(`  limit         ${writeLimit(node.limit)}`);
  for (const { node: id, limit } of node.pairs ?? []) {
    printLine(`  limit         ${writeLimit(limit)}, to and from ${nodes.find((one) => one.id === id)?.name ?? id}`);
  }
  if (node.storage === undefined) return;
  printLine('transfer storage');
  for (const line of storageLines(node.storage)) printLine(`  ${line}`);
}

/** What a table of nodes says of a node's limits. */
function limitText(node: NodeView): string {
  const pairs = node.pairs?.length ?? 0;
  const own = node.limit === undefined ? '' : writeLimit(node.limit);
  return [own, pairs === 0 ? '' : `${pairs} ${pairs === 1 ? 'pair' : 'pairs'}`]
    .filter((text) => text !== '')
    .join(', ');
}

async function token(flags: JsonFlag & { address?: string; tenant?: string }): Promise<void> {
  const { tenant } = flags;
  await using connection = await connectLast();
  const address = flags.address ?? new URL(connection.server).host;
  const answer = await connection.client.createJoinToken({
    body: { address, ...(tenant === undefined ? {} : { tenant }) },
  });
  if (flags.json === true) return printJson(answer);
  printLine(`Run this next to your cloud, before ${answer.expires}:`);
  printLine(`  CLOUDSPAN_JOIN_TOKEN=${answer.token} cloudspan node join ${address}`);
}

async function key(name: string): Promise<void> {
  await using connection = await connectLast();
  const { publicKey } = await findNode(connection.client, name);
  if (publicKey === undefined)
    throw new Fault('cloud.unsupported', 'the server is too old to tell the keys of its nodes');
  printLine('-----BEGIN PUBLIC KEY-----');
  for (const line of publicKey.match(/.{1,64}/g) ?? []) printLine(line);
  printLine('-----END PUBLIC KEY-----');
}

async function check(one: string, other: string, flags: JsonFlag): Promise<void> {
  await using connection = await connectLast();
  const [source, destination] = [await findNode(connection.client, one), await findNode(connection.client, other)];
  const answer = await connection.client.checkNodes({ body: { source: source.id, destination: destination.id } });
  if (flags.json === true) printJson(answer);
  else for (const line of drawCheck(answer)) printLine(line);
  if (!answer.open) process.exitCode = 1;
}

async function remove(name: string): Promise<void> {
  await using connection = await connectLast();
  const node = await findNode(connection.client, name);
  await connection.client.removeNode({ node: node.id });
  printLine(`node ${node.name} is forgotten`);
}

async function erase(name: string): Promise<void> {
  await using connection = await connectLast();
  const node = await findNode(connection.client, name);
  await connection.client.eraseNode({ node: node.id });
  printLine(`the transfer storage of ${node.name} holds nothing of this server any more`);
}

/** A node by name or id; the only one when no name is given. */
export async function findNode(client: Client, name: string | undefined) {
  const { nodes } = await client.listNodes({});
  if (name === undefined && nodes.length === 1 && nodes[0] !== undefined) return nodes[0];
  const fits = nodes.filter((node) => node.id === name || node.name === name);
  if (fits.length === 1 && fits[0] !== undefined) return fits[0];
  throw new Fault(
    fits.length === 0 ? 'object.missing' : 'object.ambiguous',
    name === undefined ? 'the node has to be named' : `no single node is called "${name}"`,
    {
      remedy: 'Use --node with one of the names or ids that are listed.',
      details: { nodes: nodes.map((node) => `${node.name} (${node.id})`) },
    },
  );
}

async function drivers(flags: JsonFlag): Promise<void> {
  await using connection = await connectLast();
  const { nodes } = await connection.client.listNodes({});
  const all = new Map(nodes.flatMap((node) => node.drivers.map((driver) => [driver.name, driver])));
  if (flags.json === true) return printJson({ drivers: [...all.values()] });
  for (const driver of all.values()) {
    printLine(`${driver.name}: ${driver.title}`);
    for (const option of driver.options) {
      const name = option.type === 'secret' ? `--${option.name}-file` : `--${option.name}`;
      printLine(`  ${name.padEnd(24)} ${option.help}${option.required ? ' (required)' : ''}`);
    }
  }
}
