import type { Command } from 'commander';
import { plainHex } from '../base/tls.ts';
import { Fault } from '../model/fault.ts';
import type { Trust } from '../model/option.ts';
import type { CloudView } from '../protocol/api/clouds.ts';
import type { Client } from '../protocol/client.ts';
import { readNamedFile } from './files.ts';
import { optionValues, parseUnknown, refuseFlagAsArgument } from './flags.ts';
import { findNode } from './nodes.ts';
import { printJson, printLine, printTable } from './output.ts';
import { confirmFingerprint } from './prompt.ts';
import { connectLast } from './session.ts';

interface AddFlags {
  driver: string;
  node?: string;
  fingerprint?: string;
  ca?: string;
  json?: boolean;
}

export function addClouds(program: Command): Command {
  const clouds = program.command('clouds').description('the clouds that you see');
  clouds
    .command('add <name>')
    .description('add a cloud; its own options are listed by `cloudspan drivers`')
    .requiredOption('--driver <driver>', 'kind of cloud')
    .option('--node <node>', 'the node next to it (needed when there are several)')
    .option('--fingerprint <sha256>', 'the confirmed SHA-256 of its certificate')
    .option('--ca <file>', 'PEM of the CA that signs its certificate')
    .option('--json', 'answer as JSON')
    .allowUnknownOption()
    .allowExcessArguments()
    .action((name: string, flags: AddFlags, command: Command) => add(name, flags, command.args.slice(1)));
  clouds.command('list').option('--json', 'answer as JSON').action(list);
  clouds
    .command('test <cloud>')
    .description('sign in again and say what works')
    .option('--json', 'answer as JSON')
    .action(test);
  clouds.command('remove <cloud>').description('forget a cloud; nothing inside of it is touched').action(remove);
  return clouds;
}

async function add(name: string, flags: AddFlags, words: string[]): Promise<void> {
  refuseFlagAsArgument(name, 'cloudspan clouds add <name> --driver … --url …');
  await using connection = await connectLast();
  const { client } = connection;
  const node = await findNode(client, flags.node);
  const driver = node.drivers.find((one) => one.name === flags.driver);
  if (driver === undefined) {
    throw new Fault('input.invalid', `node ${node.name} has no driver "${flags.driver}"`, {
      remedy: node.connected
        ? `It has: ${node.drivers.map((one) => one.name).join(', ')}.`
        : 'The node is away; start it first.',
    });
  }
  const options = await optionValues(driver.options, parseUnknown(words), driver.name);
  const secrets = new Set(driver.options.filter((option) => option.type === 'secret').map((option) => option.name));
  const open = Object.fromEntries(Object.entries(options).filter(([key]) => !secrets.has(key)));
  const trust = await trustFor(client, name, { node: node.id, driver: driver.name, options: open }, flags);
  const cloud = await client.addCloud({ body: { name, node: node.id, driver: driver.name, options, trust } });
  if (flags.json === true) return printJson(cloud);
  printLine(`${cloud.name}: ${cloud.product ?? driver.title} ${cloud.version ?? ''} is ${cloud.state}`);
}

async function trustFor(
  client: Client,
  name: string,
  probe: { node: string; driver: string; options: Record<string, string> },
  flags: AddFlags,
): Promise<Trust> {
  if (flags.ca !== undefined) return { kind: 'ca', pem: readNamedFile(flags.ca, '--ca') };
  if (flags.fingerprint !== undefined) return { kind: 'pin', sha256: plainHex(flags.fingerprint) };
  const { certificate } = await client.probeCloud({ body: probe });
  if (certificate === null) return { kind: 'pin', sha256: '0'.repeat(64) };
  await confirmFingerprint(name, certificate);
  return { kind: 'pin', sha256: certificate.sha256 };
}

async function list(flags: { json?: boolean }): Promise<void> {
  await using connection = await connectLast();
  const { clouds } = await connection.client.listClouds({});
  const { nodes } = await connection.client.listNodes({});
  if (flags.json === true) return printJson({ clouds });
  printTable(
    ['NAME', 'STATE', 'PRODUCT', 'OBJECTS', 'NODE', 'ID'],
    clouds.map((cloud) => [
      cloud.name,
      cloud.state,
      `${cloud.product ?? cloud.driver} ${cloud.version ?? ''}`.trim(),
      String(cloud.objects),
      nodes.find((node) => node.id === cloud.node)?.name ?? cloud.node,
      cloud.id,
    ]),
  );
  for (const cloud of clouds)
    if (cloud.fault !== undefined) printLine(`${cloud.name}: ${cloud.fault.message} — ${cloud.fault.remedy}`);
}

async function test(name: string, flags: { json?: boolean }): Promise<void> {
  await using connection = await connectLast();
  const cloud = await connection.client.testCloud({ cloud: (await findCloud(connection.client, name)).id });
  if (flags.json === true) return printJson(cloud);
  if (cloud.fault !== undefined) throw Fault.fromReport(cloud.fault);
  printLine(`${cloud.name}: ${cloud.product ?? ''} ${cloud.version ?? ''} answers; it can: ${cloud.facets.join(', ')}`);
}

async function remove(name: string): Promise<void> {
  await using connection = await connectLast();
  const cloud = await findCloud(connection.client, name);
  await connection.client.removeCloud({ cloud: cloud.id });
  printLine(`${cloud.name} is forgotten; nothing inside of it was touched`);
}

/** A cloud by name or id. */
export async function findCloud(client: Client, name: string): Promise<CloudView> {
  const { clouds } = await client.listClouds({});
  const fits = clouds.filter((cloud) => cloud.name === name || cloud.id === name);
  if (fits.length === 1 && fits[0] !== undefined) return fits[0];
  throw new Fault(fits.length === 0 ? 'object.missing' : 'object.ambiguous', `no single cloud is called "${name}"`, {
    details: { clouds: clouds.map((cloud) => `${cloud.name} (${cloud.id})`) },
  });
}
