import type { Command } from 'commander';
import { plainHex } from '../base/tls.ts';
import { Fault } from '../model/fault.ts';
import type { Trust } from '../model/option.ts';
import type { CloudView } from '../protocol/api/clouds.ts';
import type { Client } from '../protocol/client.ts';
import { printCloudCheck } from './cloud-check.ts';
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
  ownAccounts?: boolean;
  ownAccountsOnly?: boolean;
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
    .option('--own-accounts', 'everybody signs in with their own account; the one given here only keeps watch')
    .option('--own-accounts-only', 'likewise, and the account given here is tried and forgotten')
    .option('--json', 'answer as JSON')
    .allowUnknownOption()
    .allowExcessArguments()
    .action((name: string, flags: AddFlags, command: Command) => add(name, flags, command.args.slice(1)));
  clouds.command('list').option('--json', 'answer as JSON').action(list);
  clouds
    .command('check <cloud>')
    .description('go the whole way to a cloud step by step, and say what works there')
    .option('--json', 'answer as JSON')
    .action(check);
  clouds
    .command('sign-in <cloud>')
    .description('sign in to a cloud that everybody uses with their own account (--username NAME --password-file FILE)')
    .option('--json', 'answer as JSON')
    .allowUnknownOption()
    .allowExcessArguments()
    .action((name: string, flags: { json?: boolean }, command: Command) => signIn(name, flags, command.args.slice(1)));
  clouds.command('sign-out <cloud>').description('forget what you signed in to a cloud with').action(signOut);
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
  const cloud = await client.addCloud({
    body: { name, node: node.id, driver: driver.name, options, trust, signIn: waysOf(flags) },
  });
  if (flags.json === true) return printJson(cloud);
  if (cloud.checked !== undefined) printCloudCheck(cloud.checked);
  printLine(`${cloud.name}: ${cloud.product ?? driver.title} ${cloud.version ?? ''} is ${cloud.state}`);
}

function waysOf({ ownAccounts, ownAccountsOnly }: AddFlags) {
  return ownAccountsOnly === true ? 'own-only' : ownAccounts === true ? 'own' : 'shared';
}

async function signIn(name: string, flags: { json?: boolean }, words: string[]): Promise<void> {
  refuseFlagAsArgument(name, 'cloudspan clouds sign-in <cloud> --username …');
  await using connection = await connectLast();
  const { client } = connection;
  const cloud = await findCloud(client, name);
  const { nodes } = await client.listNodes({});
  const driver = nodes.find(({ id }) => id === cloud.node)?.drivers.find((one) => one.name === cloud.driver);
  const described = (driver?.options ?? []).filter((one) => one.type === 'secret' || one.name === 'username');
  const options = await optionValues(described, parseUnknown(words), cloud.name);
  const signedIn = await client.signInToCloud({ cloud: cloud.id, body: { options } });
  if (flags.json === true) printJson(signedIn);
  else printLine(`you are signed in to ${cloud.name}; you see there what your account sees`);
}

async function signOut(name: string): Promise<void> {
  await using connection = await connectLast();
  const cloud = await findCloud(connection.client, name);
  await connection.client.signOutOfCloud({ cloud: cloud.id });
  printLine(`what you signed in to ${cloud.name} with is forgotten`);
}

async function trustFor(
  client: Client,
  name: string,
  probe: { node: string; driver: string; options: Record<string, string> },
  flags: AddFlags,
): Promise<Trust> {
  if (flags.ca !== undefined) return { kind: 'ca', pem: readNamedFile(flags.ca, '--ca') };
  if (flags.fingerprint !== undefined) return { kind: 'pin', sha256: plainHex(flags.fingerprint) };
  const certificate = await certificateOf(client, name, probe);
  if (certificate === undefined) return { kind: 'pin', sha256: '0'.repeat(64) };
  await confirmFingerprint(name, certificate);
  return { kind: 'pin', sha256: certificate.sha256 };
}

type Probe = Parameters<typeof trustFor>[2];

/** What the cloud shows before anything is believed; undefined where it is not reached by TLS. */
async function certificateOf(client: Client, name: string, probe: Probe) {
  const seen = await client.checkNewCloud({ body: { name, ...probe } }).catch(async (error: unknown) => {
    // A node of the version before has no such check.
    if (!(error instanceof Fault) || error.code !== 'cloud.unsupported') throw error;
    return { certificate: (await client.probeCloud({ body: probe })).certificate ?? undefined, fault: undefined };
  });
  const { fault } = seen;
  if (seen.certificate === undefined && fault !== undefined && /^(cloud\.un|proxy)/.test(fault.code)) {
    throw Fault.fromReport(fault);
  }
  return seen.certificate;
}

async function check(name: string, flags: { json?: boolean }): Promise<void> {
  await using connection = await connectLast();
  const found = await connection.client.checkCloud({ cloud: (await findCloud(connection.client, name)).id });
  if (flags.json === true) printJson(found);
  else {
    printCloudCheck(found);
    if (found.fault === undefined) printLine(`${name}: nothing stands against it`);
  }
  if (found.fault !== undefined) process.exitCode = 1;
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
      cloud.signedIn === false ? 'signed out' : cloud.state,
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
